//! Erase: rows go, their shred keys are destroyed on disk, and a certificate says so.
//!
//! In this order: rows, links and tombstones, the slots that are due, and the entry in one transaction; the
//! write-ahead log is emptied; the slots are overwritten; and only then the answer. Whatever breaks off in
//! between is finished at the next start, by the table `shred_due`.

use std::sync::Arc;

use ledger::{Item, ItemView};

use super::TokenFault;
use super::act::{Draft, Outcome, Seen, Work, act_facts, told};
use super::shred::Removed;
use crate::commit::{Record, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{RequestId, Subject, TokenText};
use crate::policy::token_act;
use crate::policy::{Authorized, OnTokens};
use crate::store::{Change, ShredSlot, SubjectHandle, TokenRow, TokenWrite};

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

impl Engine {
    /// Erases for good. The proof names the classes that may be erased.
    pub async fn erase(
        self: &Arc<Self>,
        proof: Proof,
        what: Erasing,
        request: RequestId,
    ) -> Result<Erasure, EngineError> {
        match what {
            Erasing::Tokens(tokens) => self.erase_tokens(proof, tokens, request).await,
            Erasing::Subject(subject) => self.erase_subject(proof, &subject, request).await,
        }
    }

    async fn erase_tokens(
        self: &Arc<Self>,
        proof: Proof,
        tokens: Vec<TokenText>,
        request: RequestId,
    ) -> Result<Erasure, EngineError> {
        let removed = self.removed_on_tokens(proof, tokens, request, erased);
        let Removed {
            given,
            entry,
            destroyed,
        } = removed.await?;
        if !destroyed {
            return Err(EngineError::ShredLate);
        }
        let first = |item: &&Result<Removal, TokenFault>| **item == Ok(Removal::First);
        Ok(Erasure {
            erased: given.iter().filter(first).count() as u64,
            items: given.into_iter().map(item).collect(),
            unlinked: 0,
            entry,
            certificate: self.certificate(entry).await,
        })
    }

    async fn erase_subject(
        self: &Arc<Self>,
        proof: Proof,
        subject: &Subject,
        request: RequestId,
    ) -> Result<Erasure, EngineError> {
        // A certificate must not leave something behind in silence.
        if !proof.grant().covers_all() {
            return Err(EngineError::NotWhole);
        }
        let handle = self.domain_keys(proof.grant().domain())?.subject(subject);
        let draft = move |engine: &Self| engine.draft_of_subject(&proof, handle, request);
        let Removed {
            given: (erased, unlinked),
            entry,
            destroyed,
        } = self.carried_out(draft).await?.removed;
        // The rows are gone and the entry stands; what their values were sealed under does too.
        if !destroyed {
            return Err(EngineError::ShredLate);
        }
        Ok(Erasure {
            items: Vec::new(),
            erased,
            unlinked,
            entry,
            certificate: self.certificate(entry).await,
        })
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

    fn draft_of_subject(
        &self,
        proof: &Proof,
        handle: SubjectHandle,
        request: RequestId,
    ) -> Result<Draft<(u64, u64)>, EngineError> {
        let mut facts = act_facts(proof, request);
        facts.commitment = Some(self.keys.subject_commitment(handle));
        let mut plan = Plan::default();
        self.plan_subject(handle, &mut plan)?;
        let (erased, unlinked) = (plan.slots.len() as u64, plan.unlinked);
        let mut writes = plan.writes;
        let shredding = self.shredding(plan.slots);
        writes.extend(shredding.write());
        let change = Change {
            token_writes: writes,
            ..Change::none()
        };
        Ok(Draft {
            record: self.act_record(proof, Record::batch(change, facts, plan.items)?)?,
            outcome: told((erased, unlinked)),
            shredding,
            first: None,
        })
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
            plan.items.push((item, 1));
        }
        Ok(())
    }
}

/// Whether a token's row goes for this item of the batch, or went for an earlier one.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Removal {
    First,
    Again,
}

fn erased(work: &mut Work<'_>, seen: &Seen<'_>) -> Result<Outcome<Removal>, EngineError> {
    // Asked for the decoy too: by the token's own fingerprint.
    if work.engine.reader.is_held(seen.fingerprint)? {
        return Ok(Err(TokenFault::Held));
    }
    // The same token twice is one row.
    if seen.again {
        return Ok(Ok(told(Removal::Again)));
    }
    work.write(TokenWrite::Remove(seen.fingerprint));
    work.shreds.push(seen.row.shred);
    Ok(Ok(told(Removal::First)))
}

fn item(outcome: Result<Removal, TokenFault>) -> ErasedItem {
    match outcome {
        Ok(Removal::First | Removal::Again) => ErasedItem::Erased,
        Err(TokenFault::Held) => ErasedItem::Held,
        // The step answers with none of the others.
        Err(_) => ErasedItem::NotAvailable,
    }
}

/// What a subject's erasure comes to.
#[derive(Default)]
struct Plan {
    writes: Vec<TokenWrite>,
    slots: Vec<ShredSlot>,
    items: Vec<(Item, usize)>,
    unlinked: u64,
}

impl Plan {
    fn remove(&mut self, row: &TokenRow, write: TokenWrite) {
        self.writes.push(write);
        self.slots.push(row.shred);
    }
}
