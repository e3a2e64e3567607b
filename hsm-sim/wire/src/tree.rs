//! A structure on its way, with everything that its pointers lead to. Addresses never travel:
//! where a pointer was, there are zeros, and what it led to follows.

use zeroize::Zeroizing;

use crate::channel::FRAME_BYTES_MAX;
use crate::codec::{Malformed, Reader, Writer};
use crate::layout::{Flow, Layout, Pointer, Shape, Span, resolve};

/// Structures within structures: a template in a template.
const DEPTH_MAX: usize = 4;
/// Structures in one place: attributes in a template.
const ITEMS_MAX: usize = 1024;

/// Memory of a known shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    shape: Shape,
    bytes: Zeroizing<Vec<u8>>,
    /// What each pointer of each item leads to; `None` for a null pointer.
    children: Vec<Option<Node>>,
}

/// What one message may still make the reader allocate.
pub struct Budget {
    bytes: usize,
    depth: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: FRAME_BYTES_MAX,
            depth: DEPTH_MAX,
        }
    }
}

impl Budget {
    /// Takes memory of this shape out of the budget, and yields its bytes.
    ///
    /// # Errors
    /// [`Malformed`] if there is not so much left.
    pub fn take(&mut self, shape: Shape) -> Result<usize, Malformed> {
        let bytes = shape.bytes()?;
        if let Shape::Items(_, items) = shape
            && (items > ITEMS_MAX || self.depth == 0)
        {
            return Err(Malformed);
        }
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Malformed)?;
        Ok(bytes)
    }

    /// Goes one structure deeper, and back.
    ///
    /// # Errors
    /// Those of `act`.
    pub fn deeper<T, E>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.depth = self.depth.saturating_sub(1);
        let outcome = act(self);
        self.depth += 1;
        outcome
    }
}

impl Node {
    /// Memory without pointers.
    pub fn leaf(bytes: Zeroizing<Vec<u8>>) -> Self {
        let (shape, children) = (Shape::Bytes(bytes.len()), Vec::new());
        Self {
            shape,
            bytes,
            children,
        }
    }

    /// Structures; `children` has one place for each pointer of each item. Pointers are cut out.
    ///
    /// # Errors
    /// [`Malformed`] if bytes or children are more or fewer than the shape says.
    pub fn structures(
        layout: &'static Layout,
        items: usize,
        mut bytes: Zeroizing<Vec<u8>>,
        children: Vec<Option<Self>>,
    ) -> Result<Self, Malformed> {
        let shape = Shape::Items(layout, items);
        let fits = shape.bytes()? == bytes.len()
            && layout.pointers.len().checked_mul(items) == Some(children.len());
        if !fits {
            return Err(Malformed);
        }
        cut_pointers(layout, &mut bytes);
        Ok(Self {
            shape,
            bytes,
            children,
        })
    }

    /// What it holds.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The memory itself, zeros in place of pointers.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What its pointers lead to, item by item.
    pub fn children(&self) -> &[Option<Self>] {
        &self.children
    }

    /// Which way what a pointer leads to goes.
    pub fn flow(&self, place: usize) -> Flow {
        self.pointer(place)
            .map_or(Flow::In, |(_, pointer)| pointer.flow())
    }

