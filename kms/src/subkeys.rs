//! Keys of messages, derived and prepared: a bounded number is kept in locked memory, for all key versions
//! together, and what a version owns is forgotten with it.
//!
//! A nonce's first half derives the key of its message ([`xaes`](crate::xaes)). Many messages share that half
//! (see `sealing`), so whoever seals or opens one is likely to have the key of the next.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commitment::COMMITMENT_BYTES;
use crate::locked::{LockState, Prepared};
use crate::primitives::GcmKey;
use crate::xaes::Half;

/// Sets, of which each keeps [`WAYS`] keys: 512 in all, a kibibyte each.
const SETS: usize = 128;
const WAYS: usize = 4;

/// Memory is one a process, like the allocator's.
static KEPT: [Mutex<Set>; SETS] = [const { Mutex::new(Set::new()) }; SETS];
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
    number: u64,
    has_kept: AtomicBool,
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self {
            number: OWNERS.fetch_add(1, Ordering::Relaxed),
            has_kept: AtomicBool::new(false),
        }
    }

    pub(crate) fn find(&self, prefix: &Half) -> Option<Subkey> {
        self.set(prefix).find(self.number, prefix)
    }

    /// Keeps a key until others push it out. One that is not in locked memory is used once.
    pub(crate) fn keep(&self, prefix: &Half, subkey: &Subkey) {
        if subkey.state() == LockState::NotLocked {
            return;
        }
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
        lock(&KEPT[place])
    }
}

impl Drop for Owner {
    // INVARIANT 12: nothing of a message's key outlives its key version.
    fn drop(&mut self) {
        if *self.has_kept.get_mut() {
            for set in &KEPT {
                let forgotten = lock(set).forget(self.number);
                drop(forgotten);
            }
        }
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
    use super::{KEPT, MessageKey, Owner, SETS, Subkey, WAYS, lock};
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

    fn held_by(owner: u64) -> usize {
        let held = KEPT.iter().map(|set| {
            let set = lock(set);
            let seats = set.seats.iter().flatten();
            seats.filter(|seat| seat.owner == owner).count()
        });
        held.sum()
    }

    #[test]
    fn a_kept_key_is_found_by_its_owner_and_prefix_only() {
        let (one, two) = (Owner::new(), Owner::new());
        one.keep(&prefix(7), &subkey(1));
        two.keep(&prefix(8), &subkey(2));
        assert_eq!(commitment(&one.find(&prefix(7)).unwrap()), [1; 32]);
        assert_eq!(commitment(&two.find(&prefix(8)).unwrap()), [2; 32]);
        assert!(one.find(&prefix(8)).is_none());
        assert!(two.find(&prefix(7)).is_none());
        let mut alike = prefix(7);
        alike[11] = 1;
        assert!(one.find(&alike).is_none());
    }

    // Invariant 12
    #[test]
    fn what_an_owner_keeps_leaves_with_it_and_what_others_keep_stays() {
        let (one, two) = (Owner::new(), Owner::new());
        let used = subkey(1);
        one.keep(&prefix(7), &used);
        two.keep(&prefix(7), &subkey(2));
        let number = one.number;
        assert_eq!(held_by(number), 1);
        drop(one);
        assert_eq!(held_by(number), 0);
        assert_eq!(Subkey::strong_count(&used), 1);
        assert_eq!(commitment(&two.find(&prefix(7)).unwrap()), [2; 32]);
    }

    #[test]
    fn the_newest_push_out_the_oldest_and_no_more_are_kept_than_there_is_room_for() {
        let owner = Owner::new();
        let count = u16::try_from(SETS * WAYS).unwrap() + 100;
        for number in 0..count {
            let kept = subkey(1);
            owner.keep(&prefix(number), &kept);
            owner.keep(&prefix(number), &kept);
            assert!(owner.find(&prefix(number)).is_some());
        }
        assert_eq!(held_by(owner.number), SETS * WAYS);
        assert!(owner.find(&prefix(0)).is_none());
        assert!(owner.find(&prefix(count - 200)).is_some());
    }
}
