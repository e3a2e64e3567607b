//! Reasons that people give in their own words. The entry commits to one by a salted hash; salt and text are sealed beside
//! it, under a key of which one half is a shred key: erased, neither the database nor a backup of it has them.

use std::sync::Arc;

use kms::{Binding, ShredKey};
use ledger::{Detail, Entry, Facts, detail_commitment};
use zeroize::Zeroizing;

use super::TokenActFault;
use super::act::{Draft, act_facts, told};
use crate::commit::{Record, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{DomainName, Reason, RequestId};
use crate::policy::token_act::{EraseDetail, ReadDetail, TokenAct};
use crate::policy::{Authorized, OnTokens};
use crate::store::{Change, DetailRow, DetailWrite, SealedValue};

const SALT_BYTES: usize = 32;
/// What an entry about a detail calls the entry that commits to it.
const ENTRY: &str = "entry-";

type Commitment = [u8; 32];

impl Engine {
    /// Puts a commitment to the proof's reason into the entry, and the reason beside it, where there is one.
    pub(super) fn commit_to_reason<A: TokenAct>(
        &self,
        grant: &OnTokens<A>,
        facts: &mut Facts,
        change: &mut Change,
    ) -> Result<(), EngineError> {
        if let Some(reason) = grant.reason() {
            let (row, commitment) = self.sealed_reason(grant.domain(), reason)?;
            change.details.push(DetailWrite::Keep(row));
            facts.detail = Some(commitment);
        }
        Ok(())
    }

    fn sealed_reason(
        &self,
        domain: &DomainName,
        reason: &Reason,
    ) -> Result<(DetailRow, Commitment), EngineError> {
        let mut salt = Zeroizing::new([0; SALT_BYTES]);
        let drawn = kms::random_bytes(SALT_BYTES).map_err(|_| EngineError::Keys)?;
        salt.copy_from_slice(drawn.expose());
        let commitment = detail_commitment(&salt, reason.expose());
        let (slot, shred) = self.shreds.take()?;
        let key = self.detail_key(&shred, &commitment)?;
        let plain = Zeroizing::new([&salt[..], reason.expose().as_bytes()].concat());
        let sealed = key.seal_once(&context(&commitment), &plain);
        let sealed = sealed.map_err(|_| EngineError::Keys)?;
        let row = DetailRow {
            domain: domain.clone(),
            slot,
            sealed: SealedValue(sealed.expose().to_vec()),
        };
        Ok((row, commitment))
    }

    fn detail_key(
        &self,
        shred: &ShredKey,
        commitment: &Commitment,
    ) -> Result<ShredKey, EngineError> {
        let context = Binding::new("jinku/v1 detail key").field(commitment);
        let key = shred.joined(self.keys.epochs().base(), &context);
        key.ok_or(EngineError::Keys)
    }

    /// The reason that was given for an act, as one JSON object for the auditor's tool. Reading it is an entry.
    pub async fn read_detail(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<ReadDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<(String, Sequenced), EngineError> {
        let engine = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let detail = engine.opened_detail(proof.grant().domain(), of)?;
            let mut facts = act_facts(&proof, request);
            facts.reason = Some(format!("{ENTRY}{of}"));
            Ok((Record::single(Change::none(), facts), told(detail)))
        });
        let read: Result<_, EngineError> = reading.await.map_err(|_| EngineError::Keys)?;
        let (record, detail) = read?;
        // INVARIANT 1: it leaves when its entry is durable.
        Ok(self.committer.record(record, detail).await?)
    }

    /// Erases it for good. The act's entry stands as it is.
    pub async fn erase_detail(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<EraseDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let draft = move |engine: &Self| engine.draft_detail_erasure(&proof, of, request);
        let removed = self.carried_out(draft).await?.removed;
        if !removed.destroyed {
            return Err(TokenActFault::NotDestroyed.into());
        }
        Ok(removed.entry)
    }

    fn draft_detail_erasure(
        &self,
        proof: &Authorized<OnTokens<EraseDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<Draft<()>, EngineError> {
        let row = self.kept_detail(proof.grant().domain(), of)?;
        let shredding = self.shredding(vec![row.slot]);
        let mut change = Change::none();
        change.details.push(DetailWrite::Erase(of));
        change.token_writes.extend(shredding.write());
        let mut facts = act_facts(proof, request);
        facts.reason = Some(format!("{ENTRY}{of}"));
        Ok(Draft {
            record: Record::single(change, facts),
            outcome: told(()),
            shredding,
            first: None,
        })
    }

    fn kept_detail(&self, domain: &DomainName, of: u64) -> Result<DetailRow, EngineError> {
        let row = self.reader.detail(of)?.filter(|row| row.domain == *domain);
        Ok(row.ok_or(TokenActFault::NoDetail)?)
    }

    fn opened_detail(&self, domain: &DomainName, of: u64) -> Result<String, EngineError> {
        let row = self.kept_detail(domain, of)?;
        let entry = self.reader.entries(of, 1)?.pop();
        let entry = entry.and_then(|stored| Entry::decode(&stored.bytes).ok());
        let commitment = entry.and_then(|entry| entry.facts.detail);
        let shred = self.shreds.key(row.slot)?;
        let (commitment, shred) = commitment.zip(shred).ok_or(TokenActFault::NoDetail)?;
        let key = self.detail_key(&shred, &commitment)?;
        let plain = key.open(&context(&commitment), &row.sealed.0);
        let plain = plain.map_err(|_| EngineError::Keys)?;
        let (salt, text) = plain
            .expose()
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(EngineError::Keys)?;
        let text = String::from_utf8(text.to_vec()).map_err(|_| EngineError::Keys)?;
        let detail = Detail::new(of, salt, text);
        detail.to_json().ok_or(EngineError::Keys)
    }
}

/// The entry whose detail an entry says was erased.
pub(in crate::engine) fn detail_told(facts: &Facts) -> Option<DetailWrite> {
    let erased = facts.operation == EraseDetail::OPERATION;
    let of = facts.reason.as_deref().filter(|_| erased)?;
    let of = of.strip_prefix(ENTRY)?.parse().ok()?;
    Some(DetailWrite::Forget(of))
}

fn context(commitment: &Commitment) -> Binding {
    Binding::new("jinku/v1 detail").field(commitment)
}
