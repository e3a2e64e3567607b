//! Acts on registered units: each a type of its own, with its word in Cedar and its word in the ledger.

use std::marker::PhantomData;
use std::sync::Arc;

use ledger::Operation;

use crate::model::{Proposal, Unit};

/// One act on registered units. A closed set: the types below.
pub trait UnitAct: Send + Sync + 'static {
    /// The action's name in the Cedar schema.
    const ACTION: &'static str;
    /// What its entry says was done.
    const OPERATION: Operation;
}

acts! { UnitAct:
    /// A new unit is proposed, or a change that widens one.
    Propose = "ProposeUnit" UnitPropose,
    /// A proposal is approved.
    Approve = "ApproveUnit" UnitApprove,
    /// Another unit's proposal is turned down.
    Refuse = "RefuseUnit" UnitRefuse,
    /// A proposal is taken back by who made it.
    Withdraw = "WithdrawUnit" UnitWithdraw,
    /// A unit is changed in ways that widen nothing.
    Change = "ChangeUnit" UnitChange,
    /// A unit is suspended.
    Suspend = "SuspendUnit" UnitSuspend,
    /// That a suspended unit acts again is proposed.
    Resume = "ResumeUnit" UnitResume,
    /// A unit is retired, for good.
    Retire = "RetireUnit" UnitRetire,
    /// A unit's registration is read.
    Describe = "DescribeUnit" UnitRead,
    /// Units, or what is proposed of them, are listed and read.
    List = "ListUnits" UnitRead,
}

/// Granted: this act, on this unit as it was registered when it was decided.
pub struct OnRegistered<A> {
    unit: Arc<Unit>,
    act: PhantomData<fn() -> A>,
}

impl<A: UnitAct> OnRegistered<A> {
    pub(super) fn new(unit: Arc<Unit>) -> Self {
        let act = PhantomData;
        Self { unit, act }
    }

    /// The unit that it is done to.
    pub fn unit(&self) -> &Arc<Unit> {
        &self.unit
    }
}

/// Granted: this act, on this proposal.
pub struct OnProposal<A> {
    proposal: Arc<Proposal>,
    act: PhantomData<fn() -> A>,
}

impl<A: UnitAct> OnProposal<A> {
    pub(super) fn new(proposal: Arc<Proposal>) -> Self {
        let act = PhantomData;
        Self { proposal, act }
    }

    /// Which, as it stood when it was decided.
    pub fn proposal(&self) -> &Arc<Proposal> {
        &self.proposal
    }
}

/// Granted: this act, on the registry as a whole.
pub struct OnRegistry<A> {
    act: PhantomData<fn() -> A>,
}

impl<A: UnitAct> OnRegistry<A> {
    pub(super) fn new() -> Self {
        let act = PhantomData;
        Self { act }
    }
}
