//! Putting a policy set up, approving it, and finding again which one decides. All of it is in the ledger.
//!
//! The entry's `commitment` is the digest of the set's own files; its `policy` is the digest of the set under which the
//! act was permitted, with all that it stands on.

use std::sync::Arc;

use ledger::{Facts, Operation, Outcome};

use super::{PolicyFault, PolicyMark};
use crate::commit::{NotDurable, Sequenced, Withheld};
use crate::engine::reason::Stated;
use crate::engine::{Engine, EngineError};
use crate::model::{KeptSet, RequestId, SetDigest};
use crate::policy::policy_act::{Approve, PolicyAct, Propose};
use crate::policy::{Authorized, OnPolicies, Policies, PolicyError, PolicyTexts, Prepared};
use crate::store::{Change, PolicyWrite, SetState};

/// The set that decides and the one that waits, where the rule of two holds.
pub struct KeptSets {
    /// It decides.
    pub active: Option<KeptSet>,
    /// It waits for its approval.
    pub waiting: Option<KeptSet>,
}

/// What the operator's signal did with the set in the vault's directory.
pub enum Staged {
    /// It waits for its approval.
    Waits(SetDigest, Sequenced),
    /// It waited before.
    Waited(SetDigest),
    /// It decides already.
    Decides,
}

impl Engine {
    /// Whether the rule of two holds.
    pub fn approves_policies(&self) -> bool {
        self.policy_mark.is_some()
    }

    /// The kept sets. Where one was altered, that is an error.
    pub async fn kept_policies(self: &Arc<Self>) -> Result<KeptSets, EngineError> {
        self.blocking(|engine| {
            Ok(KeptSets {
                active: engine.kept_set(SetState::Active)?,
                waiting: engine.kept_set(SetState::Waiting)?,
            })
        })
        .await
    }

    fn kept_set(&self, state: SetState) -> Result<Option<KeptSet>, EngineError> {
        let mark = self.mark()?;
        let Some(row) = self.reader.policy_set(state)? else {
            return Ok(None);
        };
        let set = mark.known(state, row).ok_or(PolicyFault::Altered)?;
        Ok(Some(set))
    }

    fn mark(&self) -> Result<&PolicyMark, PolicyFault> {
        self.policy_mark.as_ref().ok_or(PolicyFault::NotByApproval)
    }

    /// The set that was approved last, to decide again after a start.
    pub async fn approved_policy(self: &Arc<Self>) -> Result<Option<PolicyTexts>, EngineError> {
        let active = self.kept_policies().await?.active;
        if let Some((_, at)) = active.as_ref().and_then(|set| set.approved.as_ref()) {
            *self.mark()?.turn.lock().await = *at;
        }
        let texts = active.map(|set| PolicyTexts::unbundle(&set.bundle));
        Ok(texts.transpose().map_err(refused)?)
    }

    /// Keeps the set that decides now, where none was kept: the first one needs no second person.
    pub async fn adopt_policy(&self, policies: &Policies) -> Result<Sequenced, EngineError> {
        let texts = policies.texts();
        let set = KeptSet {
            digest: SetDigest(texts.digest()),
            bundle: texts.bundle(),
            proposed_by: None,
            proposed: self.clock.now(),
            approved: None,
        };
        let mut facts = Facts::new(Operation::PolicySet, Outcome::Ok);
        facts.policy = Some(policies.digest());
        facts.reason = Some("adopted".to_owned());
        let row = self.mark()?.marked(SetState::Active, set);
        self.write(PolicyWrite::Adopt(Box::new(row)), facts).await
    }

    /// Puts the set in the vault's directory up, for the operator: any unit that may can approve it.
    ///
    /// One that waits stays as it is. A signal may come for other reasons, and who put the set up would be free to
    /// approve it alone.
    pub async fn stage_policy(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
    ) -> Result<Staged, EngineError> {
        let set = match self.candidate(policies).await {
            Err(EngineError::Policy(PolicyFault::Active)) => return Ok(Staged::Decides),
            candidate => candidate?,
        };
        let waiting = self.blocking(|engine| match engine.kept_set(SetState::Waiting) {
            Err(EngineError::Policy(PolicyFault::Altered)) => Ok(None),
            kept => kept,
        });
        if waiting.await?.is_some_and(|kept| kept.digest == set.digest) {
            return Ok(Staged::Waited(set.digest));
        }
        let mut facts = Facts::new(Operation::PolicyPropose, Outcome::Ok);
        facts.policy = Some(policies.digest());
        let (digest, entry) = self.staged(set, facts).await?;
        Ok(Staged::Waits(digest, entry))
    }

    /// Puts the set in the vault's directory up, for the caller's unit.
    pub async fn propose_policy(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
        proof: Authorized<OnPolicies<Propose>>,
        request: RequestId,
    ) -> Result<(SetDigest, Sequenced), EngineError> {
        let mut set = self.candidate(policies).await?;
        set.proposed_by = Some(proof.admitted().caller().unit().name.clone());
        let stated = Stated::by(Propose::OPERATION, &proof, request);
        self.staged(set, stated).await
    }

