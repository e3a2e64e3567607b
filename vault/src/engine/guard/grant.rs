//! Grants for many values: asked for, approved by others, taken back. All of it is in the ledger.
//!
//! A grant's id is a commitment to its terms, and what every entry about it carries as its commitment:
//! those of its request, its approvals, and each detokenize under it.

use std::sync::Arc;
use std::time::Duration;

use kms::Binding;
use rand::TryRng;
use rand::rngs::SysRng;
use ring::digest::{SHA256, digest};

use super::{AlertFacts, GuardFault};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::engine::{Engine, EngineError, caller_facts};
use crate::model::{AlertKind, Grant, GrantId, GrantState, GrantTerms, RequestId};
use crate::policy::guard_act::{ApproveGrant, AskGrant, GuardAct, RevokeGrant};
use crate::policy::{Authorized, OnClasses, OnGrant};
use crate::store::{Change, GuardWrite};

/// Most values of a grant.
const VALUES_MAX: u64 = 1_000_000_000;

impl Engine {
    /// The grant of this id, as it stands now.
    pub async fn find_grant(self: &Arc<Self>, id: GrantId) -> Result<Option<Grant>, EngineError> {
        self.blocking(move |engine| Ok(engine.reader.grant(id)?))
            .await
    }

    /// Where a grant is in its life now.
    pub fn grant_state(&self, grant: &Grant) -> GrantState {
        grant.state(self.clock.now())
    }

    /// Asks for a grant, for the caller's unit.
    pub async fn request_grant(
        self: &Arc<Self>,
        proof: Authorized<OnClasses<AskGrant>>,
        values_max: u64,
        ttl: Duration,
        request: RequestId,
    ) -> Result<(Grant, Sequenced), EngineError> {
        let terms = self.terms(&proof, values_max, ttl)?;
        let grant = Grant {
            id: commitment(&terms)?,
            terms,
            approvals: self.guard.budget.approvals(),
            approved_by: Vec::new(),
            spent: 0,
            asked: self.clock.now(),
            ends: None,
            revoked: false,
        };
        let writes = vec![GuardWrite::AddGrant(Box::new(grant.clone()))];
        match self.recorded(&proof, &grant, writes, request).await {
            Ok(entry) => Ok((grant, entry)),
            Err(EngineError::NotDurable(NotDurable::Conflict)) => {
                Err(GuardFault::TooManyGrants.into())
            }
            Err(error) => Err(error),
        }
    }

    fn terms(
        &self,
        proof: &Authorized<OnClasses<AskGrant>>,
        values_max: u64,
        ttl: Duration,
    ) -> Result<GrantTerms, GuardFault> {
        let range = |name, range| GuardFault::Range { name, range };
        if !(1..=VALUES_MAX).contains(&values_max) {
            return Err(range("values_max", format!("between 1 and {VALUES_MAX}")));
        }
        let most = self.guard.limits.grant_ttl_max;
        if ttl.is_zero() || ttl > most {
            let most = most.as_secs();
            return Err(range("ttl_seconds", format!("between 1 and {most}")));
        }
        let asked = proof.grant();
        Ok(GrantTerms {
            unit: proof.admitted().caller().unit().name.clone(),
            domain: asked.domain().clone(),
            // The corridor asks for it; a grant for no purpose opens nothing.
            purpose: asked.purpose().cloned().ok_or(GuardFault::NoGrant)?,
            classes: asked.classes().clone(),
            values_max,
            ttl,
        })
    }

    /// Approves another unit's grant. With the last approval it is active.
    pub async fn approve_grant(
        self: &Arc<Self>,
        proof: Authorized<OnGrant<ApproveGrant>>,
        request: RequestId,
    ) -> Result<(Grant, Sequenced), EngineError> {
        // One after another: whoever is last knows it, and says so.
        let _turn = self.guard.approving.lock().await;
        let id = proof.grant().grant().id;
        let grant = self.find_grant(id).await?;
        let grant = self.approvable(&proof, grant.ok_or(GuardFault::NoGrant)?)?;
        let unit = proof.admitted().caller().unit().name.clone();
        let at = self.clock.now();
        let mut writes = vec![GuardWrite::ApproveGrant { id, unit, at }];
        if grant.approved_by.len() + 1 >= grant.approvals {
            let subject = id.to_string();
            let alert = AlertFacts {
                unit: Some(grant.terms.unit.as_str()),
                domain: Some(grant.terms.domain.as_str()),
                subject: Some(&subject),
                ..AlertFacts::new(AlertKind::GrantApproved)
            };
            writes.extend(self.guard.outbox.rows(alert, at));
        }
        let entry = self.recorded(&proof, &grant, writes, request).await?;
        self.after(id, entry).await
    }

