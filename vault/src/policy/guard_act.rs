//! Acts of the guard: each a type of its own, with its word in Cedar and its word in the ledger.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use ledger::Operation;

use crate::model::{ClassName, DomainName, Grant, Purpose, Unit};

/// One act of the guard. A closed set: the types below.
pub trait GuardAct: Send + Sync + 'static {
    /// The action's name in the Cedar schema.
    const ACTION: &'static str;
    /// What its entry says was done.
    const OPERATION: Operation;
}

acts! { GuardAct:
    /// A unit is locked out.
    Lock = "LockUnit" UnitLock,
    /// A locked unit is let in again.
    Unlock = "UnlockUnit" UnitUnlock,
    /// Honeytokens are planted.
    Plant = "PlantHoneytoken" HoneytokenPlant,
    /// A grant for many values is asked for.
    AskGrant = "RequestGrant" GrantRequest,
    /// A grant is approved.
    ApproveGrant = "ApproveGrant" GrantApprove,
    /// A grant is taken back.
    RevokeGrant = "RevokeGrant" GrantRevoke,
    /// A grant's terms and state are read: no entry but of a refusal.
    ReadGrant = "ReadGrant" RequestRefused,
}

/// Granted: this act, on this unit.
pub struct OnUnit<A> {
    unit: Arc<Unit>,
    act: PhantomData<fn() -> A>,
}

impl<A: GuardAct> OnUnit<A> {
    pub(super) fn new(unit: Arc<Unit>) -> Self {
        let act = PhantomData;
        Self { unit, act }
    }

    /// The unit that it is done to.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }
}

/// Granted: this act, on each of these classes of a domain.
pub struct OnClasses<A> {
    pub(super) domain: DomainName,
    pub(super) classes: BTreeSet<ClassName>,
    pub(super) purpose: Option<Purpose>,
    act: PhantomData<fn() -> A>,
}

impl<A: GuardAct> OnClasses<A> {
    pub(super) fn new(
        domain: DomainName,
        classes: BTreeSet<ClassName>,
        purpose: Option<Purpose>,
    ) -> Self {
        Self {
            domain,
            classes,
            purpose,
            act: PhantomData,
        }
    }

    /// In which namespace.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The classes.
    pub fn classes(&self) -> &BTreeSet<ClassName> {
        &self.classes
    }

    /// Why, where the act asks for it.
    pub fn purpose(&self) -> Option<&Purpose> {
        self.purpose.as_ref()
    }
}

/// Granted: this act, on this grant.
pub struct OnGrant<A> {
    grant: Arc<Grant>,
    act: PhantomData<fn() -> A>,
}

impl<A: GuardAct> OnGrant<A> {
    pub(super) fn new(grant: Arc<Grant>) -> Self {
        let act = PhantomData;
        Self { grant, act }
    }

    /// Which grant, as it stood when it was decided.
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }
}
