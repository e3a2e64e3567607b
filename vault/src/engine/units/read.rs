//! Registrations and proposals, to be read. Each reading is an entry.

use std::sync::Arc;

use ledger::Facts;

use super::UnitFault;
use crate::commit::Sequenced;
use crate::engine::{Engine, EngineError, caller_facts};
use crate::model::{Proposal, ProposalId, RequestId, Unit, UnitName};
use crate::policy::unit_act::{Describe, List, UnitAct};
use crate::policy::{Authorized, OnRegistered, OnRegistry};

/// Most units, or proposals, of one answer.
const PAGE_MAX: usize = 1_000;

/// Some units, in the order of their names.
pub struct UnitPage {
    /// The units.
    pub units: Vec<Arc<Unit>>,
    /// The name to go on after, where there are more.
    pub next: Option<UnitName>,
    /// The entry that says that they were read.
    pub entry: Sequenced,
}

impl Engine {
    /// A proposal that waits, for policy to decide on what may be done with it.
    pub async fn find_proposal(
        self: &Arc<Self>,
        id: ProposalId,
    ) -> Result<Option<Proposal>, EngineError> {
        let row = self
            .blocking(move |engine| Ok(engine.reader.unit_proposal(id.0)?))
            .await?;
        let waits = row.filter(|row| row.made >= self.oldest_that_waits());
        Ok(waits.map(|row| self.read_proposal(&row)).transpose()?)
    }

    /// A unit's registration.
    pub async fn describe_unit(
        &self,
        proof: Authorized<OnRegistered<Describe>>,
        request: RequestId,
    ) -> Result<(Arc<Unit>, Sequenced), EngineError> {
        let mut facts = caller_facts(Describe::OPERATION, &proof, request);
        let unit = Arc::clone(proof.grant().unit());
        facts.reason = Some(unit.name.to_string());
        Ok((unit, self.note_of_units(facts, Vec::new()).await?))
    }

    /// Units by name, the file's too, from the one after `after` on.
    pub async fn list_units(
        &self,
        proof: Authorized<OnRegistry<List>>,
        after: Option<UnitName>,
        limit: usize,
        request: RequestId,
    ) -> Result<UnitPage, EngineError> {
        let facts: Facts = caller_facts(List::OPERATION, &proof, request);
        let limit = limit.clamp(1, PAGE_MAX);
        let registry = self.units_now();
        let mut units: Vec<_> = registry
            .units_after(after.as_ref())
            .take(limit + 1)
            .cloned()
            .collect();
        let more = units.len() > limit;
        units.truncate(limit);
        let next = units.last().filter(|_| more).map(|unit| unit.name.clone());
        let entry = self.note_of_units(facts, Vec::new()).await?;
        Ok(UnitPage { units, next, entry })
    }

    /// Proposals that wait, the oldest first, up to 1000. A row that the vault did not write is left out, and
    /// the log says so.
    pub async fn list_proposals(
        self: &Arc<Self>,
        proof: Authorized<OnRegistry<List>>,
        request: RequestId,
    ) -> Result<(Vec<Proposal>, Sequenced), EngineError> {
        let facts = caller_facts(List::OPERATION, &proof, request);
        let since = self.oldest_that_waits();
        let rows = self
            .blocking(|engine| Ok(engine.reader.unit_proposals(u32::MAX)?))
            .await?;
        let waiting = rows.iter().filter(|row| row.made >= since);
        let proposals = waiting.filter_map(|row| self.read_proposal(row).ok());
        let proposals = proposals.take(PAGE_MAX).collect();
        Ok((proposals, self.note_of_units(facts, Vec::new()).await?))
    }

    /// One that waits, read by who may list units.
    pub async fn describe_proposal(
        self: &Arc<Self>,
        proof: Authorized<OnRegistry<List>>,
        id: ProposalId,
        request: RequestId,
    ) -> Result<(Proposal, Sequenced), EngineError> {
        let mut facts = caller_facts(List::OPERATION, &proof, request);
        facts.commitment = Some(id.0);
        let proposal = self.find_proposal(id).await?;
        let proposal = proposal.ok_or(UnitFault::NoProposal)?;
        facts.reason = Some(proposal.unit.to_string());
        Ok((proposal, self.note_of_units(facts, Vec::new()).await?))
    }
}
