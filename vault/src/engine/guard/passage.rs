//! The guard's part of a detokenize: a grant or places in budgets for what would be shown, what honeytokens
//! among it ask for, and the entry of a refusal.

use std::collections::HashSet;
use std::sync::Arc;

use ledger::{Facts, Operation, Outcome};

use super::budget::ValueId;
use super::{AlertFacts, Caught, GuardFault, Reservation};
use crate::admission::Latch;
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::engine::{DomainKeys, Engine, EngineError, Refusal, caller_facts};
use crate::model::{
    AlertKind, DomainName, Grant, GrantId, GrantState, RequestId, TokenText, UnitName,
};
use crate::policy::{Authorized, Detokenize};
use crate::store::{Change, Fingerprint, GuardWrite};

/// How a detokenize passes the guard.
pub(in crate::engine) enum Passage {
    /// Within the unit's budgets.
    Budget,
    /// Under a grant, which budgets do not bind.
    Grant(Box<Grant>),
}

/// A detokenize that passed: what is written and settled with its entry.
pub(in crate::engine) struct Passed {
    writes: Vec<GuardWrite>,
    caught: Caught,
    places: Option<Reservation>,
    grant: Option<GrantId>,
    unit: UnitName,
}

/// A detokenize that is held back.
pub(in crate::engine) struct Held {
    fault: GuardFault,
    caught: Caught,
}

impl Passed {
    /// Puts into the entry and its change what the guard has to say.
    pub(in crate::engine) fn enter(&mut self, facts: &mut Facts, change: &mut Change) {
        facts.reason = self.caught.reason().map(str::to_owned);
        facts.commitment = self.grant.map(|id| id.0);
        change.guard.append(&mut self.writes);
    }
}

impl Held {
    /// With what honeytokens among the tokens ask for.
    pub(in crate::engine) fn noting(self, caught: Caught) -> Self {
        Self { caught, ..self }
    }
}

impl From<GuardFault> for Held {
    fn from(fault: GuardFault) -> Self {
        let caught = Caught::Nothing;
        Self { fault, caught }
    }
}

impl Engine {
    /// Before anything is opened: may so many items be asked for, under this grant or under none?
    pub(in crate::engine) async fn passage(
        self: &Arc<Self>,
        proof: &Authorized<Detokenize>,
        items: usize,
        grant: Option<GrantId>,
    ) -> Result<Result<Passage, Held>, EngineError> {
        let Some(id) = grant else {
            let within = self.within_ungranted(items);
            return Ok(within.map(|()| Passage::Budget).map_err(Held::from));
        };
        let asked = proof.grant();
        let unit = &proof.admitted().caller().unit().name;
        let grant = self.find_grant(id).await?.filter(|grant| {
            let terms = &grant.terms;
            terms.unit == *unit
                && terms.domain == *asked.domain()
                && terms.purpose == *asked.purpose()
        });
        Ok(match grant {
            None => Err(GuardFault::NoGrant.into()),
            Some(grant) => match self.grant_state(&grant) {
                GrantState::Active => Ok(Passage::Grant(Box::new(grant))),
                state => Err(GuardFault::GrantState(state).into()),
            },
        })
    }

    /// So many items may be asked for under no grant.
    pub(in crate::engine) fn within_ungranted(&self, items: usize) -> Result<(), GuardFault> {
        let max = self.guard.limits.items_without_grant;
        if items > max {
            return Err(GuardFault::GrantNeeded { max });
        }
        Ok(())
    }

    /// Takes what a batch would show, values with their classes, from the unit's budgets or its grant.
    pub(in crate::engine) fn pass(
        &self,
        proof: &Authorized<Detokenize>,
        passage: &Passage,
        shown: &[(ValueId, String)],
        caught: Caught,
    ) -> Result<Passed, Held> {
        let unit = &proof.admitted().caller().unit().name;
        let shown = shown.iter().map(|(id, class)| (*id, class.as_str()));
        let held = |fault| Held { fault, caught };
        let mut passed = Passed {
            writes: self.alarms(unit, proof.grant().domain(), caught),
            caught,
            places: None,
            grant: None,
            unit: unit.clone(),
        };
        match passage {
            Passage::Budget => {
                let places = self.guard.budget.reserve(unit, &shown);
                passed.places = Some(places.map_err(|over| held(GuardFault::OverBudget(over)))?);
            }
            Passage::Grant(grant) => {
                let covered = |class: &str| {
                    let mut classes = grant.terms.classes.iter();
                    classes.any(|known| known.as_str() == class)
                };
                if !shown.clone().all(|(_, class)| covered(class)) {
                    return Err(held(GuardFault::GrantClass));
                }
                let values = shown.map(|(id, _)| id).collect::<HashSet<_>>().len() as u64;
                let left = grant.terms.values_max.saturating_sub(grant.spent);
                if values > left {
                    return Err(held(GuardFault::GrantSpent { left }));
                }
                passed.grant = Some(grant.id);
                passed.writes.push(GuardWrite::SpendGrant {
                    id: grant.id,
                    values,
                    at: self.clock.now(),
                });
            }
        }
        Ok(passed)
    }

    /// What honeytokens among presented tokens ask for.
    pub(in crate::engine) fn caught(&self, keys: &DomainKeys, presented: &[Fingerprint]) -> Caught {
        let mark = |row: &Fingerprint| keys.honeytoken_mark(*row);
        self.guard.marks.among(presented.iter(), mark)
    }

