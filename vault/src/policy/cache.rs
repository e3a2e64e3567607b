//! Decisions, kept as long as their policy set lives. Every fact a decision depends on is in its key.
//!
//! A unit's facts are there as the digest of its document: a changed unit is decided anew, at once and alone. Of a
//! gateway Cedar sees the name only, classes do not change while the vault runs, and a new policy set comes with
//! an empty cache. What changes by the minute (time, address, rate) is for `admission`, not for Cedar.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kms::KeyId;

use super::Asker;
use crate::identity::Proof;
use crate::model::{ClassName, DomainName, GatewayName, KeyRecord, Purpose, UnitName, View};

/// Decisions kept at once; beyond it the cache begins anew.
const ENTRIES_MAX: usize = 4_096;

/// The facts of a decision.
#[derive(Eq, Hash, PartialEq)]
pub(super) struct Key {
    verb: Verb,
    unit: UnitName,
    /// What of it decides.
    registered: [u8; 32],
    gateway: Option<GatewayName>,
    proof: Proof,
    resource: Resource,
    purpose: Option<Purpose>,
    delivery: Option<&'static str>,
}

#[derive(Eq, Hash, PartialEq)]
enum Verb {
    Tokenize,
    Detokenize,
    Tokens(&'static str),
    Key(&'static str),
}

/// A key's facts change: its revision is part of what was decided on.
#[derive(Eq, Hash, PartialEq)]
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

/// Decisions of one policy set.
#[derive(Default)]
pub(super) struct Cache {
    classes: Mutex<HashMap<Key, Vec<ClassName>>>,
    views: Mutex<HashMap<Key, Vec<(ClassName, View)>>>,
    keys: Mutex<HashMap<Key, bool>>,
}

impl Cache {
    pub(super) fn classes(
        &self,
        key: Key,
        decide: impl FnOnce() -> Vec<ClassName>,
    ) -> Vec<ClassName> {
        kept(&self.classes, key, decide)
    }

    pub(super) fn views(
        &self,
        key: Key,
        decide: impl FnOnce() -> Vec<(ClassName, View)>,
    ) -> Vec<(ClassName, View)> {
        kept(&self.views, key, decide)
    }

    pub(super) fn key_act(&self, key: Key, decide: impl FnOnce() -> bool) -> bool {
        kept(&self.keys, key, decide)
    }
}

/// Deciding happens outside the lock: two may decide the same once, nobody waits for Cedar.
fn kept<T: Clone>(decisions: &Mutex<HashMap<Key, T>>, key: Key, decide: impl FnOnce() -> T) -> T {
    if let Some(known) = decisions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
    {
        return known.clone();
    }
    let decided = decide();
    let mut decisions = decisions.lock().unwrap_or_else(PoisonError::into_inner);
    if decisions.len() >= ENTRIES_MAX {
        decisions.clear();
    }
    decisions.insert(key, decided.clone());
    decided
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(purpose: usize) -> Key {
        Key {
            verb: Verb::Detokenize,
            unit: UnitName::parse("unit").unwrap(),
            registered: [0; 32],
            gateway: None,
            proof: Proof::MutualTls,
            resource: Resource::Domain(DomainName::parse("domain").unwrap()),
            purpose: Some(Purpose::parse(&format!("p{purpose}")).unwrap()),
            delivery: Some("inline"),
        }
    }

    #[test]
    fn a_decision_is_made_once() {
        let cache = Cache::default();
        let mut asked = 0;
        for _ in 0..2 {
            cache.views(key(0), || {
                asked += 1;
                Vec::new()
            });
        }
        assert_eq!(asked, 1);
    }

    // A purpose is what the unit says: whoever varies it must not fill the memory.
    #[test]
    fn the_cache_stays_within_its_bound() {
        let cache = Cache::default();
        for purpose in 0..=ENTRIES_MAX {
            cache.views(key(purpose), Vec::new);
            assert!(cache.views.lock().unwrap().len() <= ENTRIES_MAX);
        }
        assert_eq!(cache.views.lock().unwrap().len(), 1);
    }
}
