//! Which logs count, and which witnesses must have cosigned a checkpoint (C2SP tlog-policy).
//!
//! A policy is its reader's: of the auditor who verifies, of the operator who publishes. A copy beside a
//! log says nothing.

mod parse;

use std::ops::RangeInclusive;

use crate::cosignature::{Cosigned, WitnessKey, of_witness};
use crate::error::NoteError;
use crate::note::{Note, VerifierKey};
use parse::Parsed;

pub use parse::{POLICY_BYTES_MAX, PolicyError, PolicyFault};

/// A log that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// Its key, named after its origin.
    pub key: VerifierKey,
    /// Where it is read, if the policy says so.
    pub url: Option<String>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it. This name means nothing elsewhere.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// The prefix under which it takes checkpoints (C2SP tlog-witness), if the policy says so.
    pub url: Option<String>,
}

/// What must have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    /// The witness with this index.
    Witness(usize),
    /// At least so many of these.
    Group(usize, Vec<Member>),
}

/// Logs, witnesses, and how many of the witnesses make a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<KnownLog>,
    witnesses: Vec<Witness>,
    /// Nobody is needed where there is none.
    quorum: Option<Member>,
}

impl Policy {
    /// Reads a policy of at most [`POLICY_BYTES_MAX`] bytes. It refuses two witnesses with one key, two that
    /// signature lines cannot tell apart, a log's key as a witness, and a name in more than one group:
    /// so each witness counts once.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let Parsed {
            logs,
            witnesses,
            quorum,
        } = parse::policy(text)?;
        Ok(Self {
            logs,
            witnesses,
            quorum,
        })
    }

    /// The logs that count, in the policy's order; may be none.
    pub fn logs(&self) -> &[KnownLog] {
        &self.logs
    }

    /// The witnesses, in the policy's order.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether a checkpoint counts that nobody cosigned (`quorum none`).
    pub fn needs_nobody(&self) -> bool {
        self.quorum.is_none()
    }

    /// Whether these make a quorum; `cosigned` has an answer for each witness by its index.
    pub fn is_met(&self, cosigned: impl Fn(usize) -> bool) -> bool {
        let quorum = self.quorum.as_ref();
        quorum.is_none_or(|member| member.witnessed(&cosigned))
    }

    /// How many witnesses a quorum has at least.
    pub fn cosigners_min(&self) -> usize {
        self.quorum.as_ref().map_or(0, Member::cosigners_min)
    }

    /// Judges the cosignatures of a signed checkpoint; `times` (seconds since 1970) are those that count:
    /// [`crate::ANY_TIME`], or [`crate::fresh`] where it matters how old they are. The log's own signature is not
    /// looked at, see [`crate::open_checkpoint`].
    pub fn judge(&self, note: &str, times: &RangeInclusive<u64>) -> Result<Quorum, NoteError> {
        let note = Note::parse(note)?;
        let of = |witness: &Witness| Witnessed {
            name: witness.name.clone(),
            cosigned: of_witness(&note, &witness.key, times),
        };
        let witnesses: Vec<Witnessed> = self.witnesses.iter().map(of).collect();
        let met = self.is_met(|index| matches!(witnesses[index].cosigned, Cosigned::At(_)));
        Ok(Quorum { met, witnesses })
    }
}

impl Member {
    fn witnessed(&self, cosigned: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Witness(index) => cosigned(*index),
            Self::Group(threshold, members) => {
                let witnessed = members.iter().filter(|member| member.witnessed(cosigned));
                witnessed.count() >= *threshold
            }
        }
    }

    fn cosigners_min(&self) -> usize {
        match self {
            Self::Witness(_) => 1,
            Self::Group(threshold, members) => {
                let mut least: Vec<usize> = members.iter().map(Self::cosigners_min).collect();
                least.sort_unstable();
                least.iter().take(*threshold).sum()
            }
        }
    }
}

/// What a policy says of a checkpoint's cosignatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Whether those that count make a quorum.
    pub met: bool,
    /// Each witness of the policy, in its order.
    pub witnesses: Vec<Witnessed>,
}

impl Quorum {
    /// How many witnesses count.
    pub fn count(&self) -> usize {
        let counts = |one: &&Witnessed| matches!(one.cosigned, Cosigned::At(_));
        self.witnesses.iter().filter(counts).count()
    }

    /// The newest time, in seconds since 1970, of those that count.
    pub fn newest_s(&self) -> Option<u64> {
        let time = |one: &Witnessed| match one.cosigned {
            Cosigned::At(time_s) => Some(time_s),
            _ => None,
        };
        self.witnesses.iter().filter_map(time).max()
    }
}

/// What a checkpoint says of one witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// What the policy calls it.
    pub name: String,
    /// What was found.
    pub cosigned: Cosigned,
}
