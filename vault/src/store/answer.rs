//! An answer that is kept, so that the same request gets it again.

use super::row::SealedValue;
use crate::model::{DomainName, Timestamp};

/// Keyed hash of unit, domain and idempotency key, cut to 16 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct AnswerId(pub [u8; 16]);

/// Keyed hash of a whole request.
#[derive(Clone, Copy)]
pub struct RequestDigest(pub [u8; 32]);

/// An answer to be kept. One that stands under its id, and serves still, is a conflict.
pub struct AnswerRow {
    /// Unique.
    pub id: AnswerId,
    /// Namespace of the tokens.
    pub domain: DomainName,
    /// What was asked.
    pub request: RequestDigest,
    /// The tokens.
    pub sealed: SealedValue,
    /// When it was made: what has expired by then is no conflict.
    pub created: Timestamp,
    /// First instant at which it is given no longer.
    pub expires: Timestamp,
}

/// An answer as it is kept.
pub struct KeptAnswer {
    /// What was asked.
    pub request: RequestDigest,
    /// The tokens.
    pub sealed: SealedValue,
    /// Index of the entry that recorded the request.
    pub entry: u64,
}
