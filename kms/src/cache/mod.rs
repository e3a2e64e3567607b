//! Opened key versions, kept for a while: bounded by number, bytes and age, refreshed before they age,
//! served through an outage of the HSM for a grace, and gone at once when they are forgotten.
//!
//! A key is opened once however many ask ([`KeyCache::open`] blocks until that one is done). After a
//! failure of the HSM the next attempt for that key waits, 50 ms doubling to 5 s, with jitter.

mod flight;
mod health;
mod shard;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::envelope::Envelope;
use crate::error::{Error, HsmError};
use crate::key::{KeyId, WrappedKey};
use crate::opened::OpenKey;
use flight::{Flight, Landed};
use health::Health;
use shard::{Seat, Shard};

pub use health::CacheHealth;

/// Most shards. A cache of few keys has fewer, so that its bounds hold exactly.
const SHARDS_MAX: usize = 16;
/// Fewest keys of a shard.
const SHARD_KEYS_MIN: usize = 64;

/// An HSM that takes longer is as good as away to those who hold a key within its grace.
const SLOW: Duration = Duration::from_millis(250);

/// What the cache may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Most bytes, as [`OpenKey::bytes_held`] counts them.
    pub bytes_max: usize,
    /// Most key versions.
    pub keys_max: usize,
    /// How long a version is served before it is opened anew.
    pub ttl: Duration,
    /// How long beyond that it is served while the HSM fails.
    pub grace: Duration,
}

/// Why the cache gave no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError<E> {
    /// The wrapped key could not be loaded: the caller's own error.
    #[error("the wrapped key could not be loaded")]
    Load(#[source] E),
    /// It does not open, or the HSM failed just now.
    #[error(transparent)]
    Open(#[from] Error),
    /// The HSM failed for this key a moment ago, and is not asked again yet.
    #[error("the hsm failed for this key a moment ago: try again in {} ms", retry_after.as_millis())]
    Waiting {
        /// When the next attempt is due.
        retry_after: Duration,
    },
}

impl<E> CacheError<E> {
    /// Whether the HSM is why: trying again later may help.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Open(error) => error.is_outage(),
            Self::Waiting { .. } => true,
            Self::Load(_) => false,
        }
    }
}

/// The opened versions. Many threads may ask at once.
pub struct KeyCache {
    limits: CacheLimits,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    shards: Vec<Shard>,
    health: Health,
}

impl KeyCache {
    /// Empty. The time comes from `clock`: `Instant::now`, but for tests.
    pub fn new(limits: CacheLimits, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        let shards = (limits.keys_max / SHARD_KEYS_MIN).clamp(1, SHARDS_MAX);
        let bounds = shard::Bounds {
            keys_max: limits.keys_max / shards,
            bytes_max: limits.bytes_max / shards,
        };
        Self {
            limits,
            clock: Box::new(clock),
            shards: (0..shards).map(|_| Shard::new(bounds)).collect(),
            health: Health::default(),
        }
    }

    /// The opened version: kept, or loaded and opened in the HSM now.
    ///
    /// What the HSM says of an altered key is an error at once; what is an outage is bridged by `grace`.
    pub fn open<E>(
        &self,
        envelope: &Envelope,
        id: &KeyId,
        version: u32,
        load: impl FnOnce() -> Result<WrappedKey, E>,
    ) -> Result<Arc<OpenKey>, CacheError<E>> {
        self.open_with(id, version, load, |wrapped| envelope.open(wrapped))
    }

    /// The opened version, if it is kept and not about to age: neither the HSM nor a loader is asked.
    pub fn at_hand(&self, id: &KeyId, version: u32) -> Option<Arc<OpenKey>> {
        let held = self.shard(id).find(id, version)?;
        let age = (self.clock)().saturating_duration_since(held.opened);
        (age < self.refresh_age()).then_some(held.key)
    }

    /// All versions of a key leave at once, also one that is being opened just now.
    pub fn forget(&self, id: &KeyId) {
        self.shard(id).forget(id);
    }

    /// Everything leaves, as with [`KeyCache::forget`].
    pub fn clear(&self) {
        self.shards.iter().for_each(Shard::clear);
    }

    /// What has outlived `ttl` and `grace` leaves, though nobody asks for it. To be called now and then.
    pub fn sweep(&self) {
        let now = (self.clock)();
        let span = self.limits.ttl.saturating_add(self.limits.grace);
        for shard in &self.shards {
            shard.sweep(|opened| now.saturating_duration_since(opened) >= span);
        }
    }

    /// Whether the HSM opened a key the last time it was asked.
    pub fn health(&self) -> CacheHealth {
        self.health.at((self.clock)())
    }

