//! The hashes of an RFC 6962 tree and of the chain inside it: leaf, node, and where the chain begins.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::origin::Origin;

/// A SHA-256 hash. Shown in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The root of the tree with no leaves: SHA-256 of nothing (RFC 6962 §2.1).
    #[must_use]
    pub fn of_empty_tree() -> Self {
        digest(&[])
    }

    /// Its bytes, as tiles and entries store them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256(0x00 || entry), RFC 6962 §2.1. The next entry's `prev` is this same hash.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    digest(&[&[0], entry])
}

/// SHA-256(0x01 || left || right), RFC 6962 §2.1.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // In one piece: a node is hashed for every entry, and the parts would be copied anyway.
    let mut node = [1; 65];
    node[1..33].copy_from_slice(&left.0);
    node[33..].copy_from_slice(&right.0);
    digest(&[&node])
}

/// What the first entry holds as `prev`: SHA-256("genesis\n" || origin).
#[must_use]
pub fn genesis_prev(origin: &Origin) -> Hash {
    digest(&[b"genesis\n", origin.as_str().as_bytes()])
}

pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
    }
    Hash(sha.finalize().into())
}
