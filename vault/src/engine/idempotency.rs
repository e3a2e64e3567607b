//! Requests that are done once: what one is known by, and its answer when it comes again.

use std::sync::Arc;

use kms::constant_time_eq;
use ledger::Operation;

use super::tokenize::Draft;
use super::{DomainKeys, Engine, EngineError, TokenizeItem, caller_facts};
use crate::commit::{Record, Withheld};
use crate::model::{DomainName, Once, RequestId, Timestamp, TokenText, UnitName};
use crate::policy::{Authorized, Tokenize};
use crate::seal::answer;
use crate::store::{AnswerId, AnswerRow, Change, RequestDigest, SealedValue};

/// What the entry of a repeat says.
pub(super) const REPEAT: &str = "idempotent-repeat";

/// Most expired answers of one step, so that the writer's others wait for milliseconds.
const EXPIRED_ROWS_MAX: u32 = 1_000;

/// A request with a name, by what the store knows of it.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    id: AnswerId,
    request: RequestDigest,
    created: Timestamp,
    expires: Timestamp,
}

/// The texts of an answer that was given, and the index of its entry.
type Kept = (Withheld<Vec<TokenText>>, u64);

impl Asked {
    /// What its answer is kept under.
    pub(super) fn id(&self) -> AnswerId {
        self.id
    }

    /// The row that keeps its answer.
    pub(super) fn row(&self, domain: &DomainName, sealed: SealedValue) -> AnswerRow {
        AnswerRow {
            id: self.id,
            domain: domain.clone(),
            request: self.request,
            sealed,
            created: self.created,
            expires: self.expires,
        }
    }
}

impl Engine {
    /// What the request is known by: unit, domain and key name it; its items are what was asked.
    pub(super) fn asked(
        &self,
        proof: &Authorized<Tokenize>,
        items: &[TokenizeItem],
        once: &Once,
    ) -> Result<Asked, EngineError> {
        let domain = proof.grant().domain();
        let request = self.domain_keys(domain)?.request_digest(items);
        let unit = &proof.admitted().caller().unit().name;
        self.named((domain, unit), once, request)
    }

    /// The same, of a request that stands as a digest.
    pub(super) fn named(
        &self,
        (domain, unit): (&DomainName, &UnitName),
        once: &Once,
        request: RequestDigest,
    ) -> Result<Asked, EngineError> {
        let created = self.clock.now();
        Ok(Asked {
            id: self.domain_keys(domain)?.answer_id(unit, &once.key),
            request,
            created,
            expires: created.after(once.keep),
        })
    }

    /// The texts of the answer that the same request got before, and its entry. Another request's is refused.
    pub(super) fn kept(
        &self,
        domain: &DomainName,
        asked: &Asked,
    ) -> Result<Option<Kept>, EngineError> {
        let Some(kept) = self.reader.answer(asked.id, asked.created)? else {
            return Ok(None);
        };
        if !constant_time_eq(&kept.request.0, &asked.request.0) {
            return Err(EngineError::IdempotencyMismatch);
        }
        // After the row was read: it may be under a version that came a moment ago.
        let values = self.domain_keys(domain)?.values();
        let texts = answer::open(&values, domain, asked.id, &kept.sealed)?;
        Ok(Some((texts, kept.entry)))
    }

    /// The answer that the same request got before. It leaves under an entry of its own.
    // INVARIANT 1: tokens that are given again are withheld until the repeat's entry is durable.
    pub(super) fn answered(
        &self,
        proof: &Authorized<Tokenize>,
        asked: &Asked,
        request: RequestId,
    ) -> Result<Option<Draft>, EngineError> {
        let domain = proof.grant().domain();
        let Some((tokens, first)) = self.kept(domain, asked)? else {
            return Ok(None);
        };
        let mut facts = caller_facts(Operation::Tokenize, proof, request);
        facts.domain = Some(domain.to_string());
        facts.reason = Some(REPEAT.to_owned());
        Ok(Some(Draft {
            record: Record::single(Change::none(), facts),
            tokens,
            first: Some(first),
        }))
    }

    /// Lets answers go that are given no longer, up to 1,000 of them; whether there were any.
    pub async fn expire_answers(self: &Arc<Self>) -> Result<bool, EngineError> {
        let now = self.clock.now();
        let expired = self.blocking(move |engine| Ok(engine.reader.has_expired_answer(now)?));
        if !expired.await? {
            return Ok(false);
        }
        self.committer.expire_answers(now, EXPIRED_ROWS_MAX).await?;
        Ok(true)
    }

    /// The row that keeps an answer.
    pub(super) fn answer(
        &self,
        domain: &DomainName,
        asked: &Asked,
        tokens: &Withheld<Vec<TokenText>>,
    ) -> Result<AnswerRow, EngineError> {
        let values = self.domain_keys(domain).map(DomainKeys::values)?;
        let sealed = tokens.column(|tokens| answer::close(&values, domain, asked.id, tokens))?;
        Ok(asked.row(domain, sealed))
    }
}
