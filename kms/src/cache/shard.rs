//! A part of the cache under one lock: entries in a clock (second chance), flights, and failures.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::flight::{Flight, Landed};
use crate::error::Error;
use crate::key::KeyId;
use crate::opened::OpenKey;
use crate::primitives;

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Most remembered failures of a shard. Beyond that the oldest attempts are forgotten.
const FAILURES_MAX: usize = 4096;

#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) keys_max: usize,
    pub(super) bytes_max: usize,
}

/// An entry, as it was found.
pub(super) struct Held {
    pub(super) key: Arc<OpenKey>,
    pub(super) opened: Instant,
}

/// What one who asks for a version is to do.
pub(super) enum Seat {
    /// Open it, for all.
    Leader(Arc<Flight>),
    /// Wait for the one who does. `failing`: the attempt before this one failed at the HSM.
    Follower { flight: Arc<Flight>, failing: bool },
    /// The HSM failed a moment ago; the next attempt is due after this.
    Waiting(Duration),
    /// Look again: another one has opened it meanwhile.
    Moved,
}

pub(super) struct Shard {
    bounds: Bounds,
    inside: RwLock<Inside>,
}

#[derive(Default)]
struct Inside {
    keys: HashMap<KeyId, BTreeMap<u32, usize>>,
    /// The clock's face; `hand` goes round, and spares once whoever was asked for since.
    nodes: Vec<Option<Node>>,
    free: Vec<usize>,
    hand: usize,
    held: (usize, usize),
    flights: HashMap<KeyId, BTreeMap<u32, Arc<Flight>>>,
    failures: HashMap<KeyId, BTreeMap<u32, Failure>>,
}

struct Node {
    key: Arc<OpenKey>,
    opened: Instant,
    asked: AtomicBool,
}

#[derive(Clone, Copy)]
struct Failure {
    attempts: u32,
    next: Instant,
}

impl Shard {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            inside: RwLock::default(),
        }
    }

    pub(super) fn find(&self, id: &KeyId, version: u32) -> Option<Held> {
        let inside = self.read();
        let node = inside.node(id, version)?;
        if !node.asked.load(Ordering::Relaxed) {
            node.asked.store(true, Ordering::Relaxed);
        }
        Some(Held {
            key: Arc::clone(&node.key),
            opened: node.opened,
        })
    }

    /// Under one lock, so that of many who ask one leads. `seen` is when the entry that was found was opened.
    pub(super) fn seat(
        &self,
        id: &KeyId,
        version: u32,
        seen: Option<Instant>,
        now: Instant,
    ) -> Seat {
        let mut inside = self.write();
        let node = inside.node(id, version).map(|node| node.opened);
        if node.is_some() && node != seen {
            return Seat::Moved;
        }
        let failure = inside.failures.get(id).and_then(|all| all.get(&version));
        let failure = failure.copied();
        if let Some(flight) = inside.flights.get(id).and_then(|all| all.get(&version)) {
            return Seat::Follower {
                flight: Arc::clone(flight),
                failing: failure.is_some(),
            };
        }
        if let Some(wait) = failure.and_then(|failure| failure.next.checked_duration_since(now))
            && !wait.is_zero()
        {
            return Seat::Waiting(wait);
        }
        let flight = Arc::new(Flight::new(id, version));
        let flights = inside.flights.entry(id.clone()).or_default();
        flights.insert(version, Arc::clone(&flight));
        Seat::Leader(flight)
    }

    pub(super) fn landing<'a>(&'a self, flight: &'a Arc<Flight>) -> Landing<'a> {
        Landing {
            shard: self,
            flight,
        }
    }

    pub(super) fn forget(&self, id: &KeyId) {
        let mut inside = self.write();
        // A flight that is taken out of here caches nothing when it lands, and nobody joins it.
        inside.flights.remove(id);
        inside.failures.remove(id);
        let places = inside.keys.remove(id).unwrap_or_default();
        let leaving: Vec<_> = places.values().map(|place| inside.vacate(*place)).collect();
        drop(inside);
        drop(leaving);
    }

    pub(super) fn clear(&self) {
        let leaving = std::mem::take(&mut *self.write());
        drop(leaving);
    }

    pub(super) fn sweep(&self, is_over: impl Fn(Instant) -> bool) {
        let mut inside = self.write();
        let over: Vec<usize> = (0..inside.nodes.len())
            .filter(|place| matches!(&inside.nodes[*place], Some(node) if is_over(node.opened)))
            .collect();
        let leaving: Vec<_> = over.into_iter().map(|place| inside.evict(place)).collect();
        drop(inside);
        drop(leaving);
    }

    pub(super) fn held(&self) -> (usize, usize) {
        self.read().held
    }

    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.inside.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.inside.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn insert(&mut self, key: Arc<OpenKey>, now: Instant) {
        let (id, version) = (key.id().clone(), key.version());
        self.held.0 += 1;
        self.held.1 += key.bytes_held();
        let node = Some(Node {
            key,
            opened: now,
            asked: AtomicBool::new(false),
        });
        let place = if let Some(place) = self.free.pop() {
            self.nodes[place] = node;
            place
        } else {
            self.nodes.push(node);
            self.nodes.len() - 1
        };
        self.keys.entry(id).or_default().insert(version, place);
    }

    /// Takes out whoever the hand meets that was not asked for since it came by.
    fn evict_one(&mut self) -> Option<Node> {
        for _ in 0..=2 * self.nodes.len() {
            self.hand = (self.hand + 1) % self.nodes.len().max(1);
            match self.nodes.get(self.hand)? {
                Some(node) if !node.asked.swap(false, Ordering::Relaxed) => {
                    return self.evict(self.hand);
                }
                _ => {}
            }
        }
        None
    }

    fn evict(&mut self, place: usize) -> Option<Node> {
        let node = self.vacate(place)?;
        if let Some(versions) = self.keys.get_mut(node.key.id()) {
            versions.remove(&node.key.version());
            if versions.is_empty() {
                self.keys.remove(node.key.id());
            }
        }
        Some(node)
    }

    fn vacate(&mut self, place: usize) -> Option<Node> {
        let node = self.nodes.get_mut(place)?.take()?;
        self.free.push(place);
        self.held.0 -= 1;
        self.held.1 -= node.key.bytes_held();
        Some(node)
    }

    fn node(&self, id: &KeyId, version: u32) -> Option<&Node> {
        let place = self.place(id, version)?;
        self.nodes.get(place)?.as_ref()
    }

    fn place(&self, id: &KeyId, version: u32) -> Option<usize> {
        self.keys.get(id)?.get(&version).copied()
    }

    /// Ends a flight; whether it still counted, that is, was not forgotten meanwhile.
    fn end(&mut self, flight: &Arc<Flight>) -> bool {
        let Some(versions) = self.flights.get_mut(flight.id()) else {
            return false;
        };
        let counted = versions
            .get(&flight.version())
            .is_some_and(|known| Arc::ptr_eq(known, flight));
        if counted {
            versions.remove(&flight.version());
        }
        if versions.is_empty() {
            self.flights.remove(flight.id());
        }
        counted
    }

    fn calm(&mut self, flight: &Flight) {
        if let Some(versions) = self.failures.get_mut(flight.id()) {
            versions.remove(&flight.version());
            if versions.is_empty() {
                self.failures.remove(flight.id());
            }
        }
    }

    fn failed(&mut self, flight: &Flight, now: Instant) {
        if self.failures.len() >= FAILURES_MAX {
            self.failures.clear();
        }
        let versions = self.failures.entry(flight.id().clone()).or_default();
        let failure = versions.entry(flight.version()).or_insert(Failure {
            attempts: 0,
            next: now,
        });
        failure.next = now + backoff(failure.attempts);
        failure.attempts = failure.attempts.saturating_add(1);
    }
}

