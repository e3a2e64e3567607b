//! Owns the one strict pass over a document (RFC 8259): each value and key becomes a record on the tape, or
//! the pass stops at the first byte that no document has there.

use super::number::number;
use super::string::string;
use super::tape::{Kind, ROOT, Tape};
use super::unique::{Frame, Names};
use super::{Bounds, Fault, ScanError};

/// Where a pass stopped, and why.
pub(super) struct Stopped {
    pub(super) at: usize,
    pub(super) fault: Fault,
}

/// A pass. Where it stands is handed from step to step, and so stays in a register.
pub(super) struct Reader<'a, 'b> {
    bytes: &'a [u8],
    tape: Tape<'a>,
    names: Names<'a>,
    /// The container that this place is in.
    inner: Open,
    /// Those around it, the innermost last.
    outer: Vec<Open>,
    bounds: &'b Bounds,
}

/// A container that has not ended, or the document itself.
struct Open {
    node: u32,
    /// What ends it; nothing ends the document.
    closing: Option<u8>,
    frame: Frame,
}

impl<'a, 'b> Reader<'a, 'b> {
    /// The tape of a whole document.
    pub(super) fn read(text: &'a str, bounds: &'b Bounds) -> Result<Tape<'a>, ScanError> {
        let names = Names::default();
        let mut reader = Self {
            bytes: text.as_bytes(),
            tape: Tape::empty(text),
            inner: Open {
                node: ROOT,
                closing: None,
                frame: names.enter(),
            },
            outer: Vec::new(),
            names,
            bounds,
        };
        match reader.document() {
            Ok(()) => Ok(reader.tape),
            Err(Stopped { at, fault }) => Err(ScanError::at(reader.bytes, at, fault)),
        }
    }

    /// Step by step: a member's name, a value or a container's beginning, and what is behind it.
    fn document(&mut self) -> Result<(), Stopped> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(stopped(0, Fault::TooLong));
        }
        let mut at = blank(self.bytes, 0);
        loop {
            if self.inner.closing == Some(b'}') {
                at = self.key(at)?;
            }
            if self.tape.values() == self.bounds.nodes_max {
                let nodes_max = self.bounds.nodes_max;
                return Err(stopped(at, Fault::TooManyNodes { nodes_max }));
            }
            let closing = match self.bytes.get(at) {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            if closing.is_some() {
                at = self.enter(at, closing)?;
                if self.bytes.get(at).copied() != closing {
                    continue;
                }
            } else {
                at = self.leaf(at)?;
            }
            match self.behind(at)? {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// Behind a value containers end, until one goes on with an element or a member. `None` at the document's end.
    #[inline]
    fn behind(&mut self, mut at: usize) -> Result<Option<usize>, Stopped> {
        loop {
            at = blank(self.bytes, at);
            let byte = self.bytes.get(at).copied();
            let Some(closing) = self.inner.closing else {
                return match byte {
                    None => Ok(None),
                    Some(_) => Err(stopped(at, Fault::Trailing)),
                };
            };
            if byte == Some(b',') {
                return Ok(Some(blank(self.bytes, at + 1)));
            }
            if byte != Some(closing) {
                return Err(unexpected(self.bytes, at, Fault::Separator));
            }
            at += 1;
            self.leave(at);
        }
    }

    /// A value without children, up to the byte behind it.
    #[inline]
    fn leaf(&mut self, at: usize) -> Result<usize, Stopped> {
        let (end, kind) = match self.bytes.get(at) {
            Some(b'"') => {
                let (end, escaped) = string(self.bytes, at)?;
                (end, Kind::Text { escaped })
            }
            Some(b'-' | b'0'..=b'9') => (number(self.bytes, at)?, Kind::Number),
            Some(b't') => (self.literal(at, b"true")?, Kind::True),
            Some(b'f') => (self.literal(at, b"false")?, Kind::False),
            Some(b'n') => (self.literal(at, b"null")?, Kind::Null),
            Some(_) => return Err(stopped(at, Fault::Value)),
            None => return Err(stopped(at, Fault::Truncated)),
        };
        self.tape.leaf(at, end, kind);
        Ok(end)
    }

    fn literal(&self, at: usize, word: &[u8]) -> Result<usize, Stopped> {
        let end = at + word.len();
        if self.bytes.get(at..end) == Some(word) {
            Ok(end)
        } else {
            Err(stopped(at, Fault::Value))
        }
    }

    /// Up to a container's first child, or its end.
    #[inline]
    fn enter(&mut self, at: usize, closing: Option<u8>) -> Result<usize, Stopped> {
        if self.outer.len() == self.bounds.depth_max {
            let depth_max = self.bounds.depth_max;
            return Err(stopped(at, Fault::TooDeep { depth_max }));
        }
        let inner = Open {
            node: self.tape.open(at),
            closing,
            frame: self.names.enter(),
        };
        self.outer.push(std::mem::replace(&mut self.inner, inner));
        Ok(blank(self.bytes, at + 1))
    }

    /// The innermost container ends before this place.
    #[inline]
    fn leave(&mut self, at: usize) {
        let Some(outer) = self.outer.pop() else {
            return;
        };
        let ended = std::mem::replace(&mut self.inner, outer);
        let kind = match ended.closing {
            Some(b'}') => Kind::Object,
            _ => Kind::Array,
        };
        self.names.leave(&ended.frame);
        self.tape.close(ended.node, at, kind);
    }

    /// A member's name and the colon after it, up to its value.
    #[inline]
    fn key(&mut self, at: usize) -> Result<usize, Stopped> {
        match self.bytes.get(at) {
            Some(b'"') => {}
            Some(_) => return Err(stopped(at, Fault::Key)),
            None => return Err(stopped(at, Fault::Truncated)),
        }
        let (end, escaped) = string(self.bytes, at)?;
        let node = self.tape.key(at, end, Kind::Key { escaped });
        let colon = blank(self.bytes, end);
        if self.bytes.get(colon) != Some(&b':') {
            return Err(unexpected(self.bytes, colon, Fault::Colon));
        }
        let plain = if escaped {
            None
        } else {
            self.bytes.get(at + 1..end - 1)
        };
        let (frame, tape) = (&mut self.inner.frame, &self.tape);
        if !self.names.insert(frame, tape, node, plain) {
            return Err(stopped(at, Fault::DuplicateKey));
        }
        Ok(blank(self.bytes, colon + 1))
    }
}

#[cold]
pub(super) fn stopped(at: usize, fault: Fault) -> Stopped {
    Stopped { at, fault }
}

/// `fault`, or that the document ends here.
#[cold]
pub(super) fn unexpected(bytes: &[u8], at: usize, fault: Fault) -> Stopped {
    let ends = at >= bytes.len();
    stopped(at, if ends { Fault::Truncated } else { fault })
}

/// Behind the white space here.
#[inline]
fn blank(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte @ ..=b' ') = bytes.get(at)
        && matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    {
        at += 1;
    }
    at
}
