//! Policy sets under the rule of two: put up by one, approved by another.

use std::fmt;

use super::clock::Timestamp;
use super::name::UnitName;

/// SHA-256 over a set's own files: what a second person approves. 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetDigest(pub [u8; 32]);

/// The text is not the digest of a policy set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a policy set's digest is 64 hexadecimal digits in lower case")]
pub struct InvalidSetDigest;

impl SetDigest {
    /// Reads a digest in its one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidSetDigest> {
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(InvalidSetDigest);
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(digest))
    }
}

fn digit(byte: u8) -> Result<u8, InvalidSetDigest> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidSetDigest),
    }
}

impl fmt::Display for SetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A set that is kept: the one that decides, or the one that waits for its approval.
#[derive(Clone)]
pub struct KeptSet {
    /// What it is known by.
    pub digest: SetDigest,
    /// Its files, as one.
    pub bundle: Vec<u8>,
    /// Who put it up; nobody where the operator did, by a signal or the vault's first start.
    pub proposed_by: Option<UnitName>,
    /// When.
    pub proposed: Timestamp,
    /// Who approved it, and when.
    pub approved: Option<(UnitName, Timestamp)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let text = "00".repeat(15) + "ff" + &"0a".repeat(16);
        assert_eq!(SetDigest::parse(&text).unwrap().to_string(), text);
        for bad in [
            "",
            "0a",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
            "稅",
        ] {
            assert!(SetDigest::parse(bad).is_err(), "{bad}");
        }
    }
}
