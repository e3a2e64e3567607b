//! One ledger entry: who did what, when, with which outcome; and the hash of the entry before it.

pub(crate) mod decode;
mod encode;
pub(crate) mod glance;
pub(crate) mod operation;
#[cfg(test)]
mod tests;
pub(crate) mod view;

pub use operation::{Operation, Outcome};

use crate::error::EntryError;
use crate::hash::Hash;

/// The most bytes an encoded entry may have.
pub const ENTRY_BYTES_MAX: usize = 4096;

/// The format of entries in CDDL (RFC 8610); the genesis entry carries this text.
pub const FORMAT: &str = include_str!("../../FORMAT.cddl");

const SCHEMA: u64 = 1;

/// The schema of entries that commit to a detail: tools that know the first one only say that it is newer.
const DETAIL_SCHEMA: u64 = 2;

/// An entry as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index in the log, from 0.
    pub seq: u64,
    /// The leaf hash of the entry before; for the first one [`crate::genesis_prev`].
    pub prev: Hash,
    /// When it was sequenced, in microseconds UTC.
    pub time_us: u64,
    /// The monotonic clock at the same moment.
    pub boot: Boot,
    /// What happened.
    pub facts: Facts,
}

impl Entry {
    /// Its bytes. Refuses text that is not clean, and more than [`ENTRY_BYTES_MAX`] bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        encode::entry(self)
    }

    /// Reads an entry, refusing every spelling but the one that [`Entry::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        decode::entry(bytes)
    }
}

/// A run of the node, and how long it had been running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Drawn at random when the node starts.
    pub id: [u8; 8],
    /// Monotonic microseconds since then.
    pub monotonic_us: u64,
}

/// What an entry says happened. Names, codes and pseudonyms only: never a value or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What was done, or tried.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// The unit that asked.
    pub unit: Option<String>,
    /// The gateway that carried the request.
    pub gateway: Option<String>,
    /// The person or program behind the unit, as a pseudonym.
    pub actor: Option<Pseudonym>,
    /// Why it was asked.
    pub purpose: Option<String>,
    /// The digest of the policy set that decided.
    pub policy: Option<[u8; 32]>,
    /// The key's id and version.
    pub key: Option<(String, u32)>,
    /// The request's id.
    pub request: Option<[u8; 16]>,
    /// A commitment to details that may be erased.
    pub commitment: Option<[u8; 32]>,
    /// The items of the request, kept beside the entry.
    pub batch: Option<Batch>,
    /// The token domain.
    pub domain: Option<String>,
    /// A refusal's code, such as `policy-denied`.
    pub reason: Option<String>,
    /// The text of [`FORMAT`], in the genesis entry only.
    pub format: Option<String>,
    /// A signed note, in entries `signer-rotate` only: see [`crate::Rotation`].
    pub statement: Option<String>,
    /// [`crate::detail_commitment`] of a text that is kept beside the log, and may be erased.
    pub detail: Option<[u8; 32]>,
}

impl Facts {
    /// Facts that say no more than an operation and its outcome.
    #[must_use]
    pub const fn new(operation: Operation, outcome: Outcome) -> Self {
        Self {
            operation,
            outcome,
            unit: None,
            gateway: None,
            actor: None,
            purpose: None,
            policy: None,
            key: None,
            request: None,
            commitment: None,
            batch: None,
            domain: None,
            reason: None,
            format: None,
            statement: None,
            detail: None,
        }
    }

    /// The facts of a log's first entry: it carries [`FORMAT`].
    #[must_use]
    pub fn genesis() -> Self {
        let format = Some(FORMAT.to_owned());
        Self {
            format,
            ..Self::new(Operation::Genesis, Outcome::Ok)
        }
    }
}

/// How many items a request had, and the RFC 6962 root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of items.
    pub count: u64,
    /// [`crate::items_root`] of the items.
    pub root: Hash,
}

/// A keyed hash in place of a name: HMAC-SHA-256 under the epoch's key, cut to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pseudonym {
    /// Which key; once it is erased, nobody can tell whom the pseudonym stands for.
    pub epoch: u64,
    /// The cut hash.
    pub id: [u8; 16],
}
