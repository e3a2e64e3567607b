//! Refusals that come in floods: the first of its kind in a minute is an entry at once, the others are counted, and the
//! count is one entry when the minute is over. A unit that is refused all day makes two entries a minute, not a million.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Clock, GatewayName, UnitName};

/// For how long refusals of one kind are counted together.
const TOGETHER: Duration = Duration::from_mins(1);

/// What makes refusals alike: who was refused, by which door, with which code.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Kind {
    /// The unit, where one is known.
    pub unit: Option<UnitName>,
    /// The gateway, where one is known.
    pub gateway: Option<GatewayName>,
    /// The refusal's stable code.
    pub code: &'static str,
}

/// What is to be done with a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noted {
    /// It is the first of its kind: an entry of its own, now.
    First,
    /// It is counted.
    Again,
}

/// Counts refusals by kind. Who is refused is registered, and codes are few: so are kinds.
pub struct Tally {
    kinds: Mutex<HashMap<Kind, Counted>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy)]
struct Counted {
    since: Duration,
    more: u64,
}

impl Tally {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            kinds: Mutex::default(),
            clock,
        }
    }

    /// Notes a refusal.
    pub fn note(&self, kind: Kind) -> Noted {
        let since = self.clock.monotonic();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = kinds.get_mut(&kind) {
            counted.more += 1;
            return Noted::Again;
        }
        kinds.insert(kind, Counted { since, more: 0 });
        Noted::First
    }

    /// Takes the counts whose minute is over. Kinds of which nothing more came are forgotten.
    pub fn over(&self) -> Vec<(Kind, u64)> {
        let now = self.clock.monotonic();
        self.take(|since| now.saturating_sub(since) >= TOGETHER)
    }

    /// Takes all counts, at the end.
    pub fn rest(&self) -> Vec<(Kind, u64)> {
        self.take(|_| true)
    }

    fn take(&self, over: impl Fn(Duration) -> bool) -> Vec<(Kind, u64)> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kinds.extract_if(|_, counted| over(counted.since));
        let taken = taken.filter(|(_, counted)| counted.more > 0);
        taken.map(|(kind, counted)| (kind, counted.more)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hand;

    fn kind(unit: &str, code: &'static str) -> Kind {
        Kind {
            unit: Some(UnitName::parse(unit).unwrap()),
            gateway: None,
            code,
        }
    }

    #[test]
    fn the_first_of_a_kind_is_one_entry_and_the_others_of_its_minute_another() {
        let clock = Arc::new(Hand::default());
        let tally = Tally::new(Arc::<Hand>::clone(&clock));
        assert_eq!(tally.note(kind("a", "rate")), Noted::First);
        assert_eq!(tally.note(kind("a", "quota")), Noted::First);
        assert_eq!(tally.note(kind("b", "rate")), Noted::First);
        for _ in 0..41 {
            assert_eq!(tally.note(kind("a", "rate")), Noted::Again);
        }
        clock.at(59);
        assert_eq!(tally.over(), []);
        clock.at(60);
        // What comes before it is looked at counts too.
        assert_eq!(tally.note(kind("a", "rate")), Noted::Again);
        assert_eq!(tally.over(), [(kind("a", "rate"), 42)]);
        assert_eq!(tally.over(), []);
        assert_eq!(tally.note(kind("a", "rate")), Noted::First);
        assert_eq!(tally.note(kind("a", "rate")), Noted::Again);
        assert_eq!(tally.rest(), [(kind("a", "rate"), 1)]);
    }
}
