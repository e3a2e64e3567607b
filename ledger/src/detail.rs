//! Details that an entry does not hold and commits to: kept beside the log, and erasable without a trace in it.
//!
//! ```text
//! commitment = SHA-256("jinku-ledger detail/1" LF | length of salt | salt | length of text | text)
//! ```
//! Lengths are 4 big-endian bytes. The salt is 32 random bytes, and goes when the text goes: without it nobody can try
//! texts against the commitment, however few there may be.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::cbor::{Lines, is_clean};
use crate::entry::Entry;
use crate::hash::Hash;

/// The most bytes that a detail's text may have.
pub const DETAIL_BYTES_MAX: usize = 4096;
/// The most bytes of a detail as a file: each character of its text may be escaped.
pub const DETAIL_FILE_BYTES_MAX: usize = 6 * DETAIL_BYTES_MAX + 1024;

const LABEL: &[u8] = b"jinku-ledger detail/1\n";
const SCHEMA: &str = "jinku-ledger.detail/1";

/// A detail that was opened, as it is handed to an auditor.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    schema: String,
    /// The entry that commits to it.
    pub entry: u64,
    salt: String,
    /// The text itself.
    pub text: String,
}

/// Why a file is no detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this is no detail: one JSON object of schema {SCHEMA}, with entry, salt (64 hex digits) and text"
)]
pub struct InvalidDetail;

impl Detail {
    /// A detail of this entry.
    #[must_use]
    pub fn new(entry: u64, salt: &[u8; 32], text: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            entry,
            salt: Hash(*salt).to_string(),
            text,
        }
    }

    /// Reads a detail as [`Detail::to_json`] wrote it.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidDetail> {
        if json.len() > DETAIL_FILE_BYTES_MAX {
            return Err(InvalidDetail);
        }
        let detail: Self = serde_json::from_slice(json).map_err(|_| InvalidDetail)?;
        let right = detail.schema == SCHEMA && is_detail(&detail.text) && detail.salt().is_some();
        right.then_some(detail).ok_or(InvalidDetail)
    }

    /// As a file: one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// What its entry holds, if it is the detail of that entry.
    #[must_use]
    pub fn commitment(&self) -> Option<[u8; 32]> {
        Some(detail_commitment(&self.salt()?, &self.text))
    }

    /// Whether this entry commits to it.
    #[must_use]
    pub fn is_of(&self, entry: &Entry) -> bool {
        let own = self.commitment();
        self.entry == entry.seq && own.is_some() && own == entry.facts.detail
    }

    fn salt(&self) -> Option<[u8; 32]> {
        let digits = self.salt.as_bytes();
        let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if digits.len() != 64 || !digits.iter().all(digit) {
            return None;
        }
        let mut salt = [0; 32];
        for (byte, pair) in salt.iter_mut().zip(self.salt.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(salt)
    }
}

/// Whether a text may be a detail: 1 to [`DETAIL_BYTES_MAX`] bytes in NFC, without control characters but LF.
#[must_use]
pub fn is_detail(text: &str) -> bool {
    (1..=DETAIL_BYTES_MAX).contains(&text.len()) && is_clean(text, Lines::Many)
}

/// What an entry holds in a detail's place.
#[must_use]
pub fn detail_commitment(salt: &[u8; 32], text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(LABEL);
    for part in [&salt[..], text.as_bytes()] {
        // A text is far shorter than four gigabytes.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Made with Python's hashlib over the bytes that the head of this file describes.
    #[test]
    fn it_is_the_hash_of_framed_salt_and_text() {
        let salt: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let found = detail_commitment(&salt, "court order 114-2231");
        assert_eq!(
            Hash(found).to_string(),
            "b92534f490fff9dc7ee9e8a449ec67fbfa148d0a9266a4884c616aaa6d966639"
        );
    }

    #[test]
    fn what_is_no_detail_is_refused() {
        let good = Detail::new(7, &[9; 32], "why".to_owned())
            .to_json()
            .unwrap();
        assert_eq!(Detail::parse(good.as_bytes()).unwrap().entry, 7);
        for bad in [
            String::new(),
            "[]".to_owned(),
            good.replace("detail/1", "detail/2"),
            good.replace("why", ""),
            good.replace("why", "a\\u0007"),
            good.replace("why", &"a".repeat(DETAIL_BYTES_MAX + 1)),
            good.replace("\"09", "\"0G"),
            good.replace("\"0909", "\"09"),
            good.replace("\"entry\":7", "\"entry\":-7"),
            good.replace('{', "{\"more\":1,"),
            " ".repeat(DETAIL_FILE_BYTES_MAX) + &good,
        ] {
            assert!(Detail::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn another_salt_or_text_is_another_commitment(
            salt: [u8; 32], other: [u8; 32], text in "[ -~]{1,40}", second in "[ -~]{1,40}"
        ) {
            let first = detail_commitment(&salt, &text);
            prop_assert_eq!(first == detail_commitment(&other, &text), salt == other);
            prop_assert_eq!(first == detail_commitment(&salt, &second), text == second);
            let detail = Detail::new(3, &salt, text);
            let again = Detail::parse(detail.to_json().unwrap().as_bytes()).unwrap();
            prop_assert_eq!(again.commitment(), Some(first));
        }

        #[test]
        fn garbage_is_no_detail(bytes: Vec<u8>) {
            prop_assert!(Detail::parse(&bytes).is_err());
        }
    }
}
