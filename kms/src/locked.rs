//! Memory for keys: locked against swapping, left out of dumps and forks, guarded on both sides, wiped.
#![expect(
    unsafe_code,
    reason = "mapping, locking and unmapping pages has no safe interface"
)]

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use zeroize::Zeroize;

use crate::error::Error;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// Bytes of a page. Larger pages (64 KiB on some machines) are a multiple: see [`Locked::new`].
const PAGE_BYTES: usize = 64 * 1024;

/// Whether a key's page is locked into memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockState {
    /// It can't be swapped out.
    Locked,
    /// The system refused (`RLIMIT_MEMLOCK`): raise it, or forbid swapping for this process.
    NotLocked,
}

/// One key in a page of its own between two that nobody may touch.
pub(crate) struct Locked {
    map: NonNull<c_void>,
    state: LockState,
}

// SAFETY: the mapping is owned by this value alone and only read after `new`; it moves between
// threads, and is shared by `&`, without any interior change.
unsafe impl Send for Locked {}
// SAFETY: as above: `&Locked` gives shared, read-only bytes.
unsafe impl Sync for Locked {}

impl Locked {
    /// Maps, guards and locks a page, and fills it. `key` is wiped by the caller.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Result<Self, Error> {
        let length = 3 * PAGE_BYTES;
        let readable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh private anonymous mapping at an address the kernel chooses.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, readable, MapFlags::PRIVATE)
        };
        let map = NonNull::new(start.map_err(|_| Error::Memory)?).ok_or(Error::Memory)?;
        let mut locked = Self {
            map,
            state: LockState::NotLocked,
        };
        locked.guard()?;
        locked.state = locked.lock();
        // SAFETY: the page is mapped, writable, `PAGE_BYTES` long, and no other reference exists.
        unsafe { ptr::copy_nonoverlapping(key.as_ptr(), locked.page().cast(), KEY_BYTES) };
        Ok(locked)
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        // SAFETY: `new` has filled the first `KEY_BYTES` of the page; it stays mapped and unchanged
        // as long as `self` lives, and `u8` has no alignment.
        unsafe { &*self.page().cast::<[u8; KEY_BYTES]>() }
    }

    pub(crate) fn state(&self) -> LockState {
        self.state
    }

    // INVARIANT 12: key material is wiped before its memory is given back.
    fn wipe(&mut self) {
        // SAFETY: the page is mapped and writable, and `&mut self` is the only way to it.
        let key = unsafe { &mut *self.page().cast::<[u8; KEY_BYTES]>() };
        key.zeroize();
    }

    fn page(&self) -> *mut c_void {
        self.map.as_ptr().wrapping_byte_add(PAGE_BYTES)
    }

    fn guard(&self) -> Result<(), Error> {
        let after = self.page().wrapping_byte_add(PAGE_BYTES);
        for page in [self.map.as_ptr(), after] {
            // SAFETY: both guard pages lie inside our own mapping, and nothing points into them.
            unsafe { rustix::mm::mprotect(page, PAGE_BYTES, MprotectFlags::empty()) }
                .map_err(|_| Error::Memory)?;
        }
        Ok(())
    }

    fn lock(&self) -> LockState {
        // SAFETY: advice and locks on our own mapped page change no contents that anyone holds.
        let (locked, advised) = unsafe {
            let locked = rustix::mm::mlock(self.page(), PAGE_BYTES);
            let dump = rustix::mm::madvise(self.page(), PAGE_BYTES, Advice::LinuxDontDump);
            let fork = rustix::mm::madvise(self.page(), PAGE_BYTES, Advice::LinuxWipeOnFork);
            (locked.is_ok(), dump.is_ok() && fork.is_ok())
        };
        if locked && advised {
            LockState::Locked
        } else {
            LockState::NotLocked
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.wipe();
        // SAFETY: unmaps exactly what `new` mapped, once; no reference outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.map.as_ptr(), 3 * PAGE_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::Locked;

    #[test]
    fn a_key_reads_back_and_its_neighbours_are_guarded() {
        let locked = Locked::new(&[7; 32]).unwrap();
        assert_eq!(locked.bytes(), &[7; 32]);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let address = format!("{:x}-", locked.page() as usize);
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
    fn a_key_is_left_out_of_dumps() {
        let locked = Locked::new(&[7; 32]).unwrap();
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let address = format!("{:x}-", locked.page() as usize);
        let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&address));
        let flags = lines.find(|line| line.starts_with("VmFlags:")).unwrap();
        assert!(
            flags.split(' ').any(|flag| flag == "dd"),
            "not `dd` (don't dump): {flags}"
        );
        assert!(
            flags.split(' ').any(|flag| flag == "wf"),
            "not `wf` (wipe on fork): {flags}"
        );
    }
}
