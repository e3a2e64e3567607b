//! Requests that policies can tell apart. Units that no policy names and that have the same clearance, compartments
//! and groups are one; so are classes; so are purposes that no policy speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{Authorizer, Effect, EntityTypeName, PolicySet};

use super::{Facts, Place, Study};
use crate::identity::Proof;
use crate::model::{DataClass, Domain, Gateway, Purpose, Unit};
use crate::policy::entities::Question;
use crate::policy::{Asker, TICKET};

/// How a request comes, as far as a policy looks at it.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) gateway: Option<Arc<Gateway>>,
    pub(super) proof: Proof,
    pub(super) delivery: &'static str,
}

impl Way {
    /// What tells it from the plainest one.
    pub(super) fn label(&self) -> String {
        let mut words = Vec::new();
        if let Some(gateway) = &self.gateway {
            words.push(format!("through {}", gateway.name));
        } else if self.proof != Proof::MutualTls {
            words.push(self.proof.as_str().to_owned());
        }
        if self.delivery != "inline" {
            words.push(self.delivery.to_owned());
        }
        words.join(", ")
    }
}

/// Which parts of the context an action takes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Shape {
    pub(super) purpose: bool,
    pub(super) delivery: bool,
}

/// Which policies are satisfied by a request, and which fail.
#[derive(Default)]
pub(super) struct Matched {
    pub(super) permits: BTreeSet<String>,
    pub(super) forbids: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
}

impl Matched {
    // INVARIANT 9: deny wins, no matching policy is a denial, and so is one that fails.
    pub(super) fn permitted(&self) -> bool {
        !self.permits.is_empty() && self.forbids.is_empty() && self.failed.is_empty()
    }
}

/// The policies that can decide about an action of a unit, permits and forbids apart: Cedar names what it
/// decided by, and where something forbids it does not name what permits.
pub(super) struct Halves {
    permits: PolicySet,
    forbids: PolicySet,
}

impl Halves {
    pub(super) fn matched(&self, question: &Question) -> Matched {
        let mut matched = Matched::default();
        let Question { request, entities } = question;
        for (policies, satisfied) in [
            (&self.permits, &mut matched.permits),
            (&self.forbids, &mut matched.forbids),
        ] {
            let answer = Authorizer::new().is_authorized(request, policies, entities);
            let text = |id: &cedar_policy::PolicyId| AsRef::<str>::as_ref(id).to_owned();
            satisfied.extend(answer.diagnostics().reason().map(text));
            let errors = answer.diagnostics().errors();
            let failed = errors.map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                    text(error.policy_id())
                }
            });
            matched.failed.extend(failed);
        }
        matched
    }
}

impl Study {
    pub(super) fn halves(&self, action: &str, unit: &Unit) -> Halves {
        let live = self.policies.live();
        let half = |effect: Effect| {
            let slices = live.set.slices();
            slices.narrow(action, unit, |policy| policy.effect() == effect)
        };
        Halves {
            permits: half(Effect::Permit),
            forbids: half(Effect::Forbid),
        }
    }

    /// The ways that a policy of the set could tell apart.
    pub(super) fn told_apart(&self) -> Vec<Way> {
        let reads = |attribute: &str| self.words.read(attribute);
        let deliveries: &[&'static str] = if reads("delivery") {
            &["inline", "sealed", TICKET]
        } else {
            &["inline"]
        };
        let mut comings = vec![(None, Proof::MutualTls)];
        if reads("proof") {
            comings.push((None, Proof::AccessToken));
        }
        if reads("gateway") {
            let gateways = self.registry.gateways();
            comings.extend(gateways.map(|gateway| (Some(Arc::clone(gateway)), Proof::AccessToken)));
        }
        let mut ways = Vec::new();
        for (gateway, proof) in comings {
            ways.extend(deliveries.iter().map(|delivery| Way {
                gateway: gateway.clone(),
                proof,
                delivery,
            }));
        }
        ways
    }

