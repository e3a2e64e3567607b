//! What a wish takes. Found out before policy is asked, for what is asked depends on it; nothing of it is said
//! to whom policy does not let in.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;

use super::UnitFault;
use crate::engine::{Engine, EngineError};
use crate::model::{
    Need, Proposal, ProposalId, ProposedAct, Registration, Standing, Unit, UnitDocument, UnitKey,
    UnitName,
};

/// What it takes to make a unit what a document says.
pub enum Plan {
    /// Nothing: it is so.
    Nothing(Arc<Unit>),
    /// It can be done at once.
    AtOnce(Arc<Unit>, BTreeSet<UnitKey>),
    /// Others must approve. The unit is the one that it would become.
    Approval(Proposal, Arc<Unit>, BTreeSet<UnitKey>),
}

impl Engine {
    /// Plans what `by` wishes. `telling` are groups and compartments that a policy forbids something by.
    pub fn plan_unit(
        &self,
        document: &UnitDocument,
        by: &UnitName,
        telling: impl Fn(&str) -> bool,
    ) -> Result<Plan, EngineError> {
        let wished = self.meant(document, 1)?;
        // A unit is retired by an act of its own.
        if wished.standing == Standing::Retired {
            return Err(UnitFault::Retired.into());
        }
        let registry = self.units_now();
        let standing = registry.unit(&wished.name);
        let Some(unit) = standing.filter(|unit| unit.registration != Registration::File) else {
            // Of one that stands in the file the registration is refused, where policy permits it.
            let proposal = self.proposal(ProposedAct::Register, document, (&wished.name, 0), by)?;
            return Ok(Plan::Approval(proposal, wished.into(), BTreeSet::new()));
        };
        match document.need(&unit.document, &self.catalogue, telling) {
            Need::Nothing => Ok(Plan::Nothing(Arc::clone(unit))),
            Need::Nobody(keys) => Ok(Plan::AtOnce(Arc::clone(unit), keys)),
            Need::SecondPerson(keys) => {
                let base = (&unit.name, unit.registration.revision());
                let proposal = self.proposal(ProposedAct::Change, document, base, by)?;
                Ok(Plan::Approval(proposal, wished.into(), keys))
            }
        }
    }

    /// What a unit would become by a proposal.
    pub fn wished_unit(&self, proposal: &Proposal) -> Result<Unit, EngineError> {
        let revision = proposal.base + 1;
        self.meant(&proposal.document, revision)
    }

    /// That a suspended unit acts again.
    pub(super) fn plan_resume(&self, unit: &Unit, by: &UnitName) -> Result<Proposal, EngineError> {
        let document = unit.document.standing(Standing::Active);
        let base = (&unit.name, unit.registration.revision());
        self.proposal(ProposedAct::Resume, &document, base, by)
    }

    fn proposal(
        &self,
        act: ProposedAct,
        document: &UnitDocument,
        (unit, base): (&UnitName, u64),
        by: &UnitName,
    ) -> Result<Proposal, EngineError> {
        let salt = salt()?;
        Ok(Proposal {
            id: ProposalId::of(unit, base + 1, document.as_str(), &salt),
            act,
            unit: unit.clone(),
            base,
            document: document.clone(),
            salt,
            by: by.clone(),
            made: self.clock.now(),
            approvals: self.registrar.limits.approvals,
            approved_by: Vec::new(),
        })
    }
}

pub(super) fn salt() -> Result<[u8; 16], EngineError> {
    let mut salt = [0; 16];
    SysRng
        .try_fill_bytes(&mut salt)
        .map_err(|_| EngineError::Keys)?;
    Ok(salt)
}
