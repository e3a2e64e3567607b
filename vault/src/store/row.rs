//! What a row is made of, and what a change is: the store's words.

use crate::model::{ClassName, DomainName};

/// May be computed from something withheld: it is written, and says nothing of it without keys.
pub trait Column {}

/// Keyed hash of a token within its domain, cut to 16 bytes. The database knows tokens only so.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; 16]);

/// Keyed hash of a value's normal form within domain and class, cut to 16 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct BlindIndex(pub [u8; 16]);

/// A ciphertext of `seal`, header and all.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedValue(pub Vec<u8>);

impl Column for Fingerprint {}
impl Column for BlindIndex {}
impl Column for SealedValue {}

/// One token's row.
#[derive(Clone)]
pub struct TokenRow {
    /// Primary key.
    pub fingerprint: Fingerprint,
    /// Namespace of the token.
    pub domain: DomainName,
    /// What the value is.
    pub class: ClassName,
    /// Microseconds UTC.
    pub created_us: u64,
    /// The value.
    pub sealed: SealedValue,
    /// For repeatable classes: the value's blind index, and the token's text, sealed.
    pub repeatable: Option<(BlindIndex, SealedValue)>,
}

/// One version of one key, wrapped under the HSM's root key.
#[derive(Clone)]
pub struct KeyRow {
    /// Key id, in the KMS's spelling.
    pub id: String,
    /// 1 and up.
    pub version: u32,
    /// The KMS's word for what the key may do.
    pub usage: String,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// Microseconds UTC.
    pub created_us: u64,
}

/// One ledger entry as stored: exactly the bytes that are hashed.
#[derive(Clone)]
pub struct StoredEntry {
    /// Index in the log.
    pub seq: u64,
    /// Deterministic CBOR.
    pub bytes: Vec<u8>,
    /// The batch's items, length-prefixed, kept beside the entry; empty where there is no batch.
    pub items: Vec<u8>,
}

/// What one request changes: all of it, or nothing.
#[derive(Default)]
pub struct Change {
    /// Tokens to add.
    pub tokens: Vec<TokenRow>,
    /// Key versions to add.
    pub keys: Vec<KeyRow>,
}

impl Change {
    /// Nothing but the entry itself.
    pub fn none() -> Self {
        Self::default()
    }
}
