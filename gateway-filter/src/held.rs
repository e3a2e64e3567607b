//! Owns the bound on the bodies that are held in memory at once, over all messages. Yields what a
//! body's bytes are charged to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::FilterError;
use crate::metrics::Metrics;

/// What all bodies that are read may take together, in bytes.
pub(crate) struct Store {
    bytes: AtomicUsize,
    bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// One body's share. Dropped, it is given back.
pub(crate) struct Held {
    store: Arc<Store>,
    bytes: usize,
}

impl Store {
    pub(crate) fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
            metrics,
        }
    }

    pub(crate) fn share(self: &Arc<Self>) -> Held {
        Held {
            store: self.clone(),
            bytes: 0,
        }
    }
}

impl Held {
    /// Charges more bytes, or refuses as overloaded.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), FilterError> {
        let store = &self.store;
        let within = |held: usize| {
            held.checked_add(bytes)
                .filter(|sum| *sum <= store.bytes_max)
        };
        store
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map_err(|_| FilterError::Overloaded)?;
        store.metrics.holding(bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.store.metrics.released(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_at_the_bound_and_come_back() {
        let store = Arc::new(Store::new(10, Arc::default()));
        let (mut one, mut other) = (store.share(), store.share());
        assert_eq!(one.grow(6), Ok(()));
        assert_eq!(other.grow(5), Err(FilterError::Overloaded));
        assert_eq!(other.grow(4), Ok(()));
        assert_eq!(one.grow(usize::MAX), Err(FilterError::Overloaded));
        drop(one);
        assert_eq!(other.grow(6), Ok(()));
        assert!(store.metrics.page().contains("held_bytes 10"));
    }
}
