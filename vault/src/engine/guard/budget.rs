//! Distinct values shown, counted in sliding windows: exact, also when many ask at once.
//!
//! A value counts until its window has passed since it was *last* shown. So at every moment the values
//! that count are those that were shown within the window before it, and no stretch of that length ever
//! shows more of them than the budget. Counting from the first showing would let a unit look at all of
//! its old values again at the end of their window, and at as many new ones a moment later.
//!
//! A request takes its places before it is recorded, in one step for all of its values and budgets; two
//! at once can't both take the last one. Places are given back when it is certain that nothing was shown.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::model::{BudgetName, BudgetRule, Budgets, Clock, Registry, Share, Timestamp, UnitName};

/// A token's pseudonym: what stands for a value, here as in the ledger.
pub(super) type ValueId = [u8; 16];

/// Between two alerts about the same unit and budget.
const TOLD_PAUSE_US: u64 = 60_000_000;

/// A request would show more distinct values than a budget allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OverBudget {
    /// Which budget.
    pub budget: BudgetName,
    /// When the same request would fit, if nothing else is shown meanwhile; `None` where it never does.
    pub retry_after: Option<Duration>,
}

/// Counts for all budgets. Times are microseconds of a clock that never steps.
pub(in crate::engine) struct Budget {
    rules: Vec<BudgetRule>,
    /// Whom each rule is about now.
    about: RwLock<Vec<BTreeSet<UnitName>>>,
    approvals: usize,
    windows: Mutex<HashMap<Counter, Window>>,
    /// Who went over which budget, and when that was last told.
    told: Mutex<HashMap<(BudgetName, UnitName), u64>>,
    clock: Arc<dyn Clock>,
    /// What the monotonic clock's zero is, as the world had it when counting began.
    zero_us: u64,
}

/// Whose values a window holds: one unit's, or those of all units of the rule.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Counter {
    rule: usize,
    unit: Option<UnitName>,
}

/// The values that count now.
#[derive(Default)]
struct Window {
    values: HashMap<ValueId, Place>,
    /// Those that were shown, by when that was last.
    shown: BTreeSet<(u64, ValueId)>,
}

#[derive(Default)]
struct Place {
    shown_us: Option<u64>,
    /// Requests under way that hold it: it does not go before they end.
    held: u32,
}

impl Budget {
    pub(super) fn new(budgets: &Budgets, clock: Arc<dyn Clock>) -> Self {
        let monotonic_us = micros(clock.monotonic());
        Self {
            rules: budgets.rules().to_vec(),
            about: RwLock::new(
                budgets
                    .rules()
                    .iter()
                    .map(|rule| rule.units.clone())
                    .collect(),
            ),
            approvals: budgets.approvals(),
            windows: Mutex::default(),
            told: Mutex::default(),
            zero_us: clock.now().0.saturating_sub(monotonic_us),
            clock,
        }
    }

    /// Rules about groups, or about all, are about these units from now on. What was counted stays.
    pub(in crate::engine) fn follow(&self, registry: &Registry) {
        let about = self
            .rules
            .iter()
            .map(|rule| rule.units_of(registry))
            .collect();
        *self.about.write().unwrap_or_else(PoisonError::into_inner) = about;
    }

    /// How many others must approve a grant that goes beyond a budget.
    pub(super) fn approvals(&self) -> usize {
        self.approvals
    }

