//! Owns the reading of a body in its format: yields the fields that a plan selects, in the body's
//! order and apart from each other, or the fault for which it does not go on.

pub(crate) mod address;
pub(crate) mod csv;
pub(crate) mod form;
mod lines;
pub(crate) mod multipart;
#[cfg(test)]
mod tests;
pub(crate) mod xml;

use crate::field::Field;
use crate::media::Format;
use crate::route::Plan;
use crate::scan::{Bounds, ScanError, scan};

/// Reads the whole body and takes what the plan selects in a body of this format.
pub(crate) fn select<'a>(
    format: Format,
    body: &'a [u8],
    plan: &Plan,
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    match format {
        Format::Json => scan(body, &plan.json, bounds),
        Format::JsonLines => lines::select(body, &plan.json, bounds),
        Format::Form => form::select(body, &plan.form, bounds),
        Format::Csv { header } => csv::select(body, &plan.csv, header, bounds),
        Format::Multipart(boundary) => multipart::select(body, &plan.parts, &boundary, bounds),
        Format::Xml => xml::select(body, &plan.xml, bounds),
        Format::Other => Ok(Vec::new()),
    }
}

/// A rule that names its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    pub(crate) name: String,
}

/// The first rule of this name.
pub(crate) fn rule(rules: &[Named], name: &str) -> Option<usize> {
    rules
        .iter()
        .find(|named| named.name == name)
        .map(|named| named.rule)
}

/// Keeps a field, unless there are too many, or there is nothing in it to protect.
pub(crate) fn keep<'a>(
    fields: &mut Vec<Field<'a>>,
    field: Field<'a>,
    body: &[u8],
    bounds: &Bounds,
) -> Result<(), ScanError> {
    if field.value.is_empty() {
        return Ok(());
    }
    if fields.len() == bounds.fields_max {
        let fields_max = bounds.fields_max;
        let fault = crate::scan::Fault::TooManyFields { fields_max };
        return Err(ScanError::at(body, field.span.start, fault));
    }
    fields.push(field);
    Ok(())
}
