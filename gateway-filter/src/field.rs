//! Owns the selected field: which rule took it, where its bytes are, its text, and how its place
//! wants a text to be written. It has no `Debug`: a value never reaches a log (invariant 11).

use std::borrow::Cow;
use std::ops::Range;

use crate::media::Boundary;

/// One value that a rule selected.
pub(crate) struct Field<'a> {
    /// Position of the rule in its plan; the first one that matches wins.
    pub(crate) rule: usize,
    /// The literal in the body, with the quotes that `spelling` writes again.
    pub(crate) span: Range<usize>,
    /// What goes where the field is dropped: its name with it.
    pub(crate) extent: Range<usize>,
    /// The literal's text, escapes resolved.
    pub(crate) value: Cow<'a, str>,
    /// How its place writes a text.
    pub(crate) spelling: Spelling,
}

/// How a place writes a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// A JSON string literal (RFC 8259 §7).
    JsonText,
    /// A JSON number; a text that is none can't stand there.
    JsonNumber,
    /// A value of `application/x-www-form-urlencoded`.
    Form,
    /// A value in a query, or a segment of a path: percent-encoded (RFC 3986 §2.1).
    Address,
    /// A cell of CSV (RFC 4180), in quotes where it came in quotes or needs them.
    Csv {
        /// Whether it came in quotes.
        quoted: bool,
    },
    /// A part's content: its bytes as they are, without the boundary.
    Part(Boundary),
    /// An element's text.
    XmlText,
    /// An attribute's value, between its quotes.
    XmlAttribute,
    /// A header's value.
    Header,
}

impl Spelling {
    /// What stands between one of these and its neighbours, and goes with it.
    pub(crate) fn separator(self) -> Option<u8> {
        match self {
            Self::JsonText | Self::JsonNumber => Some(b','),
            Self::Form | Self::Address => Some(b'&'),
            Self::Csv { .. }
            | Self::Part(_)
            | Self::XmlText
            | Self::XmlAttribute
            | Self::Header => None,
        }
    }
}
