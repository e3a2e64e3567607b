//! Why a request is decided as it is, and which single fact would have it decided otherwise. Each such fact was tried.

use std::collections::BTreeSet;

use super::cells::Matched;
use super::{Facts, Place, Study, StudyError};
use crate::identity::Proof;
use crate::model::{ClassName, Compartment, DomainName, Level, Purpose, Unit, View};
use crate::policy::{TICKET, action_name};

/// What is asked with the action `detokenize`: the strongest view.
const SEE: &str = "detokenize";

/// How a request is decided, and by what.
pub struct Explained {
    /// A view, `permitted` or `denied`.
    pub answer: String,
    /// Each question to Cedar, in the order in which they are asked, to the first that is permitted.
    pub asked: Vec<Asked>,
    /// Single facts that change the answer, what widens it first.
    pub hints: Vec<Hint>,
}

/// One question to Cedar.
pub struct Asked {
    /// The action of the schema.
    pub action: String,
    /// Whether it is permitted.
    pub permitted: bool,
    /// Policies that permit it.
    pub permits: Vec<String>,
    /// Policies that forbid it.
    pub forbids: Vec<String>,
    /// Policies that can't be evaluated: then nothing is permitted.
    pub failed: Vec<String>,
}

/// One fact, and the answer that it would lead to.
#[derive(Debug, Eq, PartialEq)]
pub struct Hint {
    /// The fact.
    pub change: String,
    /// The answer.
    pub answer: String,
    /// Whether that is more than now.
    pub wider: bool,
}

impl Study {
    /// Explains how `action` on a class is decided: `detokenize`, `tokenize`, or an action of the schema.
    pub fn explain(
        &self,
        facts: &Facts,
        action: &str,
        (domain, class): (&DomainName, &ClassName),
    ) -> Result<Explained, StudyError> {
        let place = Place {
            domain: domain.clone(),
            class: class.clone(),
        };
        self.found(&place).ok_or_else(|| StudyError::Unknown {
            what: "class in the domain",
            name: class.to_string(),
        })?;
        let action = if action == "tokenize" {
            "Tokenize"
        } else {
            action
        };
        if action != SEE && self.shape(action).is_none() {
            return Err(StudyError::Unknown {
                what: "action on classes",
                name: action.to_owned(),
            });
        }
        let (answer, asked) = self.decided(facts, action, &place);
        let mut hints = Vec::new();
        for (change, other) in self.others(facts, &place) {
            let (found, _) = self.decided(&other, action, &place);
            if found != answer {
                let wider = rank(&found) > rank(&answer);
                hints.push(Hint {
                    change,
                    answer: found,
                    wider,
                });
            }
        }
        hints.sort_by_key(|hint| !hint.wider);
        Ok(Explained {
            answer,
            asked,
            hints,
        })
    }

    fn decided(&self, facts: &Facts, action: &str, place: &Place) -> (String, Vec<Asked>) {
        let questions: Vec<(String, String)> = if action == SEE {
            let views = View::STRONGEST_FIRST;
            let views = views.map(|view| (action_name(view).to_owned(), view.to_string()));
            views.into()
        } else {
            vec![(action.to_owned(), "permitted".to_owned())]
        };
        let mut asked = Vec::new();
        for (action, answer) in questions {
            let one = self.asked(facts, action, place);
            let permitted = one.permitted;
            asked.push(one);
            if permitted {
                return (answer, asked);
            }
        }
        ("denied".to_owned(), asked)
    }

    fn asked(&self, facts: &Facts, action: String, place: &Place) -> Asked {
        let shape = self.shape(&action);
        let question = shape.and_then(|shape| self.question(&action, facts, place, shape));
        let halves = self.halves(&action, &facts.unit);
        let matched = question.map_or_else(Matched::default, |question| halves.matched(&question));
        Asked {
            permitted: matched.permitted(),
            action,
            permits: matched.permits.into_iter().collect(),
            forbids: matched.forbids.into_iter().collect(),
            failed: matched.failed.into_iter().collect(),
        }
    }

