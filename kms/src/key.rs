//! Keys by name: ids, usages, and versions as they are stored, wrapped.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// Longest key id, in bytes.
const KEY_ID_BYTES_MAX: usize = 64;

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

    /// The id as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key may do. One thing (NIST SP 800-57 part 1, section 5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usage {
    /// Seal and open.
    Encrypt,
    /// Make and verify tags.
    Mac,
}

impl Usage {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Mac => "mac",
        }
    }

    /// Reads the word that is stored.
    pub fn parse(text: &str) -> Result<Self, Error> {
        [Self::Encrypt, Self::Mac]
            .into_iter()
            .find(|usage| usage.as_str() == text)
            .ok_or(Error::Usage)
    }
}

/// One version of a key, wrapped under the HSM's root key. Safe to store anywhere.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    id: KeyId,
    version: u32,
    usage: Usage,
    blob: Vec<u8>,
}

impl WrappedKey {
    /// From what was stored. Whether it all belongs together is seen when it is opened.
    pub fn from_parts(id: KeyId, version: u32, usage: Usage, blob: Vec<u8>) -> Self {
        Self {
            id,
            version,
            usage,
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

    /// What it may do.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The wrapped bytes.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}
