//! Tokens are purged by their age, a step at a time, or counted for it.

use std::sync::Arc;

use ledger::{Item, ItemView};

use super::TokenActFault;
use super::act::{Draft, act_facts, step_rows, told};
use super::shred::Shredding;
use crate::commit::{Record, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{ClassName, RequestId};
use crate::policy::token_act::Purge;
use crate::policy::{Authorized, OnTokens};
use crate::store::{Age, Aged, Change, TokenWrite};

/// What the entry of a dry run says.
const DRY_RUN: &str = "dry-run";

/// Which tokens a step of a purge takes.
#[derive(Clone, Debug)]
pub struct PurgeStep {
    /// Of one class; of all that the proof covers where it is not said.
    pub class: Option<ClassName>,
    /// How old they are.
    pub age: Age,
    /// Count them only.
    pub dry_run: bool,
    /// The place in the table to go on from; 0 at first.
    pub place: i64,
    /// Most tokens of the step, 1 to 10,000.
    pub limit: u32,
}

/// How one step went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Purged {
    /// Tokens so old.
    pub matching: u64,
    /// Of these, kept by a legal hold.
    pub held: u64,
    /// Tokens that are gone, and their values with them.
    pub purged: u64,
    /// Where the next step goes on; `None` when the end was reached.
    pub next: Option<i64>,
}

impl Engine {
    /// Removes old tokens and destroys their values' keys. Those under a legal hold stay.
    pub async fn purge_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Purge>>,
        step: PurgeStep,
        request: RequestId,
    ) -> Result<(Purged, Sequenced), EngineError> {
        step_rows(step.limit)?;
        let (name, before) = match step.age {
            Age::CreatedBefore(before) => ("created_before", before),
            Age::ExpiredBefore(before) => ("expired_before", before),
        };
        if before > self.clock.now() {
            return Err(TokenActFault::Future { name }.into());
        }
        // One of them may be held, used for longer, or removed meanwhile: then it is drafted anew.
        let draft = move |engine: &Self| engine.draft_purge(&proof, &step, request);
        let removed = self.carried_out(draft).await?.removed;
        if !removed.destroyed {
            return Err(TokenActFault::NotDestroyed.into());
        }
        Ok((removed.given, removed.entry))
    }

    fn draft_purge(
        &self,
        proof: &Authorized<OnTokens<Purge>>,
        step: &PurgeStep,
        request: RequestId,
    ) -> Result<Draft<Purged>, EngineError> {
        let grant = proof.grant();
        let classes: Vec<ClassName> = match &step.class {
            Some(class) => vec![class.clone()],
            None => grant.classes().cloned().collect(),
        };
        let place = (step.place, step.limit);
        let (rows, next) = self
            .reader
            .aged_tokens(grant.domain(), &classes, step.age, place)?;
        let (held, free): (Vec<Aged>, Vec<Aged>) = rows.into_iter().partition(|row| row.held);
        let count = |rows: &[Aged]| u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let purged = Purged {
            matching: count(&held) + count(&free),
            held: count(&held),
            purged: if step.dry_run { 0 } else { count(&free) },
            next,
        };
        let mut facts = act_facts(proof, request);
        if step.dry_run {
            facts.reason = Some(DRY_RUN.to_owned());
        }
        if step.dry_run || purged.matching == 0 {
            return Ok(Draft {
                record: self.act_record(proof, Record::single(Change::none(), facts))?,
                outcome: told(purged),
                shredding: Shredding::default(),
                first: None,
            });
        }
        let shredding = self.shredding(free.iter().map(|row| row.shred).collect());
        let mut change = Change::none();
        for row in &free {
            // Its time may have been prolonged since it was read.
            if let Age::ExpiredBefore(before) = step.age {
                let over = TokenWrite::Over(row.fingerprint, before);
                change.token_writes.push(over);
            }
            change
                .token_writes
                .push(TokenWrite::Remove(row.fingerprint));
        }
        change.token_writes.extend(shredding.write());
        let items = self.aged_items(&free, ItemView::Done);
        let items = items.chain(self.aged_items(&held, ItemView::Refused));
        Ok(Draft {
            record: self.act_record(proof, Record::batch(change, facts, items)?)?,
            outcome: told(purged),
            shredding,
            first: None,
        })
    }

    fn aged_items<'a>(
        &'a self,
        rows: &'a [Aged],
        view: ItemView,
    ) -> impl Iterator<Item = (Item, usize)> + 'a {
        rows.iter()
            .map(move |row| (self.item(row.fingerprint, row.class.as_str(), view), 1))
    }
}
