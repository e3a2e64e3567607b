//! Units that are locked out, by hand: at once, and until another unit lets them in again.
//!
//! The entry's `unit` is who did it, and its `reason` names the unit that it was done to.

use std::sync::Arc;

use super::AlertFacts;
use crate::admission::Latch;
use crate::commit::{NotDurable, Sequenced, Withheld};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{AlertKind, RequestId};
use crate::policy::guard_act::{GuardAct, Lock, Unlock};
use crate::policy::{Authorized, OnUnit};
use crate::store::{Change, GuardWrite};

impl Engine {
    /// Locks a unit: from the answer on, its requests are refused. Those under way end as they would.
    pub async fn lock_unit(
        self: &Arc<Self>,
        proof: Authorized<OnUnit<Lock>>,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let now = self.clock.now();
        let unit = &proof.grant().unit().name;
        let alert = AlertFacts {
            unit: Some(unit.as_str()),
            ..AlertFacts::new(AlertKind::UnitLocked)
        };
        let mut guard = self.guard.outbox.rows(alert, now);
        guard.push(GuardWrite::Lock(unit.clone(), now));
        self.set_lock(&proof, guard, Latch::Locked, request).await
    }

    /// Lets a locked unit in again.
    pub async fn unlock_unit(
        self: &Arc<Self>,
        proof: Authorized<OnUnit<Unlock>>,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let guard = vec![GuardWrite::Unlock(proof.grant().unit().name.clone())];
        self.set_lock(&proof, guard, Latch::Open, request).await
    }

    async fn set_lock<A: GuardAct>(
        self: &Arc<Self>,
        proof: &Authorized<OnUnit<A>>,
        guard: Vec<GuardWrite>,
        latch: Latch,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let unit = proof.grant().unit().name.clone();
        let mut stated = Stated::by(A::OPERATION, proof, request);
        stated.facts.reason = Some(unit.to_string());
        let change = Change {
            guard,
            ..Change::none()
        };
        let record = self.record_of(stated, change)?;
        let locks = &self.guard.locks;
        let before = (latch == Latch::Locked).then(|| locks.lock_at_once(&unit));
        match self.committer.record(record, Withheld::nothing()).await {
            Ok(((), entry)) => {
                locks.set(&unit, entry.seq(), latch);
                self.guard.outbox.announce();
                Ok(entry)
            }
            Err(error) => {
                if let Some(before) = before.filter(|_| error != NotDurable::Deadline) {
                    locks.let_go(&unit, before);
                }
                Err(error.into())
            }
        }
    }
}
