//! Shred keys that must go: destroyed when the entry of their removal stands, in memory of those that are done.
//!
//! ```text
//! the change   rows removed, their slots in `shred_due`     one transaction, with the entry
//! then         the slots overwritten, on disk
//! later        the slots out of `shred_due`                 with the next change that removes rows
//! ```
//! A process that ends in between destroys what is due when it starts again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::commit::{Record, Sequenced, Withheld};
use crate::engine::{Engine, EngineError};
use crate::store::{Reader, ShredSlot, TokenWrite};

/// Slots that are destroyed and still stand in `shred_due`.
pub(in crate::engine) struct Shredded(Mutex<BTreeSet<u64>>);

impl Shredded {
    /// What was due at the start: opening the shred keys has destroyed it.
    pub(in crate::engine) fn of_the_last_run(reader: &Reader) -> Self {
        // If it can't be read now, it is read at the next start.
        let due = reader.shreds_due().unwrap_or_default();
        Self(Mutex::new(due.into_iter().map(|slot| slot.0).collect()))
    }

    fn all(&self) -> Vec<ShredSlot> {
        let done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.iter().copied().map(ShredSlot).collect()
    }

    fn add(&self, slots: &[ShredSlot]) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.extend(slots.iter().map(|slot| slot.0));
    }

    fn forget(&self, slots: &[ShredSlot]) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in slots {
            done.remove(&slot.0);
        }
    }
}

/// What a change that removes rows leaves to be destroyed.
#[derive(Default)]
pub(in crate::engine) struct Shredding {
    due: Vec<ShredSlot>,
    done: Vec<ShredSlot>,
}

impl Shredding {
    /// Goes with the change: earlier ones that are done are due no longer.
    pub(in crate::engine) fn write(&self) -> Option<TokenWrite> {
        let done = (!self.done.is_empty()).then(|| self.done.clone());
        done.map(TokenWrite::Shredded)
    }
}

/// What became of a change that removes rows.
pub(in crate::engine) struct Removed<T> {
    /// What was withheld.
    pub(in crate::engine) given: T,
    /// The entry.
    pub(in crate::engine) entry: Sequenced,
    /// Whether the keys are destroyed, on disk and in the mirror. If not, the next start destroys them.
    pub(in crate::engine) destroyed: bool,
}

impl Engine {
    /// For a change that removes rows with these keys; none where it removes nothing.
    pub(in crate::engine) fn shredding(&self, due: Vec<ShredSlot>) -> Shredding {
        if due.is_empty() {
            return Shredding::default();
        }
        let done = self.shredded.all();
        Shredding { due, done }
    }

    /// Writes `record`, and destroys the keys of the rows that it removes. That is seen through even where
    /// the request is given up.
    pub(in crate::engine) async fn record_shredding<T>(
        self: &Arc<Self>,
        record: Record,
        withheld: Withheld<T>,
        shredding: Shredding,
    ) -> Result<Removed<T>, EngineError> {
        let Shredding { due, done } = shredding;
        if due.is_empty() {
            let (given, entry) = self.committer.record(record, withheld).await?;
            return Ok(Removed {
                given,
                entry,
                destroyed: true,
            });
        }
        let engine = Arc::clone(self);
        let after = async move {
            engine.shredded.forget(&done);
            let destroy = engine.blocking(move |engine| {
                engine.shreds.destroy(&due)?;
                engine.shredded.add(&due);
                Ok(())
            });
            let destroyed = destroy.await;
            if let Err(error) = &destroyed {
                tracing::error!(%error, "shred keys of removed tokens could not be destroyed: check the disk and restart the vault, which destroys them");
            }
            destroyed.is_ok()
        };
        let (given, entry, destroyed) = self.committer.record_then(record, withheld, after).await?;
        Ok(Removed {
            given,
            entry,
            destroyed,
        })
    }
}
