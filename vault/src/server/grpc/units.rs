//! Registered units over gRPC: from a message to an act, and from its outcome to a message.

use std::sync::Arc;

use api::v1::units_server::Units as Contract;
use api::v1::{
    DescribeProposalResponse, DescribeUnitResponse, ListProposalsRequest, ListProposalsResponse,
    ListUnitsRequest, ListUnitsResponse, NamedProposal, NamedUnit, ProposalEndedResponse,
    RegisteredUnit, SetUnitRequest, UnitActResponse, UnitProposal,
};

use super::contract::contract;
use crate::commit::Sequenced;
use crate::engine::units::UnitActed;
use crate::model::{Proposal, ProposalId, Unit, UnitDocument, UnitName};
use crate::server::corridor::Ticket;
use crate::server::corridor::units::{
    on_proposal, on_registered, on_registry, on_waiting, set_unit,
};
use crate::server::problem::Problem;
use crate::server::{Vault, rest};

/// Units of one answer where the caller does not say.
const PAGE: usize = 100;

/// The contract's service of registered units.
pub(in crate::server) struct GrpcUnits {
    vault: Arc<Vault>,
}

impl GrpcUnits {
    pub(in crate::server) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    async fn set(
        &self,
        ticket: &Ticket,
        asked: SetUnitRequest,
    ) -> Result<UnitActResponse, Problem> {
        ticket.because(asked.reason)?;
        let document = UnitDocument::parse(&asked.document)?;
        let acted = set_unit(&self.vault, ticket, &document, asked.dry_run.into());
        Ok(self.acted(&acted.await?))
    }

    async fn suspended(
        &self,
        ticket: &Ticket,
        asked: NamedUnit,
    ) -> Result<UnitActResponse, Problem> {
        ticket.because(asked.reason)?;
        let unit = UnitName::parse(&asked.unit)?;
        let proof = on_registered(&self.vault, ticket, &unit).await?;
        let acted = self.vault.engine.suspend_unit(proof, ticket.request());
        Ok(self.acted(&acted.await?))
    }

    async fn resumed(&self, ticket: &Ticket, asked: NamedUnit) -> Result<UnitActResponse, Problem> {
        ticket.because(asked.reason)?;
        let unit = UnitName::parse(&asked.unit)?;
        let proof = on_registered(&self.vault, ticket, &unit).await?;
        let acted = self.vault.engine.resume_unit(proof, ticket.request());
        Ok(self.acted(&acted.await?))
    }

    async fn retired(&self, ticket: &Ticket, asked: NamedUnit) -> Result<UnitActResponse, Problem> {
        ticket.because(asked.reason)?;
        let unit = UnitName::parse(&asked.unit)?;
        let proof = on_registered(&self.vault, ticket, &unit).await?;
        let acted = self.vault.engine.retire_unit(proof, ticket.request());
        Ok(self.acted(&acted.await?))
    }

    async fn described(
        &self,
        ticket: &Ticket,
        asked: NamedUnit,
    ) -> Result<DescribeUnitResponse, Problem> {
        let unit = UnitName::parse(&asked.unit)?;
        let proof = on_registered(&self.vault, ticket, &unit).await?;
        let (unit, entry) = self
            .vault
            .engine
            .describe_unit(proof, ticket.request())
            .await?;
        Ok(DescribeUnitResponse {
            unit: Some(message(&unit)),
            entry: entry.seq(),
        })
    }

    async fn listed(
        &self,
        ticket: &Ticket,
        asked: ListUnitsRequest,
    ) -> Result<ListUnitsResponse, Problem> {
        let after = match asked.after.as_str() {
            "" => None,
            after => Some(UnitName::parse(after)?),
        };
        let limit = match asked.limit {
            0 => PAGE,
            limit => usize::try_from(limit).unwrap_or(PAGE),
        };
        let proof = on_registry(&self.vault, ticket).await?;
        let engine = &self.vault.engine;
        let page = engine
            .list_units(proof, after, limit, ticket.request())
            .await?;
        Ok(ListUnitsResponse {
            units: page.units.iter().map(|unit| message(unit)).collect(),
            next: page.next.map(|name| name.to_string()).unwrap_or_default(),
            entry: page.entry.seq(),
        })
    }

    async fn approved(
        &self,
        ticket: &Ticket,
        asked: NamedProposal,
    ) -> Result<UnitActResponse, Problem> {
        ticket.because(asked.reason)?;
        let id = ProposalId::parse(&asked.id)?;
        let proof = on_proposal(&self.vault, ticket, id).await?;
        let acted = self.vault.engine.approve_unit(proof, ticket.request());
        Ok(self.acted(&acted.await?))
    }

