//! Honeytokens: ordinary rows that nobody has a reason to ask for. Who presents one is told of, and may be
//! locked out; the answer is the same as for any other token.
//!
//! Which rows they are is known by a mark, a keyed hash of the row's fingerprint. It is computed of every
//! token that is presented, found or not, as soon as there is one honeytoken at all: all take the same steps.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::model::Alarm;

/// The marks of all honeytokens, and what each brings about.
#[derive(Default)]
pub(in crate::engine) struct Marks {
    known: RwLock<HashMap<[u8; 16], Alarm>>,
}

/// What honeytokens among a request's tokens ask for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::engine) enum Caught {
    /// There is none.
    Nothing,
    /// People are told.
    Told,
    /// People are told, and the unit is locked.
    Locked,
}

impl Marks {
    pub(in crate::engine) fn add(&self, marks: impl IntoIterator<Item = ([u8; 16], Alarm)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(marks);
    }

    /// The strongest of what the presented tokens ask for. `mark` is asked of each, where there are any.
    pub(in crate::engine) fn among<T>(
        &self,
        presented: impl Iterator<Item = T>,
        mark: impl Fn(T) -> [u8; 16],
    ) -> Caught {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return Caught::Nothing;
        }
        let caught = presented.map(|token| match known.get(&mark(token)) {
            None => Caught::Nothing,
            Some(Alarm::Tell) => Caught::Told,
            Some(Alarm::Lock) => Caught::Locked,
        });
        // No early end: a request takes as long whatever is in it.
        caught.max().unwrap_or(Caught::Nothing)
    }
}

/// What an entry says whose unit was locked out for a honeytoken that it presented.
pub(in crate::engine) const LOCKED_BY_HONEYTOKEN: &str = "honeytoken-unit-locked";

impl Caught {
    /// What the entry says.
    pub(in crate::engine) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Told => Some("honeytoken"),
            Self::Locked => Some(LOCKED_BY_HONEYTOKEN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_counts_and_without_marks_nothing_is_computed() {
        let marks = Marks::default();
        let mark = |byte: u8| [byte; 16];
        let none = marks.among([1_u8].into_iter(), |_| panic!("nothing to compare with"));
        assert_eq!(none, Caught::Nothing);
        marks.add([(mark(1), Alarm::Tell), (mark(2), Alarm::Lock)]);
        for (presented, caught) in [
            (vec![], Caught::Nothing),
            (vec![3, 4], Caught::Nothing),
            (vec![3, 1], Caught::Told),
            (vec![2, 1, 3], Caught::Locked),
        ] {
            assert_eq!(marks.among(presented.into_iter(), mark), caught);
        }
    }
}
