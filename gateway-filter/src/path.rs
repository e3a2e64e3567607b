//! Owns the field selectors: the part of RFC 9535 JSONPath that one pass over the bytes can follow.
//! A path is compiled when the settings load; yields a small automaton that `scan` steps.

mod parse;

use std::str::FromStr;

pub use parse::{PathError, PathFault};

/// Most segments of one path: the automaton's states fit in 64 bits.
pub const SEGMENTS_MAX: usize = 63;

/// One compiled JSONPath: `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*`, `..name`, `..*`.
///
/// ```
/// let path: gateway_filter::Path = "$.payer['national_id']".parse()?;
/// assert_eq!(path.as_str(), "$.payer['national_id']");
/// assert!("$.a[?@.b]".parse::<gateway_filter::Path>().is_err());
/// # Ok::<(), gateway_filter::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    segments: Vec<Segment>,
}

/// One step of a path: how far it reaches, and what it takes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    reach: Reach,
    selector: Selector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Child,
    Descendant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Selector {
    Name(String),
    Index(u64),
    Any,
}

/// The way from a container to one of its children.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Name(&'a str),
    Index(u64),
}

/// How much of a path one place of the document has matched: bit `n` says that the first `n`
/// segments led here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress(u64);

impl Progress {
    /// The document's root: nothing is matched yet.
    pub(crate) const ROOT: Self = Self(1);
    /// A place from which the path can't be completed any more.
    pub(crate) const LOST: Self = Self(0);
}

impl Path {
    /// The path as the settings spell it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True where both spell the same selection (`$.a` and `$['a']`).
    pub(crate) fn selects_same_as(&self, other: &Self) -> bool {
        self.segments == other.segments
    }

    /// Where one step from `from` leads.
    pub(crate) fn step(&self, from: Progress, step: Step<'_>) -> Progress {
        if from == Progress::LOST {
            return from;
        }
        let mut reached = 0;
        for (matched, segment) in self.segments.iter().enumerate() {
            if from.0 & (1 << matched) == 0 {
                continue;
            }
            if segment.reach == Reach::Descendant {
                reached |= 1 << matched;
            }
            if segment.selector.takes(step) {
                reached |= 1 << (matched + 1);
            }
        }
        Progress(reached)
    }

    /// Whether a place with this progress is selected.
    pub(crate) fn selects(&self, at: Progress) -> bool {
        at.0 & (1 << self.segments.len()) != 0
    }
}

impl Selector {
    fn takes(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (Self::Any, _) => true,
            (Self::Name(wanted), Step::Name(name)) => wanted == name,
            (Self::Index(wanted), Step::Index(index)) => *wanted == index,
            (Self::Name(_), Step::Index(_)) | (Self::Index(_), Step::Name(_)) => false,
        }
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let segments = parse::segments(text)?;
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }
}
