//! What is due: scheduled rotations, and the destruction of keys whose waiting period has ended.

use std::sync::Arc;

use ledger::Operation;

use super::KeyFault;
use super::act::own_act;
use super::life::Draft;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyRecord, KeyState, VersionState};
use crate::store::{Due, KeyWrite};

/// Most keys of one round.
const ROUND_KEYS_MAX: u32 = 100;

/// What one round did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Upkeep {
    /// Keys that got a new version.
    pub rotated: usize,
    /// Keys that are switched off, whose rotation was put off by a period.
    pub put_off: usize,
    /// Keys that were destroyed.
    pub destroyed: usize,
    /// Keys that were due and could not be done; they stay due.
    pub failed: usize,
}

impl Engine {
    /// Does what is due, the longest first, and says where the next round goes on.
    ///
    /// A key that fails holds no other up, however many there are: it is tried again when all that are due
    /// behind it had their turn.
    pub async fn upkeep(
        self: &Arc<Self>,
        after: Option<Due>,
    ) -> Result<(Upkeep, Option<Due>), EngineError> {
        let now = self.clock.now();
        let due = self
            .blocking(move |engine| {
                let found = engine.reader.keys_due(now, after.as_ref(), ROUND_KEYS_MAX);
                Ok(found?)
            })
            .await?;
        let full = u32::try_from(due.len()) == Ok(ROUND_KEYS_MAX);
        let next = due.last().filter(|_| full).and_then(place);
        let mut done = Upkeep::default();
        for record in due.into_iter().map(Arc::new) {
            // Its own time must have come: another one that is due brings no destruction forward.
            let ended = record.delete_at.is_some_and(|end| end <= now);
            let destroys = record.state == KeyState::Deactivated && ended;
            let result = if destroys {
                self.destroy_due(&record).await
            } else {
                self.rotate_due(&record).await
            };
            match result {
                Ok(()) if destroys => done.destroyed += 1,
                Ok(()) if record.state == KeyState::Active => done.rotated += 1,
                Ok(()) => done.put_off += 1,
                Err(error) => {
                    tracing::warn!(key = record.id.as_str(), %error, "a key's upkeep is put off");
                    done.failed += 1;
                }
            }
        }
        Ok((done, next))
    }

    async fn rotate_due(self: &Arc<Self>, record: &Arc<KeyRecord>) -> Result<(), EngineError> {
        let (operation, draft) = if record.state == KeyState::Active {
            let draft = self.rotated(record, VersionState::Deactivated).await?;
            (Operation::KeyRotate, draft)
        } else {
            // A key that is switched off is due again one period later. It got no version: the
            // ledger says that its schedule was changed.
            let period = record.rotation.unwrap_or_default();
            let mut later = KeyRecord::clone(record);
            later.rotate_at = Some(self.clock.now().after(period));
            (Operation::KeySet, Draft::of(later))
        };
        let key = (record.id.as_str().to_owned(), draft.version);
        let change = own_act(operation, key, draft.change());
        self.record_change(record, change).await.map(drop)
    }

    async fn destroy_due(self: &Arc<Self>, record: &Arc<KeyRecord>) -> Result<(), EngineError> {
        if record.is_own() {
            return Err(EngineError::Key(KeyFault::Own));
        }
        let id = record.id.clone();
        let versions = self.blocking(move |engine| Ok(engine.reader.key_versions(&id)?));
        let standing = versions.await?.into_iter();
        let standing = standing.filter(|version| version.state != VersionState::Destroyed);
        let mut gone = KeyRecord::clone(record);
        gone.state = KeyState::Destroyed;
        gone.delete_at = None;
        gone.rotate_at = None;
        gone.aliases.clear();
        let mut draft = Draft::of(gone);
        let destroy = |version: crate::model::KeyVersion| {
            KeyWrite::DestroyVersion(record.id.clone(), version.number)
        };
        draft.writes = standing.map(destroy).collect();
        let key = (record.id.as_str().to_owned(), 0);
        let change = own_act(Operation::KeyDestroy, key, draft.change());
        self.record_change(record, change).await.map(drop)
    }
}

fn place(record: &KeyRecord) -> Option<Due> {
    let (at, key) = (record.due_at()?, record.id.clone());
    Some(Due { at, key })
}
