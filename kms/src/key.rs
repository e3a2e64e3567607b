//! Keys by name: ids, kinds, usages, and versions as they are stored, wrapped.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::error::Error;
use crate::primitives;

/// Longest key id, in bytes.
const KEY_ID_BYTES_MAX: usize = 64;
/// Where a UUID's text has its hyphens (RFC 9562 section 4).
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_CHARS: usize = 36;

/// A key's name, in its one spelling.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Reads a key id: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, starting with a letter or digit.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(plain);
        let rest = text
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if first && rest && text.len() <= KEY_ID_BYTES_MAX {
            Ok(Self(text.into()))
        } else {
            Err(Error::KeyId)
        }
    }

    /// A new random id: a UUID version 4 (RFC 9562 section 5.4), lower case.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        primitives::random(&mut bytes)?;
        bytes[6] = (bytes[6] & 0x0F) | 0x40;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
        Ok(Self::from_uuid(bytes))
    }

    /// The id as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_uuid(bytes: [u8; 16]) -> Self {
        let mut text = String::with_capacity(UUID_CHARS);
        for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]) {
            if HYPHENS.contains(&text.len()) {
                text.push('-');
            }
            text.extend(char::from_digit(digit.into(), 16));
        }
        Self(text.into())
    }

    /// The 16 bytes, if the id is a UUID.
    pub(crate) fn uuid(&self) -> Option<[u8; 16]> {
        let hyphens = HYPHENS
            .iter()
            .all(|at| self.0.as_bytes().get(*at) == Some(&b'-'));
        if self.0.len() != UUID_CHARS || !hyphens {
            return None;
        }
        let digits: Option<Vec<u32>> = self
            .0
            .char_indices()
            .filter(|(at, _)| !HYPHENS.contains(at))
            .map(|(_, char)| char.to_digit(16))
            .collect();
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits?.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).ok()?;
        }
        Some(bytes)
    }
}

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key is: one algorithm, and with it one usage.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyKind {
    /// Seals and opens: XAES-256-GCM with a key commitment. 32 bytes.
    Aes256,
    /// HMAC-SHA-256 (RFC 2104). 32 bytes; imported, 32 to 64.
    HmacSha256,
    /// HMAC-SHA-384. 48 bytes; imported, 48 to 128.
    HmacSha384,
    /// HMAC-SHA-512. 64 bytes; imported, 64 to 128.
    HmacSha512,
    /// Ed25519 (RFC 8032). The 32-byte seed.
    Ed25519,
    /// ECDSA over P-256 with SHA-256 (FIPS 186-5). The 32-byte scalar, big-endian.
    EcdsaP256,
    /// Makes and opens JWEs of `dir` and `A256GCM` (RFC 7518 sections 4.5 and 5.3): the key itself encrypts. 32 bytes.
    JweDir,
    /// Makes and opens JWEs of `A256KW` and `A256GCM` (RFC 7518 sections 4.4 and 5.3): it wraps a key of each
    /// message. 32 bytes.
    JweA256Kw,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Aes256,
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
        Self::Ed25519,
        Self::EcdsaP256,
        Self::JweDir,
        Self::JweA256Kw,
    ];

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "aes-256",
            Self::HmacSha256 => "hmac-sha-256",
            Self::HmacSha384 => "hmac-sha-384",
            Self::HmacSha512 => "hmac-sha-512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::JweDir => "jwe-dir",
            Self::JweA256Kw => "jwe-a256kw",
        }
    }

    /// Reads the word that is stored.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(Error::Kind)
    }

    /// The one thing such a key does.
    pub fn usage(self) -> Usage {
        match self {
            Self::Aes256 => Usage::Encrypt,
            Self::HmacSha256 | Self::HmacSha384 | Self::HmacSha512 => Usage::Mac,
            Self::Ed25519 | Self::EcdsaP256 => Usage::Sign,
            Self::JweDir | Self::JweA256Kw => Usage::Jwe,
        }
    }

    /// How long its material may be: from what is made here (the hash's length, RFC 2104 section 3)
    /// to the hash's block, beyond which HMAC would hash the key first.
    pub fn material_bytes(self) -> RangeInclusive<usize> {
        match self {
            Self::Aes256 | Self::Ed25519 | Self::EcdsaP256 | Self::JweDir | Self::JweA256Kw => {
                32..=32
            }
            Self::HmacSha256 => 32..=64,
            Self::HmacSha384 => 48..=128,
            Self::HmacSha512 => 64..=128,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a key may do. One thing (NIST SP 800-57 part 1, section 5.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Usage {
    /// Seal and open.
    Encrypt,
    /// Make and verify tags.
    Mac,
    /// Sign, and verify signatures.
    Sign,
    /// Make and open JWEs that whoever has the same key opens and makes.
    Jwe,
}

impl Usage {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Mac => "mac",
            Self::Sign => "sign",
            Self::Jwe => "jwe",
        }
    }
}

/// One version of a key, wrapped under the HSM's root key. Safe to store anywhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedKey {
    id: KeyId,
    version: u32,
    kind: KeyKind,
    blob: Vec<u8>,
}

impl WrappedKey {
    /// From what was stored. Whether it all belongs together is seen when it is opened.
    pub fn from_parts(id: KeyId, version: u32, kind: KeyKind, blob: Vec<u8>) -> Self {
        Self {
            id,
            version,
            kind,
            blob,
        }
    }

    /// Which key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Which version, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The wrapped bytes.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{KeyId, KeyKind};

    #[test]
    fn a_random_id_is_a_uuid_of_version_4() {
        let id = KeyId::random().unwrap();
        let text = id.as_str();
        assert_eq!(text.len(), 36);
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        assert_eq!(KeyId::parse(text).unwrap(), id);
        assert_ne!(KeyId::random().unwrap(), id);
    }

    #[test]
    fn what_is_no_uuid_has_no_16_bytes() {
        for text in [
            "value.city",
            "0f8fad5b-d9cb-469f-a165-70867728950",
            "0f8fad5bd9cb-469f-a165-708677289501-",
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5b-d9cb-469f-a165-7086772895011",
        ] {
            assert_eq!(KeyId::parse(text).unwrap().uuid(), None, "{text}");
        }
    }

    #[test]
    fn a_kind_has_one_word() {
        for kind in KeyKind::ALL {
            assert_eq!(KeyKind::parse(kind.as_str()).unwrap(), kind);
        }
        for word in ["", "AES-256", "aes256", "hmac-sha-1"] {
            assert!(KeyKind::parse(word).is_err(), "{word}");
        }
    }

    proptest! {
        #[test]
        fn a_uuid_reads_back(bytes: [u8; 16]) {
            let id = KeyId::from_uuid(bytes);
            prop_assert_eq!(id.uuid(), Some(bytes));
            prop_assert_eq!(KeyId::parse(id.as_str()).unwrap(), id);
        }
    }
}
