//! After a class's normal form was changed: its values are indexed anew, step by step. Until then they are found
//! by both forms.

use std::sync::Arc;

use super::act::{Draft, Firsts, act_facts, step_rows, told};
use super::shred::Shredding;
use crate::commit::{Record, Sequenced};
use crate::engine::tokenize::fresh::own_number;
use crate::engine::{DomainKeys, Engine, EngineError};
use crate::model::{ClassName, DataClass, RequestId, TokenText};
use crate::policy::token_act::Reindex;
use crate::policy::{Authorized, OnTokens};
use crate::seal::{self, Shares};
use crate::store::{BlindIndex, Change, Indexed, TokenRow, TokenWrite};

/// How one step of indexing went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reindexing {
    /// Rows that are indexed anew.
    pub moved: u64,
    /// Rows of another form that are left; counted by the last step only.
    pub remaining: Option<u64>,
    /// Where the next step goes on; `None` when the end was reached.
    pub next: Option<i64>,
}

/// What a step works with.
struct Step<'a> {
    engine: &'a Engine,
    keys: &'a DomainKeys,
    class: &'a DataClass,
    firsts: Firsts,
    writes: Vec<TokenWrite>,
    moved: u64,
}

impl Engine {
    /// Indexes up to `limit` rows of a class anew, after a place in the table. The proof must cover it.
    pub async fn reindex_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Reindex>>,
        class: ClassName,
        (place, limit): (i64, u32),
        request: RequestId,
    ) -> Result<(Reindexing, Sequenced), EngineError> {
        step_rows(limit)?;
        let draft =
            move |engine: &Self| engine.draft_reindex(&proof, &class, (place, limit), request);
        let moved = self.carried_out(draft).await?.removed;
        Ok((moved.given, moved.entry))
    }

    fn draft_reindex(
        &self,
        proof: &Authorized<OnTokens<Reindex>>,
        class: &ClassName,
        place: (i64, u32),
        request: RequestId,
    ) -> Result<Draft<Reindexing>, EngineError> {
        let domain = proof.grant().domain();
        let class = self.catalogue.class(class).ok_or(EngineError::Keys)?;
        let form = class.normal_form;
        let rows = self
            .reader
            .tokens_to_index(domain, &class.name, form, place);
        let (rows, next) = rows?;
        let mut step = Step {
            engine: self,
            keys: self.domain_keys(domain)?,
            class,
            firsts: Firsts::default(),
            writes: Vec::with_capacity(rows.len()),
            moved: 0,
        };
        for row in &rows {
            step.row(row)?;
        }
        let Step { writes, moved, .. } = step;
        let remaining = if next.is_none() {
            let left = self.reader.count_to_index(domain, &class.name, form)?;
            Some(left.saturating_sub(moved))
        } else {
            None
        };
        let change = Change {
            token_writes: writes,
            ..Change::none()
        };
        let progress = Reindexing {
            moved,
            remaining,
            next,
        };
        let record = Record::single(change, act_facts(proof, request));
        Ok(Draft {
            record: self.act_record(proof, record)?,
            outcome: told(progress),
            shredding: Shredding::default(),
            first: None,
        })
    }
}

impl Step<'_> {
    fn row(&mut self, row: &TokenRow) -> Result<(), EngineError> {
        let Some((index, found)) = self.index(row)?.zip(row.indexed.as_ref()) else {
            let class = &row.class;
            tracing::error!(%class, "a value can't be indexed anew: it does not open");
            return Ok(());
        };
        let first = found.nth == 0 && self.comes_first(row, index)?;
        let indexed = Indexed {
            index,
            form: self.class.normal_form,
            nth: match found.nth {
                0 if !first => own_number(row.shred),
                nth => nth,
            },
            token: found.token.clone(),
        };
        self.writes.push(TokenWrite::Move {
            fingerprint: row.fingerprint,
            seen: row.sealed.clone(),
            class: row.class.clone(),
            sealed: row.sealed.clone(),
            indexed: Some(indexed),
        });
        self.moved += 1;
        Ok(())
    }

    /// The value's index in the class's form, made inside of what withholds it. `None` if it does not open.
    fn index(&self, row: &TokenRow) -> Result<Option<BlindIndex>, EngineError> {
        let Some(shred) = self.engine.shreds.key(row.shred)? else {
            return Ok(None);
        };
        let keyring = self.keys.values();
        let form = self.class.normal_form;
        let shred = &shred;
        let open = |token: Option<&TokenText>| {
            let value = seal::open(&keyring, row, Shares { shred, token }).ok()?;
            let index =
                |value: &_| Ok::<_, EngineError>(self.keys.index_of(self.class, form, value));
            value.column(index).ok()
        };
        if !row.bound {
            return Ok(open(None));
        }
        // It came from a class of bound tokens to one that keeps their text.
        let Ok(token) = seal::open_token(&keyring, row, Shares { shred, token: None }) else {
            return Ok(None);
        };
        let index = token.column(|token| open(Some(token)).ok_or(EngineError::Keys));
        Ok(index.ok())
    }

    /// Whether equal values go on getting this row: of two, the younger one steps aside.
    fn comes_first(&mut self, row: &TokenRow, index: BlindIndex) -> Result<bool, EngineError> {
        if self.firsts.has(index) {
            // An earlier place in the table: it is older.
            return Ok(false);
        }
        let other = self.engine.reader.token_by_value(index)?;
        let Some(other) = other.filter(|other| other.fingerprint != row.fingerprint) else {
            self.firsts.set(index);
            return Ok(true);
        };
        let older = row.created_us < other.created_us;
        if older {
            let aside = TokenWrite::StepAside(other.fingerprint, own_number(other.shred));
            self.writes.push(aside);
            self.firsts.set(index);
        }
        Ok(older)
    }
}
