//! An entry as its bytes have it, with nothing copied: what the verifier reads by the million.

use super::{Batch, Boot, Entry, Facts, Operation, Outcome, Pseudonym};
use crate::hash::Hash;

/// As [`Entry`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryView<'a> {
    pub(crate) seq: u64,
    pub(crate) prev: Hash,
    pub(crate) time_us: u64,
    pub(crate) boot: Boot,
    pub(crate) facts: FactsView<'a>,
}

/// As [`Facts`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FactsView<'a> {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    pub(crate) unit: Option<&'a str>,
    pub(crate) gateway: Option<&'a str>,
    pub(crate) actor: Option<Pseudonym>,
    pub(crate) purpose: Option<&'a str>,
    pub(crate) policy: Option<[u8; 32]>,
    pub(crate) key: Option<(&'a str, u32)>,
    pub(crate) request: Option<[u8; 16]>,
    pub(crate) commitment: Option<[u8; 32]>,
    pub(crate) batch: Option<Batch>,
    pub(crate) domain: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) format: Option<&'a str>,
    pub(crate) statement: Option<&'a str>,
    pub(crate) detail: Option<[u8; 32]>,
}

impl FactsView<'_> {
    /// Facts that say no more than an operation and its outcome.
    pub(super) const fn new(operation: Operation, outcome: Outcome) -> Self {
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

    fn to_facts(self) -> Facts {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Facts {
            operation: self.operation,
            outcome: self.outcome,
            unit: owned(self.unit),
            gateway: owned(self.gateway),
            actor: self.actor,
            purpose: owned(self.purpose),
            policy: self.policy,
            key: self.key.map(|(id, version)| (id.to_owned(), version)),
            request: self.request,
            commitment: self.commitment,
            batch: self.batch,
            domain: owned(self.domain),
            reason: owned(self.reason),
            format: owned(self.format),
            statement: owned(self.statement),
            detail: self.detail,
        }
    }
}

impl EntryView<'_> {
    pub(super) fn to_entry(self) -> Entry {
        Entry {
            seq: self.seq,
            prev: self.prev,
            time_us: self.time_us,
            boot: self.boot,
            facts: self.facts.to_facts(),
        }
    }
}

impl<'a> From<&'a Entry> for EntryView<'a> {
    fn from(entry: &'a Entry) -> Self {
        let facts = &entry.facts;
        let key = facts.key.as_ref();
        Self {
            seq: entry.seq,
            prev: entry.prev,
            time_us: entry.time_us,
            boot: entry.boot,
            facts: FactsView {
                operation: facts.operation,
                outcome: facts.outcome,
                unit: facts.unit.as_deref(),
                gateway: facts.gateway.as_deref(),
                actor: facts.actor,
                purpose: facts.purpose.as_deref(),
                policy: facts.policy,
                key: key.map(|(id, version)| (id.as_str(), *version)),
                request: facts.request,
                commitment: facts.commitment,
                batch: facts.batch,
                domain: facts.domain.as_deref(),
                reason: facts.reason.as_deref(),
                format: facts.format.as_deref(),
                statement: facts.statement.as_deref(),
                detail: facts.detail,
            },
        }
    }
}
