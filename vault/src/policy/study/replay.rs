//! What a set would have decided about acts of the past, as far as the ledger says what they were decided on.
//!
//! An entry holds the unit, the gateway, the domain, the purpose, and by its items classes and views. It does not hold
//! how the unit proved itself, in which form values left, what the unit's clearance, compartments and groups were (those of
//! today are taken), which classes a refused request was about, or anything of a key but its id. Where the set looks at
//! what is not held, every possibility is tried: one answer for all of them is an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{Entry, Item, ItemView, Operation, Outcome};

use super::cells::Way;
use super::{Facts, Place, Study};
use crate::identity::Proof;
use crate::model::{ClassName, DomainName, Gateway, GatewayName, Purpose, Unit, UnitName, View};
use crate::policy::{action_name, answers_yes};

/// An entry with its items.
pub struct PastAct<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Its items; none where it has none.
    pub items: &'a [Item],
}

/// What the set says of one act.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It would be decided as it was.
    Same,
    /// It would be decided otherwise.
    Otherwise {
        /// How it was.
        was: String,
        /// How it would be.
        would: String,
        /// On which class, where that is known.
        class: String,
    },
    /// The ledger does not hold what it was decided on.
    Unheld(&'static str),
    /// Policy did not decide it.
    NotPolicy,
}

/// An act and its verdict.
pub struct Replayed {
    /// The entry's index.
    pub seq: u64,
    /// What was done.
    pub operation: Operation,
    /// Who did it.
    pub unit: String,
    /// For which purpose.
    pub purpose: String,
    /// Gateway.
    pub gateway: String,
    /// One for each class that is decided otherwise, or a single one.
    pub verdicts: Vec<Verdict>,
}

impl Study {
    /// Decides an act anew.
    pub fn replay(&self, act: &PastAct<'_>) -> Replayed {
        let facts = &act.entry.facts;
        Replayed {
            seq: act.entry.seq,
            operation: facts.operation,
            unit: facts.unit.clone().unwrap_or_default(),
            purpose: facts.purpose.clone().unwrap_or_default(),
            gateway: facts.gateway.clone().unwrap_or_default(),
            verdicts: self.verdicts(act),
        }
    }

    fn verdicts(&self, act: &PastAct<'_>) -> Vec<Verdict> {
        let facts = &act.entry.facts;
        let Some(unit) = facts.unit.as_deref() else {
            return vec![Verdict::NotPolicy];
        };
        let by_policy = match facts.outcome {
            Outcome::Ok => true,
            Outcome::Denied => facts.reason.as_deref() == Some("not-permitted"),
            Outcome::Error => false,
        };
        if !by_policy {
            return vec![Verdict::NotPolicy];
        }
        let action = match action(facts.operation) {
            Ok(action) => action,
            Err(verdict) => return vec![verdict],
        };
        let unit = UnitName::parse(unit).ok();
        let Some(unit) = unit.and_then(|name| self.registry.unit(&name)) else {
            return vec![Verdict::Unheld("the unit is not registered any more")];
        };
        let Some(asked) = self.asked_then(act, unit) else {
            return vec![Verdict::Unheld(
                "the domain or gateway is not there any more",
            )];
        };
        match facts.outcome {
            Outcome::Denied => vec![self.refused_then(&asked, action)],
            _ => self.done_then(&asked, action, act.items),
        }
    }

    fn asked_then(&self, act: &PastAct<'_>, unit: &Arc<Unit>) -> Option<Then> {
        let facts = &act.entry.facts;
        let gateway = match facts.gateway.as_deref() {
            Some(name) => {
                let name = GatewayName::parse(name).ok()?;
                Some(Arc::clone(self.registry.gateway(&name)?))
            }
            None => None,
        };
        let domain = DomainName::parse(facts.domain.as_deref()?).ok()?;
        self.catalogue.domain(&domain)?;
        let purpose = facts.purpose.as_deref();
        Some(Then {
            unit: Arc::clone(unit),
            gateway,
            domain,
            purpose: purpose.and_then(|purpose| Purpose::parse(purpose).ok()),
            ticket: facts.operation == Operation::TicketIssue,
        })
    }

