//! The way from a proof to an entry: checks of the key, the items' outcomes, one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kms::{Binding, OpenKey, SecretBytes, Usage};
use ledger::{Facts, Item, ItemView, Operation, Outcome};

use super::{ItemFault, KeyFault};
use crate::commit::{Record, Sequenced, Withheld};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError, caller_facts};
use crate::model::{EncryptionContext, KeyRecord, KeyState, Purpose, RequestId, VersionState};
use crate::policy::Authorized;
use crate::store::Change;

/// Above so many bytes the work moves to a thread that may take its time.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// What a key's class is called in the items beside an entry.
const ITEM_CLASS: &str = "key";

/// The answer to a batch: an outcome for each item, in the order asked, and the entry of them all.
pub struct Acted<T> {
    /// What came of each item.
    pub items: Vec<Result<T, ItemFault>>,
    /// The entry that records it.
    pub entry: Sequenced,
}

/// One item's outcome, withheld, and the context the ledger keeps a pseudonym of.
pub(super) type Outcomes<T> = Vec<ItemOutcome<T>>;
type ItemOutcome<T> = (Binding, Result<Withheld<T>, ItemFault>);

/// What is known of an act before its items are.
pub(super) struct ActFacts {
    pub(super) operation: Operation,
    pub(super) key: Option<(String, u32)>,
    pub(super) purpose: Option<Purpose>,
    pub(super) request: RequestId,
}

impl Engine {
    /// Works on the items here, or on a thread of its own where they are large.
    pub(super) async fn worked<T: Send + 'static>(
        bytes: usize,
        work: impl FnOnce() -> Outcomes<T> + Send + 'static,
    ) -> Result<Outcomes<T>, EngineError> {
        if bytes <= INLINE_BYTES_MAX {
            return Ok(work());
        }
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| EngineError::Keys)
    }

    /// Records what came of the items, and only then gives it out.
    pub(super) async fn record_act<A, T>(
        &self,
        proof: &Authorized<A>,
        act: ActFacts,
        outcomes: Outcomes<T>,
    ) -> Result<Acted<T>, EngineError> {
        self.record_changing(proof, act, outcomes, Change::none())
            .await
    }

    /// The same, for an act that changes something too.
    pub(super) async fn record_changing<A, T>(
        &self,
        proof: &Authorized<A>,
        act: ActFacts,
        outcomes: Outcomes<T>,
        change: Change,
    ) -> Result<Acted<T>, EngineError> {
        let mut facts = caller_facts(act.operation, proof, act.request);
        facts.key = act.key;
        facts.purpose = act.purpose.map(|purpose| purpose.to_string());
        let record = if let [(context, outcome)] = outcomes.as_slice() {
            facts.commitment = Some(self.keys.context_commitment(context));
            if let Err(fault) = outcome {
                facts.outcome = Outcome::Error;
                facts.reason = Some(fault.code().to_owned());
            }
            Record::single(change, facts)
        } else {
            let alike = |one: &ItemOutcome<T>, other: &ItemOutcome<T>| {
                one.0 == other.0 && one.1.is_ok() == other.1.is_ok()
            };
            let items = outcomes
                .chunk_by(alike)
                .filter_map(|run| Some((self.act_item(run.first()?), run.len())));
            Record::batch(change, facts, items)?
        };
        let withheld = outcomes.into_iter().map(|(_, outcome)| either(outcome));
        let withheld = Withheld::gather(withheld.collect());
        // INVARIANT 1: neither a plaintext nor a code nor a signature leaves before its entry is durable.
        let (items, entry) = self.committer.record(record, withheld).await?;
        Ok(Acted { items, entry })
    }

    // INVARIANT 13: a context may name a person; the ledger holds a keyed pseudonym of it.
    fn act_item<T>(&self, (context, outcome): &ItemOutcome<T>) -> Item {
        let view = match outcome {
            Ok(_) => ItemView::Done,
            Err(_) => ItemView::Refused,
        };
        Item {
            pseudonym: self.keys.context_pseudonym(context),
            class: ITEM_CLASS.to_owned(),
            view,
        }
    }

    /// The record of an act of one item or none.
    pub(super) fn plain<A>(
        &self,
        proof: &Authorized<A>,
        act: ActFacts,
        change: Change,
    ) -> Result<Record, EngineError> {
        let mut stated = Stated::by(act.operation, proof, act.request);
        stated.facts.key = act.key;
        stated.facts.purpose = act.purpose.map(|purpose| purpose.to_string());
        self.record_of(stated, change)
    }

    /// Records an act that releases nothing but what was known before.
    pub(super) async fn record_plain<A>(
        &self,
        proof: &Authorized<A>,
        act: ActFacts,
        change: Change,
    ) -> Result<Sequenced, EngineError> {
        let record = self.plain(proof, act, change)?;
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }

    /// Writes a change of one key, and forgets the key when the writer has spoken.
    ///
    /// That happens also where the request was given up or the deadline passed: what was written later
    /// must not stay in the caches as it was before.
    pub(super) async fn record_change(
        self: &Arc<Self>,
        key: &Arc<KeyRecord>,
        change: Record,
    ) -> Result<Sequenced, EngineError> {
        let (engine, key) = (Arc::clone(self), Arc::clone(key));
        let writing = tokio::spawn(async move {
            let written = engine.committer.settle(change).await;
            engine.shelf.forget(&key.id);
            let renewed = engine.renew_own(&key).await;
            let entry = written?;
            renewed.map(|()| entry)
        });
        let written = async { writing.await.unwrap_or(Err(EngineError::Keys)) };
        self.committer.in_time(written).await
    }

    /// The version that an older ciphertext, code or signature names, opened if it may be.
    pub(super) async fn opened_older(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        version: u32,
    ) -> Result<Arc<OpenKey>, KeyFault> {
        if version < record.open_from || version > record.current {
            return Err(KeyFault::Version);
        }
        self.opened(record, version).await
    }

    /// The version that protects: the current one, or an older one that was asked for by number.
    pub(super) async fn opened_to_protect(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        version: Option<u32>,
    ) -> Result<Arc<OpenKey>, KeyFault> {
        let Some(version) = version.filter(|version| *version != record.current) else {
            // Of a key that makes its own versions, the current one never is: it was replaced.
            if record.current_state == Some(VersionState::Compromised) {
                return Err(KeyFault::Compromised);
            }
            return self.opened(record, record.current).await;
        };
        let id = record.id.clone();
        let row = self.blocking(move |engine| Ok(engine.reader.key_version(&id, version)?));
        let row = row
            .await
            .map_err(|_| KeyFault::Broken)?
            .ok_or(KeyFault::Version)?;
        // SP 800-57 part 1 section 7.4: what is known to others protects nothing new.
        if row.state == VersionState::Compromised {
            return Err(KeyFault::Version);
        }
        self.opened_older(record, version).await
    }
}

