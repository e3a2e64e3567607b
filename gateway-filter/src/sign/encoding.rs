//! Owns how a code is spelled. One text for one code: a second spelling is refused.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How the bytes of a code become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    HexLower,
    HexUpper,
    /// RFC 4648 section 4, with its padding.
    Base64,
    /// RFC 4648 section 5, without padding.
    Base64Url,
}

impl Encoding {
    pub(crate) fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::HexLower => hex(bytes),
            Self::HexUpper => hex(bytes).to_ascii_uppercase(),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    /// `None` for any other spelling than that of [`Encoding::text`].
    pub(crate) fn bytes(self, text: &str) -> Option<Vec<u8>> {
        let bytes = match self {
            Self::HexLower | Self::HexUpper => unhex(text)?,
            Self::Base64 => STANDARD.decode(text).ok()?,
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text).ok()?,
        };
        (self.text(&bytes) == text).then_some(bytes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    whole.then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}
