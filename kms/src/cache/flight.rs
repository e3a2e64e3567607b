//! One opening of a key version, on which others wait.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::key::KeyId;
use crate::opened::OpenKey;

/// How it ended.
#[derive(Clone)]
pub(super) enum Landed {
    Opened(Arc<OpenKey>),
    /// The key is altered, for whoever asks.
    Unopened,
    /// For a reason that is the opener's alone, or that the next attempt will meet.
    Failed,
}

pub(super) struct Flight {
    id: KeyId,
    version: u32,
    landed: Mutex<Option<Landed>>,
    ended: Condvar,
}

impl Flight {
    pub(super) fn new(id: &KeyId, version: u32) -> Self {
        Self {
            id: id.clone(),
            version,
            landed: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    pub(super) fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn land(&self, landed: Landed) {
        let mut place = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert(landed);
        drop(place);
        self.ended.notify_all();
    }

    /// `None` if it has not ended by then.
    pub(super) fn wait_for(&self, patience: Duration) -> Option<Landed> {
        let landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        let (landed, _) = self
            .ended
            .wait_timeout_while(landed, patience, |landed| landed.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        landed.clone()
    }

    pub(super) fn wait(&self) -> Landed {
        let mut landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(landed) = landed.as_ref() {
                return landed.clone();
            }
            landed = self
                .ended
                .wait(landed)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
