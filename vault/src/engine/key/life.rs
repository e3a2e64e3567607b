//! A key's life: made, read, changed, rotated, switched off and on, retired, destroyed.
//!
//! Each change names the revision of the record it saw; another one there is a conflict, and nothing
//! changes. When a change is durable the key leaves every cache, and only then is it answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kms::{KeyId, KeyKind};

use super::KeyFault;
use super::cipher::key_facts;
use crate::commit::{NotDurable, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{
    Description, KeyAlias, KeyOrigin, KeyRecord, KeyRef, KeyState, KeyVersion, RequestId, Tags,
};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey, OnKeys};
use crate::store::{Change, KeyWrite};

/// Most keys of one page.
pub const PAGE_KEYS_MAX: u32 = 1_000;

/// Shortest and longest time between scheduled rotations.
const ROTATION_MIN: Duration = Duration::from_hours(1);
const ROTATION_MAX: Duration = Duration::from_hours(24 * 3_650);

/// Longest waiting period before a destruction.
const DELETION_WAIT_MAX: Duration = Duration::from_hours(24 * 365);

/// A key to be made.
pub struct NewKey {
    /// What it is.
    pub kind: KeyKind,
    /// Where its material comes from.
    pub origin: KeyOrigin,
    /// A first alias.
    pub alias: Option<KeyAlias>,
    /// For people.
    pub description: Description,
    /// For policies and people.
    pub tags: Tags,
    /// How often it gets a new version by itself.
    pub rotation: Option<Duration>,
}

impl NewKey {
    /// The record that policy is asked about. It stands nowhere yet, and is not known to be possible.
    pub fn wished(self, owner: &str) -> Result<KeyRecord, KeyFault> {
        let mut record = KeyRecord::wished(KeyId::random()?, self.kind, owner.to_owned());
        record.origin = self.origin;
        record.aliases = self.alias.into_iter().collect();
        record.description = self.description;
        record.tags = self.tags;
        record.rotation = self.rotation;
        Ok(record)
    }
}

/// What shall be changed of a key. What is `None` stays.
#[derive(Default)]
pub struct KeyChange {
    /// For people.
    pub description: Option<Description>,
    /// For policies and people: all of them.
    pub tags: Option<Tags>,
    /// All aliases. One that belongs to another key is refused.
    pub aliases: Option<BTreeSet<KeyAlias>>,
    /// How often it gets a new version by itself; `Some(None)` for never.
    pub rotation: Option<Option<Duration>>,
    /// The lowest version that opens and verifies.
    pub open_from: Option<u32>,
    /// The revision that the change was made for; any where it is not said.
    pub revision: Option<u64>,
}

/// A key with its versions.
#[derive(Debug)]
pub struct KeyDetail {
    /// The record.
    pub record: Arc<KeyRecord>,
    /// The versions, by number.
    pub versions: Vec<KeyVersion>,
}

/// Some keys, in the order of their ids.
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<KeyRecord>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<KeyId>,
}

/// How long a key waits for its destruction.
#[derive(Clone, Copy)]
pub struct Waiting(pub Duration);

/// What a change of one key's record writes.
pub(super) struct Draft {
    pub(super) record: KeyRecord,
    pub(super) writes: Vec<KeyWrite>,
    /// The version that the entry names.
    pub(super) version: u32,
}