    /// Changes every handle that its structures hold.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn change_handles<E>(
        &mut self,
        change: &mut impl FnMut(u64) -> Result<u64, E>,
    ) -> Result<(), E> {
        let Shape::Items(layout, _) = self.shape else {
            return Ok(());
        };
        for item in self.bytes.chunks_exact_mut(layout.bytes) {
            for at in layout.handles {
                let place = item.get_mut(*at..).and_then(|rest| rest.first_chunk_mut());
                if let Some(place) = place {
                    *place = change(u64::from_ne_bytes(*place))?.to_ne_bytes();
                }
            }
        }
        let mut children = self.children.iter_mut().flatten();
        children.try_for_each(|child| child.change_handles(change))
    }

    /// Writes what goes to the token.
    pub fn write(&self, message: &mut Writer, flow: Flow) {
        match self.shape {
            Shape::Bytes(_) if flow == Flow::Out => {}
            Shape::Bytes(_) => message.put(&self.bytes),
            Shape::Items(..) => {
                message.put(&self.bytes);
                for (place, child) in self.children.iter().enumerate() {
                    message.flag(child.is_some());
                    if let (Some(child), Some((_, pointer))) = (child, self.pointer(place)) {
                        child.write(message, pointer.flow());
                    }
                }
            }
        }
    }

    /// Reads what [`Self::write`] wrote of such a span.
    ///
    /// # Errors
    /// [`Malformed`] if it is not so, or beyond the budget.
    pub fn read(
        reader: &mut Reader<'_>,
        Span { shape, flow }: Span,
        budget: &mut Budget,
    ) -> Result<Self, Malformed> {
        let length = budget.take(shape)?;
        let Shape::Items(layout, items) = shape else {
            let bytes = match flow {
                Flow::Out => vec![0; length],
                Flow::In | Flow::Both => reader.take(length)?.to_vec(),
            };
            return Ok(Self::leaf(Zeroizing::new(bytes)));
        };
        let bytes = Zeroizing::new(reader.take(length)?.to_vec());
        let mut children = Vec::new();
        for item in bytes.chunks_exact(layout.bytes) {
            for pointer in layout.pointers {
                children.push(if reader.flag()? {
                    let span = resolve(item, pointer)?;
                    Some(budget.deeper(|budget| Self::read(reader, span, budget))?)
                } else {
                    None
                });
            }
        }
        Self::structures(layout, items, bytes, children)
    }

    /// Writes what comes back from the token: `self` is as it was sent, `after` as it is now.
    pub fn write_back(&self, after: &Self, message: &mut Writer) {
        message.put(&after.bytes);
        for (place, (sent, child)) in self.children.iter().zip(&after.children).enumerate() {
            let (Some(sent), Some(child), Some((_, pointer))) = (sent, child, self.pointer(place))
            else {
                continue;
            };
            match (sent.shape, pointer.flow()) {
                (Shape::Bytes(_), Flow::In) => {}
                (Shape::Bytes(_), Flow::Both) => message.put(&child.bytes),
                (Shape::Bytes(room), Flow::Out) => {
                    let length = after.returned(place, room);
                    message.put(child.bytes.get(..length).unwrap_or_default());
                }
                (Shape::Items(..), _) => sent.write_back(child, message),
            }
        }
    }

    /// Reads what [`Self::write_back`] wrote: `self` is as it was sent.
    ///
    /// # Errors
    /// [`Malformed`] if it is not so.
    pub fn read_back(&self, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut after = self.clone();
        after.bytes = Zeroizing::new(reader.take(self.bytes.len())?.to_vec());
        for place in 0..self.children.len() {
            let (Some(Some(sent)), Some((_, pointer))) =
                (self.children.get(place), self.pointer(place))
            else {
                continue;
            };
            let back = match (sent.shape, pointer.flow()) {
                (Shape::Bytes(_), Flow::In) => continue,
                (Shape::Bytes(length), Flow::Both) => Self::leaf_of(reader.take(length)?),
                (Shape::Bytes(room), Flow::Out) => {
                    Self::leaf_of(reader.take(after.returned(place, room))?)
                }
                (Shape::Items(..), _) => sent.read_back(reader)?,
            };
            if let Some(child) = after.children.get_mut(place) {
                *child = Some(back);
            }
        }
        Ok(after)
    }

    fn leaf_of(bytes: &[u8]) -> Self {
        Self::leaf(Zeroizing::new(bytes.to_vec()))
    }

    /// Bytes that came into a room: none if the count afterwards says that they did not fit.
    fn returned(&self, place: usize, room: usize) -> usize {
        let span = self
            .pointer(place)
            .and_then(|(item, pointer)| resolve(item, pointer).ok());
        let length = span.and_then(|span| span.shape.bytes().ok());
        length.filter(|length| *length <= room).unwrap_or(0)
    }

    /// The item and the pointer of a child's place.
    fn pointer(&self, place: usize) -> Option<(&[u8], &'static Pointer)> {
        let Shape::Items(layout, _) = self.shape else {
            return None;
        };
        let pointers = layout.pointers.len();
        let item = place.checked_div(pointers)?;
        let bytes = self.bytes.chunks_exact(layout.bytes).nth(item)?;
        let pointer = layout.pointers.get(place.checked_rem(pointers)?)?;
        Some((bytes, pointer))
    }
}

/// Puts zeros in the place of every address.
fn cut_pointers(layout: &Layout, bytes: &mut [u8]) {
    for item in bytes.chunks_exact_mut(layout.bytes) {
        for pointer in layout.pointers {
            let end = pointer.at + size_of::<usize>();
            if let Some(address) = item.get_mut(pointer.at..end) {
                address.fill(0);
            }
        }
    }
}
