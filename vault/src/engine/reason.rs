//! Reasons that people give in their own words, for any act that changes something. The entry commits to one by a salted
//! hash; salt and text are sealed beside it, under a key of which one half is a shred key: erased, neither the database nor
//! a backup of it has them.

use std::sync::Arc;

use kms::{Binding, ShredKey};
use ledger::{Detail, Entry, Facts, Operation, detail_commitment};
use zeroize::Zeroizing;

use super::token::TokenActFault;
use super::{Engine, EngineError, caller_facts};
use crate::commit::Record;
use crate::model::{DomainName, Reason, RequestId};
use crate::policy::Authorized;
use crate::store::{Change, DetailRow, SealedValue};

const SALT_BYTES: usize = 32;

type Commitment = [u8; 32];

/// What an act's entry says, and the words that were given for it.
pub(super) struct Stated {
    pub(super) facts: Facts,
    reason: Option<Arc<Reason>>,
}

impl Stated {
    /// Of an authorised act.
    pub(super) fn by<A>(operation: Operation, proof: &Authorized<A>, request: RequestId) -> Self {
        Self {
            facts: caller_facts(operation, proof, request),
            reason: proof.reason().cloned(),
        }
    }
}

impl From<Facts> for Stated {
    /// Of what the vault does by itself.
    fn from(facts: Facts) -> Self {
        Self {
            facts,
            reason: None,
        }
    }
}

impl Engine {
    /// The record of a change in no domain's affairs.
    pub(super) fn record_of(&self, stated: Stated, change: Change) -> Result<Record, EngineError> {
        let record = Record::single(change, stated.facts);
        self.because(stated.reason.as_ref(), None, record)
    }

    /// The same record, which commits to the reason that was given for the act, where one was.
    pub(super) fn because(
        &self,
        reason: Option<&Arc<Reason>>,
        domain: Option<&DomainName>,
        record: Record,
    ) -> Result<Record, EngineError> {
        let Some(reason) = reason else {
            return Ok(record);
        };
        let mut salt = Zeroizing::new([0; SALT_BYTES]);
        let drawn = kms::random_bytes(SALT_BYTES).map_err(|_| EngineError::Keys)?;
        salt.copy_from_slice(drawn.expose());
        let commitment = detail_commitment(&salt, reason.expose());
        let (slot, shred) = self.shreds.take()?;
        let key = self.reason_key(&shred, &commitment)?;
        let plain = Zeroizing::new([&salt[..], reason.expose().as_bytes()].concat());
        let sealed = key.seal_once(&context(&commitment), &plain);
        let sealed = sealed.map_err(|_| EngineError::Keys)?;
        let row = DetailRow {
            domain: domain.cloned(),
            slot,
            sealed: SealedValue(sealed.expose().to_vec()),
        };
        Ok(record.with_detail(row, commitment))
    }

    fn reason_key(
        &self,
        shred: &ShredKey,
        commitment: &Commitment,
    ) -> Result<ShredKey, EngineError> {
        let context = Binding::new("jinku/v1 detail key").field(commitment);
        let key = shred.joined(self.keys.epochs().base(), &context);
        key.ok_or(EngineError::Keys)
    }

    /// The reason that was given for an act in this domain's affairs, or in none's.
    pub(super) fn kept_reason(
        &self,
        domain: Option<&DomainName>,
        of: u64,
    ) -> Result<DetailRow, EngineError> {
        let row = self.reader.detail(of)?;
        let row = row.filter(|row| row.domain.as_ref() == domain);
        Ok(row.ok_or(TokenActFault::NoDetail)?)
    }

    /// The same in words, as one JSON object for the auditor's tool.
    pub(super) fn opened_reason(
        &self,
        domain: Option<&DomainName>,
        of: u64,
    ) -> Result<String, EngineError> {
        let row = self.kept_reason(domain, of)?;
        let entry = self.reader.entries(of, 1)?.pop();
        let entry = entry.and_then(|stored| Entry::decode(&stored.bytes).ok());
        let commitment = entry.and_then(|entry| entry.facts.detail);
        let shred = self.shreds.key(row.slot)?;
        let (commitment, shred) = commitment.zip(shred).ok_or(TokenActFault::NoDetail)?;
        let key = self.reason_key(&shred, &commitment)?;
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

fn context(commitment: &Commitment) -> Binding {
    Binding::new("jinku/v1 detail").field(commitment)
}
