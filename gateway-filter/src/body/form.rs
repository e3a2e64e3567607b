//! Owns `application/x-www-form-urlencoded`, in bodies and in queries: `name=value` pairs between
//! `&`. What servers read in different ways (`;` as a separator, half an escape) is refused.

use std::borrow::Cow;
use std::ops::Range;

use super::{Named, keep, rule};
use crate::field::{Field, Spelling};
use crate::scan::{Bounds, Fault, ScanError};

/// What is wrong with a form or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormFault {
    /// `%` without two hexadecimal digits.
    #[error("a `%` in the form is not followed by two hexadecimal digits")]
    Escape,
    /// Bytes that are no UTF-8 once decoded.
    #[error("a name or value of the form is not UTF-8")]
    NotUtf8,
    /// A raw `;`, which some servers take for a separator.
    #[error("a `;` in the form must be written %3B: some servers take it for a separator")]
    Semicolon,
    /// A raw byte that no form has.
    #[error("the form holds a character that must be percent-encoded")]
    Raw,
    /// A name with a control character.
    #[error("a name of the form holds a control character")]
    Name,
}

pub(super) fn select<'a>(
    body: &'a [u8],
    rules: &[Named],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    pairs(
        body,
        0..body.len(),
        |name| rule(rules, name),
        Spelling::Form,
        bounds,
    )
}

/// The pairs in `range` that a rule takes by their names.
pub(crate) fn pairs<'a>(
    body: &'a [u8],
    range: Range<usize>,
    mut taken_by: impl FnMut(&str) -> Option<usize>,
    spelling: Spelling,
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let at = |place: usize, fault: FormFault| ScanError::at(body, place, Fault::Form(fault));
    let mut fields = Vec::new();
    let mut nodes = 0;
    let mut start = range.start;
    for pair in body[range].split(|byte| *byte == b'&') {
        let first = start;
        start += pair.len() + 1;
        nodes += 1;
        if nodes > bounds.nodes_max {
            let nodes_max = bounds.nodes_max;
            return Err(ScanError::at(
                body,
                first,
                Fault::TooManyNodes { nodes_max },
            ));
        }
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        // Browsers encode these; raw, they are JSON or XML under a form's name.
        if spelling == Spelling::Form && name.iter().any(|byte| matches!(byte, b'"' | b'<')) {
            return Err(at(first, FormFault::Raw));
        }
        let name = decoded(name).map_err(|fault| at(first, fault))?;
        if name.chars().any(char::is_control) {
            return Err(at(first, FormFault::Name));
        }
        let place = first + pair.len() - value.len();
        let value = decoded(value).map_err(|fault| at(place, fault))?;
        if let Some(rule) = taken_by(&name) {
            let end = first + pair.len();
            let field = Field {
                rule,
                span: place..end,
                extent: first..end,
                value,
                spelling,
            };
            keep(&mut fields, field, body, bounds)?;
        }
    }
    Ok(fields)
}

/// WHATWG URL §5.1, strictly: `+` is a space, `%XX` a byte, all of it UTF-8.
fn decoded(raw: &[u8]) -> Result<Cow<'_, str>, FormFault> {
    let mut bytes = Vec::new();
    let mut rest = raw.iter();
    let plain = raw.iter().all(|byte| !matches!(byte, b'%' | b'+' | b';'));
    if plain && raw.iter().all(u8::is_ascii_graphic) {
        return std::str::from_utf8(raw)
            .map(Cow::Borrowed)
            .map_err(|_| FormFault::NotUtf8);
    }
    let hex = |rest: &mut std::slice::Iter<'_, u8>| {
        rest.next()
            .and_then(|digit| char::from(*digit).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(FormFault::Escape)
    };
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let high = hex(&mut rest)?;
                let low = hex(&mut rest)?;
                bytes.push(high << 4 | low);
            }
            b';' => return Err(FormFault::Semicolon),
            raw if raw.is_ascii_graphic() || !raw.is_ascii() => bytes.push(*raw),
            _ => return Err(FormFault::Raw),
        }
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| FormFault::NotUtf8)
}
