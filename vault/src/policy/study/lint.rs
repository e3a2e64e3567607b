//! Policies that decide nothing, over all requests that can be told apart: never satisfied, always forbidden, or
//! permitted by another all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::Effect;

use super::cells::{Matched, Shape, shaped};
use super::{Facts, Place, Study, StudyError, spelling};
use crate::identity::Proof;
use crate::model::{Purpose, RouteName, Unit};
use crate::policy::Asker;
use crate::policy::carry::{self, Carriage};
use crate::policy::entities::{Question, Vocabulary};

/// Most requests that are looked at.
pub(super) const CELLS_MAX: u64 = 2_000_000;

/// Asks about what there is one of.
type Ask = fn(&str, Asker<'_>, &Vocabulary) -> Option<Question>;

/// What there is one of, by the schema's name.
const SERVICES: [(&str, Ask); 3] = [
    ("Jinku::KeyService", |action, asker, vocabulary| {
        Question::of_key(action, asker, None, vocabulary)
    }),
    ("Jinku::PolicyService", Question::of_policies),
    ("Jinku::UnitRegistry", Question::of_registry),
];

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Weight {
    /// It is wrong, or decides nothing.
    Fault,
    /// It may be meant so.
    Remark,
}

/// Something odd in a set.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// Its stable code, for example `never-matches`.
    pub code: &'static str,
    /// The policy's or template's `@id`, or empty.
    pub policy: String,
    /// What it is.
    pub text: String,
}

/// What was seen of one policy.
#[derive(Default)]
struct Seen {
    /// Requests that satisfied it.
    matched: u64,
    /// Of those, the ones that nothing forbade.
    open: u64,
    /// Forbids that were satisfied with it.
    forbids: BTreeSet<String>,
    /// Permits that were satisfied with it each time.
    beside: Option<BTreeSet<String>>,
}

/// The walk over all requests.
struct Walk<'a> {
    study: &'a Study,
    /// One of each that can be told apart.
    places: Vec<Place>,
    units: Vec<Arc<Unit>>,
    seen: BTreeMap<String, Seen>,
    cells: u64,
}

impl Study {
    /// What is odd in the set, faults first.
    pub fn lint(&self) -> Result<Vec<Finding>, StudyError> {
        let mut findings = spelling::findings(self);
        match self.walked() {
            Ok(walk) => findings.extend(walk.findings()),
            Err(StudyError::TooMany { max }) => findings.push(Finding {
                weight: Weight::Remark,
                code: "not-walked",
                policy: String::new(),
                text: format!(
                    "more than {max} requests can be told apart: what decides nothing was not looked for"
                ),
            }),
            Err(error) => return Err(error),
        }
        findings.sort();
        Ok(findings)
    }

    fn walked(&self) -> Result<Walk<'_>, StudyError> {
        let first = |like: Vec<Arc<Unit>>| like.into_iter().next();
        let classes = self.classes().into_iter();
        let mut walk = Walk {
            study: self,
            places: classes.filter_map(|like| like.into_iter().next()).collect(),
            units: self.profiles().into_iter().filter_map(first).collect(),
            seen: BTreeMap::new(),
            cells: 0,
        };
        // Where they alone are too many, nobody waits to hear it.
        let targets = u64::try_from(walk.units.len()).unwrap_or(u64::MAX);
        if targets.saturating_mul(targets) > CELLS_MAX {
            return Err(StudyError::TooMany { max: CELLS_MAX });
        }
        for unit in walk.units.clone() {
            walk.on_classes(&unit)?;
            walk.on_units(&unit)?;
            walk.on_keys(&unit)?;
            walk.on_services(&unit)?;
            walk.on_proposals(&unit)?;
            walk.on_grants(&unit)?;
            walk.on_carriages(&unit)?;
        }
        Ok(walk)
    }

    /// The kinds of resource that the policy can be about.
    pub(super) fn kinds_of(&self, id: &str) -> BTreeSet<String> {
        let live = self.policies.live();
        let Some(policy) = live.set.policies().policy(&cedar_policy::PolicyId::new(id)) else {
            return BTreeSet::new();
        };
        let envs = policy.get_valid_request_envs(live.set.vocabulary().schema());
        envs.map(|env| env.resource().to_string()).collect()
    }
}