    async fn candidate(self: &Arc<Self>, policies: &Arc<Policies>) -> Result<KeptSet, EngineError> {
        self.mark()?;
        let at_hand = Arc::clone(policies);
        let texts = self
            .blocking(move |_| {
                let texts = at_hand.at_hand().map_err(refused)?;
                at_hand.prepare(texts.clone()).map_err(refused)?;
                Ok(texts)
            })
            .await?;
        if texts.digest() == policies.set_digest() {
            return Err(PolicyFault::Active.into());
        }
        Ok(KeptSet {
            digest: SetDigest(texts.digest()),
            bundle: texts.bundle(),
            proposed_by: None,
            proposed: self.clock.now(),
            approved: None,
        })
    }

    async fn staged(
        &self,
        set: KeptSet,
        stated: impl Into<Stated>,
    ) -> Result<(SetDigest, Sequenced), EngineError> {
        let digest = set.digest;
        let row = self.mark()?.marked(SetState::Waiting, set);
        let entry = self
            .write(PolicyWrite::Stage(Box::new(row)), stated)
            .await?;
        Ok((digest, entry))
    }

    /// Approves the set of this digest: when this returns, it decides.
    ///
    /// A task of its own owns it: a caller that hangs up does not leave a set approved that does not decide.
    pub async fn approve_policy(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
        proof: Authorized<OnPolicies<Approve>>,
        digest: SetDigest,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let (engine, policies) = (Arc::clone(self), Arc::clone(policies));
        let approving =
            tokio::spawn(
                async move { engine.approve_now(&policies, proof, digest, request).await },
            );
        approving.await.unwrap_or(Err(EngineError::Keys))
    }

    async fn approve_now(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
        proof: Authorized<OnPolicies<Approve>>,
        digest: SetDigest,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let mark = self.mark()?;
        let mut turn = mark.turn.lock().await;
        let (mut set, prepared) = self.approvable_set(policies, &proof, digest).await?;
        let unit = proof.admitted().caller().unit().name.clone();
        let at = self.clock.now();
        set.approved = Some((unit, at));
        let row = mark.marked(SetState::Active, set);
        let stated = Stated::by(Approve::OPERATION, &proof, request);
        let written = self.write(PolicyWrite::Activate(Box::new(row)), stated);
        let entry = match written.await {
            Ok(entry) => entry,
            Err(EngineError::NotDurable(NotDurable::Conflict)) => {
                return Err(PolicyFault::NotWaiting.into());
            }
            Err(error) => return Err(error),
        };
        *turn = at;
        // Approved and written: from here on it decides, whatever becomes of the entry that says so.
        let decides = policies.activate(prepared);
        if let Err(error) = self.policy_set(decides).await {
            tracing::error!(%error, "approved policies decide, and the entry that they do is missing");
        }
        Ok(entry)
    }

    /// Has the approved set decide, where another one does: its entry came after its request was given up on.
    /// Yields whether that was so.
    pub async fn settle_policy(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
    ) -> Result<bool, EngineError> {
        let Ok(mark) = self.mark() else {
            return Ok(false);
        };
        let mut turn = mark.turn.lock().await;
        let active = self.kept_policies().await?.active;
        let decides = SetDigest(policies.set_digest());
        let Some(set) = active.filter(|set| set.digest != decides) else {
            return Ok(false);
        };
        // Of approved sets only a later one: an older row that came back says nothing.
        let Some((_, at)) = set.approved.as_ref().filter(|(_, at)| *at > *turn) else {
            return Ok(false);
        };
        let at = *at;
        let texts = PolicyTexts::unbundle(&set.bundle).map_err(refused)?;
        let at_rest = Arc::clone(policies);
        let prepared = self
            .blocking(move |_| Ok(at_rest.prepare(texts).map_err(refused)?))
            .await?;
        *turn = at;
        self.policy_set(policies.activate(prepared)).await?;
        Ok(true)
    }

    async fn approvable_set(
        self: &Arc<Self>,
        policies: &Arc<Policies>,
        proof: &Authorized<OnPolicies<Approve>>,
        digest: SetDigest,
    ) -> Result<(KeptSet, Prepared), EngineError> {
        let waiting = self.kept_policies().await?.waiting;
        let set = waiting
            .filter(|set| set.digest == digest)
            .ok_or(PolicyFault::NotWaiting)?;
        if set.proposed_by.as_ref() == Some(&proof.admitted().caller().unit().name) {
            return Err(PolicyFault::OwnProposal.into());
        }
        let texts = PolicyTexts::unbundle(&set.bundle).map_err(refused)?;
        if texts.digest() != digest.0 {
            return Err(PolicyFault::Altered.into());
        }
        let policies = Arc::clone(policies);
        let prepared = self
            .blocking(move |_| Ok(policies.prepare(texts).map_err(refused)?))
            .await?;
        Ok((set, prepared))
    }

    async fn write(
        &self,
        write: PolicyWrite,
        stated: impl Into<Stated>,
    ) -> Result<Sequenced, EngineError> {
        let mut stated = stated.into();
        stated.facts.commitment = Some(write.digest().0);
        let change = Change {
            policies: vec![write],
            ..Change::none()
        };
        let record = self.record_of(stated, change)?;
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }
}

fn refused(error: PolicyError) -> PolicyFault {
    match error {
        PolicyError::Bundle => PolicyFault::Altered,
        other => PolicyFault::Refused(other.to_string()),
    }
}
