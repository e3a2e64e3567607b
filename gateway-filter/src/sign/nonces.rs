//! Owns the memory of nonces: each counts once until its signature's time is over. One process remembers for
//! itself, over changes of the settings; other processes, and a restart, know nothing of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ring::digest::{SHA256, digest};

use super::fault::{SigningFault, Unbelieved};

/// Nonces by their keys' names. A filter that takes over from another takes its memory over.
pub(crate) struct Nonces {
    memory: RwLock<Arc<Memory>>,
    /// Most of one key at once: a key's flood is its own.
    each_max: usize,
}

#[derive(Default)]
struct Memory(Mutex<HashMap<String, OfKey>>);

#[derive(Default)]
struct OfKey {
    seen: HashSet<Mark>,
    /// By the second from which they count no longer.
    ends: BTreeSet<(u64, Mark)>,
}

/// A nonce's hash: all take the same room.
type Mark = [u8; 32];

impl Nonces {
    pub(crate) fn new(each_max: usize) -> Self {
        Self {
            memory: RwLock::default(),
            each_max,
        }
    }

    /// Goes on with what another one remembers.
    pub(crate) fn adopt(&self, other: &Self) {
        let memory = other.memory();
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    fn memory(&self) -> Arc<Memory> {
        let memory = self.memory.read();
        memory.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a nonce that must not come again before the second `ends`.
    pub(crate) fn take(
        &self,
        key: &str,
        nonce: &str,
        (now, ends): (u64, u64),
    ) -> Result<(), SigningFault> {
        let mut mark = Mark::default();
        mark.copy_from_slice(digest(&SHA256, nonce.as_bytes()).as_ref());
        let memory = self.memory();
        let mut keys = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = keys.entry(key.to_owned()).or_default();
        of_key.forget(now);
        if of_key.seen.contains(&mark) {
            return Err(SigningFault::Unbelieved(Unbelieved::Replayed));
        }
        if of_key.seen.len() >= self.each_max {
            return Err(SigningFault::NoncesFull);
        }
        of_key.seen.insert(mark);
        of_key.ends.insert((ends, mark));
        Ok(())
    }
}

impl OfKey {
    fn forget(&mut self, now: u64) {
        while let Some((ends, mark)) = self.ends.first().copied() {
            if ends > now {
                return;
            }
            self.ends.pop_first();
            self.seen.remove(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLAYED: Result<(), SigningFault> = Err(SigningFault::Unbelieved(Unbelieved::Replayed));

    #[test]
    fn a_nonce_counts_once_for_its_key_until_it_ends() {
        let nonces = Nonces::new(2);
        assert_eq!(nonces.take("a", "n", (10, 20)), Ok(()));
        assert_eq!(nonces.take("a", "n", (19, 30)), REPLAYED);
        assert_eq!(nonces.take("b", "n", (19, 30)), Ok(()));
        assert_eq!(nonces.take("a", "m", (19, 40)), Ok(()));
        assert_eq!(
            nonces.take("a", "o", (19, 40)),
            Err(SigningFault::NoncesFull)
        );
        assert_eq!(nonces.take("a", "o", (20, 40)), Ok(()));
    }

    #[test]
    fn what_one_filter_saw_the_next_one_knows() {
        let (first, second) = (Nonces::new(9), Nonces::new(9));
        assert_eq!(first.take("a", "n", (10, 20)), Ok(()));
        second.adopt(&first);
        assert_eq!(second.take("a", "n", (11, 20)), REPLAYED);
        assert_eq!(second.take("a", "m", (11, 20)), Ok(()));
        assert_eq!(first.take("a", "m", (11, 20)), REPLAYED);
    }
}
