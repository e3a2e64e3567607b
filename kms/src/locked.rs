//! Memory for keys: locked against swapping, left out of dumps and forks, guarded on both sides, wiped.
//!
//! A hundred thousand keys share a few hundred slabs: a slab is one mapping of slots, 512 of the smallest,
//! between two guards. A slot holds bytes ([`Locked`]) or what another crate made of them ([`Prepared`]).
#![expect(
    unsafe_code,
    reason = "mapping, locking and unmapping pages has no safe interface"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use zeroize::Zeroize;

use crate::error::Error;

/// Bytes of a symmetric key, a seed, a scalar.
pub(crate) const KEY_BYTES: usize = 32;

/// Bytes of a slot: the most that one [`Locked`] holds.
pub(crate) const SLOT_BYTES: usize = 128;

/// Bytes of a slab's middle, and of each guard: the largest page (64 KiB on some machines).
const SLAB_BYTES: usize = 64 * 1024;
/// Words of a slab's map of free slots, of which the smallest are the most.
const WORDS: usize = SLAB_BYTES / SLOT_BYTES / 64;

/// Memory is one a process, like the allocator's.
static ARENA: Mutex<Arena> = Mutex::new(Arena::new(SLOT_BYTES));
/// Slots for prepared keys, in two sizes.
static MIDDLE: Mutex<Arena> = Mutex::new(Arena::new(MIDDLE_BYTES));
static LARGE: Mutex<Arena> = Mutex::new(Arena::new(LARGE_BYTES));
const MIDDLE_BYTES: usize = 256;
const LARGE_BYTES: usize = 1024;

/// Whether a key's page is locked into memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockState {
    /// It can't be swapped out.
    Locked,
    /// The system refused (`RLIMIT_MEMLOCK`): raise it, or forbid swapping for this process.
    NotLocked,
}

/// Up to [`SLOT_BYTES`] secret bytes in a slot of their own.
pub(crate) struct Locked {
    slot: NonNull<u8>,
    length: usize,
    state: LockState,
}

// SAFETY: the slot belongs to this value alone and is only read after `new`; it moves between
// threads, and is shared by `&`, without any interior change.
unsafe impl Send for Locked {}
// SAFETY: as above: `&Locked` gives shared, read-only bytes.
unsafe impl Sync for Locked {}

