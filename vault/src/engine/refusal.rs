//! Refusals of those who are known: they leave by the same door, and are entries too.

use kms::KeyId;
use ledger::{Facts, Operation, Outcome};

use super::{Engine, EngineError, unit_text};
use crate::commit::{Record, Sequenced, Withheld};
use crate::model::{DomainName, GatewayName, Purpose, RequestId, UnitName};
use crate::store::Change;

/// Who was refused, at what, and why, in the ledger's words.
pub struct Refusal<'a> {
    /// What was asked, or which door refused.
    pub operation: Operation,
    /// The refusal's stable code, for example `not-permitted`.
    pub reason: &'static str,
    /// The request.
    pub request: RequestId,
    /// The unit, where one is known.
    pub unit: Option<&'a UnitName>,
    /// The gateway, where one is known.
    pub gateway: Option<&'a GatewayName>,
    /// The domain asked for.
    pub domain: Option<&'a DomainName>,
    /// The purpose stated.
    pub purpose: Option<&'a Purpose>,
    /// Digest of the policy set that decided.
    pub policy: Option<[u8; 32]>,
    /// The key asked for, where one is known.
    pub key: Option<&'a KeyId>,
    /// What the entry commits to: a grant's id.
    pub commitment: Option<[u8; 32]>,
    /// Whether policy said no, or the act failed by itself.
    pub outcome: Outcome,
}

impl Engine {
    /// Records a refusal. Until this returns, the caller gets no answer.
    pub async fn refuse(&self, refusal: Refusal<'_>) -> Result<Sequenced, EngineError> {
        let record = Record::single(Change::none(), Self::refused(&refusal));
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }

    pub(super) fn refused(refusal: &Refusal<'_>) -> Facts {
        let mut facts = Facts::new(refusal.operation, refusal.outcome);
        facts.unit = unit_text(refusal.unit);
        facts.gateway = refusal.gateway.map(ToString::to_string);
        facts.domain = refusal.domain.map(ToString::to_string);
        facts.purpose = refusal.purpose.map(ToString::to_string);
        facts.policy = refusal.policy;
        facts.reason = Some(refusal.reason.to_owned());
        facts.request = Some(refusal.request.0);
        facts.commitment = refusal.commitment;
        facts.key = refusal.key.map(|key| (key.as_str().to_owned(), 0));
        facts
    }

    /// Records that the vault has started, with the policy set it starts under.
    pub async fn started(&self, policy: [u8; 32]) -> Result<Sequenced, EngineError> {
        self.note(Operation::NodeStart, policy).await
    }

    /// Records that another policy set decides from now on.
    pub async fn policy_set(&self, policy: [u8; 32]) -> Result<Sequenced, EngineError> {
        self.note(Operation::PolicySet, policy).await
    }

    async fn note(&self, operation: Operation, policy: [u8; 32]) -> Result<Sequenced, EngineError> {
        let mut facts = Facts::new(operation, Outcome::Ok);
        facts.policy = Some(policy);
        let record = Record::single(Change::none(), facts);
        let ((), entry) = self.committer.record(record, Withheld::nothing()).await?;
        Ok(entry)
    }
}
