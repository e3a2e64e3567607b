//! Owns the tape: one small record for each value and key of a document, in the document's order.
//! A record knows where its subtree ends, so that what is not wanted is stepped over.

use std::borrow::Cow;
use std::ops::Range;

use super::read::Reader;
use super::string::resolved;
use super::{Bounds, Fault, ScanError};

/// What stands at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    Text { escaped: bool },
    Key { escaped: bool },
    Array,
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    start: u32,
    end: u32,
    /// The record after this one's subtree.
    next: u32,
    kind: Kind,
}

/// A document that was read whole. Nodes are named by their place on the tape; the root is 0.
pub(crate) struct Tape<'a> {
    text: &'a str,
    records: Vec<Record>,
    keys: usize,
}

/// A child and the way to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) node: u32,
    /// The key's node, in an object.
    pub(crate) key: Option<u32>,
}

/// How much of a dense document one record stands for, about.
const BYTES_A_RECORD: usize = 8;

/// The root's node.
pub(crate) const ROOT: u32 = 0;

impl<'a> Tape<'a> {
    /// Reads a whole document.
    pub(crate) fn read(body: &'a [u8], bounds: &Bounds) -> Result<Self, ScanError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| ScanError::at(body, error.valid_up_to(), Fault::NotUtf8))?;
        Reader::read(text, bounds)
    }

    pub(super) fn empty(text: &'a str) -> Self {
        Self {
            text,
            records: Vec::with_capacity(text.len() / BYTES_A_RECORD + 8),
            keys: 0,
        }
    }

    /// How many values, keys not counted.
    #[inline]
    pub(super) fn values(&self) -> usize {
        self.records.len() - self.keys
    }

    /// How many records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    #[inline]
    pub(super) fn open(&mut self, start: usize) -> u32 {
        let node = short(self.records.len());
        self.records.push(Record {
            start: short(start),
            end: 0,
            next: 0,
            kind: Kind::Null,
        });
        node
    }

    /// A value without children, or a key.
    #[inline]
    pub(super) fn leaf(&mut self, start: usize, end: usize, kind: Kind) -> u32 {
        let node = short(self.records.len());
        self.records.push(Record {
            start: short(start),
            end: short(end),
            next: node.wrapping_add(1),
            kind,
        });
        node
    }

    #[inline]
    pub(super) fn key(&mut self, start: usize, end: usize, kind: Kind) -> u32 {
        self.keys += 1;
        self.leaf(start, end, kind)
    }

    /// A key's or string's bytes, where it has no escapes.
    #[inline]
    pub(super) fn plain(&self, node: u32) -> Option<&'a [u8]> {
        let record = self.records[node as usize];
        match record.kind {
            Kind::Text { escaped: false } | Kind::Key { escaped: false } => self
                .text
                .as_bytes()
                .get(record.start as usize + 1..record.end as usize - 1),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn close(&mut self, node: u32, end: usize, kind: Kind) {
        let next = short(self.records.len());
        let record = &mut self.records[node as usize];
        record.end = short(end);
        record.next = next;
        record.kind = kind;
    }

    #[inline]
    pub(crate) fn kind(&self, node: u32) -> Kind {
        self.records[node as usize].kind
    }

    /// The node after this one's subtree.
    #[inline]
    pub(crate) fn next(&self, node: u32) -> u32 {
        self.records[node as usize].next
    }

    /// The literal's bytes in the document, quotes included.
    pub(crate) fn span(&self, node: u32) -> Range<usize> {
        let record = self.records[node as usize];
        record.start as usize..record.end as usize
    }

    /// What has to go where the value goes: a member's key too.
    pub(crate) fn extent(&self, node: u32) -> Range<usize> {
        let span = self.span(node);
        let key = node
            .checked_sub(1)
            .filter(|before| matches!(self.kind(*before), Kind::Key { .. }));
        match key {
            Some(key) => self.span(key).start..span.end,
            None => span,
        }
    }

    /// The literal as it is written.
    #[inline]
    pub(crate) fn raw(&self, node: u32) -> &'a str {
        &self.text[self.span(node)]
    }

    /// A string's or key's text, escapes resolved; other literals as they are written.
    pub(crate) fn text(&self, node: u32) -> Cow<'a, str> {
        let raw = self.raw(node);
        match self.kind(node) {
            Kind::Text { escaped } | Kind::Key { escaped } => {
                let inner = &raw[1..raw.len() - 1];
                if escaped {
                    Cow::Owned(resolved(inner))
                } else {
                    Cow::Borrowed(inner)
                }
            }
            _ => Cow::Borrowed(raw),
        }
    }

    /// Whether a key's or string's text is this.
    #[inline]
    pub(crate) fn is_text(&self, node: u32, wanted: &str) -> bool {
        match (self.plain(node), self.kind(node)) {
            (Some(plain), _) => plain == wanted.as_bytes(),
            // An escape has at most six bytes for one of its text: what is longer is another text.
            (None, Kind::Text { .. } | Kind::Key { .. }) => {
                self.span(node).len() <= wanted.len() * 6 + 2 && self.text(node) == wanted
            }
            (None, _) => false,
        }
    }

    /// The children of an array or object; nothing has none.
    #[inline]
    pub(crate) fn children(&self, node: u32) -> Children<'_, 'a> {
        let kind = self.kind(node);
        let end = match kind {
            Kind::Array | Kind::Object => self.next(node),
            _ => node + 1,
        };
        Children {
            tape: self,
            keyed: kind == Kind::Object,
            at: node + 1,
            end,
        }
    }
}

/// Walks a container's children, stepping over their subtrees.
pub(crate) struct Children<'t, 'a> {
    tape: &'t Tape<'a>,
    keyed: bool,
    at: u32,
    end: u32,
}

impl Iterator for Children<'_, '_> {
    type Item = Child;

    #[inline]
    fn next(&mut self) -> Option<Child> {
        if self.at >= self.end {
            return None;
        }
        let key = self.keyed.then_some(self.at);
        let node = self.at + u32::from(self.keyed);
        self.at = self.tape.next(node);
        Some(Child { node, key })
    }
}

/// A place, shortened.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "documents of 4 GiB and more are refused before the first record"
)]
fn short(at: usize) -> u32 {
    at as u32
}