impl Locked {
    /// Takes a slot and fills it. `secret` is wiped by the caller.
    pub(crate) fn new(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() > SLOT_BYTES {
            return Err(Error::Memory);
        }
        let mut arena = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, state) = arena.take()?;
        // SAFETY: the slot is mapped, writable, `SLOT_BYTES` long, and no other reference exists.
        unsafe { ptr::copy_nonoverlapping(secret.as_ptr(), slot.as_ptr(), secret.len()) };
        Ok(Self {
            slot,
            length: secret.len(),
            state,
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `length` is at most `SLOT_BYTES`, all of which is mapped and initialised (the kernel
        // and `wipe` fill with zeros); the slot is unchanged as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.slot.as_ptr(), self.length) }
    }

    /// `N` bytes of the slot from `AT` on. That they lie inside it is seen by the compiler.
    pub(crate) fn part<const AT: usize, const N: usize>(&self) -> &[u8; N] {
        const {
            assert!(AT + N <= SLOT_BYTES, "the part reaches beyond the slot");
        };
        // SAFETY: `AT + N` bytes of the slot are mapped and initialised as in `bytes`, and `u8` has
        // no alignment.
        unsafe { &*self.slot.as_ptr().wrapping_add(AT).cast::<[u8; N]>() }
    }

    pub(crate) fn state(&self) -> LockState {
        self.state
    }

    // INVARIANT 12: key material is wiped before its memory is given back.
    pub(crate) fn wipe(&mut self) {
        // SAFETY: the slot is mapped and writable, and `&mut self` is the only way to it.
        let slot = unsafe { &mut *self.slot.as_ptr().cast::<[u8; SLOT_BYTES]>() };
        slot.as_mut_slice().zeroize();
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.wipe();
        let mut arena = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
        arena.give_back(self.slot);
    }
}

/// A prepared key, which its own crate would not wipe, in a slot of its own.
///
/// A child of `fork` finds none: its pages are zeros, and a byte behind the value says so.
pub(crate) struct Prepared<T> {
    slot: NonNull<u8>,
    state: LockState,
    holds: PhantomData<T>,
}

// SAFETY: the slot belongs to this value alone and is written by `new` and `drop` only; what it holds
// may itself move between threads.
unsafe impl<T: Send> Send for Prepared<T> {}
// SAFETY: as above, and what it holds may itself be shared.
unsafe impl<T: Sync> Sync for Prepared<T> {}

impl<T> Prepared<T> {
    /// Bytes of the slot.
    pub(crate) const BYTES: usize = {
        // One more for the mark; wiping is all that happens to the value in the end.
        let fits = size_of::<T>() < LARGE_BYTES && align_of::<T>() <= MIDDLE_BYTES;
        assert!(fits, "the value does not fit a slot");
        assert!(!needs_drop::<T>(), "the value would not be dropped");
        if size_of::<T>() < MIDDLE_BYTES {
            MIDDLE_BYTES
        } else {
            LARGE_BYTES
        }
    };
    const HERE: u8 = 0xA7;

    /// Takes a slot and moves the value in. The caller scrubs the stack.
    pub(crate) fn new(value: T) -> Result<Self, Error> {
        let (slot, state) = Self::arena().take()?;
        // SAFETY: the slot is mapped, writable, longer than `T`, aligned to its own size and so for
        // `T`, and no other reference exists.
        unsafe {
            slot.as_ptr().cast::<T>().write(value);
            slot.as_ptr().add(size_of::<T>()).write(Self::HERE);
        }
        Ok(Self {
            slot,
            state,
            holds: PhantomData,
        })
    }

    /// The value; [`Error::Memory`] in a child of `fork`.
    pub(crate) fn value(&self) -> Result<&T, Error> {
        // SAFETY: the byte behind the value is mapped, and initialised by `new` or by the kernel.
        let mark = unsafe { self.slot.as_ptr().add(size_of::<T>()).read_volatile() };
        if mark == Self::HERE {
            // SAFETY: `new` wrote a `T`, the kernel has not wiped the page since, and the slot is
            // unchanged as long as `self` lives.
            Ok(unsafe { &*self.slot.as_ptr().cast::<T>() })
        } else {
            Err(Error::Memory)
        }
    }

    pub(crate) fn state(&self) -> LockState {
        self.state
    }

    // INVARIANT 12: what is prepared of a key is wiped before its memory is given back.
    fn wipe(&mut self) {
        let slot = self.slot.as_ptr();
        // SAFETY: the slot is mapped, writable and `BYTES` long, and `&mut self` is the only way to it.
        unsafe { std::slice::from_raw_parts_mut(slot, Self::BYTES) }.zeroize();
    }

    fn arena() -> MutexGuard<'static, Arena> {
        let arena = if Self::BYTES == MIDDLE_BYTES {
            &MIDDLE
        } else {
            &LARGE
        };
        arena.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Prepared<T> {
    fn drop(&mut self) {
        self.wipe();
        Self::arena().give_back(self.slot);
    }
}

/// All slabs of one size of slot, by the address of their first slot.
struct Arena {
    slot_bytes: usize,
    slabs: BTreeMap<usize, Slab>,
    /// Those with a free slot. The lowest is filled first, so that the others become empty.
    roomy: BTreeSet<usize>,
}

impl Arena {
    const fn new(slot_bytes: usize) -> Self {
        Self {
            slot_bytes,
            slabs: BTreeMap::new(),
            roomy: BTreeSet::new(),
        }
    }

    fn take(&mut self) -> Result<(NonNull<u8>, LockState), Error> {
        let start = match self.roomy.first() {
            Some(start) => *start,
            None => self.grow()?,
        };
        let slab = self.slabs.get_mut(&start).ok_or(Error::Memory)?;
        let slot = slab.take().ok_or(Error::Memory)?;
        if slab.is_full() {
            self.roomy.remove(&start);
        }
        Ok((slot, slab.state))
    }

    fn grow(&mut self) -> Result<usize, Error> {
        let slab = Slab::new(self.slot_bytes)?;
        let start = slab.first().addr();
        self.slabs.insert(start, slab);
        self.roomy.insert(start);
        Ok(start)
    }

    /// The slot has been wiped. A slab of which nothing is used is unmapped.
    fn give_back(&mut self, slot: NonNull<u8>) {
        let address = slot.addr().get();
        let Some((&start, slab)) = self.slabs.range_mut(..=address).next_back() else {
            return;
        };
        slab.give_back((address - start) / self.slot_bytes);
        if slab.is_empty() {
            self.slabs.remove(&start);
            self.roomy.remove(&start);
        } else {
            self.roomy.insert(start);
        }
    }
}

/// One mapping: a guard, the slots, a guard.
struct Slab {
    map: NonNull<c_void>,
    state: LockState,
    slot_bytes: usize,
    free: [u64; WORDS],
}

// SAFETY: the mapping belongs to the slab; the arena's lock is held wherever a slab is touched.
unsafe impl Send for Slab {}

impl Slab {
    fn new(slot_bytes: usize) -> Result<Self, Error> {
        let readable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh private anonymous mapping at an address the kernel chooses.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), 3 * SLAB_BYTES, readable, MapFlags::PRIVATE)
        };
        let map = NonNull::new(start.map_err(|_| Error::Memory)?).ok_or(Error::Memory)?;
        let mut slab = Self {
            map,
            state: LockState::NotLocked,
            slot_bytes,
            free: Self::all_free(slot_bytes),
        };
        slab.guard()?;
        slab.state = slab.lock();
        Ok(slab)
    }

