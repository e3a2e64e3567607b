//! Decisions, kept as long as their policy set lives. Every fact a decision depends on is in its key.
//!
//! A unit's facts are there as the digest of its document: a changed unit is decided anew, at once and alone. Of a
//! gateway Cedar sees the name only, classes do not change while the vault runs, and a new policy set comes with
//! an empty cache. What changes by the minute (time, address, rate) is for `admission`, not for Cedar. A purpose
//! is what the unit says: whoever varies it loses decisions of its own, and nobody else's.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kms::KeyId;

use super::{Asker, Digest};
use crate::identity::Proof;
use crate::model::{ClassName, DomainName, GatewayName, KeyRecord, Purpose, UnitName, View};

/// Parts that are locked by themselves.
const SHARDS: usize = 16;
/// Decisions kept at once in a shard: 65,536 in all, for 10,000 units some six of each.
const SHARD_DECISIONS_MAX: usize = 4_096;
/// Decisions of one unit: beyond it the unit's own make room.
const UNIT_DECISIONS_MAX: usize = 128;
/// Distinct answers that are shared by the decisions that gave them.
const ANSWERS_MAX: usize = 1_024;

/// The facts of a decision.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(super) struct Key {
    verb: Verb,
    unit: UnitName,
    /// What of it was decided on.
    registered: Digest,
    gateway: Option<GatewayName>,
    proof: Proof,
    resource: Resource,
    purpose: Option<Purpose>,
    delivery: Option<&'static str>,
}

