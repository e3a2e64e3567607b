//! Owns the header that says under which entries of the vault's ledger a message's acts are recorded.

use std::sync::{Mutex, PoisonError};

use http::header::{HeaderName, HeaderValue};

use crate::error::Side;

/// `jinku-receipt`: a list (RFC 9651 section 3.1) with an item for each act, in their order:
/// `tokenize;entry=41;origin="city.example/log"`. Nobody but the filter sets it.
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("jinku-receipt");

/// What the vault did for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Tokenize,
    Detokenize,
}

/// The entries of one message's acts.
#[derive(Default)]
pub(crate) struct Entries(Mutex<Vec<(Side, Deed, u64)>>);

impl Entries {
    pub(crate) fn note(&self, side: Side, act: Deed, entry: u64) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push((side, act, entry));
    }

    /// The header's value: a request tells of its own acts, an answer of the request's too. `None` where there are
    /// none.
    pub(crate) fn told(&self, side: Side, origin: Option<&str>) -> Option<HeaderValue> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = origin.map_or_else(String::new, |origin| format!(";origin=\"{origin}\""));
        let told = |(of, ..): &&(Side, Deed, u64)| side == Side::Response || *of == side;
        let items: Vec<String> = (entries.iter().filter(told))
            .map(|(_, act, entry)| format!("{};entry={entry}{origin}", act.name()))
            .collect();
        if items.is_empty() {
            return None;
        }
        HeaderValue::from_str(&items.join(", ")).ok()
    }
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
        }
    }
}

/// Whether a log's origin can stand in a string of a structured field.
pub(crate) fn is_origin(text: &str) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    (1..=256).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_of_both_ways_and_a_request_of_its_own() {
        let entries = Entries::default();
        assert_eq!(entries.told(Side::Response, None), None);
        entries.note(Side::Request, Deed::Tokenize, 41);
        entries.note(Side::Response, Deed::Detokenize, 42);
        let told = |side, origin| entries.told(side, origin).unwrap();
        assert_eq!(told(Side::Request, None), "tokenize;entry=41");
        assert_eq!(
            told(Side::Response, Some("city.example/log")),
            "tokenize;entry=41;origin=\"city.example/log\", detokenize;entry=42;origin=\"city.example/log\""
        );
        assert!(is_origin("city.example/log") && !is_origin("a\"b") && !is_origin(""));
    }
}
