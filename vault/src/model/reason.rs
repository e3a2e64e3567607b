//! Why something was done, in a person's own words. It may name people: the ledger holds its hash alone.

use zeroize::Zeroizing;

/// A reason. No `Debug`, `Display`, `Clone`.
pub struct Reason(Zeroizing<String>);

/// Why a reason was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a reason is 1 to {} bytes of text (Unicode NFC), without control characters but line feeds",
    Reason::BYTES_MAX
)]
pub struct InvalidReason;

impl Reason {
    /// Longest, in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// Takes a reason over, as it is.
    pub fn parse(text: String) -> Result<Self, InvalidReason> {
        let text = Zeroizing::new(text);
        if text.len() > Self::BYTES_MAX || !ledger::is_detail(&text) {
            return Err(InvalidReason);
        }
        Ok(Self(text))
    }

    /// Its text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_short_clean_text() {
        for good in ["x", "court order 114-2231\nsecond line", "依個資法第十一條"] {
            assert!(Reason::parse(good.to_owned()).is_ok(), "{good}");
        }
        let long = "a".repeat(Reason::BYTES_MAX);
        assert!(Reason::parse(long.clone()).is_ok());
        for bad in ["", "a\u{7}", "e\u{301}", "a\r\n", &(long + "a")] {
            assert!(Reason::parse(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
