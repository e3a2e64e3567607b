//! Keys, grants and proposals that nobody has made: of each what policies of the set could tell apart.

use std::collections::BTreeSet;

use kms::{KeyId, KeyKind};

use super::Study;
use crate::model::{
    ClassName, Compartment, DomainName, Grant, GrantId, GrantTerms, KeyAlias, KeyRecord, Level,
    Proposal, ProposedAct, Tags, Timestamp, Unit, UnitName, VAULT,
};

impl Study {
    /// Keys of each owner, kind and tag that policies could tell apart.
    pub(super) fn made_up_keys(&self, unit: &Unit) -> Vec<KeyRecord> {
        let kinds: &[KeyKind] = if self.words.read("kind") || self.words.read("usage") {
            &KeyKind::ALL
        } else {
            &[KeyKind::Aes256]
        };
        let others = self.registry.units();
        let other = others.map(|other| other.name.as_str());
        let other = other.filter(|name| *name != unit.name.as_str()).take(1);
        let owners: Vec<&str> = [VAULT, unit.name.as_str()]
            .into_iter()
            .chain(other)
            .collect();
        let tags = self.words.texts("tags");
        let tags = tags.iter().filter_map(|tag| tag.split_once('='));
        let tags: Vec<Option<(&str, &str)>> = [None].into_iter().chain(tags.map(Some)).collect();
        let aliases = self.words.texts("aliases");
        let aliases = aliases.iter().filter_map(|name| KeyAlias::parse(name).ok());
        let aliases: BTreeSet<KeyAlias> = aliases.collect();
        let mut keys = Vec::new();
        for owner in owners {
            for kind in kinds {
                for tag in &tags {
                    let Ok(id) = KeyId::random() else {
                        continue;
                    };
                    let mut key = KeyRecord::wished(id, *kind, owner.to_owned());
                    let pairs = tag.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    key.tags = Tags::parse(pairs.into_iter().collect()).unwrap_or_default();
                    keys.push(key.clone());
                    if !aliases.is_empty() {
                        key.aliases.clone_from(&aliases);
                        keys.push(key);
                    }
                }
            }
        }
        keys
    }

    /// The unit's own grant, and another's.
    pub(super) fn made_up_grants(&self, unit: &Unit) -> Vec<Grant> {
        let other = self.other_than(unit);
        let (Some(place), Some(purpose)) =
            (self.places().into_iter().next(), self.unspoken.clone())
        else {
            return Vec::new();
        };
        let grant = |owner: &UnitName| {
            let (domain, class): (DomainName, ClassName) =
                (place.domain.clone(), place.class.clone());
            Grant {
                id: GrantId([0; 32]),
                terms: GrantTerms {
                    unit: owner.clone(),
                    domain,
                    purpose: purpose.clone(),
                    classes: [class].into(),
                    values_max: 1,
                    ttl: std::time::Duration::from_secs(1),
                },
                approvals: 1,
                approved_by: Vec::new(),
                spent: 0,
                asked: Timestamp(0),
                ends: None,
                revoked: false,
            }
        };
        [&unit.name].into_iter().chain(other).map(grant).collect()
    }

    /// The unit's own proposals and another's, each with the unit as it would be.
    pub(super) fn made_up_proposals(&self, unit: &Unit) -> Vec<(Proposal, Unit)> {
        let acts: &[ProposedAct] = if self.words.read("act") {
            &[
                ProposedAct::Register,
                ProposedAct::Change,
                ProposedAct::Resume,
            ]
        } else {
            &[ProposedAct::Change]
        };
        let mut proposals = Vec::new();
        for wished in self.made_up_units(unit) {
            for owner in [&unit.name].into_iter().chain(self.other_than(unit)) {
                proposals.extend(acts.iter().map(|act| {
                    let proposal = Proposal::wished(&wished, owner.clone());
                    (
                        Proposal {
                            act: *act,
                            ..proposal
                        },
                        wished.clone(),
                    )
                }));
            }
        }
        proposals
    }

    /// Units with nothing, with one thing that policies speak of, and with all of it; and this one as it is.
    fn made_up_units(&self, unit: &Unit) -> Vec<Unit> {
        let mut bare = unit.clone();
        bare.clearance = Level(0);
        bare.groups.clear();
        bare.compartments.clear();
        let mut whole = bare.clone();
        let mut units = vec![unit.clone(), bare.clone()];
        let mut with = |alter: &dyn Fn(&mut Unit)| {
            let mut one = bare.clone();
            alter(&mut one);
            alter(&mut whole);
            units.push(one);
        };
        for group in self.words.texts("groups") {
            with(&|unit| {
                unit.groups.insert(group.clone());
            });
        }
        for word in self.words.texts("compartments") {
            if let Ok(compartment) = Compartment::parse(&word) {
                with(&|unit| {
                    unit.compartments.insert(compartment.clone());
                });
            }
        }
        let levels = (0..=u8::MAX).zip(self.catalogue.levels()).skip(1);
        for (level, _) in levels {
            with(&|unit| unit.clearance = Level(level));
        }
        units.push(whole);
        for name in self.words.texts("name") {
            let named = UnitName::parse(&name).map(|name| Unit {
                name,
                ..bare.clone()
            });
            units.extend(named.ok());
        }
        units
    }

    /// One other unit of the registry.
    fn other_than(&self, unit: &Unit) -> Option<&UnitName> {
        let mut others = self.registry.units().map(|other| &other.name);
        others.find(|name| **name != unit.name)
    }
}