    async fn refused(
        &self,
        ticket: &Ticket,
        asked: NamedProposal,
    ) -> Result<ProposalEndedResponse, Problem> {
        ticket.because(asked.reason)?;
        let id = ProposalId::parse(&asked.id)?;
        let proof = on_proposal(&self.vault, ticket, id).await?;
        let ended = self.vault.engine.refuse_unit(proof, ticket.request());
        let entry = ended.await?.seq();
        Ok(ProposalEndedResponse { entry })
    }

    async fn withdrawn(
        &self,
        ticket: &Ticket,
        asked: NamedProposal,
    ) -> Result<ProposalEndedResponse, Problem> {
        ticket.because(asked.reason)?;
        let id = ProposalId::parse(&asked.id)?;
        let proof = on_proposal(&self.vault, ticket, id).await?;
        let ended = self.vault.engine.withdraw_unit(proof, ticket.request());
        let entry = ended.await?.seq();
        Ok(ProposalEndedResponse { entry })
    }

    async fn proposal(
        &self,
        ticket: &Ticket,
        asked: NamedProposal,
    ) -> Result<DescribeProposalResponse, Problem> {
        let id = ProposalId::parse(&asked.id)?;
        let proof = on_waiting(&self.vault, ticket, id).await?;
        let engine = &self.vault.engine;
        let (proposal, entry) = engine
            .describe_proposal(proof, id, ticket.request())
            .await?;
        Ok(DescribeProposalResponse {
            proposal: Some(self.waiting(&proposal)),
            entry: entry.seq(),
        })
    }

    async fn proposals(
        &self,
        ticket: &Ticket,
        _asked: ListProposalsRequest,
    ) -> Result<ListProposalsResponse, Problem> {
        let proof = on_registry(&self.vault, ticket).await?;
        let listed = self.vault.engine.list_proposals(proof, ticket.request());
        let (proposals, entry) = listed.await?;
        Ok(ListProposalsResponse {
            proposals: proposals.iter().map(|one| self.waiting(one)).collect(),
            entry: entry.seq(),
        })
    }

    fn acted(&self, acted: &UnitActed) -> UnitActResponse {
        UnitActResponse {
            outcome: acted.outcome.as_str().to_owned(),
            revision: acted.revision,
            keys: acted.keys.iter().map(ToString::to_string).collect(),
            document: acted.document.as_str().to_owned(),
            proposal: acted.proposal.as_ref().map(|one| self.waiting(one)),
            entry: acted.entry.map(Sequenced::seq),
        }
    }

    fn waiting(&self, proposal: &Proposal) -> UnitProposal {
        let ends = proposal.ends(self.vault.engine.proposals_wait());
        UnitProposal {
            id: proposal.id.to_string(),
            act: proposal.act.as_str().to_owned(),
            unit: proposal.unit.to_string(),
            base_revision: proposal.base,
            document: proposal.document.as_str().to_owned(),
            salt: proposal.salt.to_vec(),
            proposed_by: proposal.by.to_string(),
            proposed_at: rest::keys::instant(proposal.made),
            ends_at: rest::keys::instant(ends),
            approvals_needed: u32::try_from(proposal.approvals).unwrap_or(u32::MAX),
            approved_by: proposal
                .approved_by
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

fn message(unit: &Unit) -> RegisteredUnit {
    RegisteredUnit {
        name: unit.name.to_string(),
        revision: unit.registration.revision(),
        document: unit.document.as_str().to_owned(),
    }
}

contract! {
    GrpcUnits {
        set_unit(SetUnitRequest) -> UnitActResponse = set;
        suspend_unit(NamedUnit) -> UnitActResponse = suspended;
        resume_unit(NamedUnit) -> UnitActResponse = resumed;
        retire_unit(NamedUnit) -> UnitActResponse = retired;
        describe_unit(NamedUnit) -> DescribeUnitResponse = described;
        list_units(ListUnitsRequest) -> ListUnitsResponse = listed;
        approve_unit(NamedProposal) -> UnitActResponse = approved;
        refuse_unit(NamedProposal) -> ProposalEndedResponse = refused;
        withdraw_unit(NamedProposal) -> ProposalEndedResponse = withdrawn;
        describe_proposal(NamedProposal) -> DescribeProposalResponse = proposal;
        list_proposals(ListProposalsRequest) -> ListProposalsResponse = proposals;
    }
}
