//! Why an act on a key, or one item of it, was not done.

use kms::KeyKind;

use crate::model::{InvalidKeyWord, KeyState};

/// Why an act on a key was not done. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The key is made for another usage.
    #[error("a key of kind `{}` is made for another usage", .0.as_str())]
    Usage(KeyKind),
    /// The key is in a state that does not allow it.
    #[error("the key's state is `{}`, which does not allow this", .0.as_str())]
    State(KeyState),
    /// The key has no such version, or it does not allow this.
    #[error(
        "the key has no such version, or the version's state or the key's lowest version does not allow this"
    )]
    Version,
    /// The version that would protect is compromised, and no other one can.
    #[error(
        "the key's current version is compromised: it opens and verifies, and protects nothing new until new material is imported"
    )]
    Compromised,
    /// The version has made as many messages as it may.
    #[error(
        "the key's version has made as many messages as it may (nist sp 800-38d): rotate the key, or import new material"
    )]
    Exhausted,
    /// It is one of the vault's own keys.
    #[error("this is one of the vault's own keys, which does not take part in this")]
    Own,
    /// An alias belongs to another key.
    #[error("the alias belongs to another key: take it away there first")]
    AliasTaken,
    /// The key was changed in between.
    #[error("the key was changed in between: read it again, then repeat")]
    Changed,
    /// A word of the request is out of its range.
    #[error("{name} must be {range}")]
    Range {
        /// Which.
        name: &'static str,
        /// What it may be.
        range: String,
    },
    /// A word of the request is not allowed.
    #[error(transparent)]
    Word(#[from] InvalidKeyWord),
    /// The key's material comes from outside, or does not.
    #[error(
        "the key's origin does not allow this: `external` keys get their versions by import, `vault` keys by rotation"
    )]
    Origin,
    /// Rows still need the version (invariant 15).
    #[error(
        "{rows} stored values and tickets are sealed under this version: reseal the values first, tickets go when they expire"
    )]
    Needed {
        /// How many.
        rows: u64,
    },
    /// The version may still be in use by requests under way.
    #[error(
        "the version was replaced a moment ago and requests may still use it: repeat in {seconds} s"
    )]
    TooFresh {
        /// Seconds until then.
        seconds: u64,
    },
    /// The permission to import is unknown, used, for another key, or expired.
    #[error(
        "the import ticket is unknown, used up, for another key, or expired: ask for new import parameters"
    )]
    Ticket,
    /// What was brought does not open, or is not material of this kind.
    #[error("the wrapped material does not open, or is not material of the key's kind")]
    Material,
    /// The backup was altered, is from another root key, or is not one.
    #[error("the backup was altered, was made under another root key, or is not a backup")]
    Backup,
    /// The backup's key stands here already, or was destroyed here.
    #[error(
        "the backup's key stands here already, or was destroyed here: a destroyed key does not come back"
    )]
    Stands,
    /// The HSM can't be reached.
    #[error("the HSM can't be reached, and the key is not open: retry later")]
    Unavailable,
    /// The HSM answers, and can't do it.
    #[error("the HSM can't do this: {0}")]
    Hsm(String),
    /// A stored key does not open: it was altered, or its root key is another.
    #[error("the stored key does not open: the database was altered, or this is another HSM")]
    Broken,
}

/// Why one item of a batch was not done. The other items are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemFault {
    /// Altered, under another key, in another context, or not a ciphertext: one answer for all.
    #[error("it does not open: altered, under another key, or in another context")]
    Unopened,
    /// The version does not allow it.
    #[error("its key version is below the key's lowest, destroyed, or not there")]
    Version,
    /// The item is too long.
    #[error("it is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The key can't do this to such an input.
    #[error("this kind of key does not take such an input")]
    Input,
    /// The HSM can't be reached.
    #[error("the HSM can't be reached, and the key version is not open: retry later")]
    Unavailable,
    /// The key version can't be used.
    #[error("the key version can't be used")]
    Key,
}

impl ItemFault {
    /// Its stable code, as the ledger and the wire say it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Version => "key-version",
            Self::TooLong { .. } => "item-too-long",
            Self::Input => "item-input",
            Self::Unavailable => "hsm-unavailable",
            Self::Key => "key-broken",
        }
    }
}

impl From<kms::Error> for KeyFault {
    fn from(error: kms::Error) -> Self {
        match error {
            kms::Error::Unopened => Self::Broken,
            error if kms::is_outage(&error) => Self::Unavailable,
            error => Self::Hsm(error.to_string()),
        }
    }
}

impl From<kms::Error> for ItemFault {
    fn from(error: kms::Error) -> Self {
        match error {
            kms::Error::Unopened => Self::Unopened,
            kms::Error::Usage => Self::Input,
            kms::Error::TooLong { bytes_max } => Self::TooLong { bytes_max },
            error if kms::is_outage(&error) => Self::Unavailable,
            _ => Self::Key,
        }
    }
}

impl From<&KeyFault> for ItemFault {
    fn from(fault: &KeyFault) -> Self {
        match fault {
            KeyFault::Version => Self::Version,
            KeyFault::Unavailable => Self::Unavailable,
            KeyFault::Usage(_) => Self::Input,
            _ => Self::Key,
        }
    }
}