impl Walk<'_> {
    fn on_classes(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        for (action, shape) in &study.shapes {
            let halves = study.halves(action, unit);
            for facts in study.all_facts(action, unit, *shape) {
                for place in self.places.clone() {
                    let question = study.question(action, &facts, &place, *shape);
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    fn on_units(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        for action in study.actions_on("Jinku::Unit") {
            let halves = study.halves(&action, unit);
            for target in self.units.clone() {
                for (facts, shape) in study.plain_facts(&action, unit) {
                    let asker = shaped(&facts, shape);
                    let question =
                        Question::of_unit(&action, asker, &target, live.set.vocabulary());
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    fn on_keys(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        let keys = study.made_up_keys(unit);
        for action in study.actions_on("Jinku::Key") {
            let halves = study.halves(&action, unit);
            for (facts, shape) in study.plain_facts(&action, unit) {
                let asker = shaped(&facts, shape);
                for key in &keys {
                    let vocabulary = live.set.vocabulary();
                    let question = Question::of_key(&action, asker, Some(key), vocabulary);
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    /// What there is one of.
    fn on_services(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        for (kind, ask) in SERVICES {
            for action in study.actions_on(kind) {
                let halves = study.halves(&action, unit);
                for (facts, shape) in study.plain_facts(&action, unit) {
                    let asker = shaped(&facts, shape);
                    let question = ask(&action, asker, live.set.vocabulary());
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    fn on_proposals(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        let proposals = study.made_up_proposals(unit);
        for action in study.actions_on("Jinku::UnitProposal") {
            let halves = study.halves(&action, unit);
            for (facts, shape) in study.plain_facts(&action, unit) {
                let asker = shaped(&facts, shape);
                for (proposal, wished) in &proposals {
                    let vocabulary = live.set.vocabulary();
                    let question =
                        Question::of_proposal(&action, asker, proposal, wished, vocabulary);
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    fn on_grants(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        for action in study.actions_on("Jinku::Grant") {
            let halves = study.halves(&action, unit);
            for grant in study.made_up_grants(unit) {
                for (facts, shape) in study.plain_facts(&action, unit) {
                    let asker = shaped(&facts, shape);
                    let question =
                        Question::of_grant(&action, asker, &grant, live.set.vocabulary());
                    self.note(question.map(|question| halves.matched(&question)))?;
                }
            }
        }
        Ok(())
    }

    /// Whoever carries the unit, by each of the routes that policies speak of and by another one.
    fn on_carriages(&mut self, unit: &Arc<Unit>) -> Result<(), StudyError> {
        let study = self.study;
        let live = study.policies.live();
        let halves = study.halves(carry::ACTION, unit);
        let routes = study.words.texts("route");
        let routes: Vec<_> = routes
            .iter()
            .filter_map(|route| RouteName::parse(route).ok())
            .collect();
        for gateway in study.registry.gateways() {
            for route in [None].into_iter().chain(routes.iter().map(Some)) {
                let carriage = Carriage {
                    gateway,
                    unit,
                    proof: Proof::AccessToken,
                    route,
                };
                let question = Question::of_carriage(carriage, live.set.vocabulary());
                self.note(question.map(|question| halves.matched(&question)))?;
            }
        }
        Ok(())
    }

    fn note(&mut self, matched: Option<Matched>) -> Result<(), StudyError> {
        self.cells += 1;
        if self.cells > CELLS_MAX {
            return Err(StudyError::TooMany { max: CELLS_MAX });
        }
        let Some(matched) = matched else {
            return Ok(());
        };
        for id in &matched.forbids {
            self.seen.entry(id.clone()).or_default().matched += 1;
        }
        for id in &matched.permits {
            let seen = self.seen.entry(id.clone()).or_default();
            seen.matched += 1;
            seen.open += u64::from(matched.forbids.is_empty());
            seen.forbids.extend(matched.forbids.iter().cloned());
            let others = |id: &String| matched.permits.contains(id);
            match &mut seen.beside {
                Some(beside) => beside.retain(others),
                none => *none = Some(matched.permits.clone()),
            }
        }
        Ok(())
    }

    fn findings(&self) -> Vec<Finding> {
        let live = self.study.policies.live();
        let mut findings = Vec::new();
        for policy in live.set.policies().policies() {
            let id: &str = policy.id().as_ref();
            let never = Seen::default();
            let seen = self.seen.get(id).unwrap_or(&never);
            if seen.matched == 0 {
                findings.push(self.never(id, policy.effect()));
            } else if policy.effect() == Effect::Permit {
                findings.extend(self.idle(id, seen));
            }
        }
        findings
    }

    /// No request satisfies it. Of keys, grants and proposals, not all can be made up.
    fn never(&self, id: &str, effect: Effect) -> Finding {
        let kinds = self.study.kinds_of(id);
        let services = || SERVICES.iter().map(|(kind, _)| *kind);
        let known = |kind: &String| {
            let mut whole = ["Jinku::DataClass", "Jinku::Unit"].into_iter();
            whole.any(|known| known == kind) || services().any(|known| known == kind)
        };
        let whole = kinds.iter().all(known);
        let (weight, text) = match effect {
            _ if !whole => (
                Weight::Remark,
                "no request about a made-up key, grant or proposal satisfies it".to_owned(),
            ),
            Effect::Permit => (
                Weight::Fault,
                "it never matches: no unit, class and purpose of the installation satisfies it"
                    .to_owned(),
            ),
            Effect::Forbid => (
                Weight::Remark,
                "no unit, class and purpose of the installation is forbidden by it".to_owned(),
            ),
        };
        Finding {
            weight,
            code: "never-matches",
            policy: id.to_owned(),
            text,
        }
    }

    fn idle(&self, id: &str, seen: &Seen) -> Option<Finding> {
        if seen.open == 0 {
            let by: Vec<&str> = seen.forbids.iter().map(String::as_str).collect();
            return Some(Finding {
                weight: Weight::Fault,
                code: "always-forbidden",
                policy: id.to_owned(),
                text: format!("whatever it permits is forbidden by {}", by.join(", ")),
            });
        }
        // Of two that are the same, the one whose name comes later is said to be the other's twin.
        let beside = seen.beside.iter().flatten();
        let implies = |other: &&String| {
            let back = self.seen.get(*other).and_then(|seen| seen.beside.as_ref());
            let twin = back.is_some_and(|back| back.contains(id));
            other.as_str() != id && (!twin || other.as_str() < id)
        };
        let other = beside.into_iter().find(implies)?;
        Some(Finding {
            weight: Weight::Fault,
            code: "implied",
            policy: id.to_owned(),
            text: format!(
                "`{other}` permits all that it permits, for the installation's units and classes"
            ),
        })
    }
}

impl Study {
    /// The facts that policies about this action and unit tell apart.
    pub(super) fn all_facts(&self, action: &str, unit: &Unit, shape: Shape) -> Vec<Facts> {
        let purposes: Vec<Option<Purpose>> = if shape.purpose {
            self.purposes(action, unit).into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        let mut facts = Vec::new();
        for way in &self.ways {
            if !shape.delivery && way.delivery != "inline" {
                continue;
            }
            facts.extend(purposes.iter().map(|purpose| Facts {
                unit: unit.clone(),
                gateway: way.gateway.clone(),
                proof: way.proof,
                purpose: purpose.clone(),
                delivery: way.delivery,
            }));
        }
        facts
    }

    /// The same for actions that are not on classes: a purpose may be stated, or not.
    fn plain_facts(&self, action: &str, unit: &Unit) -> Vec<(Facts, Shape)> {
        let mut all = Vec::new();
        for purpose in [false, true] {
            let delivery = false;
            let shape = Shape { purpose, delivery };
            let facts = self.all_facts(action, unit, shape);
            all.extend(facts.into_iter().map(|facts| (facts, shape)));
        }
        all
    }

    /// A request as most come.
    pub(super) fn plainest(unit: &Unit, purpose: Option<Purpose>) -> Facts {
        Facts {
            unit: unit.clone(),
            gateway: None,
            proof: Proof::MutualTls,
            purpose,
            delivery: "inline",
        }
    }
}
