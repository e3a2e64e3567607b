//! A log's own name, as it stands in the first line of its checkpoints.

use std::fmt;

use crate::error::NoteError;

/// A log's name: like a URL without its scheme (`bank.example/vault/node-1`), at most 255 bytes,
/// without white space, control characters or `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoteError::Name)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our own limits (length, no scheme, no control) on top of those of C2SP signed-note.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 255 && is_signer(text) && !text.contains("://")
}

/// C2SP signed-note's rule for the names in signature lines.
pub(crate) fn is_signer(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_it_is() {
        assert_eq!(
            Origin::parse("bank.example/node-1").unwrap().as_str(),
            "bank.example/node-1"
        );
    }

    #[test]
    fn a_name_that_a_note_cannot_carry_is_refused() {
        let long = "a".repeat(256);
        for bad in [
            "",
            "a b",
            "a\nb",
            "a+b",
            "a\u{7f}",
            "https://a",
            "a\u{3000}b",
            &long,
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad:?}");
        }
    }
}