    /// The alerts and the lock that honeytokens ask for, beside their entry.
    fn alarms(&self, unit: &UnitName, domain: &DomainName, caught: Caught) -> Vec<GuardWrite> {
        let now = self.clock.now();
        let alert = |kind| {
            let facts = AlertFacts {
                unit: Some(unit.as_str()),
                domain: Some(domain.as_str()),
                ..AlertFacts::new(kind)
            };
            self.guard.outbox.rows(facts, now)
        };
        let mut writes = Vec::new();
        if caught >= Caught::Told {
            writes.extend(alert(AlertKind::Honeytoken));
        }
        if caught == Caught::Locked {
            writes.extend(alert(AlertKind::UnitLocked));
            writes.push(GuardWrite::Lock(unit.clone(), now));
        }
        writes
    }

    /// Records what is shown, and settles what was taken for it.
    pub(in crate::engine) async fn record_shown<T>(
        &self,
        record: Record,
        withheld: Withheld<T>,
        passed: Passed,
    ) -> Result<(T, Sequenced), NotDurable> {
        let places = passed.places.map(Reservation::sent);
        let alarm = (&passed.unit, passed.caught);
        let recorded = self.alarmed(alarm, record, withheld).await;
        match &recorded {
            // The entry may still become durable: what it says was shown counts.
            Ok(_) | Err(NotDurable::Deadline) => drop(places),
            Err(_) => drop(places.map(Reservation::give_back)),
        }
        recorded
    }

    /// Records an entry, with whatever lock its honeytokens ask for in force before it is sent.
    async fn alarmed<T>(
        &self,
        (unit, caught): (&UnitName, Caught),
        record: Record,
        withheld: Withheld<T>,
    ) -> Result<(T, Sequenced), NotDurable> {
        if caught == Caught::Nothing {
            return self.committer.record(record, withheld).await;
        }
        let locks = &self.guard.locks;
        let before = (caught == Caught::Locked).then(|| locks.lock_at_once(unit));
        let recorded = self.committer.record(record, withheld).await;
        match (&recorded, before) {
            (Ok((_, entry)), Some(_)) => locks.set(unit, entry.seq(), Latch::Locked),
            (Err(NotDurable::Deadline) | Ok(_), _) | (_, None) => {}
            (Err(_), Some(before)) => locks.let_go(unit, before),
        }
        self.guard.outbox.announce();
        recorded
    }

    /// Records that the guard held back a detokenize, or the redeeming of a ticket. Until this returns, the caller gets no answer.
    pub(in crate::engine) async fn held_back(
        &self,
        proof: &Authorized<Detokenize>,
        held: Held,
        (operation, grant): (Operation, Option<GrantId>),
        request: RequestId,
    ) -> EngineError {
        let Held { fault, caught } = held;
        let unit = &proof.admitted().caller().unit().name;
        let domain = proof.grant().domain();
        let mut facts: Facts = caller_facts(operation, proof, request);
        facts.outcome = Outcome::Denied;
        facts.domain = Some(domain.to_string());
        facts.purpose = Some(proof.grant().purpose().to_string());
        facts.reason = Some(caught.reason().unwrap_or(fault.code()).to_owned());
        facts.commitment = grant.map(|id| id.0);
        let mut writes = self.alarms(unit, domain, caught);
        if let GuardFault::OverBudget(over) = &fault
            && self.guard.budget.is_news(unit, over)
        {
            let alert = AlertFacts {
                unit: Some(unit.as_str()),
                domain: Some(domain.as_str()),
                subject: Some(over.budget.as_str()),
                ..AlertFacts::new(AlertKind::Budget)
            };
            writes.extend(self.guard.outbox.rows(alert, self.clock.now()));
        }
        let change = Change {
            guard: writes,
            ..Change::none()
        };
        let record = Record::single(change, facts);
        match self
            .alarmed((unit, caught), record, Withheld::nothing())
            .await
        {
            Ok(_) => {
                self.guard.outbox.announce();
                EngineError::HeldBack(fault)
            }
            Err(error) => error.into(),
        }
    }

    /// What honeytokens ask for among tokens that are not looked for.
    pub(in crate::engine) fn presented(&self, domain: &DomainName, tokens: &[TokenText]) -> Caught {
        let Some(keys) = self.keys.domain(domain) else {
            return Caught::Nothing;
        };
        let mark = |token: &TokenText| keys.honeytoken_mark(keys.fingerprint(token));
        self.guard.marks.among(tokens.iter(), mark)
    }

    /// Records the refusal of a detokenize of which policy shows the unit nothing at all. Honeytokens among
    /// its tokens are told of all the same.
    pub async fn refuse_presented(
        &self,
        refusal: Refusal<'_>,
        tokens: &[TokenText],
    ) -> Result<Sequenced, EngineError> {
        let Some((domain, unit)) = refusal.domain.zip(refusal.unit) else {
            return self.refuse(refusal).await;
        };
        let caught = self.presented(domain, tokens);
        let mut facts = Self::refused(&refusal);
        if let Some(reason) = caught.reason() {
            facts.reason = Some(reason.to_owned());
        }
        let change = Change {
            guard: self.alarms(unit, domain, caught),
            ..Change::none()
        };
        let record = Record::single(change, facts);
        let recorded = self.alarmed((unit, caught), record, Withheld::nothing());
        Ok(recorded.await?.1)
    }
}
