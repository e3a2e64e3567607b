//! Holds the checkpoint to the auditor's witness policy: who cosigned it, when, and whether they are enough.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::Trust;
use super::code::Code;
use super::finding::{Finding, Findings};
use super::head::Head;
use crate::cosignature::Cosigned;
use crate::policy::{Policy, Quorum};
use crate::utc::Utc;

const FILE: &str = "checkpoint";

/// How far the clocks of node and witness may be apart, in seconds, before an entry is from the future.
pub(super) const CLOCKS_APART_SECONDS_MAX: u64 = 300;

/// What the auditor asks of witnesses. Never from the archive: a policy there is its operator's.
#[derive(Clone, Debug)]
pub struct Witnessing {
    /// Who are witnesses, and how many are enough.
    pub policy: Policy,
    /// Times of cosignatures that count, in seconds since 1970.
    pub times: RangeInclusive<u64>,
}

/// Who cosigned the checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Cosigners {
    /// Whether the policy's quorum is met.
    pub met: bool,
    /// How many witnesses count.
    pub counted: usize,
    /// How many a quorum has at least.
    pub needed: usize,
    /// The newest time of those that count, in seconds since 1970.
    pub newest_s: Option<u64>,
    /// Each witness of the policy, in its order.
    pub witnesses: Vec<Cosigner>,
    /// The oldest time of those that count.
    #[serde(skip)]
    oldest_s: Option<u64>,
}

/// What one witness did.
#[derive(Clone, Debug, Serialize)]
pub struct Cosigner {
    /// What the policy calls it.
    pub name: String,
    /// `cosigned`, `missing`, `out-of-time` or `broken`.
    pub state: &'static str,
    /// When it cosigned, in seconds since 1970.
    pub time_s: Option<u64>,
}

/// Judges the cosignatures, if the auditor has a policy and the checkpoint is the log's.
pub(super) fn judge(trust: &Trust, head: &Head, findings: &mut Findings) -> Option<Cosigners> {
    let asked = trust.witnessing.as_ref()?;
    let note = head.note.as_ref()?;
    // A note that cannot be read is a finding of its own.
    let quorum = asked.policy.judge(note, &asked.times).ok()?;
    let found = Cosigners::of(&quorum, &asked.policy);
    for one in found.witnesses.iter().filter(|one| one.state == "broken") {
        let message = format!("a line that names the witness {} is not by it", one.name);
        findings.push(Finding::new(Code::CosignatureBad, message).file(FILE));
    }
    if !found.met {
        let lacking: Vec<String> = found.witnesses.iter().filter_map(Cosigner::lack).collect();
        let message = format!(
            "{} of {} witnesses count, a quorum has {}: {}",
            found.counted,
            found.witnesses.len(),
            found.needed,
            lacking.join(", ")
        );
        findings.push(Finding::new(Code::QuorumMissing, message).file(FILE));
    }
    Some(found)
}

impl Cosigners {
    fn of(quorum: &Quorum, policy: &Policy) -> Self {
        let witnesses: Vec<Cosigner> = quorum
            .witnesses
            .iter()
            .map(|one| {
                let (state, time_s) = match one.cosigned {
                    Cosigned::At(time_s) => ("cosigned", Some(time_s)),
                    Cosigned::Missing => ("missing", None),
                    Cosigned::OutOfTime(time_s) => ("out-of-time", Some(time_s)),
                    Cosigned::Broken => ("broken", None),
                };
                let name = one.name.clone();
                Cosigner {
                    name,
                    state,
                    time_s,
                }
            })
            .collect();
        let counted = witnesses.iter().filter(|one| one.state == "cosigned");
        Self {
            met: quorum.met,
            counted: quorum.count(),
            needed: policy.cosigners_min(),
            newest_s: quorum.newest_s(),
            oldest_s: counted.filter_map(|one| one.time_s).min(),
            witnesses,
        }
    }

    /// What was cosigned existed then: no entry of it is of a later time, but for clocks that differ.
    pub(super) fn check_time(&self, seq: u64, time_us: u64, findings: &mut Findings) {
        let Some(seen_s) = self.oldest_s else { return };
        let latest_s = seen_s.saturating_add(CLOCKS_APART_SECONDS_MAX);
        if time_us / 1_000_000 > latest_s {
            let message = format!(
                "it is of {}, a witness saw it at {}",
                Utc::from_micros(time_us),
                Utc::from_micros(seen_s.saturating_mul(1_000_000))
            );
            findings.push(Finding::new(Code::TimeForward, message).seq(seq));
        }
    }

    /// In words.
    pub(super) fn said(&self) -> String {
        let met = if self.met {
            "which is a quorum"
        } else {
            "which is NO quorum"
        };
        let newest = self.newest_s.map_or_else(String::new, |time_s| {
            let time = Utc::from_micros(time_s.saturating_mul(1_000_000));
            format!(", the newest at {time}")
        });
        let all = self.witnesses.len();
        format!(
            "cosigned by {} of {all} witnesses, {met}{newest}",
            self.counted
        )
    }
}

impl Cosigner {
    fn lack(&self) -> Option<String> {
        (self.state != "cosigned").then(|| format!("{} {}", self.name, self.state))
    }
}