    /// Every slot is free, and there are none beyond the last.
    fn all_free(slot_bytes: usize) -> [u64; WORDS] {
        std::array::from_fn(|word| {
            let slots = (SLAB_BYTES / slot_bytes).saturating_sub(64 * word);
            u64::MAX
                .checked_shr(u32::try_from(64_usize.saturating_sub(slots)).unwrap_or(64))
                .unwrap_or(0)
        })
    }

    fn first(&self) -> *mut u8 {
        self.map.as_ptr().cast::<u8>().wrapping_add(SLAB_BYTES)
    }

    fn take(&mut self) -> Option<NonNull<u8>> {
        let word = self.free.iter().position(|word| *word != 0)?;
        let free = self.free.get_mut(word)?;
        let bit = free.trailing_zeros() as usize;
        *free &= *free - 1;
        let offset = (64 * word + bit) * self.slot_bytes;
        NonNull::new(self.first().wrapping_add(offset))
    }

    fn give_back(&mut self, slot: usize) {
        if let Some(word) = self.free.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
    }

    fn is_full(&self) -> bool {
        self.free.iter().all(|word| *word == 0)
    }

    fn is_empty(&self) -> bool {
        self.free == Self::all_free(self.slot_bytes)
    }

    fn guard(&self) -> Result<(), Error> {
        let after = self.first().wrapping_add(SLAB_BYTES).cast();
        for page in [self.map.as_ptr(), after] {
            // SAFETY: both guards lie inside our own mapping, and nothing points into them.
            unsafe { rustix::mm::mprotect(page, SLAB_BYTES, MprotectFlags::empty()) }
                .map_err(|_| Error::Memory)?;
        }
        Ok(())
    }

