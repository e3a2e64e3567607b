//! Policy sets over gRPC: from a message to an act, and from its outcome to a message.

use std::sync::Arc;

use api::v1::policy_server::Policy as Contract;
use api::v1::{
    ApprovePolicySetRequest, DescribePolicySetRequest, DescribePolicySetResponse, PolicySet,
    PolicySetResponse, ProposePolicySetRequest,
};

use super::contract::contract;
use crate::model::{KeptSet, SetDigest};
use crate::server::corridor::Ticket;
use crate::server::problem::Problem;
use crate::server::{Vault, policy_words, rest};

/// The contract's service of policy sets.
pub(in crate::server) struct GrpcPolicy {
    vault: Arc<Vault>,
}

impl GrpcPolicy {
    pub(in crate::server) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    async fn proposed(
        &self,
        ticket: &Ticket,
        asked: ProposePolicySetRequest,
    ) -> Result<PolicySetResponse, Problem> {
        ticket.because(asked.reason)?;
        let done = policy_words::propose(&self.vault, ticket).await?;
        Ok(acted(done))
    }

    async fn approved(
        &self,
        ticket: &Ticket,
        asked: ApprovePolicySetRequest,
    ) -> Result<PolicySetResponse, Problem> {
        ticket.because(asked.reason)?;
        let done = policy_words::approve(&self.vault, ticket, &asked.digest).await?;
        Ok(acted(done))
    }

    async fn described(
        &self,
        ticket: &Ticket,
        _asked: DescribePolicySetRequest,
    ) -> Result<DescribePolicySetResponse, Problem> {
        let standing = policy_words::standing(&self.vault, ticket).await?;
        Ok(DescribePolicySetResponse {
            deciding: standing.deciding,
            policy: standing.policy,
            by_approval: standing.by_approval,
            active: standing.active.as_ref().map(message),
            waiting: standing.waiting.as_ref().map(message),
        })
    }
}

contract! {
    GrpcPolicy {
        propose_policy_set(ProposePolicySetRequest) -> PolicySetResponse = proposed;
        approve_policy_set(ApprovePolicySetRequest) -> PolicySetResponse = approved;
        describe_policy_set(DescribePolicySetRequest) -> DescribePolicySetResponse = described;
    }
}

fn acted((digest, entry): (SetDigest, u64)) -> PolicySetResponse {
    PolicySetResponse {
        digest: digest.to_string(),
        entry,
    }
}

fn message(set: &KeptSet) -> PolicySet {
    let (proposed_by, approved_by) = policy_words::by(set);
    PolicySet {
        digest: set.digest.to_string(),
        proposed_by,
        proposed_at: rest::keys::instant(set.proposed),
        approved_by,
    }
}
