//! Keys of messages, derived and prepared: a bounded number is kept in locked memory, for all key versions
//! together, and what a version owns is forgotten with it.
//!
//! A nonce's first half derives the key of its message ([`xaes`](crate::xaes)). Many messages share that half
//! (see `sealing`), so whoever seals or opens one is likely to have the key of the next.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commitment::COMMITMENT_BYTES;
use crate::locked::Prepared;
use crate::primitives::GcmKey;
use crate::xaes::Half;

/// Sets, of which each keeps [`WAYS`] keys: 512 in all, a kibibyte each.
const SETS: usize = 128;
const WAYS: usize = 4;

/// Memory is one a process, like the allocator's.
static POOL: Pool = Pool::new();
static OWNERS: AtomicU64 = AtomicU64::new(0);

/// What one half of a nonce derives.
pub(crate) struct MessageKey {
    pub(crate) gcm: GcmKey,
    pub(crate) commitment: [u8; COMMITMENT_BYTES],
}

/// A message's key, for as long as it is used; wiped after the last use if it is not kept.
pub(crate) type Subkey = Arc<Prepared<MessageKey>>;

/// To whom kept keys belong: one for each opened key version, and no two alike.
pub(crate) struct Owner {
    pool: &'static Pool,
    number: u64,
    has_kept: AtomicBool,
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self::of(&POOL)
    }

    fn of(pool: &'static Pool) -> Self {
        Self {
            pool,
            number: OWNERS.fetch_add(1, Ordering::Relaxed),
            has_kept: AtomicBool::new(false),
        }
    }

    pub(crate) fn find(&self, prefix: &Half) -> Option<Subkey> {
        self.set(prefix).find(self.number, prefix)
    }

    /// Keeps a key until others push it out.
    pub(crate) fn keep(&self, prefix: &Half, subkey: &Subkey) {
        self.has_kept.store(true, Ordering::Relaxed);
        let pushed_out = self.set(prefix).put(Seat {
            owner: self.number,
            prefix: *prefix,
            subkey: Arc::clone(subkey),
        });
        // Wiped here, with no lock held.
        drop(pushed_out);
    }

    fn set(&self, prefix: &Half) -> MutexGuard<'static, Set> {
        let [a, b, ..] = *prefix;
        let place = u64::from(u16::from_ne_bytes([a, b])).wrapping_add(self.number);
        // Below `SETS`.
        let place = usize::try_from(place % SETS as u64).unwrap_or(0);
        lock(&self.pool.0[place])
    }
}

impl Drop for Owner {
    // INVARIANT 12: nothing of a message's key outlives its key version.
    fn drop(&mut self) {
        if *self.has_kept.get_mut() {
            for set in &self.pool.0 {
                let forgotten = lock(set).forget(self.number);
                drop(forgotten);
            }
        }
    }
}

struct Pool([Mutex<Set>; SETS]);

impl Pool {
    #[expect(
        clippy::large_stack_arrays,
        reason = "the one pool is made by the compiler"
    )]
    const fn new() -> Self {
        Self([const { Mutex::new(Set::new()) }; SETS])
    }
}

struct Seat {
    owner: u64,
    prefix: Half,
    subkey: Subkey,
}

struct Set {
    seats: [Option<Seat>; WAYS],
    /// Which one is given up next.
    oldest: usize,
}

impl Set {
    const fn new() -> Self {
        Self {
            seats: [const { None }; WAYS],
            oldest: 0,
        }
    }

    fn find(&self, owner: u64, prefix: &Half) -> Option<Subkey> {
        let seat = self.seats.iter().flatten();
        let seat = { seat }.find(|seat| seat.owner == owner && seat.prefix == *prefix)?;
        Some(Arc::clone(&seat.subkey))
    }

    fn put(&mut self, seat: Seat) -> Option<Seat> {
        let known = |held: &Seat| held.owner == seat.owner && held.prefix == seat.prefix;
        let place = { self.seats.iter() }
            .position(|held| held.as_ref().is_some_and(known))
            .or_else(|| self.seats.iter().position(Option::is_none));
        let place = place.unwrap_or_else(|| {
            let oldest = self.oldest;
            self.oldest = (oldest + 1) % WAYS;
            oldest
        });
        self.seats[place].replace(seat)
    }

