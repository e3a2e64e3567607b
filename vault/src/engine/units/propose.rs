//! Proposals: made, kept, and read again as they were kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Run, UnitActed, UnitFault, UnitOutcome};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{
    Proposal, ProposalId, ProposedAct, Registration, RequestId, Standing, Timestamp, UnitDocument,
    UnitKey, UnitName,
};
use crate::policy::unit_act::{Propose, Resume, UnitAct};
use crate::policy::{Authorized, OnProposal, OnRegistered};
use crate::store::{ProposalRow, UnitWrite};

/// A proposal as its row has it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    act: ProposedAct,
    base: u64,
    document: String,
    salt: [u8; 16],
    by: UnitName,
    approvals: usize,
    approved_by: Vec<UnitName>,
}

impl Engine {
    /// Proposes a unit, or a change that widens one: `widens` are the keys that do.
    pub async fn propose_unit(
        self: &Arc<Self>,
        proof: Authorized<OnProposal<Propose>>,
        widens: BTreeSet<UnitKey>,
        run: Run,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        let stated = Stated::by(Propose::OPERATION, &proof, request);
        let proposal = proof.grant().proposal().as_ref().clone();
        self.proposed(proposal, stated, widens, run).await
    }

    /// Proposes that a suspended unit acts again.
    pub async fn resume_unit(
        self: &Arc<Self>,
        proof: Authorized<OnRegistered<Resume>>,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        let stated = Stated::by(Resume::OPERATION, &proof, request);
        let (unit, by) = (proof.grant().unit(), &proof.admitted().caller().unit().name);
        let proposal = match (unit.registration, unit.standing) {
            (Registration::File, _) => return Err(UnitFault::InFile(unit.name.clone()).into()),
            (_, Standing::Retired) => return Err(UnitFault::Retired.into()),
            (_, Standing::Active) => return Err(UnitFault::NotSuspended.into()),
            (_, Standing::Suspended) => self.plan_resume(unit, by)?,
        };
        self.proposed(proposal, stated, UnitKey::standing(), Run::Real)
            .await
    }

    async fn proposed(
        self: &Arc<Self>,
        proposal: Proposal,
        mut stated: Stated,
        keys: BTreeSet<UnitKey>,
        run: Run,
    ) -> Result<UnitActed, EngineError> {
        let _turn = self.registrar.turn().await;
        self.fits(&proposal)?;
        let mut writes = self.room_for(&proposal).await?;
        let mut acted = UnitActed {
            document: proposal.document.clone(),
            revision: proposal.base,
            outcome: UnitOutcome::Proposed,
            keys,
            proposal: None,
            entry: None,
        };
        if run == Run::Dry {
            return Ok(acted);
        }
        stated.facts.reason = Some(proposal.unit.to_string());
        stated.facts.commitment = Some(proposal.id.0);
        writes.push(UnitWrite::AddProposal(Box::new(self.row_of(&proposal)?)));
        acted.entry = Some(self.note_of_units(stated, writes).await?);
        acted.proposal = Some(proposal);
        Ok(acted)
    }

    /// The unit is still the one that the proposal was made of, and what it would become fits the registry.
    pub(super) fn fits(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let registry = self.units_now();
        let standing = registry.unit(&proposal.unit);
        match standing.map(|unit| (unit.registration, unit.standing)) {
            Some((Registration::File, _)) => {
                return Err(UnitFault::InFile(proposal.unit.clone()).into());
            }
            Some((_, Standing::Retired)) => return Err(UnitFault::Retired.into()),
            Some((Registration::Revision(now), _)) if now != proposal.base => {
                return Err(UnitFault::Changed.into());
            }
            None if proposal.base != 0 => return Err(UnitFault::Changed.into()),
            None if registry.count() >= self.registrar.limits.units_max => {
                let max = self.registrar.limits.units_max;
                return Err(UnitFault::TooManyUnits { max }.into());
            }
            _ => {}
        }
        let revision = proposal.base + 1;
        let unit = self.meant(&proposal.document, revision)?;
        registry.with(unit.into()).map_err(UnitFault::unfit)?;
        Ok(())
    }

    /// What makes room: proposals that have ended, and one of the same unit that can't be approved any more.
    async fn room_for(
        self: &Arc<Self>,
        proposal: &Proposal,
    ) -> Result<Vec<UnitWrite>, EngineError> {
        let since = self.oldest_that_waits();
        let unit = proposal.unit.clone();
        let read = self.blocking(move |engine| {
            let of_unit = engine.reader.unit_proposal_of(&unit)?;
            Ok((of_unit, engine.reader.unit_proposals_since(since)?))
        });
        let (of_unit, waiting) = read.await?;
        let max = self.registrar.limits.proposals_max;
        if waiting >= max as u64 {
            return Err(UnitFault::TooManyProposals { max }.into());
        }
        let mut writes = vec![UnitWrite::Expire(since)];
        if let Some(row) = of_unit.filter(|row| row.made >= since) {
            let stale = self
                .read_proposal(&row)
                .is_ok_and(|old| old.base != proposal.base);
            if !stale {
                return Err(UnitFault::ProposalOpen.into());
            }
            writes.push(UnitWrite::EndProposal(row.id));
        }
        Ok(writes)
    }

    /// Proposals made before this instant wait no longer.
    pub(super) fn oldest_that_waits(&self) -> Timestamp {
        let waits = self.registrar.limits.waits.as_micros();
        let waits = u64::try_from(waits).unwrap_or(u64::MAX);
        Timestamp(self.clock.now().0.saturating_sub(waits))
    }

    pub(super) fn row_of(&self, proposal: &Proposal) -> Result<ProposalRow, EngineError> {
        let kept = Kept {
            act: proposal.act,
            base: proposal.base,
            document: proposal.document.as_str().to_owned(),
            salt: proposal.salt,
            by: proposal.by.clone(),
            approvals: proposal.approvals,
            approved_by: proposal.approved_by.clone(),
        };
        // Texts, numbers and lists: `serde_json` writes them all.
        let body = serde_json::to_string(&kept).map_err(|_| UnitFault::Altered)?;
        let tag = self.keys.registry().proposal_tag(proposal.id, &body);
        Ok(ProposalRow {
            id: proposal.id.0,
            unit: proposal.unit.clone(),
            body,
            made: proposal.made,
            tag,
        })
    }

    /// A proposal as its row has it, which must be the vault's own.
    pub(super) fn read_proposal(&self, row: &ProposalRow) -> Result<Proposal, UnitFault> {
        if !self.keys.registry().knows_proposal(row) {
            tracing::error!(unit = %row.unit, "the row of a proposal is not as the vault wrote it: it is refused");
            return Err(UnitFault::Altered);
        }
        let kept: Kept = serde_json::from_str(&row.body).map_err(|_| UnitFault::Altered)?;
        let id = ProposalId::of(&row.unit, kept.base + 1, &kept.document, &kept.salt);
        let document = UnitDocument::kept(&kept.document).map_err(|_| UnitFault::Altered)?;
        if id.0 != row.id {
            return Err(UnitFault::Altered);
        }
        Ok(Proposal {
            id,
            act: kept.act,
            unit: row.unit.clone(),
            base: kept.base,
            document,
            salt: kept.salt,
            by: kept.by,
            made: row.made,
            approvals: kept.approvals,
            approved_by: kept.approved_by,
        })
    }
}
