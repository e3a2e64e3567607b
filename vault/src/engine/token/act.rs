//! The way from a proof and tokens to an entry: each token's row or the decoy, one step of the act, one record.

use std::collections::HashSet;
use std::sync::Arc;

use kms::{AeadKeyring, ShredKey};
use ledger::{Facts, ItemView};

use super::shred::{Removed, Shredding};
use super::{TokenActFault, TokenFault};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::engine::detokenize::{NO_CLASS, none_too_long};
use crate::engine::tokenize::fresh::Fresh;
use crate::engine::{ATTEMPTS_MAX, DomainKeys, Engine, EngineError, caller_facts};
use crate::model::{DomainName, Plaintext, RequestId, Timestamp, TokenText};
use crate::policy::token_act::TokenAct;
use crate::policy::{Authorized, OnTokens};
use crate::seal::{self, Shares};
use crate::store::{AnswerRow, BlindIndex, Change, Fingerprint, ShredSlot, TokenRow, TokenWrite};

/// The answer to a batch: an outcome for each token, in the order asked, and the entry of them all.
pub struct Acted<T> {
    /// What came of each token.
    pub items: Vec<Result<T, TokenFault>>,
    /// The entry that records it.
    pub entry: Sequenced,
    /// Index of the entry that recorded the request first, where this is a repeat.
    first: Option<u64>,
}

impl<T> Acted<T> {
    /// Index of the entry that records the act: a repeat gives the first one's again.
    pub fn seq(&self) -> u64 {
        self.first.unwrap_or(self.entry.seq())
    }
}

/// What came of one token, before the entry is durable.
pub(super) type Outcome<T> = Result<Withheld<T>, TokenFault>;

/// What a batch's steps work with, and what they write.
pub(super) struct Work<'a> {
    pub(super) engine: &'a Engine,
    pub(super) domain: &'a DomainName,
    pub(super) keys: &'a DomainKeys,
    /// One keyring for the whole batch: both ciphertexts of a row are under one version.
    pub(super) keyring: Arc<AeadKeyring>,
    pub(super) now: Timestamp,
    pub(super) change: Change,
    /// Keys of rows that the change removes.
    pub(super) shreds: Vec<ShredSlot>,
    /// Values that get a token of this batch from now on.
    pub(super) firsts: Firsts,
}

/// One token, as a step sees it.
pub(super) struct Seen<'a> {
    pub(super) token: &'a TokenText,
    pub(super) fingerprint: Fingerprint,
    /// Its row, or the decoy's.
    pub(super) row: TokenRow,
    /// The row's key. Where the token stands there is one.
    pub(super) shred: Option<ShredKey>,
    /// Whether it is there, for this caller. What a step writes where it is not, is dropped.
    pub(super) stands: bool,
    /// Whether it stood in this batch before.
    pub(super) again: bool,
}

/// What came of a batch, before its entry is durable.
pub(super) type Outcomes<T> = Withheld<Batch<T>>;

/// An act before it is written.
pub(super) struct Draft<T> {
    pub(super) record: Record,
    /// What is told when the entry stands.
    pub(super) outcome: Withheld<T>,
    /// Keys of rows that it removes.
    pub(super) shredding: Shredding,
    /// Of a repeat: the index of the first entry.
    pub(super) first: Option<u64>,
}

/// What came of an act that is written.
pub(super) struct Carried<T> {
    pub(super) removed: Removed<T>,
    /// Of a repeat: the index of the first entry.
    first: Option<u64>,
}

type Batch<T> = Vec<Result<T, TokenFault>>;
type Again<T> = dyn Fn(&Engine) -> Result<Option<Draft<Batch<T>>>, EngineError> + Send + Sync;
type Keep<T> = dyn Fn(&Engine, &Outcomes<T>) -> Result<AnswerRow, EngineError> + Send + Sync;

/// How a request that is to be done once is known again, and its answer kept.
pub(super) struct Repeats<T> {
    pub(super) again: Box<Again<T>>,
    pub(super) keep: Box<Keep<T>>,
}

impl Engine {
    /// Walks `step` for each token, and writes what all of them come to.
    pub(super) async fn on_tokens<A, T, F>(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<A>>,
        tokens: Vec<TokenText>,
        request: RequestId,
        step: F,
    ) -> Result<Acted<T>, EngineError>
    where
        A: TokenAct,
        T: Send + 'static,
        F: Fn(&mut Work<'_>, &Seen<'_>) -> Result<Outcome<T>, EngineError> + Send + Sync + 'static,
    {
        self.on_tokens_once((proof, tokens), None, request, step)
            .await
    }

    /// The same; a request that is to be done once gets its answer again when it comes again.
    pub(super) async fn on_tokens_once<A, T, F>(
        self: &Arc<Self>,
        asked: (Authorized<OnTokens<A>>, Vec<TokenText>),
        repeats: Option<Repeats<T>>,
        request: RequestId,
        step: F,
    ) -> Result<Acted<T>, EngineError>
    where
        A: TokenAct,
        T: Send + 'static,
        F: Fn(&mut Work<'_>, &Seen<'_>) -> Result<Outcome<T>, EngineError> + Send + Sync + 'static,
    {
        let carried = self.carried_on_tokens(asked, repeats, request, step);
        let Carried { removed, first } = carried.await?;
        Ok(Acted {
            items: removed.given,
            entry: removed.entry,
            first,
        })
    }