    fn forget(&mut self, owner: u64) -> [Option<Seat>; WAYS] {
        let seats = &mut self.seats;
        array::from_fn(|place| seats[place].take_if(|seat| seat.owner == owner))
    }
}

fn lock(set: &'static Mutex<Set>) -> MutexGuard<'static, Set> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{MessageKey, Owner, Pool, SETS, Subkey, WAYS, lock};
    use crate::locked::Prepared;
    use crate::primitives::GcmKey;
    use crate::xaes::Half;

    fn subkey(byte: u8) -> Subkey {
        let (gcm, commitment) = (GcmKey::new(&[byte; 32]).unwrap(), [byte; 32]);
        Subkey::new(Prepared::new(MessageKey { gcm, commitment }).unwrap())
    }

    fn prefix(number: u16) -> Half {
        let mut prefix = [0; 12];
        prefix[..2].copy_from_slice(&number.to_ne_bytes());
        prefix
    }

    fn commitment(subkey: &Subkey) -> [u8; 32] {
        subkey.value().unwrap().commitment
    }

    /// A pool of the test's own.
    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    fn held_by(owner: u64, pool: &'static Pool) -> usize {
        let held = pool.0.iter().map(|set| {
            let set = lock(set);
            let seats = set.seats.iter().flatten();
            seats.filter(|seat| seat.owner == owner).count()
        });
        held.sum()
    }

    /// Two whose keys of one prefix are in one set.
    fn neighbours(pool: &'static Pool) -> (Owner, Owner) {
        let one = Owner::of(pool);
        let apart = |two: &Owner| (two.number - one.number) % SETS as u64;
        let mut others = std::iter::repeat_with(|| Owner::of(pool));
        let two = others.find(|two| apart(two) == 0).unwrap();
        (one, two)
    }

    #[test]
    fn a_kept_key_is_found_by_its_owner_and_prefix_only() {
        let pool = pool();
        let (one, two) = neighbours(pool);
        one.keep(&prefix(7), &subkey(1));
        assert_eq!(commitment(&one.find(&prefix(7)).unwrap()), [1; 32]);
        // In the same set.
        let mut alike = prefix(7);
        alike[11] = 1;
        assert!(one.find(&alike).is_none());
        assert!(two.find(&prefix(7)).is_none());
        two.keep(&prefix(7), &subkey(2));
        assert_eq!(commitment(&one.find(&prefix(7)).unwrap()), [1; 32]);
        assert_eq!(commitment(&two.find(&prefix(7)).unwrap()), [2; 32]);
    }

    // Invariant 12
    #[test]
    fn what_an_owner_keeps_leaves_with_it_and_what_others_keep_stays() {
        let pool = pool();
        let (one, two) = neighbours(pool);
        let used = subkey(1);
        one.keep(&prefix(7), &used);
        two.keep(&prefix(7), &subkey(2));
        let number = one.number;
        assert_eq!(held_by(number, pool), 1);
        drop(one);
        assert_eq!(held_by(number, pool), 0);
        assert_eq!(Subkey::strong_count(&used), 1);
        assert_eq!(commitment(&two.find(&prefix(7)).unwrap()), [2; 32]);
    }

    #[test]
    fn the_newest_push_out_the_oldest_and_no_more_are_kept_than_there_is_room_for() {
        let pool = pool();
        let owner = Owner::of(pool);
        let count = u16::try_from(SETS * WAYS).unwrap() + 100;
        for number in 0..count {
            let kept = subkey(1);
            owner.keep(&prefix(number), &kept);
            owner.keep(&prefix(number), &kept);
            assert!(owner.find(&prefix(number)).is_some());
        }
        assert_eq!(held_by(owner.number, pool), SETS * WAYS);
        assert!(owner.find(&prefix(0)).is_none());
        assert!(owner.find(&prefix(count - 200)).is_some());
    }
}
