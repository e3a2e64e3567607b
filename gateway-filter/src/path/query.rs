//! Owns the shape of a compiled path: segments, selectors, and the tests of its filters.

use super::iregexp::Pattern;

/// Where a query starts, and its way from there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) from: From,
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// `$`
    Root,
    /// `@`, in a filter.
    Current,
}

/// One step: how far it reaches, and what it takes there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub(super) reach: Reach,
    pub(super) selectors: Vec<Selector>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Child,
    Descendant,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selector {
    Name(String),
    Any,
    Index(i64),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Filter(Test),
}

/// A filter's logical expression (RFC 9535 §2.3.5).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Or(Vec<Test>),
    And(Vec<Test>),
    Not(Box<Test>),
    Exists(Query),
    Compare(Operand, Comparison, Operand),
    Matches {
        text: Operand,
        pattern: MatchPattern,
        extent: Extent,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a comparison or a function takes: one value, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A query that yields at most one node.
    Singular(Query),
    /// `length(…)`
    Length(Box<Operand>),
    /// `count(…)`
    Count(Query),
    /// `value(…)`
    Value(Query),
}

/// `match` takes the whole text, `search` any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Part,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum MatchPattern {
    /// Written in the path, compiled with it.
    Written(Pattern),
    /// Found in the document.
    Found(Operand),
}

impl Query {
    /// Whether it yields at most one node, whatever the document.
    pub(super) fn is_singular(&self) -> bool {
        self.segments.iter().all(|segment| {
            segment.reach == Reach::Child
                && matches!(
                    segment.selectors.as_slice(),
                    [Selector::Name(_) | Selector::Index(_)]
                )
        })
    }
}