    /// The same as [`Self::on_tokens`], and whether the keys of the rows that it removed are destroyed.
    pub(super) async fn removed_on_tokens<A, T, F>(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<A>>,
        tokens: Vec<TokenText>,
        request: RequestId,
        step: F,
    ) -> Result<Removed<Batch<T>>, EngineError>
    where
        A: TokenAct,
        T: Send + 'static,
        F: Fn(&mut Work<'_>, &Seen<'_>) -> Result<Outcome<T>, EngineError> + Send + Sync + 'static,
    {
        let carried = self.carried_on_tokens((proof, tokens), None, request, step);
        Ok(carried.await?.removed)
    }

    async fn carried_on_tokens<A, T, F>(
        self: &Arc<Self>,
        (proof, tokens): (Authorized<OnTokens<A>>, Vec<TokenText>),
        repeats: Option<Repeats<T>>,
        request: RequestId,
        step: F,
    ) -> Result<Carried<Batch<T>>, EngineError>
    where
        A: TokenAct,
        T: Send + 'static,
        F: Fn(&mut Work<'_>, &Seen<'_>) -> Result<Outcome<T>, EngineError> + Send + Sync + 'static,
    {
        self.batch_size(tokens.len())?;
        self.carried_out(move |engine| {
            if let Some(repeats) = &repeats
                && let Some(draft) = (repeats.again)(engine)?
            {
                return Ok(draft);
            }
            let keep = repeats.as_ref().map(|repeats| &*repeats.keep);
            engine.draft_on_tokens((&proof, request), &tokens, keep, &step)
        })
        .await
    }

    /// Drafts an act and writes it, and does so anew where another request changed what was seen meanwhile.
    pub(super) async fn carried_out<T: Send + 'static>(
        self: &Arc<Self>,
        draft: impl Fn(&Self) -> Result<Draft<T>, EngineError> + Send + Sync + 'static,
    ) -> Result<Carried<T>, EngineError> {
        let draft = Arc::new(draft);
        for _ in 0..ATTEMPTS_MAX {
            let drafting = Arc::clone(&draft);
            let Draft {
                record,
                outcome,
                shredding,
                first,
            } = self.blocking(move |engine| drafting(engine)).await?;
            match self.record_shredding(record, outcome, shredding).await {
                Ok(removed) => return Ok(Carried { removed, first }),
                // Another request changed what was seen.
                Err(EngineError::NotDurable(NotDurable::Conflict)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NotDurable::Conflict.into())
    }

    fn draft_on_tokens<A: TokenAct, T>(
        &self,
        (proof, request): (&Authorized<OnTokens<A>>, RequestId),
        tokens: &[TokenText],
        keep: Option<&Keep<T>>,
        step: &impl Fn(&mut Work<'_>, &Seen<'_>) -> Result<Outcome<T>, EngineError>,
    ) -> Result<Draft<Batch<T>>, EngineError> {
        none_too_long(tokens)?;
        let grant = proof.grant();
        let domain = grant.domain();
        let keys = self.domain_keys(domain)?;
        let fingerprints: Vec<Fingerprint> =
            tokens.iter().map(|token| keys.fingerprint(token)).collect();
        let rows = self.rows(domain, tokens, &fingerprints)?;
        // After the rows were read: they may be under a version that came a moment ago.
        let (keyring, decoy) = keys.values_and_decoy();
        let mut work = Work {
            engine: self,
            domain,
            keys,
            keyring,
            now: self.clock.now(),
            change: Change::none(),
            shreds: Vec::new(),
            firsts: Firsts::default(),
        };
        let mut before = HashSet::with_capacity(tokens.len());
        let mut items = Vec::with_capacity(tokens.len());
        let mut outcomes = Vec::with_capacity(tokens.len());
        for ((token, row), fingerprint) in tokens.iter().zip(rows).zip(fingerprints) {
            // INVARIANT 8: absent, another domain's and not covered go on with the decoy, all of them.
            let row = row.filter(|row| grant.covers(&row.class));
            let known = row.is_some();
            let row = row.unwrap_or_else(|| TokenRow::clone(&decoy));
            let shred = self.shreds.key(row.shred)?;
            let stands = known && shred.is_some();
            let seen = Seen {
                token,
                fingerprint,
                row,
                shred,
                stands,
                again: !before.insert(fingerprint),
            };
            let outcome = work.one(&seen, step)?;
            let class = if stands {
                seen.row.class.as_str()
            } else {
                NO_CLASS
            };
            items.push((self.item(fingerprint, class, view(&outcome)), 1));
            outcomes.push(either(outcome));
        }
        let shredding = self.shredding(work.shreds);
        let mut change = work.change;
        change.token_writes.extend(shredding.write());
        let outcomes = Withheld::gather(outcomes);
        change.answer = keep.map(|keep| keep(self, &outcomes)).transpose()?;
        Ok(Draft {
            record: self.act_record(
                proof,
                Record::batch(change, act_facts(proof, request), items)?,
            )?,
            outcome: outcomes,
            shredding,
            first: None,
        })
    }
}

impl Engine {
    /// The record of an act on tokens, which commits to the reason that was given for it.
    pub(super) fn act_record<A: TokenAct>(
        &self,
        proof: &Authorized<OnTokens<A>>,
        record: Record,
    ) -> Result<Record, EngineError> {
        self.because(proof.reason(), Some(proof.grant().domain()), record)
    }
}

/// Blind indexes of values for which a batch has said which token equal ones get.
#[derive(Default)]
pub(super) struct Firsts(HashSet<[u8; 16]>);

impl Firsts {
    /// Whether equal values get this row from now on: no other one stands for them, here or in the store.
    pub(super) fn take(
        &mut self,
        engine: &Engine,
        index: BlindIndex,
        row: Fingerprint,
    ) -> Result<bool, EngineError> {
        if self.0.contains(&index.0) {
            return Ok(false);
        }
        let other = engine.reader.token_by_value(index)?;
        let free = other.is_none_or(|other| other.fingerprint == row);
        if free {
            self.0.insert(index.0);
        }
        Ok(free)
    }

    /// It is taken, whatever stands in the store.
    pub(super) fn set(&mut self, index: BlindIndex) {
        self.0.insert(index.0);
    }

    /// Whether a row of this batch has it.
    pub(super) fn has(&self, index: BlindIndex) -> bool {
        self.0.contains(&index.0)
    }
}

impl Seen<'_> {
    /// What its row opens with.
    fn shares(&self) -> Option<Shares<'_>> {
        let token = self.row.bound.then_some(self.token);
        let shred = self.shred.as_ref()?;
        Some(Shares { shred, token })
    }

    /// Its value, or the decoy's; for the vault's own eyes. `None` where it does not open.
    pub(super) fn opened(&self, work: &Work<'_>) -> Option<Withheld<Plaintext>> {
        let opened = seal::open(&work.keyring, &self.row, self.shares()?);
        if opened.is_err() {
            let class = &self.row.class;
            tracing::error!(%class, "a stored value does not open: the database was altered");
        }
        opened.ok()
    }
}

