//! Owns JSON Lines: a JSON document a line, each read as strictly as a whole body. Blank lines stay.

use crate::field::Field;
use crate::scan::{Bounds, Fault, ScanError, Selection, scan_some};

pub(super) fn select<'a>(
    body: &'a [u8],
    selections: &[Selection],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let mut fields: Vec<Field<'a>> = Vec::new();
    let mut left = *bounds;
    let mut start = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let first = start;
        start += line.len() + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        left.fields_max = bounds.fields_max - fields.len();
        let (found, nodes) = scan_some(line, selections, &left)
            .map_err(|error| whole_limits(error, bounds))
            .map_err(|error| ScanError::at(body, first + error.position.offset, error.fault))?;
        left.nodes_max -= nodes;
        fields.extend(found.into_iter().map(|field| Field {
            span: field.span.start + first..field.span.end + first,
            extent: field.extent.start + first..field.extent.end + first,
            ..field
        }));
    }
    Ok(fields)
}

/// What is left of a limit is not the limit.
fn whole_limits(mut error: ScanError, bounds: &Bounds) -> ScanError {
    match &mut error.fault {
        Fault::TooManyNodes { nodes_max } => *nodes_max = bounds.nodes_max,
        Fault::TooManyFields { fields_max } => *fields_max = bounds.fields_max,
        _ => {}
    }
    error
}
