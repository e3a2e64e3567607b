//! What a nonce's row is made of.

use crate::model::{Timestamp, UnitName};

/// SHA-256 of a nonce, cut to 16 bytes. Of its own nonces a unit may make two collide, and has one refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NonceHash(pub [u8; 16]);

/// A nonce to be taken.
#[derive(Clone, Debug)]
pub struct NonceRow {
    /// Whose request it is.
    pub unit: UnitName,
    /// Which nonce.
    pub hash: NonceHash,
    /// First instant at which it may be forgotten.
    pub expires: Timestamp,
    /// Most nonces of the unit that stand at once.
    pub standing_max: u32,
}

/// What came of taking one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NonceTaken {
    /// It was new, and stands in the open transaction.
    New,
    /// It was taken before.
    Before,
    /// As many of the unit's stand as may.
    Full,
}
