//! Receipts for units: what proves an act of theirs, to be checked without the vault.

use std::sync::Arc;

use ledger::Entry;

use super::{Engine, EngineError};
use crate::admission::Admitted;
use crate::commit::NoReceipt;
use crate::store::StoredEntry;

impl Engine {
    /// The receipt of an entry that names the caller's unit. Needs no policy: it says what the unit
    /// itself did, and is no entry, for it reveals nothing.
    pub async fn receipt(
        self: &Arc<Self>,
        admitted: Admitted,
        seq: u64,
    ) -> Result<String, EngineError> {
        let engine = Arc::clone(self);
        let finding = tokio::task::spawn_blocking(move || {
            let unit = &admitted.caller().unit().name;
            let entry = engine.entry_of(unit.as_str(), seq)?;
            Ok::<_, EngineError>((entry, admitted))
        });
        // The slot among those in flight is held until the answer.
        let (entry, _admitted) = finding.await.map_err(|_| EngineError::ReceiptUnmade)??;
        self.proof_of(entry).await
    }

    /// An entry, if this unit made it: another's answers as one that does not stand.
    // INVARIANT 8: whether an entry is absent or another unit's is not told.
    fn entry_of(&self, unit: &str, seq: u64) -> Result<StoredEntry, EngineError> {
        // No log is as long as what the store can't count.
        if i64::try_from(seq).is_err() {
            return Err(EngineError::EntryUnknown);
        }
        let stored = self.reader.entries(seq, 1)?.pop();
        let stored = stored.filter(|stored| stored.seq == seq);
        let own = stored.filter(|stored| {
            let entry = Entry::decode(&stored.bytes);
            entry.is_ok_and(|entry| entry.facts.unit.as_deref() == Some(unit))
        });
        own.ok_or(EngineError::EntryUnknown)
    }

    /// Waits until a checkpoint covers a durable entry, and makes its receipt.
    pub(super) async fn proof_of(
        self: &Arc<Self>,
        entry: StoredEntry,
    ) -> Result<String, EngineError> {
        self.receipts.covering(entry.seq).await?;
        let receipts = self.receipts.clone();
        let making = tokio::task::spawn_blocking(move || receipts.make(&entry));
        Ok(making.await.map_err(|_| EngineError::ReceiptUnmade)??)
    }
}

impl From<NoReceipt> for EngineError {
    fn from(error: NoReceipt) -> Self {
        match error {
            NoReceipt::Late => Self::CheckpointLate,
            NoReceipt::Checkpoint(_) | NoReceipt::Tiles(_) | NoReceipt::Text(_) => {
                tracing::error!(%error, "a receipt can't be made");
                Self::ReceiptUnmade
            }
        }
    }
}
