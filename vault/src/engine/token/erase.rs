//! Erase: rows go, their shred keys are destroyed on disk, and a certificate says so.
//!
//! In this order: rows, links and tombstones, the slots that are due, and the entry in one transaction; the
//! write-ahead log is emptied; the slots are overwritten; and only then the answer. Whatever breaks off in
//! between is finished at the next start, by the table `shred_due`.

use std::collections::HashSet;
use std::sync::Arc;

use ledger::{Item, ItemView, Operation, Outcome};

use super::shred::{Removed, Shredding};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::engine::detokenize::{NO_CLASS, none_too_long};
use crate::engine::{ATTEMPTS_MAX, DomainKeys, Engine, EngineError, Refusal, caller_facts};
use crate::model::{RequestId, Subject, TokenText};
use crate::policy::{Authorized, OnTokens, token_act};
use crate::store::{Change, Fingerprint, ShredSlot, SubjectHandle, TokenRow, TokenWrite};

/// Most rows of one erasure by subject.
pub const ERASED_ROWS_MAX: usize = 100_000;
/// Rows of a subject that are read at a time.
const PAGE_ROWS: u32 = 1_000;

type Proof = Authorized<OnTokens<token_act::Erase>>;

/// What is to be erased.
pub enum Erasing {
    /// These tokens, each by itself.
    Tokens(Vec<TokenText>),
    /// Whatever is about this subject: all of it, or nothing.
    Subject(Subject),
}

/// What became of one token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErasedItem {
    /// It is gone, and its value for good.
    Erased,
    /// A legal hold keeps it.
    Held,
    /// No such token, another domain's, or no right to erase it: not told apart (invariant 8).
    NotAvailable,
}

impl ErasedItem {
    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Held => "held",
            Self::NotAvailable => "not-available",
        }
    }
}

/// The answer.
pub struct Erasure {
    /// One for each token, in the order asked; none of a subject.
    pub items: Vec<ErasedItem>,
    /// Rows that are gone.
    pub erased: u64,
    /// Rows that stay, for they are about someone else too; they are no longer about the subject.
    pub unlinked: u64,
    /// The entry that records it.
    pub entry: Sequenced,
    /// Its receipt; nothing where no checkpoint covered it in time.
    pub certificate: Option<String>,
}

/// An erasure before it is recorded.
struct Draft {
    record: Record,
    shredding: Shredding,
    items: Vec<ErasedItem>,
    erased: u64,
    unlinked: u64,
}

impl Engine {
    /// Erases for good. The proof names the classes that may be erased.
    pub async fn erase(
        self: &Arc<Self>,
        proof: Proof,
        what: Erasing,
        request: RequestId,
    ) -> Result<Erasure, EngineError> {
        match &what {
            Erasing::Tokens(tokens) => self.batch_size(tokens.len())?,
            Erasing::Subject(_) if proof.grant().covers_all() => {}
            // A certificate must not leave something behind in silence.
            Erasing::Subject(_) => {
                let reason = ("not-permitted", Outcome::Denied);
                return self
                    .not_erased(&proof, EngineError::NotWhole, reason, request)
                    .await;
            }
        }
        let (proof, what) = (Arc::new(proof), Arc::new(what));
        for _ in 0..ATTEMPTS_MAX {
            let (engine, held, what) = (Arc::clone(self), Arc::clone(&proof), Arc::clone(&what));
            let drafting =
                tokio::task::spawn_blocking(move || engine.draft_erasure(&held, &what, request));
            let draft = match drafting.await.map_err(|_| EngineError::Keys)? {
                Err(EngineError::Held) => {
                    let reason = ("held", Outcome::Error);
                    return self
                        .not_erased(&proof, EngineError::Held, reason, request)
                        .await;
                }
                draft => draft?,
            };
            let removed = self.record_shredding(draft.record, Withheld::nothing(), draft.shredding);
            match removed.await {
                // A hold, a link or another erasure came between: look again.
                Err(EngineError::NotDurable(NotDurable::Conflict)) => {}
                Err(error) => return Err(error),
                // The rows are gone and the entry stands; what their values were sealed under does too.
                Ok(removed) if !removed.destroyed => return Err(EngineError::ShredLate),
                Ok(Removed { entry, .. }) => {
                    let certificate = self.certificate(entry).await;
                    return Ok(Erasure {
                        items: draft.items,
                        erased: draft.erased,
                        unlinked: draft.unlinked,
                        entry,
                        certificate,
                    });
                }
            }
        }
        Err(NotDurable::Conflict.into())
    }

