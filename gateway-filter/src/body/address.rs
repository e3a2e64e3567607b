//! Owns a request's target: the segments of its path and the pairs of its query that rules name.

use std::borrow::Cow;

use super::{Named, form, keep, rule};
use crate::field::{Field, Spelling};
use crate::route::decoded_segment;
use crate::scan::{Bounds, Fault, ScanError};

/// A segment of the path that a rule takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    /// From 0.
    pub(crate) segment: usize,
}

/// What the rules take of `/a/b?c=d`, in its order.
pub(crate) fn select<'a>(
    target: &'a str,
    segments: &[Place],
    query: &[Named],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let body = target.as_bytes();
    let path_end = target.find('?').unwrap_or(target.len());
    let mut fields = Vec::new();
    let mut start = 1;
    for (index, raw) in target[..path_end].split('/').skip(1).enumerate() {
        let span = start..start + raw.len();
        start = span.end + 1;
        let Some(place) = segments.iter().find(|place| place.segment == index) else {
            continue;
        };
        // A parameter (`;v=1`) would stay, and may be a copy of the value.
        let value = decoded_segment(raw)
            .filter(|value| !value.contains(';'))
            .ok_or_else(|| ScanError::at(body, span.start, Fault::Segment))?;
        let field = Field {
            rule: place.rule,
            span: span.clone(),
            extent: span,
            value: Cow::Owned(value),
            spelling: Spelling::Address,
        };
        keep(&mut fields, field, body, bounds)?;
    }
    if !query.is_empty() && path_end < target.len() {
        let range = path_end + 1..target.len();
        let taken_by = |name: &str| rule(query, name);
        let pairs = form::pairs(body, range, taken_by, Spelling::Address, bounds)?;
        fields.extend(pairs);
    }
    Ok(fields)
}