/// The record of what the vault does by itself to a key.
pub(super) fn own_act(operation: Operation, key: (String, u32), change: Change) -> Record {
    let mut facts = Facts::new(operation, Outcome::Ok);
    facts.key = Some(key);
    Record::single(change, facts)
}

/// The versions that a batch's items name, opened once each.
pub(super) struct OpenedVersions(BTreeMap<u32, Result<Arc<OpenKey>, ItemFault>>);

impl OpenedVersions {
    /// The opened version, or why it is not.
    pub(super) fn of(&self, version: u32) -> Result<&OpenKey, ItemFault> {
        match self.0.get(&version) {
            Some(Ok(open)) => Ok(open),
            Some(Err(fault)) => Err(fault.clone()),
            None => Err(ItemFault::Version),
        }
    }

    /// The only version of the batch; 0 where there is none, or several.
    pub(super) fn only(&self) -> u32 {
        let mut versions = self.0.keys();
        match (versions.next(), versions.next()) {
            (Some(version), None) => *version,
            _ => 0,
        }
    }
}

impl Engine {
    /// Opens every version that a batch names. One that can't be opened fails its items only.
    pub(super) async fn opened_versions(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        named: impl Iterator<Item = u32>,
    ) -> OpenedVersions {
        let mut versions = BTreeMap::new();
        for version in named.collect::<BTreeSet<_>>() {
            let opened = self.opened_older(record, version).await;
            versions.insert(version, opened.map_err(|fault| ItemFault::from(&fault)));
        }
        OpenedVersions(versions)
    }
}

/// Whether requests may use the key for this.
pub(super) fn usable(record: &KeyRecord, usage: Usage) -> Result<(), KeyFault> {
    if record.is_own() {
        return Err(KeyFault::Own);
    }
    if record.kind.usage() != usage {
        return Err(KeyFault::Usage(record.kind));
    }
    match record.state {
        KeyState::Active => Ok(()),
        state => Err(KeyFault::State(state)),
    }
}

/// What the entry says of the key.
pub(super) fn named(record: &KeyRecord, version: u32) -> (String, u32) {
    (record.id.as_str().to_owned(), version)
}

/// A context's encoding; items without one share that of the empty context.
pub(super) fn no_context() -> Binding {
    EncryptionContext::default().binding()
}

/// Whether an input is within the item's limit.
pub(super) fn fits(input: &SecretBytes, bytes_max: usize) -> Result<(), ItemFault> {
    if input.len() <= bytes_max {
        Ok(())
    } else {
        Err(ItemFault::TooLong { bytes_max })
    }
}

fn either<T>(outcome: Result<Withheld<T>, ItemFault>) -> Withheld<Result<T, ItemFault>> {
    match outcome {
        Ok(withheld) => withheld.map(Ok),
        Err(fault) => Withheld::nothing()
            .with(fault)
            .map(|((), fault)| Err(fault)),
    }
}