    fn lock(&self) -> LockState {
        let slots = self.first().cast();
        // SAFETY: advice and locks on our own mapped pages change no contents that anyone holds.
        let (locked, advised) = unsafe {
            let locked = rustix::mm::mlock(slots, SLAB_BYTES);
            let dump = rustix::mm::madvise(slots, SLAB_BYTES, Advice::LinuxDontDump);
            let fork = rustix::mm::madvise(slots, SLAB_BYTES, Advice::LinuxWipeOnFork);
            (locked.is_ok(), dump.is_ok() && fork.is_ok())
        };
        if locked && advised {
            LockState::Locked
        } else {
            LockState::NotLocked
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `new` mapped, once; the arena drops a slab when no slot is taken.
        let _ = unsafe { rustix::mm::munmap(self.map.as_ptr(), 3 * SLAB_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Arena, LARGE_BYTES, Locked, MIDDLE_BYTES, Prepared, SLAB_BYTES, SLOT_BYTES, Slab};
    use crate::Error;

    fn flags_at(address: usize) -> Vec<String> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let address = format!("{address:x}-");
        let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&address));
        let flags = lines.find(|line| line.starts_with("VmFlags:")).unwrap();
        flags.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_key_reads_back_whole_and_in_parts() {
        let secret: Vec<u8> = (0..128).collect();
        let locked = Locked::new(&secret).unwrap();
        assert_eq!(locked.bytes(), secret);
        assert_eq!(locked.part::<126, 2>(), &[126, 127]);
        assert_eq!(Locked::new(&[7; 5]).unwrap().bytes(), &[7; 5]);
        assert!(Locked::new(&[7; SLOT_BYTES + 1]).is_err());
    }

    #[test]
    fn the_slots_neighbours_are_guarded() {
        let slab = Slab::new(SLOT_BYTES).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let address = format!("{:x}-", slab.first().addr());
        let place = maps
            .lines()
            .position(|line| line.starts_with(&address))
            .unwrap();
        let lines: Vec<&str> = maps.lines().collect();
        assert!(lines[place].contains("rw-p"), "{}", lines[place]);
        assert!(lines[place - 1].contains("---p"), "{}", lines[place - 1]);
        assert!(lines[place + 1].contains("---p"), "{}", lines[place + 1]);
    }

    // Invariant 12: what `drop` calls leaves nothing of the key.
    #[test]
    fn a_wiped_key_is_gone() {
        let mut locked = Locked::new(&[7; 32]).unwrap();
        locked.wipe();
        assert_eq!(locked.bytes(), &[0; 32]);
    }

    // Invariant 11: a core dump has no page of a key.
    #[test]
    fn a_key_is_left_out_of_dumps_and_forks() {
        let slab = Slab::new(SLOT_BYTES).unwrap();
        let flags = flags_at(slab.first().addr());
        for (flag, meaning) in [("dd", "don't dump"), ("wf", "wipe on fork")] {
            assert!(flags.iter().any(|f| f == flag), "not {meaning}: {flags:?}");
        }
    }

    #[test]
    fn slots_are_distinct_used_again_and_their_slab_leaves_when_it_is_empty() {
        for slot_bytes in [SLOT_BYTES, MIDDLE_BYTES, LARGE_BYTES] {
            let slots = SLAB_BYTES / slot_bytes;
            let mut arena = Arena::new(slot_bytes);
            let taken: Vec<_> = (0..=slots).map(|_| arena.take().unwrap().0).collect();
            let places: BTreeSet<usize> = taken.iter().map(|slot| slot.addr().get()).collect();
            assert_eq!(places.len(), slots + 1);
            let gaps = places.iter().zip(places.iter().skip(1));
            assert!(
                gaps.clone().all(|(a, b)| b - a >= slot_bytes),
                "they overlap"
            );
            assert_eq!(arena.slabs.len(), 2);
            arena.give_back(taken[3]);
            let rest: Vec<_> = (0..slots).map(|_| arena.take().unwrap().0).collect();
            assert!(rest.contains(&taken[3]), "a free slot is used again");
            assert_eq!(
                arena.slabs.len(),
                2,
                "a free slot is used before a new slab"
            );
            for slot in taken[..3].iter().chain(&taken[4..]).chain(&rest) {
                arena.give_back(*slot);
            }
            assert!(arena.slabs.is_empty() && arena.roomy.is_empty());
        }
    }

    // Invariant 12: what `drop` calls leaves nothing of a prepared key, and what is wiped is not used.
    #[test]
    fn a_wiped_value_is_gone_and_is_not_given() {
        let mut prepared = Prepared::new([7_u64; 70]).unwrap();
        assert_eq!(prepared.value().unwrap(), &[7; 70]);
        prepared.wipe();
        assert!(matches!(prepared.value(), Err(Error::Memory)));
        // SAFETY: the slot is mapped and initialised as long as `prepared` lives.
        let slot = unsafe { std::slice::from_raw_parts(prepared.slot.as_ptr(), LARGE_BYTES) };
        assert!(slot.iter().all(|byte| *byte == 0));
    }

    // Invariant 12: as a child of `fork` finds it, whose kernel has wiped the page.
    #[test]
    fn a_value_whose_page_the_kernel_wiped_is_not_given() {
        let prepared = Prepared::new([7_u8; 32]).unwrap();
        // SAFETY: 33 bytes of the slot are mapped and writable; no reference to the value is alive.
        unsafe { prepared.slot.as_ptr().write_bytes(0, 33) };
        assert!(matches!(prepared.value(), Err(Error::Memory)));
    }

    #[test]
    fn a_hundred_thousand_keys_fit_the_limits_of_a_process() {
        let keys: Vec<Locked> = (0..100_000_u32)
            .map(|n| Locked::new(&n.to_be_bytes()).unwrap())
            .collect();
        for (number, key) in (0_u32..).zip(&keys) {
            assert_eq!(key.bytes(), number.to_be_bytes());
        }
    }
}
