//! The guard over gRPC: from a message to an act, and from its outcome to a message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::v1::guard_server::Guard as Contract;
use api::v1::{
    Grant as GrantMessage, GrantRequest, GrantResponse, PlantHoneytokensRequest,
    PlantHoneytokensResponse, RequestGrantRequest, UnitRequest, UnitResponse,
};

use super::contract::contract;
use crate::commit::Sequenced;
use crate::model::{ClassName, DomainName, Grant, GrantId, UnitName};
use crate::policy::guard_act;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;
use crate::server::{Vault, rest};

/// The contract's service of the guard.
pub(in crate::server) struct GrpcGuard {
    vault: Arc<Vault>,
}

impl GrpcGuard {
    pub(in crate::server) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    async fn locked(&self, ticket: &Ticket, asked: UnitRequest) -> Result<UnitResponse, Problem> {
        ticket.because(asked.reason)?;
        let unit = UnitName::parse(&asked.unit)?;
        let proof = corridor::on_unit::<guard_act::Lock>(&self.vault, ticket, &unit).await?;
        let entry = self.vault.engine.lock_unit(proof, ticket.request()).await?;
        Ok(UnitResponse {
            locked: true,
            entry: entry.seq(),
        })
    }

    async fn unlocked(&self, ticket: &Ticket, asked: UnitRequest) -> Result<UnitResponse, Problem> {
        ticket.because(asked.reason)?;
        let unit = UnitName::parse(&asked.unit)?;
        let proof = corridor::on_unit::<guard_act::Unlock>(&self.vault, ticket, &unit).await?;
        let entry = self
            .vault
            .engine
            .unlock_unit(proof, ticket.request())
            .await?;
        Ok(UnitResponse {
            locked: false,
            entry: entry.seq(),
        })
    }

    async fn planted(
        &self,
        ticket: &Ticket,
        asked: PlantHoneytokensRequest,
    ) -> Result<PlantHoneytokensResponse, Problem> {
        ticket.because(asked.reason)?;
        let domain = DomainName::parse(&asked.domain)?;
        let class = BTreeSet::from([ClassName::parse(&asked.class)?]);
        let proof =
            corridor::on_classes::<guard_act::Plant>(&self.vault, ticket, &domain, class, None);
        let count = usize::try_from(asked.count).unwrap_or(usize::MAX);
        let planted = self
            .vault
            .engine
            .plant_honeytokens(proof.await?, count, asked.lock.into(), ticket.request())
            .await?;
        let tokens = planted.tokens.iter();
        Ok(PlantHoneytokensResponse {
            tokens: tokens.map(|token| token.expose().to_owned()).collect(),
            entry: planted.entry.seq(),
        })
    }

    async fn asked(
        &self,
        ticket: &Ticket,
        asked: RequestGrantRequest,
    ) -> Result<GrantResponse, Problem> {
        ticket.because(asked.reason)?;
        let domain = DomainName::parse(&asked.domain)?;
        let purpose = rest::purpose(&asked.purpose)?;
        let classes = asked.classes.iter().map(|class| ClassName::parse(class));
        let classes = classes.collect::<Result<BTreeSet<_>, _>>()?;
        let proof = corridor::on_classes::<guard_act::AskGrant>(
            &self.vault,
            ticket,
            &domain,
            classes,
            Some(&purpose),
        );
        let ttl = Duration::from_secs(asked.ttl_seconds.into());
        let (grant, entry) = self
            .vault
            .engine
            .request_grant(proof.await?, asked.values_max, ttl, ticket.request())
            .await?;
        Ok(self.answer(&grant, Some(entry)))
    }

    async fn approved(
        &self,
        ticket: &Ticket,
        asked: GrantRequest,
    ) -> Result<GrantResponse, Problem> {
        ticket.because(asked.reason)?;
        let id = GrantId::parse(&asked.id)?;
        let proof = corridor::on_grant(&self.vault, ticket, id).await?;
        let (grant, entry) = self
            .vault
            .engine
            .approve_grant(proof, ticket.request())
            .await?;
        Ok(self.answer(&grant, Some(entry)))
    }

    async fn revoked(
        &self,
        ticket: &Ticket,
        asked: GrantRequest,
    ) -> Result<GrantResponse, Problem> {
        ticket.because(asked.reason)?;
        let id = GrantId::parse(&asked.id)?;
        let proof = corridor::on_grant(&self.vault, ticket, id).await?;
        let (grant, entry) = self
            .vault
            .engine
            .revoke_grant(proof, ticket.request())
            .await?;
        Ok(self.answer(&grant, Some(entry)))
    }

    async fn described(
        &self,
        ticket: &Ticket,
        asked: GrantRequest,
    ) -> Result<GrantResponse, Problem> {
        let id = GrantId::parse(&asked.id)?;
        let proof = corridor::on_grant::<guard_act::ReadGrant>(&self.vault, ticket, id).await?;
        Ok(self.answer(proof.grant().grant(), None))
    }

    fn answer(&self, grant: &Grant, entry: Option<Sequenced>) -> GrantResponse {
        let terms = &grant.terms;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let message = GrantMessage {
            id: grant.id.to_string(),
            unit: terms.unit.to_string(),
            domain: terms.domain.to_string(),
            purpose: terms.purpose.to_string(),
            classes: terms.classes.iter().map(ToString::to_string).collect(),
            values_max: terms.values_max,
            values_spent: grant.spent,
            ttl_seconds: u32::try_from(terms.ttl.as_secs()).unwrap_or(u32::MAX),
            state: self.vault.engine.grant_state(grant).as_str().to_owned(),
            approvals_needed: count(grant.approvals),
            approved_by: grant.approved_by.iter().map(ToString::to_string).collect(),
            ends_at: grant.ends.map(rest::keys::instant).unwrap_or_default(),
        };
        GrantResponse {
            grant: Some(message),
            entry: entry.map(Sequenced::seq),
        }
    }
}

contract! {
    GrpcGuard {
        lock_unit(UnitRequest) -> UnitResponse = locked;
        unlock_unit(UnitRequest) -> UnitResponse = unlocked;
        plant_honeytokens(PlantHoneytokensRequest) -> PlantHoneytokensResponse = planted;
        request_grant(RequestGrantRequest) -> GrantResponse = asked;
        approve_grant(GrantRequest) -> GrantResponse = approved;
        revoke_grant(GrantRequest) -> GrantResponse = revoked;
        describe_grant(GrantRequest) -> GrantResponse = described;
    }
}
