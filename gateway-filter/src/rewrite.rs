//! Owns the splice: new texts go into their spans, spelled as their place wants, and dropped fields
//! go with their names; every other byte stays as it was.

mod spell;

use std::ops::Range;

use crate::field::{Field, Spelling};
pub use spell::SpellFault;
pub(crate) use spell::spell;

/// What becomes of a field.
pub(crate) enum Change {
    /// Another text, not yet escaped.
    Text(String),
    /// It goes.
    Drop,
}

/// One field of a body and what becomes of it.
pub(crate) struct Replacement {
    span: Range<usize>,
    spelling: Spelling,
    change: Change,
}

impl Replacement {
    pub(crate) fn of(field: &Field<'_>, change: Change) -> Self {
        // A cell stays where it is: the columns after it count on it.
        let stays = matches!(field.spelling, Spelling::Csv { .. });
        let (span, change) = match change {
            Change::Drop if stays => (field.span.clone(), Change::Text(String::new())),
            Change::Drop => (field.extent.clone(), Change::Drop),
            text @ Change::Text(_) => (field.span.clone(), text),
        };
        Self {
            span,
            spelling: field.spelling,
            change,
        }
    }
}

/// How many bytes the splice takes, where no text needs escapes.
pub(crate) fn spliced_bytes(body: &[u8], replacements: &[Replacement]) -> usize {
    let grown = replacements.iter().map(|new| match &new.change {
        Change::Text(text) => text.len() + 2,
        Change::Drop => 0,
    });
    body.len() + grown.sum::<usize>()
}

/// Puts each replacement in the place of its span.
///
/// The spans come from `body`: in order, apart from each other, within the body.
pub(crate) fn splice(body: &[u8], replacements: &[Replacement]) -> Result<Vec<u8>, SpellFault> {
    let mut spliced = Vec::with_capacity(spliced_bytes(body, replacements));
    let mut kept = 0;
    for new in replacements {
        let before = body.get(kept..new.span.start).ok_or(SpellFault::Overlap)?;
        spliced.extend_from_slice(before);
        kept = new.span.end;
        match &new.change {
            Change::Text(text) => spell(text, new.spelling, &mut spliced)?,
            Change::Drop => kept = without_separator(body, kept, new.spelling, &mut spliced),
        }
    }
    spliced.extend_from_slice(body.get(kept..).ok_or(SpellFault::Overlap)?);
    Ok(spliced)
}

/// Takes one separator along with a dropped field: the one after it, else the one before it.
/// Yields where the body goes on.
fn without_separator(body: &[u8], end: usize, spelling: Spelling, spliced: &mut Vec<u8>) -> usize {
    let Some(separator) = spelling.separator() else {
        return end;
    };
    let blank = |byte: &u8| separator == b',' && byte.is_ascii_whitespace();
    let rest = body.get(end..).unwrap_or_default();
    let gap = rest.iter().take_while(|byte| blank(byte)).count();
    if rest.get(gap) == Some(&separator) {
        return end + gap + 1;
    }
    let tail = spliced.iter().rev().take_while(|byte| blank(byte)).count();
    let before = spliced.len() - tail;
    if before > 0 && spliced.get(before - 1) == Some(&separator) {
        spliced.truncate(before - 1);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Spelling = Spelling::JsonText;

    fn new(span: Range<usize>, spelling: Spelling, change: Change) -> Replacement {
        Replacement {
            span,
            spelling,
            change,
        }
    }

    fn text(text: &str) -> Change {
        Change::Text(text.to_owned())
    }

    #[test]
    fn bytes_outside_the_spans_stay() {
        let body = br#"{ "a":"1" ,"b" : "22"}"#;
        let both = [new(6..9, JSON, text("x")), new(17..21, JSON, text(""))];
        assert_eq!(splice(body, &both).unwrap(), br#"{ "a":"x" ,"b" : ""}"#);
        assert_eq!(splice(body, &[]).unwrap(), body);
    }

    #[test]
    fn a_dropped_member_takes_one_comma_along() {
        let body = br#"{ "a":1, "b":2 ,"c":3 }"#;
        let (a, b, c) = (2..7, 9..14, 16..21);
        let without = |spans: &[Range<usize>]| {
            let drops: Vec<_> = spans
                .iter()
                .map(|span| new(span.clone(), JSON, Change::Drop))
                .collect();
            String::from_utf8(splice(body, &drops).unwrap()).unwrap()
        };
        assert_eq!(without(std::slice::from_ref(&a)), r#"{  "b":2 ,"c":3 }"#);
        assert_eq!(without(std::slice::from_ref(&b)), r#"{ "a":1, "c":3 }"#);
        assert_eq!(without(std::slice::from_ref(&c)), r#"{ "a":1, "b":2  }"#);
        assert_eq!(without(&[b.clone(), c.clone()]), r#"{ "a":1 }"#);
        assert_eq!(without(&[a, b, c]), r"{   }");
    }

    #[test]
    fn a_dropped_pair_takes_one_ampersand_along() {
        let drop = |body: &[u8], span: Range<usize>| {
            let drops = [new(span, Spelling::Form, Change::Drop)];
            String::from_utf8(splice(body, &drops).unwrap()).unwrap()
        };
        assert_eq!(drop(b"a=1&b=2", 0..3), "b=2");
        assert_eq!(drop(b"a=1&b=2", 4..7), "a=1");
        assert_eq!(drop(b"a=1", 0..3), "");
    }

    #[test]
    fn spans_that_overlap_are_refused() {
        let body = b"\"abc\"";
        let both = [new(0..5, JSON, text("x")), new(2..3, JSON, text("y"))];
        assert_eq!(splice(body, &both), Err(SpellFault::Overlap));
    }
}
