//! Proposals decided on: approved by others, turned down by others, taken back by who made them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Turn, UnitActed, UnitFault, UnitOutcome};
use crate::commit::Sequenced;
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{Proposal, ProposalId, RequestId, UnitName};
use crate::policy::unit_act::{Approve, Refuse, UnitAct, Withdraw};
use crate::policy::{Authorized, OnProposal};
use crate::store::{ProposalRow, UnitWrite};

impl Engine {
    /// Approves another unit's proposal. With the last approval it is in force when this is answered.
    pub async fn approve_unit(
        self: &Arc<Self>,
        proof: Authorized<OnProposal<Approve>>,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        let mut stated = Stated::by(Approve::OPERATION, &proof, request);
        let id = proof.grant().proposal().id;
        stated.facts.commitment = Some(id.0);
        let by = proof.admitted().caller().unit().name.clone();
        self.approved(id, by, stated).await
    }

    async fn approved(
        self: &Arc<Self>,
        id: ProposalId,
        by: UnitName,
        stated: Stated,
    ) -> Result<UnitActed, EngineError> {
        let turn = self.registrar.turn().await;
        let (row, mut proposal) = self.waiting(id).await?;
        approvable(&proposal, &by)?;
        self.fits(&proposal)?;
        proposal.approved_by.push(by);
        if proposal.approved_by.len() < proposal.approvals {
            return self.approved_once_more(&row, proposal, stated, turn).await;
        }
        let (document, revision) = (proposal.document.clone(), proposal.base + 1);
        let now = self.clock.now();
        let fresh = self.fresh(&document, revision, proposal.salt, now)?;
        let writes = vec![UnitWrite::EndProposal(id.0)];
        let entry = self.put(turn, stated, fresh, writes).await?;
        Ok(UnitActed {
            document,
            revision,
            outcome: UnitOutcome::Done,
            keys: BTreeSet::new(),
            proposal: None,
            entry: Some(entry),
        })
    }

    /// One approval more, and others are still to come. Its entry names no unit: nothing is in force by it.
    async fn approved_once_more(
        &self,
        row: &ProposalRow,
        proposal: Proposal,
        stated: Stated,
        _turn: Turn,
    ) -> Result<UnitActed, EngineError> {
        let fresh = Box::new(self.row_of(&proposal)?);
        let writes = vec![UnitWrite::SetProposal(fresh, row.tag)];
        let entry = self.note_of_units(stated, writes).await?;
        Ok(UnitActed {
            document: proposal.document.clone(),
            revision: proposal.base,
            outcome: UnitOutcome::Proposed,
            keys: BTreeSet::new(),
            proposal: Some(proposal),
            entry: Some(entry),
        })
    }

    /// Turns another unit's proposal down.
    pub async fn refuse_unit(
        self: &Arc<Self>,
        proof: Authorized<OnProposal<Refuse>>,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let stated = Stated::by(Refuse::OPERATION, &proof, request);
        let by = proof.admitted().caller().unit().name.clone();
        let fit = move |proposal: &Proposal| {
            if proposal.by == by {
                Err(UnitFault::OwnProposal)
            } else {
                Ok(())
            }
        };
        self.ended(proof.grant().proposal().id, stated, fit).await
    }

    /// Takes the caller's own proposal back.
    pub async fn withdraw_unit(
        self: &Arc<Self>,
        proof: Authorized<OnProposal<Withdraw>>,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let stated = Stated::by(Withdraw::OPERATION, &proof, request);
        let by = proof.admitted().caller().unit().name.clone();
        let fit = move |proposal: &Proposal| {
            if proposal.by == by {
                Ok(())
            } else {
                Err(UnitFault::NotProposer)
            }
        };
        self.ended(proof.grant().proposal().id, stated, fit).await
    }

    async fn ended(
        self: &Arc<Self>,
        id: ProposalId,
        mut stated: Stated,
        fit: impl FnOnce(&Proposal) -> Result<(), UnitFault>,
    ) -> Result<Sequenced, EngineError> {
        let _turn = self.registrar.turn().await;
        let (_, proposal) = self.waiting(id).await?;
        fit(&proposal)?;
        stated.facts.commitment = Some(id.0);
        stated.facts.reason = Some(proposal.unit.to_string());
        let writes = vec![UnitWrite::EndProposal(id.0)];
        self.note_of_units(stated, writes).await
    }

    /// A proposal that waits, as it stands now.
    async fn waiting(
        self: &Arc<Self>,
        id: ProposalId,
    ) -> Result<(ProposalRow, Proposal), EngineError> {
        let row = self
            .blocking(move |engine| Ok(engine.reader.unit_proposal(id.0)?))
            .await?;
        let row = row.ok_or(UnitFault::NoProposal)?;
        let proposal = self.read_proposal(&row)?;
        if proposal.made < self.oldest_that_waits() {
            return Err(UnitFault::ProposalEnded.into());
        }
        Ok((row, proposal))
    }
}

/// Whatever a policy says: nobody approves what they proposed, or what makes more of themselves.
fn approvable(proposal: &Proposal, by: &UnitName) -> Result<(), UnitFault> {
    if proposal.by == *by {
        return Err(UnitFault::OwnProposal);
    }
    if proposal.unit == *by {
        return Err(UnitFault::OwnUnit);
    }
    if proposal.approved_by.contains(by) {
        return Err(UnitFault::ApprovedAlready);
    }
    Ok(())
}
