//! Units that are locked out: known in memory, so that a request is refused before anything of it is read.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::model::UnitName;

/// Whether a unit is heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Latch {
    /// It is.
    Open,
    /// It is locked out.
    Locked,
}

/// Which units are locked. What a later entry says wins, in whatever order it is heard.
#[derive(Debug, Default)]
pub struct Locks {
    units: RwLock<BTreeMap<UnitName, Said>>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    entry: u64,
    latch: Latch,
}

impl Locks {
    /// Notes what an entry says of a unit.
    pub fn set(&self, unit: &UnitName, entry: u64, latch: Latch) {
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        let said = units.entry(unit.clone()).or_insert(Said { entry, latch });
        if said.entry <= entry {
            *said = Said { entry, latch };
        }
    }

    /// Locks a unit before its entry is known to stand: whoever breaks the request off gains no time. Yields
    /// the entry that was heard last.
    pub fn lock_at_once(&self, unit: &UnitName) -> u64 {
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        let said = units.entry(unit.clone()).or_insert(Said {
            entry: 0,
            latch: Latch::Locked,
        });
        said.latch = Latch::Locked;
        said.entry
    }

    /// Undoes that where it is certain that no entry stands, unless another was heard meanwhile.
    pub fn let_go(&self, unit: &UnitName, entry_before: u64) {
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = units.get_mut(unit)
            && said.entry == entry_before
        {
            said.latch = Latch::Open;
        }
    }

    /// Whether a unit is locked.
    pub fn is_locked(&self, unit: &UnitName) -> bool {
        let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
        units
            .get(unit)
            .is_some_and(|said| said.latch == Latch::Locked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_entry_wins_in_whatever_order_it_is_heard() {
        let (locks, unit) = (Locks::default(), UnitName::parse("unit").unwrap());
        assert!(!locks.is_locked(&unit));
        locks.set(&unit, 5, Latch::Locked);
        assert!(locks.is_locked(&unit));
        locks.set(&unit, 4, Latch::Open);
        assert!(locks.is_locked(&unit));
        locks.set(&unit, 6, Latch::Open);
        locks.set(&unit, 5, Latch::Locked);
        assert!(!locks.is_locked(&unit));
    }

    #[test]
    fn a_lock_that_failed_is_let_go_unless_another_was_heard() {
        let (locks, unit) = (Locks::default(), UnitName::parse("unit").unwrap());
        locks.set(&unit, 3, Latch::Open);
        let before = locks.lock_at_once(&unit);
        assert!(locks.is_locked(&unit));
        locks.let_go(&unit, before);
        assert!(!locks.is_locked(&unit));
        let before = locks.lock_at_once(&unit);
        locks.set(&unit, 4, Latch::Locked);
        locks.let_go(&unit, before);
        assert!(locks.is_locked(&unit));
    }
}
