//! Owns the selected field: which rule took it, where its bytes are, and its text.
//! It has no `Debug`: a value never reaches a log (invariant 11).

use std::borrow::Cow;
use std::ops::Range;

/// One string that a rule selected.
pub(crate) struct Field<'a> {
    /// Position of the rule in its plan; the first one that matches wins.
    pub(crate) rule: usize,
    /// The literal in the body, quotes included.
    pub(crate) span: Range<usize>,
    /// The literal's text, escapes resolved.
    pub(crate) value: Cow<'a, str>,
}
