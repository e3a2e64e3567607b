//! Epochs of pseudonyms while the vault runs: the next one is opened when its time has come.

use std::sync::Arc;
use std::time::Duration;

use super::own_keys::{KeyError, epoch_opened};
use super::{Engine, EngineError};

impl Engine {
    /// Opens the next epoch where the present one is older than `period`, and says which is present then; `None`
    /// where none was opened. What is answered meanwhile is under one of the two.
    pub async fn keep_epoch(
        self: &Arc<Self>,
        period: Option<Duration>,
    ) -> Result<Option<u32>, EngineError> {
        let Some(period) = period else {
            return Ok(None);
        };
        let rows = self.blocking(|engine| Ok(engine.reader.epochs()?)).await?;
        let Some(newest) = rows.last() else {
            return Ok(None);
        };
        let now = self.clock.now();
        if now < newest.opened.after(period) {
            return Ok(None);
        }
        let number = newest.number + 1;
        let (slot, _) = self.blocking(|engine| Ok(engine.shreds.take()?)).await?;
        // However long it takes: an entry that stands and an epoch that is not in force would be two truths.
        let written = self.committer.settle(epoch_opened(number, slot, now)).await;
        let followed = self.blocking(|engine| {
            let rows = engine.reader.epochs()?;
            let followed = engine.keys.epochs().follow(&rows, &engine.shreds);
            followed.map_err(|error| match error {
                KeyError::Store(error) => error.into(),
                _ => EngineError::Keys,
            })
        });
        followed.await?;
        written?;
        Ok(Some(number))
    }
}