    /// What was given of each class, and what would be.
    fn done_then(&self, then: &Then, action: &str, items: &[Item]) -> Vec<Verdict> {
        let mut given: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for item in items {
            if let Some(word) = word(action, item.view) {
                given.entry(item.class.clone()).or_default().insert(word);
            }
        }
        if given.is_empty() {
            return vec![Verdict::Unheld(
                "none of its items names a class that something was done to",
            )];
        }
        let mut verdicts = Vec::new();
        for (class, words) in given {
            let place = ClassName::parse(&class).ok().map(|class| Place {
                domain: then.domain.clone(),
                class,
            });
            let would = place.and_then(|place| self.unanimous(then, action, &place));
            let Some(would) = would else {
                let cause = "the set looks at how the unit proved itself, or how values left";
                return vec![Verdict::Unheld(cause)];
            };
            for was in words.into_iter().filter(|was| *was != would) {
                verdicts.push(Verdict::Otherwise {
                    was: was.to_owned(),
                    would: would.to_owned(),
                    class: class.clone(),
                });
            }
        }
        if verdicts.is_empty() {
            verdicts.push(Verdict::Same);
        }
        verdicts
    }

    /// Its classes are not held: only what is so for the whole domain can be said.
    fn refused_then(&self, then: &Then, action: &str) -> Verdict {
        let places = self.places().into_iter();
        let places = places.filter(|place| place.domain == then.domain);
        let answers: Option<Vec<&str>> = places
            .map(|place| self.unanimous(then, action, &place))
            .collect();
        let Some(answers) = answers else {
            return Verdict::Unheld(
                "the set looks at how the unit proved itself, or how values left",
            );
        };
        let denied = |answer: &&str| *answer == "denied";
        if answers.iter().all(&denied) {
            return Verdict::Same;
        }
        // A request to see is refused as a whole only where nothing may be seen.
        if action == SEE || !answers.iter().any(&denied) {
            let shown = answers.iter().filter(|answer| !denied(answer)).count();
            return Verdict::Otherwise {
                was: "denied".to_owned(),
                would: format!(
                    "permitted for {shown} of the domain's {} classes",
                    answers.len()
                ),
                class: String::new(),
            };
        }
        Verdict::Unheld("the classes of a refused request")
    }

    /// The answer in every way that the request may have come; `None` where it depends.
    fn unanimous(&self, then: &Then, action: &str, place: &Place) -> Option<&'static str> {
        let ways = self.ways.iter().filter(|way| then.may_have_come(way));
        let mut proofs: Vec<(Proof, &'static str)> =
            ways.map(|way| (way.proof, way.delivery)).collect();
        if proofs.is_empty() {
            // Policies don't look at it: any will do.
            let delivery = if then.ticket { "ticket" } else { "inline" };
            proofs.push((then.likely_proof(), delivery));
        }
        let answers: BTreeSet<&'static str> = proofs
            .into_iter()
            .map(|(proof, delivery)| {
                let facts = Facts {
                    gateway: then.gateway.clone(),
                    proof,
                    delivery,
                    ..Self::plainest(&then.unit, then.purpose.clone())
                };
                self.answer_now(&facts, action, place)
            })
            .collect();
        let mut answers = answers.into_iter();
        let first = answers.next();
        first.filter(|_| answers.next().is_none())
    }

