//! The caller's memory, read and written by layouts, and where it was.
#![expect(unsafe_code, reason = "reads and writes where PKCS#11 callers point")]

use std::ptr;

use hsm_wire::{Budget, Flow, Malformed, Node, Shape, Span, resolve};
use zeroize::Zeroizing;

/// Where a node was read from.
pub(crate) struct Origin {
    address: u64,
    children: Vec<Option<Origin>>,
}

/// An address as the caller passed it.
pub(crate) fn pointer<T>(address: u64) -> *mut T {
    ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or_default())
}

/// A copy of bytes at a place that is not null.
///
/// # Safety
/// `address` leads to `length` readable bytes.
pub(crate) unsafe fn read(address: u64, length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    // SAFETY: the caller vouches for the source; the target is our own memory of this length.
    unsafe { ptr::copy_nonoverlapping(pointer::<u8>(address), bytes.as_mut_ptr(), length) };
    bytes
}

/// Writes bytes to a place that is not null.
///
/// # Safety
/// `address` leads to `bytes.len()` writable bytes.
pub(crate) unsafe fn write(address: u64, bytes: &[u8]) {
    // SAFETY: the caller vouches for the target; the source is our own memory.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), pointer::<u8>(address), bytes.len()) };
}

/// Reads memory and all that its pointers lead to.
///
/// # Safety
/// `address` leads to memory of this shape, and every pointer in it is null or leads to what its
/// layout says.
pub(crate) unsafe fn capture(
    address: u64,
    Span { shape, flow }: Span,
    budget: &mut Budget,
) -> Result<(Node, Origin), Malformed> {
    let length = budget.take(shape)?;
    let Shape::Items(layout, items) = shape else {
        let bytes = match flow {
            Flow::Out => Zeroizing::new(vec![0; length]),
            // SAFETY: the contract of this function.
            Flow::In | Flow::Both => unsafe { read(address, length) },
        };
        let children = Vec::new();
        return Ok((Node::leaf(bytes), Origin { address, children }));
    };
    // SAFETY: the contract of this function.
    let bytes = unsafe { read(address, length) };
    let (mut nodes, mut children) = (Vec::new(), Vec::new());
    for item in bytes.chunks_exact(layout.bytes) {
        for place in layout.pointers {
            let target = item.get(place.at..).and_then(|rest| rest.first_chunk());
            let target = target.map_or(0, |address| u64::from_ne_bytes(*address));
            let child = if target == 0 {
                None
            } else {
                let span = resolve(item, place)?;
                // SAFETY: not null, so it leads to what the layout says.
                Some(budget.deeper(|budget| unsafe { capture(target, span, budget) })?)
            };
            let (node, origin) = child.unzip();
            nodes.push(node);
            children.push(origin);
        }
    }
    let node = Node::structures(layout, items, bytes, nodes)?;
    Ok((node, Origin { address, children }))
}

/// Writes back what the token changed. What it left alone is not touched: it may be read-only.
///
/// # Safety
/// `origin` still leads to the memory that `before` was read from; what flows out, and what
/// differs, is writable.
pub(crate) unsafe fn restore(origin: &Origin, before: &Node, after: &Node, flow: Flow) {
    if let Shape::Items(..) = before.shape() {
        let words = before.bytes().chunks(8).zip(after.bytes().chunks(8));
        for (place, (old, new)) in words.enumerate() {
            // Addresses are zeros on both sides, so they stay as they are.
            if old != new {
                // SAFETY: the contract of this function; the word is within the structure.
                unsafe { write(origin.address + 8 * place as u64, new) };
            }
        }
    } else if flow == Flow::Out || after.bytes() != before.bytes() {
        // SAFETY: the contract of this function; never more bytes than there were.
        unsafe { write(origin.address, after.bytes()) };
    }
    let children = origin.children.iter().zip(before.children());
    for (place, ((origin, child), after)) in children.zip(after.children()).enumerate() {
        if let (Some(origin), Some(child), Some(after)) = (origin, child, after) {
            // SAFETY: the contract of this function.
            unsafe { restore(origin, child, after, before.flow(place)) };
        }
    }
}
