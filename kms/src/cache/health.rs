//! Whether the HSM opened a key the last time the cache asked.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the cache saw of the HSM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CacheHealth {
    /// The last key that was asked for was opened.
    Ready,
    /// The HSM has failed, and opened nothing since.
    Degraded {
        /// For how long.
        since: Duration,
    },
}

#[derive(Default)]
pub(super) struct Health(Mutex<Option<Instant>>);

impl Health {
    pub(super) fn worked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn failed(&self, now: Instant) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(now);
    }

    pub(super) fn at(&self, now: Instant) -> CacheHealth {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => CacheHealth::Ready,
            Some(failed) => CacheHealth::Degraded {
                since: now.saturating_duration_since(failed),
            },
        }
    }
}