    fn answer_now(&self, facts: &Facts, action: &str, place: &Place) -> &'static str {
        let permitted = |action: &str| {
            let live = self.policies.live();
            let slice = live.set.slices().slice(action, &facts.unit);
            let shape = self.shape(action);
            let question = shape.and_then(|shape| self.question(action, facts, place, shape));
            question.is_some_and(|question| answers_yes(&slice, &question))
        };
        if action == SEE {
            let mut views = View::STRONGEST_FIRST.into_iter();
            let view = views.find(|view| permitted(action_name(*view)));
            view.map_or("denied", View::as_str)
        } else if permitted(action) {
            "permitted"
        } else {
            "denied"
        }
    }
}

/// What an entry says that a request was decided on.
struct Then {
    unit: Arc<Unit>,
    gateway: Option<Arc<Gateway>>,
    domain: DomainName,
    purpose: Option<Purpose>,
    /// It asked for a ticket.
    ticket: bool,
}

impl Then {
    /// Through a gateway no unit proves itself by its own certificate.
    fn may_have_come(&self, way: &Way) -> bool {
        let gateway = |gateway: &Option<Arc<Gateway>>| gateway.as_ref().map(|one| one.name.clone());
        gateway(&way.gateway) == gateway(&self.gateway) && (way.delivery == "ticket") == self.ticket
    }

    fn likely_proof(&self) -> Proof {
        match self.gateway {
            Some(_) => Proof::AccessToken,
            None => Proof::MutualTls,
        }
    }
}

/// What is asked with the strongest view as its answer.
const SEE: &str = "detokenize";

/// The action on classes that an operation was decided by.
fn action(operation: Operation) -> Result<&'static str, Verdict> {
    Ok(match operation {
        Operation::Tokenize => "Tokenize",
        Operation::Detokenize | Operation::TicketIssue | Operation::TicketRedeem => SEE,
        Operation::TokenRead => "DescribeToken",
        Operation::TokenDisable => "DisableToken",
        Operation::TokenEnable => "EnableToken",
        Operation::TokenReplace => "ReplaceToken",
        Operation::TokenPurge => "PurgeTokens",
        Operation::Search => "Search",
        Operation::Reindex => "ReindexTokens",
        Operation::Erase => "Erase",
        Operation::HoneytokenPlant => "PlantHoneytoken",
        Operation::HoldPlace | Operation::HoldLift => {
            return Err(Verdict::Unheld("what a hold covers"));
        }
        Operation::TokenMove => return Err(Verdict::Unheld("where tokens moved from")),
        Operation::GrantRequest | Operation::GrantApprove | Operation::GrantRevoke => {
            return Err(Verdict::Unheld("the classes of a grant"));
        }
        Operation::UnitLock
        | Operation::UnitUnlock
        | Operation::UnitPropose
        | Operation::UnitApprove
        | Operation::UnitRefuse
        | Operation::UnitWithdraw
        | Operation::UnitChange
        | Operation::UnitSuspend
        | Operation::UnitResume
        | Operation::UnitRetire
        | Operation::UnitRead => {
            return Err(Verdict::Unheld("acts on units are not on classes"));
        }
        operation if is_of_a_key(operation) => {
            return Err(Verdict::Unheld("a key's owner, tags and aliases"));
        }
        _ => return Err(Verdict::NotPolicy),
    })
}

fn is_of_a_key(operation: Operation) -> bool {
    let name = operation.as_str();
    let uses = [
        "encrypt",
        "decrypt",
        "re-encrypt",
        "data-key",
        "mac",
        "mac-verify",
        "sign",
        "verify",
        "random",
    ];
    name.starts_with("key-") || uses.contains(&name)
}

/// What an item says was decided; `None` where it says nothing of that.
fn word(action: &str, view: ItemView) -> Option<&'static str> {
    match (action, view) {
        (SEE, ItemView::Plain) => Some("plain"),
        (SEE, ItemView::Masked) => Some("masked"),
        (SEE, ItemView::Token) => Some("token"),
        // Absent, foreign and denied tokens look alike (invariant 8).
        (_, ItemView::NotAvailable) | (SEE, _) => None,
        _ => Some("permitted"),
    }
}
