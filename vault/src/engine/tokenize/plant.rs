//! Planting honeytokens: ordinary rows of made-up values, and marks that only the vault's keys can read.
//!
//! The entry says who planted how many of which class. Its items stand for the tokens under a label of
//! their own: no other entry's item can be told to be one of them without the keys.

use std::sync::Arc;

use ledger::{Item, ItemView};

use super::batch::Batch;
use crate::commit::{NotDurable, Record, Withheld};
use crate::engine::guard::GuardFault;
use crate::engine::{ATTEMPTS_MAX, Engine, EngineError, caller_facts};
use crate::model::{Alarm, ClassName, RequestId, TokenText};
use crate::policy::guard_act::{GuardAct, Plant};
use crate::policy::{Authorized, OnClasses};
use crate::store::{Change, GuardWrite};
use crate::token;

use super::Issued;

struct Planting {
    record: Record,
    tokens: Withheld<Vec<TokenText>>,
    marks: Vec<([u8; 16], Alarm)>,
}

impl Engine {
    /// Plants so many honeytokens of the proof's one class. Presenting one brings about what `alarm` says.
    pub async fn plant_honeytokens(
        self: &Arc<Self>,
        proof: Authorized<OnClasses<Plant>>,
        count: usize,
        alarm: Alarm,
        request: RequestId,
    ) -> Result<Issued, EngineError> {
        self.batch_size(count)?;
        let proof = Arc::new(proof);
        for _ in 0..ATTEMPTS_MAX {
            let (engine, held) = (Arc::clone(self), Arc::clone(&proof));
            let drafting =
                tokio::task::spawn_blocking(move || engine.planting(&held, count, alarm, request));
            let planting = drafting.await.map_err(|_| EngineError::Keys)??;
            match self
                .committer
                .record(planting.record, planting.tokens)
                .await
            {
                Ok((tokens, entry)) => {
                    self.guard.marks.add(planting.marks);
                    let first = None;
                    return Ok(Issued {
                        tokens,
                        entry,
                        first,
                    });
                }
                Err(NotDurable::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotDurable::Conflict.into())
    }

    fn planting(
        &self,
        proof: &Authorized<OnClasses<Plant>>,
        count: usize,
        alarm: Alarm,
        request: RequestId,
    ) -> Result<Planting, EngineError> {
        let (domain, mut classes) = (proof.grant().domain(), proof.grant().classes().iter());
        let class = classes.next().and_then(|name| self.catalogue.class(name));
        let class = class.ok_or(EngineError::Keys)?;
        let keys = self.domain_keys(domain)?;
        let mut batch = Batch::new(self, domain, count)?;
        let mut marks = Vec::with_capacity(count);
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            let value = token::made_up(class, &mut rand::rng())
                .ok_or_else(|| GuardFault::NothingPlausible(class.name.clone()))?;
            let mark = keys.honeytoken_mark(batch.plant(class, &value)?);
            items.push((self.planted(mark, &class.name), 1));
            marks.push((mark, alarm));
        }
        let drafted = batch.finish();
        let guard = marks
            .iter()
            .map(|(mark, alarm)| GuardWrite::Mark(*mark, *alarm));
        let change = Change {
            tokens: drafted.rows,
            token_writes: drafted.writes,
            guard: guard.collect(),
            ..Change::none()
        };
        let mut facts = caller_facts(Plant::OPERATION, proof, request);
        facts.domain = Some(domain.to_string());
        let record = Record::batch(change, facts, items)?;
        Ok(Planting {
            record: self.because(proof.reason(), Some(domain), record)?,
            tokens: Withheld::gather(drafted.tokens),
            marks,
        })
    }

    /// An item of the entry: not the token's own pseudonym, which other entries carry.
    fn planted(&self, mark: [u8; 16], class: &ClassName) -> Item {
        Item {
            pseudonym: self.keys.planted_pseudonym(mark),
            class: class.to_string(),
            view: ItemView::Issued,
        }
    }
}