impl Engine {
    /// Makes the key that was wished for. A `vault` key has its first version at once.
    pub async fn create_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Create>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let mut record = KeyRecord::clone(proof.grant().key());
        scheduled(record.origin, record.rotation)?;
        let now = self.clock.now();
        record.created = now;
        record.revision = 1;
        record.rotate_at = record.rotation.map(|period| now.after(period));
        let mut writes = Vec::with_capacity(2);
        match record.origin {
            KeyOrigin::External => record.state = KeyState::PreActivation,
            KeyOrigin::Vault => {
                record.current = 1;
                writes.push(self.made_version(&record, 1).await?);
            }
        }
        writes.insert(0, KeyWrite::Add(record.clone()));
        let change = Change {
            keys: writes,
            ..Change::none()
        };
        let facts = key_facts(&proof, record.current, request);
        let entry = self
            .record_plain(&proof, facts, change)
            .await
            .map_err(taken)?;
        Ok((self.detail(&record.id).await?, entry))
    }

    /// A key's record and versions.
    pub async fn describe_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Describe>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = proof.grant().key();
        let detail = self.detail(&record.id).await?;
        let facts = key_facts(&proof, record.current, request);
        let entry = self.record_plain(&proof, facts, Change::none()).await?;
        Ok((detail, entry))
    }

    /// Up to `limit` keys after an id.
    pub async fn list_keys(
        self: &Arc<Self>,
        proof: Authorized<OnKeys<key_act::List>>,
        after: Option<KeyId>,
        limit: u32,
        request: RequestId,
    ) -> Result<(KeyPage, Sequenced), EngineError> {
        if !(1..=PAGE_KEYS_MAX).contains(&limit) {
            return Err(EngineError::Key(KeyFault::Range {
                name: "limit",
                range: format!("1 to {PAGE_KEYS_MAX}"),
            }));
        }
        let read = move |engine: &Self| Ok(engine.reader.keys_after(after.as_ref(), limit)?);
        let keys = self.blocking(read).await?;
        let full = u32::try_from(keys.len()) == Ok(limit);
        let next = keys.last().filter(|_| full).map(|last| last.id.clone());
        let facts = super::act::ActFacts {
            operation: key_act::List::OPERATION,
            key: None,
            purpose: None,
            request,
        };
        let entry = self.record_plain(&proof, facts, Change::none()).await?;
        Ok((KeyPage { keys, next }, entry))
    }

    /// Changes names, tags, schedule or the lowest version that opens.
    pub async fn set_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Set>>,
        change: KeyChange,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let mut record = standing(others(proof.grant().key())?)?;
        // The writer compares once more: what it finds is what was compared here, or a conflict.
        if change.revision.is_some_and(|seen| seen != record.revision) {
            return Err(EngineError::Key(KeyFault::Changed));
        }
        if let Some(description) = change.description {
            record.description = description;
        }
        if let Some(tags) = change.tags {
            record.tags = tags;
        }
        if let Some(aliases) = change.aliases {
            record.aliases = aliases;
        }
        if let Some(period) = change.rotation {
            scheduled(record.origin, period)?;
            record.rotation = period;
            // A key that waits for its destruction does not rotate; its schedule returns with it.
            let rotates = period.filter(|_| record.state != KeyState::Deactivated);
            record.rotate_at = rotates.map(|period| self.clock.now().after(period));
        }
        if let Some(lowest) = change.open_from {
            if !(1..=record.current.max(1)).contains(&lowest) {
                return Err(EngineError::Key(KeyFault::Range {
                    name: "open_from",
                    range: format!("1 to the current version, {}", record.current),
                }));
            }
            record.open_from = lowest;
        }
        self.changed(&proof, Draft::of(record), request).await
    }

    /// Switches a suspended key on.
    pub async fn enable_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Enable>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = moved(
            proof.grant().key(),
            &[KeyState::Suspended],
            KeyState::Active,
        )?;
        self.changed(&proof, Draft::of(record), request).await
    }

    /// Switches a key off: it leaves every cache before this is answered.
    pub async fn disable_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Disable>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = moved(
            others(proof.grant().key())?,
            &[KeyState::Active],
            KeyState::Suspended,
        )?;
        self.changed(&proof, Draft::of(record), request).await
    }

    /// Schedules a key's destruction. Until then it does nothing, and the schedule can be called off.
    pub async fn schedule_deletion(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::ScheduleDeletion>>,
        Waiting(waiting): Waiting,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let shortest = self.shelf.settings.deletion_wait_min;
        if waiting < shortest || waiting > DELETION_WAIT_MAX {
            let (from, to) = (shortest.as_secs(), DELETION_WAIT_MAX.as_secs());
            return Err(EngineError::Key(KeyFault::Range {
                name: "waiting_seconds",
                range: format!("{from} to {to}"),
            }));
        }
        let record = others(proof.grant().key())?;
        let from = [
            KeyState::Active,
            KeyState::Suspended,
            KeyState::PreActivation,
        ];
        let mut record = moved(record, &from, KeyState::Deactivated)?;
        record.delete_at = Some(self.clock.now().after(waiting));
        record.rotate_at = None;
        self.changed(&proof, Draft::of(record), request).await
    }

    /// Calls a scheduled destruction off. The key is suspended then, or waits for its material again.
    pub async fn cancel_deletion(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::CancelDeletion>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let back = match proof.grant().key().current {
            0 => KeyState::PreActivation,
            _ => KeyState::Suspended,
        };
        let mut record = moved(proof.grant().key(), &[KeyState::Deactivated], back)?;
        record.delete_at = None;
        record.rotate_at = record.rotation.map(|period| self.clock.now().after(period));
        self.changed(&proof, Draft::of(record), request).await
    }

    /// Writes a change of one record, forgets the key, and reads it again for the answer.
    pub(super) async fn changed<A: KeyAct>(
        self: &Arc<Self>,
        proof: &Authorized<OnKey<A>>,
        draft: Draft,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let id = draft.record.id.clone();
        let facts = key_facts(proof, draft.version, request);
        let aliases = draft.record.aliases.clone();
        let change = self.plain(proof, facts, draft.change())?;
        let written = self.record_change(proof.grant().key(), change).await;
        let entry = match written.map_err(outrun) {
            Ok(entry) => entry,
            Err(EngineError::Key(KeyFault::Changed)) if self.has_foreign(&id, aliases).await? => {
                return Err(EngineError::Key(KeyFault::AliasTaken));
            }
            Err(error) => return Err(error),
        };
        Ok((self.detail(&id).await?, entry))
    }

    /// Whether one of the aliases belongs to another key.
    async fn has_foreign(
        self: &Arc<Self>,
        id: &KeyId,
        aliases: BTreeSet<KeyAlias>,
    ) -> Result<bool, EngineError> {
        let id = id.clone();
        self.blocking(move |engine| {
            for alias in aliases {
                let holder = engine.reader.key(&KeyRef::Alias(alias))?;
                if holder.is_some_and(|holder| holder.id != id) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    pub(super) async fn detail(self: &Arc<Self>, id: &KeyId) -> Result<KeyDetail, EngineError> {
        let id = id.clone();
        self.blocking(move |engine| {
            let key = KeyRef::Id(id.clone());
            let record = engine.shelf.record(&engine.reader, &key)?;
            let record = record.ok_or(EngineError::Key(KeyFault::Changed))?;
            let versions = engine.reader.key_versions(&id)?;
            Ok(KeyDetail { record, versions })
        })
        .await
    }
}

impl Draft {
    pub(super) fn of(record: KeyRecord) -> Self {
        let version = record.current;
        Self {
            record,
            writes: Vec::new(),
            version,
        }
    }

    pub(super) fn change(self) -> Change {
        let mut keys = self.writes;
        keys.push(KeyWrite::Set(self.record));
        Change {
            keys,
            ..Change::none()
        }
    }
}

/// A record that may be changed: anything but destroyed.
pub(super) fn standing(record: &KeyRecord) -> Result<KeyRecord, KeyFault> {
    match record.state {
        KeyState::Destroyed => Err(KeyFault::State(record.state)),
        _ => Ok(record.clone()),
    }
}

/// A key of others, not of the vault: whatever policies permit, its own stay whole.
fn others(record: &KeyRecord) -> Result<&KeyRecord, KeyFault> {
    if record.is_own() {
        return Err(KeyFault::Own);
    }
    Ok(record)
}

pub(super) fn moved(
    record: &KeyRecord,
    from: &[KeyState],
    to: KeyState,
) -> Result<KeyRecord, KeyFault> {
    if !from.contains(&record.state) {
        return Err(KeyFault::State(record.state));
    }
    let mut record = record.clone();
    record.state = to;
    Ok(record)
}

/// A schedule that a key of this origin can have.
fn scheduled(origin: KeyOrigin, rotation: Option<Duration>) -> Result<(), KeyFault> {
    let Some(period) = rotation else {
        return Ok(());
    };
    if origin == KeyOrigin::External {
        return Err(KeyFault::Origin);
    }
    if (ROTATION_MIN..=ROTATION_MAX).contains(&period) {
        return Ok(());
    }
    let (from, to) = (ROTATION_MIN.as_secs(), ROTATION_MAX.as_secs());
    Err(KeyFault::Range {
        name: "rotation_seconds",
        range: format!("{from} to {to}"),
    })
}

/// A conflict where aliases are written: one of them belongs to another key.
fn taken(error: EngineError) -> EngineError {
    match error {
        EngineError::NotDurable(NotDurable::Conflict) => EngineError::Key(KeyFault::AliasTaken),
        error => error,
    }
}

/// A conflict elsewhere: another change came first.
pub(super) fn outrun(error: EngineError) -> EngineError {
    match error {
        EngineError::NotDurable(NotDurable::Conflict) => EngineError::Key(KeyFault::Changed),
        error => error,
    }
}