    /// Takes places for values that are about to be shown to a unit: each with its class. All or none.
    pub(in crate::engine) fn reserve<'a>(
        self: &Arc<Self>,
        unit: &UnitName,
        values: &(impl Iterator<Item = (ValueId, &'a str)> + Clone),
    ) -> Result<Reservation, OverBudget> {
        let now = self.now_us();
        let mut windows = self.windows();
        let mut wanted = Vec::new();
        let mut over: Option<OverBudget> = None;
        for (counter, rule) in self.counters(unit) {
            let ids: HashSet<ValueId> = values
                .clone()
                .filter(|(_, class)| covers(rule, class))
                .map(|(id, _)| id)
                .collect();
            if ids.is_empty() {
                continue;
            }
            let window = windows.entry(counter.clone()).or_default();
            window.expire(now, micros(rule.window));
            match window.room(&ids, now, rule) {
                Ok(()) => wanted.push((counter, ids)),
                Err(refusal) => over = Some(OverBudget::worse(over, refusal)),
            }
        }
        if let Some(over) = over {
            return Err(over);
        }
        for (counter, ids) in &wanted {
            if let Some(window) = windows.get_mut(counter) {
                window.hold(ids);
            }
        }
        drop(windows);
        Ok(Reservation {
            budget: Arc::clone(self),
            wanted,
            fate: Fate::GivenBack,
        })
    }

    /// Whether people are to be told that a unit went over a budget: once a minute for each of both. Each
    /// refusal has its entry all the same.
    pub(super) fn is_news(&self, unit: &UnitName, over: &OverBudget) -> bool {
        let now = self.now_us();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.entry((over.budget.clone(), unit.clone()));
        match last {
            Entry::Occupied(last) if now < last.get().saturating_add(TOLD_PAUSE_US) => false,
            last => {
                last.insert_entry(now);
                true
            }
        }
    }

    /// Counts a value that was shown earlier, as the ledger has it. Newest first: what is older than a
    /// full window's values would change nothing.
    pub(super) fn recall(&self, unit: &UnitName, class: &str, id: ValueId, shown: Timestamp) {
        let now = self.now_us();
        // A time that is still to come was written under another clock: as if it were now.
        let shown_us = shown.0.min(now);
        let mut windows = self.windows();
        for (counter, rule) in self.counters(unit) {
            if !covers(rule, class) || shown_us.saturating_add(micros(rule.window)) <= now {
                continue;
            }
            let window = windows.entry(counter).or_default();
            if window.values.len() < rule.values_max {
                window.show(id, shown_us);
            }
        }
    }

    /// How far back a value can count.
    pub(super) fn longest_window(&self) -> Option<Duration> {
        self.rules.iter().map(|rule| rule.window).max()
    }

    pub(super) fn now_us(&self) -> u64 {
        self.zero_us.saturating_add(micros(self.clock.monotonic()))
    }

    /// The rules about a unit, and where each counts.
    fn counters(&self, unit: &UnitName) -> impl Iterator<Item = (Counter, &BudgetRule)> {
        let all = self.about.read().unwrap_or_else(PoisonError::into_inner);
        let bound: Vec<bool> = all.iter().map(|units| units.contains(unit)).collect();
        let about = move |(place, _): &(usize, &BudgetRule)| bound.get(*place) == Some(&true);
        let counter = |(place, rule): (usize, &BudgetRule)| {
            match rule.share {
                Share::Each => Some(unit.clone()),
                Share::Together => None,
            }
            .map_or(
                Counter {
                    rule: place,
                    unit: None,
                },
                |unit| Counter {
                    rule: place,
                    unit: Some(unit),
                },
            )
        };
        self.rules
            .iter()
            .enumerate()
            .filter(about)
            .map(move |found| (counter(found), found.1))
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Counter, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of held places: shown now, or given back.
    fn settle(&self, wanted: &[(Counter, HashSet<ValueId>)], fate: Fate) {
        let now = self.now_us();
        let mut windows = self.windows();
        for (counter, ids) in wanted {
            let Some(window) = windows.get_mut(counter) else {
                continue;
            };
            for id in ids {
                if fate == Fate::Shown {
                    window.show(*id, now);
                }
                window.let_go(id);
            }
        }
    }
}

/// Places that a request has taken. Dropped before it is sent, they are given back; after that they count,
/// unless it is certain that its entry does not stand.
#[must_use = "dropping it gives the places back"]
pub(in crate::engine) struct Reservation {
    budget: Arc<Budget>,
    wanted: Vec<(Counter, HashSet<ValueId>)>,
    fate: Fate,
}

/// What becomes of places that are let go.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Shown,
    GivenBack,
}

impl Reservation {
    /// The request goes to the writer: from here on its entry may stand, whoever waits for it.
    pub(in crate::engine) fn sent(mut self) -> Self {
        self.fate = Fate::Shown;
        self
    }

    /// It is certain that nothing was shown, and that no entry says so.
    pub(in crate::engine) fn give_back(mut self) {
        self.fate = Fate::GivenBack;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.settle(&self.wanted, self.fate);
    }
}

impl OverBudget {
    /// The one that lasts longer.
    fn worse(known: Option<Self>, other: Self) -> Self {
        match known {
            Some(known) => {
                let lasts = |over: &Self| over.retry_after.unwrap_or(Duration::MAX);
                if lasts(&known) >= lasts(&other) {
                    known
                } else {
                    other
                }
            }
            None => other,
        }
    }
}

impl Window {
    /// Lets go what was last shown a whole window ago.
    fn expire(&mut self, now: u64, window_us: u64) {
        while let Some(&(shown_us, id)) = self.shown.first() {
            if shown_us.saturating_add(window_us) > now {
                return;
            }
            self.shown.pop_first();
            match self.values.get_mut(&id) {
                Some(place) if place.held > 0 => place.shown_us = None,
                _ => drop(self.values.remove(&id)),
            }
        }
    }

    /// Whether these values fit beside those that count.
    fn room(&self, ids: &HashSet<ValueId>, now: u64, rule: &BudgetRule) -> Result<(), OverBudget> {
        let fresh = ids.iter().filter(|id| !self.values.contains_key(*id));
        let missing = (self.values.len() + fresh.count()).saturating_sub(rule.values_max);
        if missing == 0 {
            return Ok(());
        }
        // What the request itself would show again keeps its place, however long it waits.
        let leaving = self.shown.iter().filter(|(_, id)| !ids.contains(id));
        let last = leaving.map(|(shown_us, _)| *shown_us).nth(missing - 1);
        let retry_after = if ids.len() > rule.values_max {
            None
        } else {
            let window_us = micros(rule.window);
            let free_us = last.map_or(now.saturating_add(window_us), |at| {
                at.saturating_add(window_us)
            });
            Some(Duration::from_micros(free_us.saturating_sub(now)))
        };
        Err(OverBudget {
            budget: rule.name.clone(),
            retry_after,
        })
    }

    fn hold(&mut self, ids: &HashSet<ValueId>) {
        for id in ids {
            self.values.entry(*id).or_default().held += 1;
        }
    }

    fn show(&mut self, id: ValueId, at_us: u64) {
        let place = self.values.entry(id).or_default();
        if place.shown_us.is_some_and(|known| known >= at_us) {
            return;
        }
        if let Some(before) = place.shown_us.replace(at_us) {
            self.shown.remove(&(before, id));
        }
        self.shown.insert((at_us, id));
    }

    fn let_go(&mut self, id: &ValueId) {
        if let Some(place) = self.values.get_mut(id) {
            place.held = place.held.saturating_sub(1);
            if place.held == 0 && place.shown_us.is_none() {
                self.values.remove(id);
            }
        }
    }
}

fn covers(rule: &BudgetRule, class: &str) -> bool {
    let named = |classes: &BTreeSet<_>| {
        classes
            .iter()
            .any(|known: &crate::model::ClassName| known.as_str() == class)
    };
    rule.classes.as_ref().is_none_or(named)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
