//! Owns the bound on the bodies that are held in memory at once, over all messages: as they came, decoded,
//! rewritten, and until whoever gets them has them. Yields what a body's bytes are charged to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::error::FilterError;
use crate::metrics::Metrics;

/// Most of an announced body, in bytes, that is allocated before any of it came. A body that is no longer is copied once.
const EXPECTED_MAX: usize = 64 << 10;

/// What all bodies that are read may take together, in bytes.
pub(crate) struct Store {
    bytes: AtomicUsize,
    bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// One body's share. Dropped, it is given back.
pub(crate) struct Held {
    /// `None` where nobody counts: a filter without a front.
    store: Option<Arc<Store>>,
    bytes: usize,
}

/// A body in memory, and its share of it: both end together.
pub(crate) struct Charged {
    bytes: Vec<u8>,
    held: Held,
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
            store: Some(self.clone()),
            bytes: 0,
        }
    }
}

impl Held {
    /// A share that nobody counts.
    pub(crate) fn uncounted() -> Self {
        Self {
            store: None,
            bytes: 0,
        }
    }

    /// Another share of the same memory.
    pub(crate) fn another(&self) -> Self {
        Self {
            store: self.store.clone(),
            bytes: 0,
        }
    }

    /// Charges more bytes, or refuses as overloaded.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), FilterError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
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
        if let Some(store) = &self.store {
            store.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
            store.metrics.released(self.bytes);
        }
    }
}

impl Charged {
    /// Nothing yet.
    pub(crate) fn new(held: Held) -> Self {
        Self {
            bytes: Vec::new(),
            held,
        }
    }

    /// Bytes that are there already, or overloaded. What the share was charged for them before counts.
    pub(crate) fn of(bytes: Vec<u8>, mut held: Held) -> Result<Self, FilterError> {
        held.grow(bytes.capacity().saturating_sub(held.bytes))?;
        Ok(Self { bytes, held })
    }

    /// Another share of the memory that these bytes are charged to.
    pub(crate) fn another_share(&self) -> Held {
        self.held.another()
    }

    /// Makes room for what is announced, a little of it: whoever announces much and sends nothing takes no more.
    pub(crate) fn expect(&mut self, bytes: usize) -> Result<(), FilterError> {
        let bytes = bytes.min(EXPECTED_MAX);
        self.held.grow(bytes)?;
        self.bytes.reserve_exact(bytes);
        Ok(())
    }

    /// Takes a part, or refuses as overloaded. What is charged is what is allocated: at most twice what came,
    /// and never more than `bytes_max` for it.
    pub(crate) fn push(&mut self, part: &[u8], bytes_max: usize) -> Result<(), FilterError> {
        let (length, room) = (self.bytes.len(), self.bytes.capacity());
        let needed = length.saturating_add(part.len());
        if needed > room {
            let grown = room.saturating_mul(2).min(bytes_max).max(needed);
            self.held.grow(grown - room)?;
            self.bytes.reserve_exact(grown - length);
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    /// The bytes, counted no longer.
    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Charged> for Bytes {
    /// The share is given back with the last clone of these bytes.
    fn from(charged: Charged) -> Self {
        Self::from_owner(charged)
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
        assert_eq!(Held::uncounted().grow(usize::MAX), Ok(()));
    }

    #[test]
    fn what_is_announced_takes_little_before_it_comes() {
        let store = Arc::new(Store::new(EXPECTED_MAX + 10, Arc::default()));
        let mut body = Charged::new(store.share());
        body.expect(usize::MAX).unwrap();
        assert_eq!(body.bytes.capacity(), EXPECTED_MAX);
        assert!(
            store
                .metrics
                .page()
                .contains(&format!("held_bytes {EXPECTED_MAX}\n"))
        );
        let place = body.bytes.as_ptr();
        body.push(&vec![7; EXPECTED_MAX], usize::MAX).unwrap();
        assert_eq!(body.bytes.as_ptr(), place);
        let mut other = Charged::new(store.share());
        assert_eq!(other.expect(11), Err(FilterError::Overloaded));
    }

    #[test]
    fn a_body_is_charged_as_it_is_allocated_until_its_last_clone_is_gone() {
        let store = Arc::new(Store::new(100, Arc::default()));
        let mut body = Charged::new(store.share());
        for part in [&b"0123456789"[..], b"01", b"0123456789"] {
            body.push(part, 30).unwrap();
        }
        assert_eq!((body.len(), body.bytes.capacity()), (22, 30));
        let held = |bytes: usize| {
            let page = store.metrics.page();
            assert!(page.contains(&format!("held_bytes {bytes}\n")), "{page}");
        };
        held(30);
        assert_eq!(body.push(&[0; 80], 1000), Err(FilterError::Overloaded));
        let bytes = Bytes::from(body);
        let clone = bytes.slice(0..1);
        drop(bytes);
        held(30);
        drop(clone);
        held(0);
    }
}
