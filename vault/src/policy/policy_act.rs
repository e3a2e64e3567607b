//! Acts on policy sets: each a type of its own, with its word in Cedar and its word in the ledger.

use std::marker::PhantomData;

use ledger::Operation;

use super::authorized::{self, Authorized, Refused};
use super::entities::Question;
use super::{Asker, Policies};
use crate::admission::Admitted;

/// One act on policy sets. A closed set: the types below.
pub trait PolicyAct: Send + Sync + 'static {
    /// The action's name in the Cedar schema.
    const ACTION: &'static str;
    /// What its entry says was done.
    const OPERATION: Operation;
}

acts! { PolicyAct:
    /// The set in the vault's directory is put up for approval.
    Propose = "ProposePolicySet" PolicyPropose,
    /// A set that was put up is approved, and decides from then on.
    Approve = "ApprovePolicySet" PolicyApprove,
    /// Which set decides and which waits is read: no entry but of a refusal.
    Read = "ReadPolicySet" RequestRefused,
}

/// Granted: this act, on the policy sets of the installation.
pub struct OnPolicies<A> {
    act: PhantomData<fn() -> A>,
}

impl Policies {
    /// May the unit do `A` to the installation's policy sets?
    pub fn authorize_on_policies<A: PolicyAct>(
        &self,
        admitted: Admitted,
    ) -> Result<Authorized<OnPolicies<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let question = || Question::of_policies(A::ACTION, asker, live.set.vocabulary());
        let granted = live.permitted(A::ACTION, asker, question);
        let granted = granted.map(|()| OnPolicies { act: PhantomData });
        authorized::decided(admitted, live.set.digest(), granted)
    }
}