/// How a flight ends. Dropped without a word (an error of the loader, a panic), it has failed.
pub(super) struct Landing<'a> {
    shard: &'a Shard,
    flight: &'a Arc<Flight>,
}

impl Landing<'_> {
    /// The version is kept, unless it was forgotten since the flight began, or is larger than the cache.
    pub(super) fn opened(self, key: Arc<OpenKey>, now: Instant) {
        let bounds = self.shard.bounds;
        let mut leaving = Vec::new();
        let mut inside = self.shard.write();
        // INVARIANT 12: a key that was forgotten while it was being opened is not kept.
        if inside.end(self.flight) {
            inside.calm(self.flight);
            if let Some(place) = inside.place(self.flight.id(), self.flight.version()) {
                leaving.push(inside.evict(place));
            }
            let bytes = key.bytes_held();
            let fits = bounds.keys_max > 0 && bytes <= bounds.bytes_max;
            while fits
                && (inside.held.0 >= bounds.keys_max || inside.held.1 + bytes > bounds.bytes_max)
            {
                leaving.push(inside.evict_one());
            }
            if fits {
                inside.insert(Arc::clone(&key), now);
            }
        }
        drop(inside);
        self.flight.land(Landed::Opened(key));
        drop(leaving);
    }

    /// The HSM failed: what is kept stays, and the next attempt waits.
    pub(super) fn outage(self, now: Instant) {
        let mut inside = self.shard.write();
        if inside.end(self.flight) {
            inside.failed(self.flight, now);
        }
    }

    /// The key itself does not open: what is kept of it is of an earlier state, and leaves.
    pub(super) fn refused(self, error: &Error) {
        let mut inside = self.shard.write();
        let place = inside.place(self.flight.id(), self.flight.version());
        let leaving = place.and_then(|place| inside.evict(place));
        drop(inside);
        drop(leaving);
        if matches!(error, Error::Unopened) {
            self.flight.land(Landed::Unopened);
        }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.shard.write().end(self.flight);
        self.flight.land(Landed::Failed);
    }
}

/// 50 ms, doubling up to 5 s; between the half of it and the whole, so that not all come back at once.
fn backoff(attempts: u32) -> Duration {
    let whole = BACKOFF_FIRST
        .saturating_mul(1 << attempts.min(7))
        .min(BACKOFF_MAX);
    let mut byte = [0xFF];
    // Without random numbers all wait the longest, which is no harm.
    let _ = primitives::random(&mut byte);
    whole / 2 + whole / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::{BACKOFF_FIRST, BACKOFF_MAX, backoff};

    #[test]
    fn the_wait_doubles_from_50_ms_to_5_s() {
        for attempts in 0..40 {
            let whole = BACKOFF_FIRST * (1 << attempts.min(7));
            let whole = whole.min(BACKOFF_MAX);
            for _ in 0..20 {
                let wait = backoff(attempts);
                assert!(wait >= whole / 2 && wait <= whole, "{attempts}: {wait:?}");
            }
        }
    }
}
