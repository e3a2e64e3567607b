//! The corridor's part for policy sets: to a proof, or to a refusal that is recorded.

use super::Ticket;
use super::act::{Asked, decided};
use crate::model::SetDigest;
use crate::policy::policy_act::PolicyAct;
use crate::policy::{Authorized, OnPolicies};
use crate::server::Vault;
use crate::server::problem::Problem;

/// May the caller do `A` to the installation's policy sets, or to the one of this digest?
pub(in crate::server) async fn on_policies<A: PolicyAct>(
    vault: &Vault,
    ticket: &Ticket,
    digest: Option<SetDigest>,
) -> Result<Authorized<OnPolicies<A>>, Problem> {
    let decision = vault.policies.authorize_on_policies(ticket.take()?);
    let asked = Asked::new(A::OPERATION).on_policy_set(digest);
    decided(vault, ticket, asked, decision).await
}
