//! Owns the reading of a JSON body: one strict pass over its bytes (RFC 8259) that leaves a tape of
//! spans, no values. Yields the selected fields, or a fault with its position and never a value.

mod fault;
mod number;
mod read;
mod string;
pub(crate) mod tape;
#[cfg(test)]
mod tests;
mod unique;

pub(crate) use fault::Places;
pub use fault::{Fault, Position, ScanError};

use crate::field::{Field, Spelling};
use crate::path::{Budget, Path};
use tape::{Kind, Tape};

/// How much of a document is read before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Deepest nesting of arrays and objects.
    pub depth_max: usize,
    /// Most values in one document, counted before anything is kept of them.
    pub nodes_max: usize,
    /// Most selected fields in one document.
    pub fields_max: usize,
}

/// What a rule takes where its path leads, beside strings. `null` is nothing to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing else: the message is refused.
    #[default]
    Text,
    /// Numbers too, and what takes a number's place must be one.
    Numbers,
    /// Numbers too, and a string takes their place.
    NumbersAsText,
    /// Whatever is there: it is dropped.
    All,
}

/// One rule's selection in a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    pub(crate) path: Path,
    pub(crate) takes: Takes,
}

/// Reads the whole document and takes what `selections` select, in the document's order.
///
/// Duplicate keys are compared after their escapes are resolved: parsers disagree which of two
/// counts, so a second one would be a way around the rules.
pub(crate) fn scan<'a>(
    body: &'a [u8],
    selections: &[Selection],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    scan_some(body, selections, bounds).map(|(fields, _)| fields)
}

/// As [`scan`], and how many values there were.
pub(crate) fn scan_some<'a>(
    body: &'a [u8],
    selections: &[Selection],
    bounds: &Bounds,
) -> Result<(Vec<Field<'a>>, usize), ScanError> {
    let tape = Tape::read(body, bounds)?;
    let found = found(&tape, selections).map_err(|fault| ScanError::at(body, 0, fault))?;
    let mut fields = Vec::with_capacity(found.len().min(bounds.fields_max));
    let mut dropped_to = 0;
    for (node, index) in found {
        // What lies in a container that is dropped goes with it.
        if node < dropped_to {
            continue;
        }
        let selection = &selections[index];
        let place = tape.span(node).start;
        let fault = |fault| ScanError::at(body, place, fault);
        let Some(field) = field(&tape, node, selection).map_err(fault)? else {
            continue;
        };
        if fields.len() == bounds.fields_max {
            let fields_max = bounds.fields_max;
            return Err(fault(Fault::TooManyFields { fields_max }));
        }
        if selection.takes == Takes::All {
            dropped_to = tape.next(node);
        }
        fields.push(field);
    }
    Ok((fields, tape.values()))
}

/// The selected nodes in the document's order, each with the first selection that takes it.
fn found(tape: &Tape<'_>, selections: &[Selection]) -> Result<Vec<(u32, usize)>, Fault> {
    let mut budget = Budget::of(tape);
    let mut found: Vec<(u32, usize)> = Vec::new();
    for (index, selection) in selections.iter().enumerate() {
        let nodes = selection.path.select(tape, &mut budget)?;
        found.extend(nodes.into_iter().map(|node| (node, index)));
    }
    found.sort_unstable();
    found.dedup_by_key(|(node, _)| *node);
    Ok(found)
}

/// The field at a selected node, if there is anything to take.
fn field<'a>(
    tape: &Tape<'a>,
    node: u32,
    selection: &Selection,
) -> Result<Option<Field<'a>>, Fault> {
    let spelling = match (tape.kind(node), selection.takes) {
        (_, Takes::All) | (Kind::Text { .. }, _) | (Kind::Number, Takes::NumbersAsText) => {
            Spelling::JsonText
        }
        (Kind::Null, _) => return Ok(None),
        (Kind::Number, Takes::Numbers) => Spelling::JsonNumber,
        _ => {
            return Err(Fault::FieldNotAString {
                path: selection.path.as_str().to_owned(),
            });
        }
    };
    Ok(Some(Field {
        rule: selection.rule,
        span: tape.span(node),
        extent: tape.extent(node),
        value: tape.text(node),
        spelling,
    }))
}
