//! Proofs and assertions that count once: remembered until they would be refused for their age.

use crate::model::Timestamp;

/// What becomes of one that counts once. It changes no token and no key, and has no entry of its own.
#[derive(Clone, Copy)]
pub enum ProofWrite {
    /// It is used.
    Spend {
        /// A hash of who made it and of its name.
        id: [u8; 32],
        /// When it need no longer be remembered.
        expires: Timestamp,
    },
    /// Those that need no longer be remembered go: at most so many.
    Forget(Timestamp, u32),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spent {
    /// It is done.
    Done,
    /// It was used before.
    Before,
    /// No more can be remembered: it is not used, and must not count.
    Full,
}