#[derive(Clone, Eq, Hash, PartialEq)]
enum Verb {
    Tokenize,
    Detokenize,
    Tokens(&'static str),
    Key(&'static str),
}

/// A key's facts change: its revision is part of what was decided on.
#[derive(Clone, Eq, Hash, PartialEq)]
enum Resource {
    Domain(DomainName),
    Key(KeyId, u64),
    KeyService,
}

impl Key {
    pub(super) fn tokenize(asker: Asker<'_>, domain: &DomainName) -> Self {
        Self::new(Verb::Tokenize, asker, Resource::Domain(domain.clone()))
    }

    pub(super) fn detokenize(asker: Asker<'_>, domain: &DomainName) -> Self {
        Self::new(Verb::Detokenize, asker, Resource::Domain(domain.clone()))
    }

    pub(super) fn of_tokens(action: &'static str, asker: Asker<'_>, domain: &DomainName) -> Self {
        Self::new(
            Verb::Tokens(action),
            asker,
            Resource::Domain(domain.clone()),
        )
    }

    pub(super) fn of_key(action: &'static str, asker: Asker<'_>, key: Option<&KeyRecord>) -> Self {
        let resource = key.map_or(Resource::KeyService, |key| {
            Resource::Key(key.id.clone(), key.revision)
        });
        Self::new(Verb::Key(action), asker, resource)
    }

    fn new(verb: Verb, asker: Asker<'_>, resource: Resource) -> Self {
        Self {
            verb,
            unit: asker.unit.name.clone(),
            registered: asker.unit.document.digest(),
            gateway: asker.gateway.map(|gateway| gateway.name.clone()),
            proof: asker.proof,
            resource,
            purpose: asker.purpose.cloned(),
            delivery: asker.delivery,
        }
    }
}

/// The classes that something is permitted on.
pub(super) type Classes = Arc<BTreeSet<ClassName>>;
/// The strongest view of each class that has one.
pub(super) type Views = Arc<BTreeMap<ClassName, View>>;

#[derive(Clone)]
enum Decision {
    Classes(Classes),
    Views(Views),
    Act(bool),
}

/// Decisions of one policy set.
#[derive(Default)]
pub(super) struct Cache {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    classes: Mutex<HashSet<Classes>>,
    views: Mutex<HashSet<Views>>,
    pub(super) carriages: super::carry::Carriages,
}

impl Cache {
    pub(super) fn classes(
        &self,
        key: Key,
        decide: impl FnOnce() -> BTreeSet<ClassName>,
    ) -> Classes {
        if let Some(Decision::Classes(known)) = self.find(&key) {
            return known;
        }
        // Deciding happens outside the lock: two may decide the same once, nobody waits for Cedar.
        let decided = shared(&self.classes, decide());
        self.keep(key, Decision::Classes(Arc::clone(&decided)));
        decided
    }

    pub(super) fn views(
        &self,
        key: Key,
        decide: impl FnOnce() -> BTreeMap<ClassName, View>,
    ) -> Views {
        if let Some(Decision::Views(known)) = self.find(&key) {
            return known;
        }
        let decided = shared(&self.views, decide());
        self.keep(key, Decision::Views(Arc::clone(&decided)));
        decided
    }

    pub(super) fn key_act(&self, key: Key, decide: impl FnOnce() -> bool) -> bool {
        if let Some(Decision::Act(known)) = self.find(&key) {
            return known;
        }
        let decided = decide();
        self.keep(key, Decision::Act(decided));
        decided
    }

    fn find(&self, key: &Key) -> Option<Decision> {
        self.shard(&key.unit)?.find(key)
    }

    fn keep(&self, key: Key, decision: Decision) {
        if let Some(mut shard) = self.shard(&key.unit) {
            shard.keep(key, decision);
        }
    }

    /// A unit's decisions are in one shard: there its share is counted.
    fn shard(&self, unit: &UnitName) -> Option<MutexGuard<'_, Shard>> {
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let place = usize::try_from(self.hasher.hash_one(unit) % shards).ok()?;
        self.shards.get(place).map(locked)
    }
}

/// Units of one group are given the same: what they are given is kept once.
fn shared<T: Eq + Hash>(answers: &Mutex<HashSet<Arc<T>>>, answer: T) -> Arc<T> {
    let answer = Arc::new(answer);
    let mut answers = locked(answers);
    if let Some(known) = answers.get(&answer) {
        return Arc::clone(known);
    }
    if answers.len() >= ANSWERS_MAX {
        answers.clear();
    }
    answers.insert(Arc::clone(&answer));
    answer
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Some units' decisions. What was not asked for since the hand came by goes (CLOCK): of a unit with a full share its
/// own decisions, of a full shard whole units.
#[derive(Default)]
struct Shard {
    units: HashMap<UnitName, Share>,
    hand: VecDeque<UnitName>,
    decisions: usize,
}

/// One unit's decisions.
#[derive(Default)]
struct Share {
    kept: HashMap<Key, Kept>,
    hand: VecDeque<Key>,
    used: bool,
}

struct Kept {
    decision: Decision,
    used: bool,
}

impl Shard {
    fn find(&mut self, key: &Key) -> Option<Decision> {
        let share = self.units.get_mut(&key.unit)?;
        let kept = share.kept.get_mut(key)?;
        (share.used, kept.used) = (true, true);
        Some(kept.decision.clone())
    }

    fn keep(&mut self, key: Key, decision: Decision) {
        let unit = key.unit.clone();
        if !self.units.contains_key(&unit) {
            self.hand.push_back(unit.clone());
        }
        let share = self.units.entry(unit.clone()).or_default();
        let before = share.kept.len();
        share.keep(key, decision);
        self.decisions = self.decisions + share.kept.len() - before;
        while self.decisions > SHARD_DECISIONS_MAX {
            self.evict(&unit);
        }
    }

    /// Lets one unit's decisions go, or passes over it. A share is far smaller than a shard, so another is found.
    fn evict(&mut self, newest: &UnitName) {
        let Some(unit) = self.hand.pop_front() else {
            self.decisions = 0;
            return;
        };
        match self.units.get_mut(&unit) {
            Some(share) if share.used || unit == *newest => {
                share.used = false;
                self.hand.push_back(unit);
            }
            _ => {
                let gone = self.units.remove(&unit);
                self.decisions -= gone.map_or(0, |share| share.kept.len());
            }
        }
    }
}

impl Share {
    fn keep(&mut self, key: Key, decision: Decision) {
        let kept = Kept {
            decision,
            used: false,
        };
        if self.kept.insert(key.clone(), kept).is_some() {
            return;
        }
        self.hand.push_back(key);
        while self.kept.len() > UNIT_DECISIONS_MAX {
            let Some(oldest) = self.hand.pop_front() else {
                return;
            };
            match self.kept.get_mut(&oldest) {
                Some(kept) if kept.used => {
                    kept.used = false;
                    self.hand.push_back(oldest);
                }
                _ => {
                    self.kept.remove(&oldest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(unit: usize, purpose: usize) -> Key {
        Key {
            verb: Verb::Detokenize,
            unit: UnitName::parse(&format!("unit-{unit}")).unwrap(),
            registered: [0; 32],
            gateway: None,
            proof: Proof::MutualTls,
            resource: Resource::Domain(DomainName::parse("domain").unwrap()),
            purpose: Some(Purpose::parse(&format!("p{purpose}")).unwrap()),
            delivery: Some("inline"),
        }
    }

    /// Asks, and says whether it had to be decided.
    fn decided(cache: &Cache, key: Key) -> bool {
        let mut decided = false;
        cache.views(key, || {
            decided = true;
            BTreeMap::new()
        });
        decided
    }

    fn kept(cache: &Cache) -> usize {
        let shards = cache.shards.iter();
        shards
            .map(|shard| {
                let shard = locked(shard);
                let counted: usize = shard.units.values().map(|share| share.kept.len()).sum();
                assert_eq!(counted, shard.decisions);
                assert_eq!(shard.units.len(), shard.hand.len());
                for share in shard.units.values() {
                    assert_eq!(share.kept.len(), share.hand.len());
                }
                counted
            })
            .sum()
    }

    #[test]
    fn a_decision_is_made_once() {
        let cache = Cache::default();
        assert!(decided(&cache, key(0, 0)));
        assert!(!decided(&cache, key(0, 0)));
    }

    #[test]
    fn other_facts_of_a_unit_are_decided_on_anew() {
        let cache = Cache::default();
        assert!(decided(&cache, key(0, 0)));
        let changed = Key {
            registered: [1; 32],
            ..key(0, 0)
        };
        assert!(decided(&cache, changed.clone()));
        assert!(!decided(&cache, changed));
    }

    // A purpose is what the unit says: whoever varies it must neither fill the memory nor push others out.
    #[test]
    fn a_flood_of_purposes_costs_nobody_else_a_decision() {
        let cache = Cache::default();
        for unit in 1..200 {
            assert!(decided(&cache, key(unit, 0)));
        }
        for purpose in 0..100_000 {
            decided(&cache, key(0, purpose));
        }
        assert_eq!(kept(&cache), 199 + UNIT_DECISIONS_MAX);
        for unit in 1..200 {
            assert!(!decided(&cache, key(unit, 0)), "{unit}");
        }
    }

    #[test]
    fn a_flood_of_purposes_leaves_the_unit_what_it_uses() {
        let cache = Cache::default();
        decided(&cache, key(0, 0));
        for purpose in 1..10_000 {
            assert!(!decided(&cache, key(0, 0)), "{purpose}");
            decided(&cache, key(0, purpose));
        }
    }

    #[test]
    fn ten_thousand_units_are_kept_and_more_stay_within_the_bound() {
        let cache = Cache::default();
        for unit in 0..10_000 {
            for purpose in 0..4 {
                decided(&cache, key(unit, purpose));
            }
        }
        let again = (0..10_000).filter(|unit| decided(&cache, key(*unit, 0)));
        assert_eq!(again.count(), 0);
        for unit in 10_000..40_000 {
            for purpose in 0..4 {
                decided(&cache, key(unit, purpose));
            }
        }
        assert!(kept(&cache) <= SHARDS * SHARD_DECISIONS_MAX);
    }

    #[test]
    fn a_unit_that_asks_stays_while_others_come_and_go() {
        let cache = Cache::default();
        decided(&cache, key(0, 0));
        for unit in 1..100_000 {
            decided(&cache, key(unit, 0));
            assert!(!decided(&cache, key(0, 0)), "{unit}");
        }
    }
}
