//! Owns the field selectors of JSON: RFC 9535 JSONPath, whole. A path is compiled when the settings
//! load and selects nodes of a document's tape.

mod cursor;
mod iregexp;
mod judge;
mod parse;
mod query;
mod select;
#[cfg(test)]
mod tests;

use std::str::FromStr;

pub use parse::{PathError, PathFault};
use query::Query;
pub(crate) use select::Budget;

use crate::scan::Fault;
use crate::scan::tape::{ROOT, Tape};

/// Most segments of one path, and of each query within its filters.
pub const SEGMENTS_MAX: usize = 63;

/// One compiled JSONPath (RFC 9535): names, wildcards, indices, slices, several selectors in one
/// bracket, descendants, and filters with `length`, `count`, `match`, `search` and `value`.
///
/// ```
/// let path: gateway_filter::Path = "$.people[?@.kind == 'natural'].national_id".parse()?;
/// assert_eq!(path.as_str(), "$.people[?@.kind == 'natural'].national_id");
/// assert!("$.a[?length(@.b)]".parse::<gateway_filter::Path>().is_err());
/// # Ok::<(), gateway_filter::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    query: Query,
}

impl Path {
    /// The path as the settings spell it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True where both spell the same selection (`$.a` and `$['a']`).
    pub(crate) fn selects_same_as(&self, other: &Self) -> bool {
        self.query == other.query
    }

    /// The whole document.
    pub(crate) fn is_root(&self) -> bool {
        self.query.segments.is_empty()
    }

    /// The selected nodes, each once, in the document's order.
    pub(crate) fn select(&self, tape: &Tape<'_>, budget: &mut Budget) -> Result<Vec<u32>, Fault> {
        select::set(&self.query, tape, ROOT, budget)
    }

    /// The selected nodes as RFC 9535 lists them: one that is selected twice comes twice.
    #[cfg(test)]
    pub(crate) fn list(&self, tape: &Tape<'_>, budget: &mut Budget) -> Result<Vec<u32>, Fault> {
        select::list(&self.query, tape, ROOT, budget)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Ok(Self {
            text: text.to_owned(),
            query: parse::query(text)?,
        })
    }
}
