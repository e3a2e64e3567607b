//! What is kept of policy sets under the rule of two.

use crate::model::{KeptSet, SetDigest};

/// Which of the two kept sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetState {
    /// It decides.
    Active,
    /// It waits for its approval.
    Waiting,
}

impl SetState {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
        }
    }
}

/// A kept set with its mark: a keyed hash over all of it and its state.
#[derive(Clone)]
pub struct PolicyRow {
    /// The set.
    pub set: KeptSet,
    /// Who has no key makes none.
    pub mark: [u8; 32],
}

/// What changes of kept sets.
pub enum PolicyWrite {
    /// A set waits, in place of one that waited.
    Stage(Box<PolicyRow>),
    /// A set decides, in place of the one that did, and waits no longer: one that does not wait is a conflict.
    Activate(Box<PolicyRow>),
    /// A set decides where none was kept: where one is, that is a conflict.
    Adopt(Box<PolicyRow>),
}

impl PolicyWrite {
    /// The set that is written.
    pub fn digest(&self) -> SetDigest {
        match self {
            Self::Stage(row) | Self::Activate(row) | Self::Adopt(row) => row.set.digest,
        }
    }
}