    /// The same request with one fact changed, for each fact that could be.
    fn others(&self, facts: &Facts, place: &Place) -> Vec<(String, Facts)> {
        let mut others = Vec::new();
        self.other_purposes(facts, &mut others);
        self.other_units(facts, place, &mut others);
        self.other_ways(facts, &mut others);
        others
    }

    fn other_purposes(&self, facts: &Facts, others: &mut Vec<(String, Facts)>) {
        let spoken = self.words.texts("purpose");
        let spoken: BTreeSet<&String> = spoken.iter().chain(&self.tested).collect();
        for word in spoken {
            let Ok(purpose) = Purpose::parse(word) else {
                continue;
            };
            if facts.purpose.as_ref() != Some(&purpose) {
                let change = format!("the purpose `{purpose}`");
                let purpose = Some(purpose);
                others.push((
                    change,
                    Facts {
                        purpose,
                        ..facts.clone()
                    },
                ));
            }
        }
    }

    fn other_units(&self, facts: &Facts, place: &Place, others: &mut Vec<(String, Facts)>) {
        let mut with = |change: String, alter: &dyn Fn(&mut Unit)| {
            let mut other = facts.clone();
            alter(&mut other.unit);
            others.push((change, other));
        };
        let unit = &facts.unit;
        let Level(clearance) = unit.clearance;
        let steps = [clearance.checked_add(1), clearance.checked_sub(1)];
        for level in steps.into_iter().flatten() {
            if let Some(label) = self.catalogue.levels().get(usize::from(level)) {
                with(format!("the clearance `{label}`"), &|unit| {
                    unit.clearance = Level(level);
                });
            }
        }
        let class = self.found(place).map(|(_, class)| &class.compartments);
        let missing = class.into_iter().flatten();
        let missing: Vec<&Compartment> = missing
            .filter(|compartment| !unit.compartments.contains(*compartment))
            .collect();
        for compartment in missing {
            with(format!("the compartment `{compartment}`"), &|unit| {
                unit.compartments.insert(compartment.clone());
            });
        }
        for compartment in &unit.compartments {
            with(format!("no compartment `{compartment}`"), &|unit| {
                unit.compartments.remove(compartment);
            });
        }
        for group in self.words.texts("groups") {
            if !unit.groups.contains(&group) {
                with(format!("the group `{group}`"), &|unit| {
                    unit.groups.insert(group.clone());
                });
            }
        }
        for group in &unit.groups {
            with(format!("no group `{group}`"), &|unit| {
                unit.groups.remove(group);
            });
        }
    }

    fn other_ways(&self, facts: &Facts, others: &mut Vec<(String, Facts)>) {
        for delivery in ["inline", "sealed", TICKET] {
            if delivery != facts.delivery {
                let other = Facts {
                    delivery,
                    ..facts.clone()
                };
                others.push((format!("the delivery `{delivery}`"), other));
            }
        }
        let now = facts.gateway.as_ref().map(|gateway| &gateway.name);
        if now.is_some() {
            let gateway = None;
            let other = Facts {
                gateway,
                ..facts.clone()
            };
            others.push(("no gateway".to_owned(), other));
        }
        for gateway in self.registry.gateways() {
            if now != Some(&gateway.name) {
                let change = format!("the gateway `{}`", gateway.name);
                let gateway = Some(gateway.clone());
                let other = Facts {
                    gateway,
                    ..facts.clone()
                };
                others.push((change, other));
            }
        }
        for proof in [Proof::MutualTls, Proof::AccessToken] {
            if proof != facts.proof {
                let other = Facts {
                    proof,
                    ..facts.clone()
                };
                others.push((format!("the proof `{}`", proof.as_str()), other));
            }
        }
    }
}

/// How much an answer gives.
pub(super) fn rank(answer: &str) -> u8 {
    match answer {
        "plain" | "permitted" => 3,
        "masked" => 2,
        "token" => 1,
        _ => 0,
    }
}
