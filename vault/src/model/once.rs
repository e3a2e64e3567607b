//! Idempotency keys: a caller's name for one request, so that sending it again does it once.

use std::time::Duration;

/// A caller's name for one request (draft-ietf-httpapi-idempotency-key-header-07).
pub struct IdempotencyKey(String);

/// Why a key was refused. It does not repeat what was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an idempotency key is 1 to {} visible characters of ASCII",
    IdempotencyKey::BYTES_MAX
)]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Longest key, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Takes a key as it is: two spellings are two keys.
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=Self::BYTES_MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIdempotencyKey)
        }
    }

    /// Reads a header's value: a structured string (RFC 9651 section 3.3.3), or the bare key.
    pub fn parse_header(value: &str) -> Result<Self, InvalidIdempotencyKey> {
        let value = value.trim_matches([' ', '\t']);
        let Some(quoted) = value.strip_prefix('"') else {
            return Self::parse(value);
        };
        let mut plain = String::with_capacity(quoted.len());
        let mut characters = quoted.chars();
        loop {
            match characters.next().ok_or(InvalidIdempotencyKey)? {
                '"' => break,
                '\\' => match characters.next() {
                    Some(escaped @ ('"' | '\\')) => plain.push(escaped),
                    _ => return Err(InvalidIdempotencyKey),
                },
                other => plain.push(other),
            }
        }
        if characters.next().is_some() {
            return Err(InvalidIdempotencyKey);
        }
        Self::parse(&plain)
    }

    /// Its text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// That a request is to be done once.
pub struct Once {
    /// Its name.
    pub key: IdempotencyKey,
    /// How long the same request gets the same answer.
    pub keep: Duration,
}

impl Once {
    /// A request whose name its caller needs for so many seconds, 0 for as long as may be, and in no case for longer
    /// than `most`.
    pub fn needed_for(key: IdempotencyKey, seconds: u32, most: Duration) -> Self {
        let keep = match seconds {
            0 => most,
            seconds => most.min(Duration::from_secs(seconds.into())),
        };
        Self { key, keep }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_long_as_it_is_needed_and_allowed() {
        let kept = |seconds| {
            let key = IdempotencyKey("a".to_owned());
            Once::needed_for(key, seconds, Duration::from_mins(1)).keep
        };
        assert_eq!(kept(0), Duration::from_mins(1));
        assert_eq!(kept(12), Duration::from_secs(12));
        assert_eq!(kept(u32::MAX), Duration::from_mins(1));
    }

    #[test]
    fn a_key_has_one_spelling_and_a_header_two() {
        for (header, key) in [
            ("a-1", "a-1"),
            ("\"a-1\"", "a-1"),
            (" \"a\\\"\\\\\" ", "a\"\\"),
        ] {
            let read = IdempotencyKey::parse_header(header).map(|key| key.0);
            assert_eq!(read.as_deref(), Ok(key), "{header}");
        }
        let long = "a".repeat(129);
        for wrong in [
            "",
            "\"\"",
            "\"a",
            "\"a\";b=1",
            "\"a\\b\"",
            "a b",
            "鍵",
            "a\u{7f}",
            &long,
        ] {
            assert!(IdempotencyKey::parse_header(wrong).is_err(), "{wrong}");
        }
        assert!(IdempotencyKey::parse(&long[1..]).is_ok());
    }
}
