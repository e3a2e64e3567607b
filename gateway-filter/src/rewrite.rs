//! Owns the splice: new literals go into their spans, every other byte stays as it was.

use std::fmt::Write as _;
use std::ops::Range;

/// One span of a body and the text that takes its place.
pub(crate) struct Replacement {
    /// The literal's bytes, quotes included.
    pub(crate) span: Range<usize>,
    /// The new text, not yet escaped.
    pub(crate) text: String,
}

/// Puts each replacement, as a JSON string literal, in the place of its span.
///
/// The spans come from `scan`: in order, apart from each other, within the body.
pub(crate) fn splice(body: &[u8], replacements: &[Replacement]) -> Vec<u8> {
    let grown: usize = replacements.iter().map(|new| new.text.len() + 2).sum();
    let mut spliced = Vec::with_capacity(body.len() + grown);
    let mut kept = 0;
    for new in replacements {
        spliced.extend_from_slice(&body[kept..new.span.start]);
        spliced.extend_from_slice(literal(&new.text).as_bytes());
        kept = new.span.end;
    }
    spliced.extend_from_slice(&body[kept..]);
    spliced
}

/// A JSON string literal (RFC 8259 §7): quotes, backslashes and control characters are escaped.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for next in text.chars() {
        match next {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a `String` can't fail.
                let _ = write!(literal, "\\u{:04x}", u32::from(control));
            }
            plain => literal.push(plain),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_literal_reads_back_as_its_text(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&literal(&text)).unwrap(), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            literal("a\"\\\n\u{1}\u{7f}金"),
            "\"a\\\"\\\\\\u000a\\u0001\u{7f}金\""
        );
    }

    #[test]
    fn bytes_outside_the_spans_stay() {
        let body = br#"{ "a":"1" ,"b" : "22"}"#;
        let new = |span: Range<usize>, text: &str| Replacement {
            span,
            text: text.to_owned(),
        };
        let spliced = splice(body, &[new(6..9, "x"), new(17..21, "")]);
        assert_eq!(spliced, br#"{ "a":"x" ,"b" : ""}"#);
        assert_eq!(splice(body, &[]), body);
    }
}
