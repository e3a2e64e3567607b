//! What is done to a unit at once: changes that widen nothing, suspension, retirement.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::salt;
use super::{Run, UnitActed, UnitFault, UnitOutcome};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{Registration, RequestId, Standing, Unit, UnitDocument, UnitKey};
use crate::policy::unit_act::{Change, Retire, Suspend, UnitAct};
use crate::policy::{Authorized, OnRegistered};
use crate::store::UnitWrite;

impl Engine {
    /// Changes a unit in ways that widen nothing: `keys` are those that differ, none where it is so already.
    pub async fn change_unit(
        self: &Arc<Self>,
        proof: Authorized<OnRegistered<Change>>,
        (document, keys): (UnitDocument, BTreeSet<UnitKey>),
        run: Run,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        let stated = Stated::by(Change::OPERATION, &proof, request);
        let unit = proof.grant().unit();
        self.changed_unit(unit, document, keys, run, stated).await
    }

    /// Suspends a unit: from the answer on, its requests are refused.
    pub async fn suspend_unit(
        self: &Arc<Self>,
        proof: Authorized<OnRegistered<Suspend>>,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        self.stood_down(&proof, Standing::Suspended, request).await
    }

    /// Retires a unit, for good. Its name stays taken, its credentials can be given to another one.
    pub async fn retire_unit(
        self: &Arc<Self>,
        proof: Authorized<OnRegistered<Retire>>,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        self.stood_down(&proof, Standing::Retired, request).await
    }

    async fn stood_down<A: UnitAct>(
        self: &Arc<Self>,
        proof: &Authorized<OnRegistered<A>>,
        standing: Standing,
        request: RequestId,
    ) -> Result<UnitActed, EngineError> {
        let stated = Stated::by(A::OPERATION, proof, request);
        let unit = proof.grant().unit();
        let document = unit.document.standing(standing);
        let keys = if unit.standing == standing {
            BTreeSet::new()
        } else {
            UnitKey::standing()
        };
        self.changed_unit(unit, document, keys, Run::Real, stated)
            .await
    }

    async fn changed_unit(
        self: &Arc<Self>,
        seen: &Unit,
        document: UnitDocument,
        keys: BTreeSet<UnitKey>,
        run: Run,
        stated: Stated,
    ) -> Result<UnitActed, EngineError> {
        let turn = self.registrar.turn().await;
        let Registration::Revision(base) = seen.registration else {
            return Err(UnitFault::InFile(seen.name.clone()).into());
        };
        let registry = self.units_now();
        let now = registry.unit(&seen.name);
        let now = now.ok_or(UnitFault::Changed)?;
        if now.registration != seen.registration {
            return Err(UnitFault::Changed.into());
        }
        let mut acted = UnitActed {
            document,
            revision: base,
            outcome: UnitOutcome::Unchanged,
            keys,
            proposal: None,
            entry: None,
        };
        if acted.keys.is_empty() {
            return Ok(acted);
        }
        if now.standing == Standing::Retired {
            return Err(UnitFault::Retired.into());
        }
        acted.outcome = UnitOutcome::Done;
        let fresh = self.fresh(&acted.document, base + 1, salt()?, self.clock.now())?;
        if run == Run::Dry {
            registry.with(fresh.unit).map_err(UnitFault::unfit)?;
            return Ok(acted);
        }
        // What was proposed of the unit as it was can't be approved any more.
        let writes = vec![UnitWrite::EndProposalsOf(seen.name.clone())];
        acted.entry = Some(self.put(turn, stated, fresh, writes).await?);
        acted.revision = base + 1;
        Ok(acted)
    }
}