    /// Records what was refused, before it is answered.
    async fn not_erased(
        &self,
        proof: &Proof,
        error: EngineError,
        (reason, outcome): (&'static str, Outcome),
        request: RequestId,
    ) -> Result<Erasure, EngineError> {
        let caller = proof.admitted().caller();
        self.refuse(Refusal {
            operation: Operation::Erase,
            reason,
            request,
            unit: Some(&caller.unit().name),
            gateway: caller.gateway().map(|gateway| &gateway.name),
            domain: Some(proof.grant().domain()),
            purpose: Some(proof.grant().purpose()),
            policy: Some(proof.policy()),
            key: None,
            outcome,
        })
        .await?;
        Err(error)
    }

    /// The receipt of a durable entry, if a checkpoint covers it in time. What is erased stays erased.
    async fn certificate(self: &Arc<Self>, entry: Sequenced) -> Option<String> {
        let stored = self.reader.entries(entry.seq(), 1).ok()?.pop()?;
        match self.proof_of(stored).await {
            Ok(text) => Some(text),
            Err(error) => {
                tracing::warn!(%error, entry = entry.seq(), "an erasure's certificate is late");
                None
            }
        }
    }

    fn draft_erasure(
        &self,
        proof: &Proof,
        what: &Erasing,
        request: RequestId,
    ) -> Result<Draft, EngineError> {
        let keys = self.domain_keys(proof.grant().domain())?;
        let mut facts = caller_facts(Operation::Erase, proof, request);
        facts.domain = Some(proof.grant().domain().to_string());
        facts.purpose = Some(proof.grant().purpose().to_string());
        let mut plan = Plan::default();
        match what {
            Erasing::Tokens(tokens) => self.plan_tokens(proof, keys, tokens, &mut plan)?,
            Erasing::Subject(subject) => {
                let handle = keys.subject(subject);
                facts.commitment = Some(self.keys.subject_commitment(handle));
                self.plan_subject(handle, &mut plan)?;
            }
        }
        let (erased, unlinked) = (plan.slots.len() as u64, plan.unlinked);
        let mut writes = plan.writes;
        let shredding = self.shredding(plan.slots);
        writes.extend(shredding.write());
        let change = Change {
            token_writes: writes,
            ..Change::none()
        };
        Ok(Draft {
            record: Record::batch(change, facts, plan.entry_items)?,
            shredding,
            items: plan.items,
            erased,
            unlinked,
        })
    }

    fn plan_tokens(
        &self,
        proof: &Proof,
        keys: &DomainKeys,
        tokens: &[TokenText],
        plan: &mut Plan,
    ) -> Result<(), EngineError> {
        none_too_long(tokens)?;
        let rows: Vec<Fingerprint> = tokens.iter().map(|token| keys.fingerprint(token)).collect();
        let found = self.rows(proof.grant().domain(), tokens, &rows)?;
        let mut seen = HashSet::new();
        for (fingerprint, row) in rows.into_iter().zip(found) {
            let class = row.as_ref().map_or(NO_CLASS, |row| row.class.as_str());
            let row = row.as_ref().filter(|row| proof.grant().covers(&row.class));
            let (outcome, view) = match row {
                None => (ErasedItem::NotAvailable, ItemView::NotAvailable),
                Some(_) if self.reader.is_held(fingerprint)? => {
                    (ErasedItem::Held, ItemView::Refused)
                }
                Some(row) => {
                    // The same token twice is one row.
                    if seen.insert(fingerprint) {
                        plan.remove(row, TokenWrite::Remove(fingerprint));
                    }
                    (ErasedItem::Erased, ItemView::Done)
                }
            };
            plan.items.push(outcome);
            plan.entry_items
                .push((self.item(fingerprint, class, view), 1));
        }
        Ok(())
    }

    fn plan_subject(&self, handle: SubjectHandle, plan: &mut Plan) -> Result<(), EngineError> {
        if !self.reader.holds(handle.0)?.is_empty() {
            return Err(EngineError::Held);
        }
        let mut after = None;
        loop {
            let rows = self.reader.tokens_of_subject(handle, after, PAGE_ROWS)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.fingerprint);
            for row in &rows {
                self.plan_row_of(handle, row, plan)?;
            }
            if plan.slots.len() > ERASED_ROWS_MAX {
                let max = ERASED_ROWS_MAX;
                return Err(EngineError::SubjectTooLarge { max });
            }
        }
        // In the same transaction, and last: what was linked a moment ago is a conflict, not a remainder.
        plan.writes.push(TokenWrite::NoneLeft(handle));
        Ok(())
    }

    fn plan_row_of(
        &self,
        handle: SubjectHandle,
        row: &TokenRow,
        plan: &mut Plan,
    ) -> Result<(), EngineError> {
        let token = row.fingerprint;
        if self.reader.is_held(token)? {
            return Err(EngineError::Held);
        }
        let others = self
            .reader
            .subjects_of(token)?
            .iter()
            .any(|other| *other != handle);
        if others {
            plan.unlinked += 1;
            plan.writes.push(TokenWrite::Unlink(handle, token));
        } else {
            plan.remove(row, TokenWrite::RemoveOf(handle, token));
            let item = self.item(token, row.class.as_str(), ItemView::Done);
            plan.entry_items.push((item, 1));
        }
        Ok(())
    }
}

/// What an erasure comes to.
#[derive(Default)]
struct Plan {
    writes: Vec<TokenWrite>,
    slots: Vec<ShredSlot>,
    items: Vec<ErasedItem>,
    entry_items: Vec<(Item, usize)>,
    unlinked: u64,
}

impl Plan {
    fn remove(&mut self, row: &TokenRow, write: TokenWrite) {
        self.writes.push(write);
        self.slots.push(row.shred);
    }
}
