//! Nonces of signed requests: each is taken once, durably, before anything is done.

use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::{Engine, EngineError};
use crate::commit::NotDurable;
use crate::identity::{Caller, Unproven, Witness};
use crate::store::{NonceHash, NonceRow};

/// Nonces that are let go in one step, so that the writer waits for milliseconds.
const EXPIRED_ROWS_MAX: u32 = 1_000;

/// Why a nonce was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NonceFault {
    /// The request proves nobody: it was received before, or its unit has too many.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// It is not known to be durable.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Takes the nonce of a request that was let in. Of twins at once, one takes it; after a power cut it is still taken.
    pub async fn take_nonce(
        &self,
        caller: &Caller,
        witness: &Witness,
        standing_max: u32,
    ) -> Result<(), NonceFault> {
        let mut hash = [0; 16];
        let whole = digest(&SHA256, witness.nonce.as_bytes());
        for (to, from) in hash.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        let row = NonceRow {
            unit: caller.unit().name.clone(),
            hash: NonceHash(hash),
            expires: witness.remember_until,
            standing_max,
        };
        match self.committer.take_nonce(row).await {
            Ok(()) => Ok(()),
            Err(NotDurable::Conflict) => Err(Unproven::Replayed.into()),
            Err(NotDurable::Full) => Err(Unproven::NoncesFull.into()),
            Err(other) => Err(EngineError::from(other).into()),
        }
    }

    /// Lets nonces go whose signatures count no longer, up to 1,000 of them; whether there were any.
    pub async fn expire_nonces(self: &Arc<Self>) -> Result<bool, EngineError> {
        let now = self.clock.now();
        let expired = self.blocking(move |engine| Ok(engine.reader.has_expired_nonce(now)?));
        if !expired.await? {
            return Ok(false);
        }
        self.committer.expire_nonces(now, EXPIRED_ROWS_MAX).await?;
        Ok(true)
    }
}