impl Work<'_> {
    /// A write that goes with the batch; dropped where the token is not there for this caller.
    pub(super) fn write(&mut self, write: TokenWrite) {
        self.change.token_writes.push(write);
    }

    /// What makes new rows.
    pub(super) fn fresh(&self) -> Fresh<'_> {
        Fresh {
            engine: self.engine,
            domain: self.domain,
            keys: self.keys,
            values: Arc::clone(&self.keyring),
            now: self.now,
        }
    }

    fn one<T>(
        &mut self,
        seen: &Seen<'_>,
        step: &impl Fn(&mut Self, &Seen<'_>) -> Result<Outcome<T>, EngineError>,
    ) -> Result<Outcome<T>, EngineError> {
        let (writes, tokens) = (self.change.token_writes.len(), self.change.tokens.len());
        let shreds = self.shreds.len();
        let outcome = step(self, seen)?;
        if seen.stands {
            return Ok(outcome);
        }
        self.change.token_writes.truncate(writes);
        self.change.tokens.truncate(tokens);
        self.shreds.truncate(shreds);
        Ok(Err(TokenFault::NotAvailable))
    }
}

/// What every act's entry says.
pub(super) fn act_facts<A: TokenAct>(proof: &Authorized<OnTokens<A>>, request: RequestId) -> Facts {
    let grant = proof.grant();
    let mut facts = caller_facts(A::OPERATION, proof, request);
    facts.domain = Some(grant.domain().to_string());
    facts.purpose = Some(grant.purpose().to_string());
    facts
}

/// A result that says nothing of a value.
pub(super) fn told<T>(answer: T) -> Withheld<T> {
    Withheld::nothing().with(answer).map(|((), answer)| answer)
}

/// How many rows a step of a walk through the table takes.
pub(super) fn step_rows(limit: u32) -> Result<u32, TokenActFault> {
    const STEP_ROWS_MAX: u32 = 10_000;
    if (1..=STEP_ROWS_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(TokenActFault::Range {
        name: "limit",
        range: format!("1 to {STEP_ROWS_MAX}"),
    })
}

fn view<T>(outcome: &Outcome<T>) -> ItemView {
    match outcome {
        Ok(_) => ItemView::Done,
        Err(TokenFault::NotAvailable) => ItemView::NotAvailable,
        Err(_) => ItemView::Refused,
    }
}

fn either<T>(outcome: Outcome<T>) -> Withheld<Result<T, TokenFault>> {
    match outcome {
        Ok(withheld) => withheld.map(Ok),
        Err(fault) => told(Err(fault)),
    }
}
