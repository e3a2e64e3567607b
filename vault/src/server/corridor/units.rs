//! The corridor's part for registered units: from names to a proof, or to a refusal that is recorded. Who may not
//! list units is told the same of one that is there and of one that is not.

use std::sync::Arc;

use super::Ticket;
use super::act::{Asked, decided};
use crate::admission::Admitted;
use crate::engine::units::{Plan, Run, UnitActed};
use crate::model::{Proposal, ProposalId, Unit, UnitDocument, UnitName};
use crate::policy::unit_act::{Change, List, Propose, UnitAct};
use crate::policy::{Authorized, Denied, OnProposal, OnRegistered, OnRegistry};
use crate::server::Vault;
use crate::server::problem::Problem;

/// May the caller list units and proposals?
pub(in crate::server) async fn on_registry(
    vault: &Vault,
    ticket: &Ticket,
) -> Result<Authorized<OnRegistry<List>>, Problem> {
    let decision = vault.policies.authorize_on_registry(ticket.take()?);
    decided(vault, ticket, Asked::new(List::OPERATION), decision).await
}

/// May the caller read this proposal, as one who may list them?
pub(in crate::server) async fn on_waiting(
    vault: &Vault,
    ticket: &Ticket,
    id: ProposalId,
) -> Result<Authorized<OnRegistry<List>>, Problem> {
    let decision = vault.policies.authorize_on_registry(ticket.take()?);
    let asked = Asked::new(List::OPERATION).on_proposal(id);
    decided(vault, ticket, asked, decision).await
}

/// May the caller do `A` to the unit of this name?
pub(in crate::server) async fn on_registered<A: UnitAct>(
    vault: &Vault,
    ticket: &Ticket,
    unit: &UnitName,
) -> Result<Authorized<OnRegistered<A>>, Problem> {
    let admitted = ticket.take()?;
    let registry = vault.identity.registry();
    let decision = match registry.unit(unit) {
        Some(unit) => vault
            .policies
            .authorize_on_registered(admitted, Arc::clone(unit)),
        None => Err(vault
            .policies
            .refuse_unlisted(admitted, Denied::UnknownUnit)),
    };
    decided(vault, ticket, Asked::new(A::OPERATION), decision).await
}

/// May the caller do `A` to the proposal of this id?
pub(in crate::server) async fn on_proposal<A: UnitAct>(
    vault: &Vault,
    ticket: &Ticket,
    id: ProposalId,
) -> Result<Authorized<OnProposal<A>>, Problem> {
    let found = vault.engine.find_proposal(id).await?;
    let admitted = ticket.take()?;
    let decision = match found {
        Some(proposal) => {
            let wished = vault.engine.wished_unit(&proposal)?;
            let policies = &vault.policies;
            policies.authorize_on_proposal(admitted, Arc::new(proposal), &wished)
        }
        None => Err(vault
            .policies
            .refuse_unlisted(admitted, Denied::UnknownProposal)),
    };
    let asked = Asked::new(A::OPERATION).on_proposal(id);
    decided(vault, ticket, asked, decision).await
}

/// From a document to what it takes: nothing, a change at once, or a proposal.
pub(in crate::server) async fn set_unit(
    vault: &Vault,
    ticket: &Ticket,
    document: &UnitDocument,
    run: Run,
) -> Result<UnitActed, Problem> {
    let admitted = ticket.take()?;
    let by = &admitted.caller().unit().name;
    let policies = &vault.policies;
    let plan = vault
        .engine
        .plan_unit(document, by, |word| policies.forbids_by(word))?;
    let (engine, request) = (&vault.engine, ticket.request());
    let (unit, keys) = match plan {
        Plan::Nothing(unit) => (unit, std::collections::BTreeSet::new()),
        Plan::AtOnce(unit, keys) => (unit, keys),
        Plan::Approval(proposal, wished, widens) => {
            let proof = may_propose(vault, ticket, admitted, proposal, &wished).await?;
            return Ok(engine.propose_unit(proof, widens, run, request).await?);
        }
    };
    let decision = policies.authorize_on_registered::<Change>(admitted, unit);
    let proof = decided(vault, ticket, Asked::new(Change::OPERATION), decision).await?;
    let wish = (document.clone(), keys);
    Ok(engine.change_unit(proof, wish, run, request).await?)
}

async fn may_propose(
    vault: &Vault,
    ticket: &Ticket,
    admitted: Admitted,
    proposal: Proposal,
    wished: &Unit,
) -> Result<Authorized<OnProposal<Propose>>, Problem> {
    let proposal = Arc::new(proposal);
    let decision = vault
        .policies
        .authorize_on_proposal(admitted, proposal, wished);
    decided(vault, ticket, Asked::new(Propose::OPERATION), decision).await
}