    /// How many versions are held, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        let held = self.shards.iter().map(Shard::held);
        held.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn open_with<E>(
        &self,
        id: &KeyId,
        version: u32,
        load: impl FnOnce() -> Result<WrappedKey, E>,
        unwrap: impl FnOnce(&WrappedKey) -> Result<OpenKey, Error>,
    ) -> Result<Arc<OpenKey>, CacheError<E>> {
        let shard = self.shard(id);
        loop {
            let now = (self.clock)();
            let held = shard.find(id, version);
            let age = held
                .as_ref()
                .map(|held| now.saturating_duration_since(held.opened));
            let fresh = held.as_ref().filter(|_| age < Some(self.limits.ttl));
            if let Some(held) = fresh
                && age < Some(self.refresh_age())
            {
                return Ok(Arc::clone(&held.key));
            }
            let seen = held.as_ref().map(|held| held.opened);
            match shard.seat(id, version, seen, now) {
                Seat::Moved => {}
                // Another one is at it: what is still fresh is served, and so is what a grace covers
                // while the HSM is known to fail.
                Seat::Follower { flight, failing } => {
                    if let Some(held) = fresh {
                        return Ok(Arc::clone(&held.key));
                    }
                    let landed = match self.within_grace(held, age) {
                        Some(key) if failing => return Ok(key),
                        Some(key) => match flight.wait_for(SLOW) {
                            Some(landed) => landed,
                            None => return Ok(key),
                        },
                        None => flight.wait(),
                    };
                    match landed {
                        Landed::Opened(key) => return Ok(key),
                        Landed::Unopened => return Err(CacheError::Open(Error::Unopened)),
                        // Its reason is its own; ours is asked for anew, and backoff answers at once.
                        Landed::Failed => {}
                    }
                }
                Seat::Waiting(retry_after) => {
                    return self
                        .within_grace(held, age)
                        .ok_or(CacheError::Waiting { retry_after });
                }
                Seat::Leader(flight) => {
                    let fresh = fresh.map(|held| Arc::clone(&held.key));
                    let result = self.lead(shard, &flight, load, unwrap);
                    return match result {
                        Err(CacheError::Open(error)) if error.is_hsm() => {
                            self.within_grace(held, age).ok_or(CacheError::Open(error))
                        }
                        Err(CacheError::Load(error)) => fresh.ok_or(CacheError::Load(error)),
                        result => result,
                    };
                }
            }
        }
    }

    /// Loads and opens for all who ask. Whatever happens, the flight ends.
    fn lead<E>(
        &self,
        shard: &Shard,
        flight: &Arc<Flight>,
        load: impl FnOnce() -> Result<WrappedKey, E>,
        unwrap: impl FnOnce(&WrappedKey) -> Result<OpenKey, Error>,
    ) -> Result<Arc<OpenKey>, CacheError<E>> {
        let landing = shard.landing(flight);
        let wrapped = load().map_err(CacheError::Load)?;
        let opened = unwrap(&wrapped);
        let now = (self.clock)();
        match opened {
            Ok(key) if key.id() == flight.id() && key.version() == flight.version() => {
                self.health.worked();
                let key = Arc::new(key);
                landing.opened(Arc::clone(&key), now);
                Ok(key)
            }
            // The loader gave another key than it was asked for.
            Ok(_) => Err(CacheError::Open(Error::Unopened)),
            Err(error) if error.is_hsm() => {
                self.health.failed(now);
                landing.outage(now);
                Err(CacheError::Open(error))
            }
            Err(error) => {
                landing.refused(&error);
                Err(CacheError::Open(error))
            }
        }
    }

    fn within_grace(
        &self,
        held: Option<shard::Held>,
        age: Option<Duration>,
    ) -> Option<Arc<OpenKey>> {
        let span = self.limits.ttl.saturating_add(self.limits.grace);
        held.filter(|_| age < Some(span)).map(|held| held.key)
    }

    /// From seven eighths of its life on, a version is opened anew by one who asks for it.
    fn refresh_age(&self) -> Duration {
        self.limits.ttl / 8 * 7
    }

    fn shard(&self, id: &KeyId) -> &Shard {
        // FNV-1a; an id chosen to fill one shard would evict keys there, and harm nothing else.
        let hash = id
            .as_str()
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
            });
        let count = self.shards.len() as u64;
        &self.shards[usize::try_from((hash >> 32) % count).unwrap_or(0)]
    }
}

impl Error {
    /// Whether the HSM is why, be it away or refusing us: not the key, nor the caller.
    fn is_hsm(&self) -> bool {
        matches!(self, Self::Hsm(error) if !matches!(error, HsmError::KeyKind { .. }))
    }
}
