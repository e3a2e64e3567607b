//! Holds the checkpoint to the second signature that the auditor demands.

use serde::Serialize;

use super::Trust;
use super::code::Code;
use super::finding::{Finding, Findings};
use super::head::Head;
use crate::cosignature::Cosigned;

const FILE: &str = "checkpoint";

/// The second signature, where one is demanded.
#[derive(Clone, Debug, Serialize)]
pub struct SecondSignature {
    /// The key's name and id.
    pub key: String,
    /// Whether it holds.
    pub holds: bool,
    /// When it was made, in seconds since 1970; 0 says nothing.
    pub time_s: Option<u64>,
}

/// Judges it, if the auditor demands one and there is a checkpoint.
pub(super) fn judge(
    trust: &Trust,
    head: &Head,
    findings: &mut Findings,
) -> Option<SecondSignature> {
    let key = trust.second.as_ref()?;
    let note = head.note.as_ref()?;
    // A note that cannot be read is a finding of its own.
    let signed = key.signed(note).ok()?;
    let (holds, time_s) = match signed {
        Cosigned::At(time_s) => (true, Some(time_s)),
        _ => (false, None),
    };
    if let Some(code) = fault(signed) {
        findings.push(Finding::new(code, format!("by {}", key.short())).file(FILE));
    }
    Some(SecondSignature {
        key: key.short(),
        holds,
        time_s,
    })
}

/// What is wrong with a second signature, if anything is.
pub fn fault(signed: Cosigned) -> Option<Code> {
    match signed {
        Cosigned::At(_) => None,
        Cosigned::Missing => Some(Code::SecondMissing),
        Cosigned::Broken | Cosigned::OutOfTime(_) => Some(Code::SecondBad),
    }
}

impl SecondSignature {
    /// In words.
    pub(super) fn said(&self) -> String {
        let word = if self.holds { "signed" } else { "NOT signed" };
        format!("{word} a second time (ML-DSA-44) by {}", self.key)
    }
}
