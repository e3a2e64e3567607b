//! What a request asks for and whom it is by; and the one way in which what was not done becomes an entry.
//!
//! Policy's no is an entry at once ([`decided`]). What policy permits and is not done all the same is one when the act
//! ends ([`closed`]), unless whoever refused it has written an entry of its own.

use kms::KeyId;
use ledger::{Operation, Outcome};

use super::Ticket;
use crate::admission::Admitted;
use crate::engine::{EngineError, Refusal};
use crate::model::{
    DomainName, GatewayName, GrantId, ProposalId, Purpose, RequestId, SetDigest, UnitName,
};
use crate::policy::{Authorized, Refused};
use crate::server::Vault;
use crate::server::problem::Problem;

/// What is asked for, as far as it is known before it is done.
pub(super) struct Asked {
    operation: Operation,
    key: Option<KeyId>,
    domain: Option<DomainName>,
    purpose: Option<Purpose>,
    /// What its entry commits to: the id of a grant or of a proposal, or a policy set's digest.
    commitment: Option<[u8; 32]>,
}

impl Asked {
    pub(super) fn new(operation: Operation) -> Self {
        Self {
            operation,
            key: None,
            domain: None,
            purpose: None,
            commitment: None,
        }
    }

    pub(super) fn on_key(self, key: Option<KeyId>) -> Self {
        Self { key, ..self }
    }

    pub(super) fn on_grant(self, grant: GrantId) -> Self {
        let commitment = Some(grant.0);
        Self { commitment, ..self }
    }

    pub(super) fn on_proposal(self, proposal: ProposalId) -> Self {
        let commitment = Some(proposal.0);
        Self { commitment, ..self }
    }

    pub(super) fn on_policy_set(self, digest: Option<SetDigest>) -> Self {
        let commitment = digest.map(|digest| digest.0);
        Self { commitment, ..self }
    }

    pub(super) fn in_domain(self, domain: &DomainName) -> Self {
        let domain = Some(domain.clone());
        Self { domain, ..self }
    }

    pub(super) fn for_purpose(self, purpose: Option<&Purpose>) -> Self {
        let purpose = purpose.cloned();
        Self { purpose, ..self }
    }
}

/// The same, with whom it is by, and under which policy set.
pub(super) struct ActBy {
    asked: Asked,
    unit: UnitName,
    gateway: Option<GatewayName>,
    policy: [u8; 32],
}

impl ActBy {
    pub(super) fn new(asked: Asked, admitted: &Admitted, policy: [u8; 32]) -> Self {
        let caller = admitted.caller();
        Self {
            asked,
            unit: caller.unit().name.clone(),
            gateway: caller.gateway().map(|gateway| gateway.name.clone()),
            policy,
        }
    }

    pub(super) fn refusal(
        &self,
        reason: &'static str,
        outcome: Outcome,
        request: RequestId,
    ) -> Refusal<'_> {
        let asked = &self.asked;
        Refusal {
            operation: asked.operation,
            reason,
            request,
            unit: Some(&self.unit),
            gateway: self.gateway.as_ref(),
            domain: asked.domain.as_ref(),
            purpose: asked.purpose.as_ref(),
            policy: Some(self.policy),
            key: asked.key.as_ref(),
            commitment: asked.commitment,
            outcome,
        }
    }
}

impl Ticket {
    /// Notes the request's one act. A ticket serves once: nobody has noted another before.
    pub(super) fn note(&self, act: ActBy) {
        let _ = self.act.set(act);
    }
}

/// From what policy decided to a proof, or to a refusal that is recorded.
pub(super) async fn decided<G>(
    vault: &Vault,
    ticket: &Ticket,
    asked: Asked,
    decision: Result<Authorized<G>, Box<Refused>>,
) -> Result<Authorized<G>, Problem> {
    match decision {
        Ok(proof) => {
            ticket.note(ActBy::new(asked, proof.admitted(), proof.policy()));
            Ok(proof.because(ticket.reason.get().cloned()))
        }
        Err(refused) => {
            let problem = Problem::from(refused.denial);
            let act = ActBy::new(asked, &refused.admitted, refused.policy);
            let refusal = act.refusal(problem.code, Outcome::Denied, ticket.request);
            vault.engine.refuse(refusal).await?;
            Err(problem)
        }
    }
}

/// An act ends. One that was permitted and was not done is an entry before it is an answer.
pub(in crate::server) async fn closed<T>(
    vault: &Vault,
    ticket: &Ticket,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    if let Err(problem) = &result
        && let Some((outcome, act)) = problem.unrecorded.zip(ticket.act.get())
    {
        let refusal = act.refusal(problem.code, outcome, ticket.request);
        vault.engine.refuse(refusal).await?;
    }
    result
}

/// The same for tokens that are presented or put into a ticket: the guard's word and a delivery's are entries, while a
/// batch that can't be one is an answer only.
pub(super) async fn delivered<T>(
    vault: &Vault,
    ticket: &Ticket,
    result: Result<T, EngineError>,
) -> Result<T, Problem> {
    match result {
        Err(error @ (EngineError::Delivery(_) | EngineError::Guard(_))) => {
            closed(vault, ticket, Err(error.into())).await
        }
        result => Ok(result?),
    }
}