    fn approvable(
        &self,
        proof: &Authorized<OnGrant<ApproveGrant>>,
        grant: Grant,
    ) -> Result<Grant, GuardFault> {
        let unit = &proof.admitted().caller().unit().name;
        if grant.terms.unit == *unit {
            return Err(GuardFault::OwnGrant);
        }
        match self.grant_state(&grant) {
            GrantState::Pending if grant.approved_by.contains(unit) => {
                Err(GuardFault::ApprovedAlready)
            }
            GrantState::Pending => Ok(grant),
            state => Err(GuardFault::GrantState(state)),
        }
    }

    /// Takes a grant back, whatever state it is in but revoked.
    pub async fn revoke_grant(
        self: &Arc<Self>,
        proof: Authorized<OnGrant<RevokeGrant>>,
        request: RequestId,
    ) -> Result<(Grant, Sequenced), EngineError> {
        let grant = Arc::clone(proof.grant().grant());
        let writes = vec![GuardWrite::RevokeGrant(grant.id)];
        match self.recorded(&proof, &grant, writes, request).await {
            Ok(entry) => self.after(grant.id, entry).await,
            Err(EngineError::NotDurable(NotDurable::Conflict)) => {
                Err(GuardFault::GrantState(GrantState::Revoked).into())
            }
            Err(error) => Err(error),
        }
    }

    async fn after(
        self: &Arc<Self>,
        id: GrantId,
        entry: Sequenced,
    ) -> Result<(Grant, Sequenced), EngineError> {
        let grant = self.find_grant(id).await?;
        Ok((grant.ok_or(GuardFault::NoGrant)?, entry))
    }

    async fn recorded<P: GuardOperation>(
        &self,
        proof: &Authorized<P>,
        grant: &Grant,
        guard: Vec<GuardWrite>,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let domain = &grant.terms.domain;
        let mut facts = caller_facts(P::OPERATION, proof, request);
        facts.commitment = Some(grant.id.0);
        facts.domain = Some(domain.to_string());
        facts.purpose = Some(grant.terms.purpose.to_string());
        let change = Change {
            guard,
            ..Change::none()
        };
        let record = Record::single(change, facts);
        let record = self.because(proof.reason(), Some(domain), record)?;
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        self.guard.outbox.announce();
        Ok(entry)
    }
}

/// What the entry of a granted act says was done.
trait GuardOperation {
    const OPERATION: ledger::Operation;
}

impl<A: GuardAct> GuardOperation for OnClasses<A> {
    const OPERATION: ledger::Operation = A::OPERATION;
}

impl<A: GuardAct> GuardOperation for OnGrant<A> {
    const OPERATION: ledger::Operation = A::OPERATION;
}

/// SHA-256 over the terms and 32 random bytes: who knows both can show what was granted, and nobody else
/// can guess it.
fn commitment(terms: &GrantTerms) -> Result<GrantId, EngineError> {
    let mut nonce = [0; 32];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|_| EngineError::Keys)?;
    let mut binding = Binding::new("jinku/v1 grant")
        .field(&nonce)
        .field(terms.unit.as_str().as_bytes())
        .field(terms.domain.as_str().as_bytes())
        .field(terms.purpose.as_str().as_bytes())
        .number(terms.values_max)
        .number(terms.ttl.as_secs());
    for class in &terms.classes {
        binding = binding.field(class.as_str().as_bytes());
    }
    let mut id = [0; 32];
    id.copy_from_slice(digest(&SHA256, binding.as_bytes()).as_ref());
    Ok(GrantId(id))
}