    /// The purposes that policies about this action and unit tell apart: those that they speak of, and one more.
    pub(super) fn purposes(&self, action: &str, unit: &Unit) -> BTreeSet<Purpose> {
        let live = self.policies.live();
        let mut purposes: BTreeSet<Purpose> = self.unspoken.clone().into_iter().collect();
        let mut patterns = false;
        for id in live.set.slices().ids(action, unit) {
            let Some(words) = self.words.policy(id.as_ref()) else {
                continue;
            };
            patterns |= words.matches("purpose");
            let spoken = words.texts("purpose");
            purposes.extend(spoken.filter_map(|word| Purpose::parse(word).ok()));
        }
        if patterns {
            let spoken = self.words.texts("purpose");
            let all = spoken.iter().chain(&self.tested);
            purposes.extend(all.filter_map(|word| Purpose::parse(word).ok()));
        }
        purposes
    }

    /// The actions on a kind of resource, as the schema has them.
    pub(super) fn actions_on(&self, kind: &str) -> BTreeSet<String> {
        let live = self.policies.live();
        let named = |name: &str| name.parse::<EntityTypeName>().ok();
        let (Some(unit), Some(kind)) = (named("Jinku::Unit"), named(kind)) else {
            return BTreeSet::new();
        };
        let schema = live.set.vocabulary().schema();
        let actions = schema.actions_for_principal_and_resource(&unit, &kind);
        actions
            .map(|action| action.id().unescaped().to_owned())
            .collect()
    }

    /// Units that policies can tell apart, each with the others that are like it.
    pub(super) fn profiles(&self) -> Vec<Vec<Arc<Unit>>> {
        let named = self.words.entities("Jinku::Unit");
        let mut profiles: BTreeMap<_, Vec<Arc<Unit>>> = BTreeMap::new();
        for unit in self.registry.units() {
            let name = unit.name.as_str();
            let key = (
                unit.clearance.0,
                unit.compartments.clone(),
                unit.groups.clone(),
                named.contains(name).then(|| name.to_owned()),
            );
            profiles.entry(key).or_default().push(Arc::clone(unit));
        }
        profiles.into_values().collect()
    }

    /// Classes that policies can tell apart, each with the others that are like it.
    pub(super) fn classes(&self) -> Vec<Vec<Place>> {
        let named = self.words.entities("Jinku::DataClass");
        let by_domain = self.words.read("domain");
        let mut like: BTreeMap<_, Vec<Place>> = BTreeMap::new();
        for place in self.places() {
            let Some(class) = self.catalogue.class(&place.class) else {
                continue;
            };
            let name = place.class.as_str();
            let key = (
                class.level.0,
                class.compartments.clone(),
                named.contains(name).then(|| name.to_owned()),
                by_domain.then(|| place.domain.clone()),
            );
            like.entry(key).or_default().push(place);
        }
        like.into_values().collect()
    }

    pub(super) fn found(&self, place: &Place) -> Option<(&Domain, &DataClass)> {
        let domain = self.catalogue.domain(&place.domain)?;
        let class = self.catalogue.class(&place.class)?;
        domain
            .classes
            .contains(&place.class)
            .then_some((domain, class))
    }

    /// What an action on classes takes; `None` where the schema has no such action.
    pub(super) fn shape(&self, action: &str) -> Option<Shape> {
        self.shapes.get(action).copied()
    }

    /// The same, tried out.
    pub(super) fn shape_of(&self, action: &str) -> Option<Shape> {
        let unit = self.registry.units().next()?;
        let places = self.places();
        let place = places.first()?;
        let facts = Facts {
            unit: Unit::clone(unit),
            gateway: None,
            proof: Proof::MutualTls,
            purpose: self.unspoken.clone(),
            delivery: "inline",
        };
        let shapes = [(true, true), (true, false), (false, false)];
        shapes
            .map(|(purpose, delivery)| Shape { purpose, delivery })
            .into_iter()
            .find(|shape| self.question(action, &facts, place, *shape).is_some())
    }

    /// A question about a class, with as much of the facts as the action takes.
    pub(super) fn question(
        &self,
        action: &str,
        facts: &Facts,
        place: &Place,
        shape: Shape,
    ) -> Option<Question> {
        let live = self.policies.live();
        let (domain, class) = self.found(place)?;
        let asker = shaped(facts, shape);
        Question::of_class(action, asker, domain, class, live.set.vocabulary())
    }
}

pub(super) fn shaped(facts: &Facts, shape: Shape) -> Asker<'_> {
    let asker = facts.asker();
    Asker {
        purpose: asker.purpose.filter(|_| shape.purpose),
        delivery: shape.delivery.then_some(facts.delivery),
        ..asker
    }
}
