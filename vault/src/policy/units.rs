//! Whether an act on registered units is permitted. These are rare, and decided anew each time.

use std::sync::Arc;

use super::authorized::{self, Authorized, Denied, Refused};
use super::entities::Question;
use super::unit_act::{List, OnProposal, OnRegistered, OnRegistry, UnitAct};
use super::{Asker, Live, Policies};
use crate::admission::Admitted;
use crate::model::{Proposal, Unit};

impl Policies {
    /// May the unit do `A` to this one?
    pub fn authorize_on_registered<A: UnitAct>(
        &self,
        admitted: Admitted,
        unit: Arc<Unit>,
    ) -> Result<Authorized<OnRegistered<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = live.permits_on_unit(A::ACTION, asker, &unit);
        let granted = granted.map(|()| OnRegistered::new(unit));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to this proposal? `wished` is the unit as it is proposed to be.
    pub fn authorize_on_proposal<A: UnitAct>(
        &self,
        admitted: Admitted,
        proposal: Arc<Proposal>,
        wished: &Unit,
    ) -> Result<Authorized<OnProposal<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = live.permits_on_proposal(A::ACTION, asker, (&proposal, wished));
        let granted = granted.map(|()| OnProposal::new(proposal));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to the registry as a whole?
    pub fn authorize_on_registry<A: UnitAct>(
        &self,
        admitted: Admitted,
    ) -> Result<Authorized<OnRegistry<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = live.permits_on_registry(A::ACTION, asker);
        let granted = granted.map(|()| OnRegistry::new());
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// The refusal of an act on a unit or proposal that is not there. Who may not list units is told what they
    /// would be told of one that is.
    // INVARIANT 9: what nobody registered is permitted to nobody.
    pub fn refuse_unlisted(&self, admitted: Admitted, denial: Denied) -> Box<Refused> {
        match self.authorize_on_registry::<List>(admitted) {
            Ok(proof) => {
                let policy = proof.policy();
                Box::new(Refused {
                    admitted: proof.into_admitted(),
                    denial,
                    policy,
                })
            }
            Err(refused) => refused,
        }
    }

    /// What a policy test asks: of a unit, of a proposal to make one what it is, or without a unit of the registry.
    /// It is the asker's own proposal where that is proposed or withdrawn, and the unit's where it is decided on.
    pub(super) fn permits_unit_act(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        target: Option<&Arc<Unit>>,
    ) -> Option<Result<(), Denied>> {
        let live = self.live();
        let by = match action {
            "ListUnits" => return Some(live.permits_on_registry(action, asker)),
            "ProposeUnit" | "WithdrawUnit" => &asker.unit.name,
            "ApproveUnit" | "RefuseUnit" => &target?.name,
            _ => return Some(live.permits_on_unit(action, asker, target?)),
        };
        let wished = target?;
        let proposal = Proposal::wished(wished, by.clone());
        Some(live.permits_on_proposal(action, asker, (&proposal, wished)))
    }

    /// Whether losing this group or compartment may permit more: a policy forbids something by it.
    pub fn forbids_by(&self, word: &str) -> bool {
        self.live().set.forbids_by(word)
    }
}

impl Live {
    fn permits_on_proposal(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        (proposal, wished): (&Proposal, &Unit),
    ) -> Result<(), Denied> {
        let vocabulary = self.set.vocabulary();
        let question = || Question::of_proposal(action, asker, proposal, wished, vocabulary);
        self.permitted(action, asker, question)
    }

    fn permits_on_registry(&self, action: &'static str, asker: Asker<'_>) -> Result<(), Denied> {
        let question = || Question::of_registry(action, asker, self.set.vocabulary());
        self.permitted(action, asker, question)
    }
}
