//! A batch of values on its way to tokens: which stand already, which are drawn, and what changes for it.

use std::collections::HashMap;
use std::sync::Arc;

use kms::AeadKeyring;
use ledger::{Item, ItemView};
use rand::rngs::SysRng;

use super::{TokenizeItem, Wish};
use crate::commit::Withheld;
use crate::engine::{DomainKeys, Engine, EngineError};
use crate::model::{
    DataClass, DomainName, Life, NormalForm, Plaintext, Repeatability, Timestamp, TokenText,
};
use crate::seal::{self, Place, Shares};
use crate::store::{BlindIndex, Fingerprint, Indexed, ShredSlot, TokenRow, TokenWrite};
use crate::token;

/// Spaces of fewer bits are looked up before the commit: their draws do meet.
const SMALL_SPACE_BITS: f64 = 64.0;

/// What a batch comes to.
pub(super) struct Drafted {
    pub(super) rows: Vec<TokenRow>,
    pub(super) writes: Vec<TokenWrite>,
    pub(super) tokens: Vec<Withheld<TokenText>>,
    pub(super) places: Vec<usize>,
    pub(super) entry_items: Vec<(Item, usize)>,
}

pub(super) struct Batch<'a> {
    engine: &'a Engine,
    domain: &'a DomainName,
    keys: &'a DomainKeys,
    /// One keyring for the whole batch: both ciphertexts of a row are under one version.
    values: Arc<AeadKeyring>,
    now: Timestamp,
    drafted: Drafted,
    seen: HashMap<[u8; 16], Seen>,
}

/// A repeatable value of this batch.
#[derive(Clone, Copy)]
struct Seen {
    place: usize,
    row: Fingerprint,
    expires: Option<Timestamp>,
}

/// What is to be sealed into a new row.
struct Content<'a> {
    class: &'a DataClass,
    value: &'a Plaintext,
    life: Life,
    bound: bool,
    find: Option<Find>,
}

/// How a value can be found again.
#[derive(Clone, Copy)]
struct Find {
    index: BlindIndex,
    /// Whether equal values get this token.
    again: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        domain: &'a DomainName,
        items: usize,
    ) -> Result<Self, EngineError> {
        let keys = engine.domain_keys(domain)?;
        Ok(Self {
            engine,
            domain,
            keys,
            values: keys.values(),
            now: engine.clock.now(),
            drafted: Drafted {
                rows: Vec::with_capacity(items),
                writes: Vec::new(),
                tokens: Vec::with_capacity(items),
                places: Vec::with_capacity(items),
                entry_items: Vec::with_capacity(items),
            },
            seen: HashMap::new(),
        })
    }

    pub(super) fn finish(self) -> Drafted {
        self.drafted
    }

    /// Adds the item at this place of the batch. Its value was accepted.
    pub(super) fn add(
        &mut self,
        place: usize,
        class: &DataClass,
        item: &TokenizeItem,
    ) -> Result<(), EngineError> {
        let tokens = self.engine.catalogue.repeatability(self.domain, class);
        let Wish {
            subject,
            ttl_seconds,
            uses,
        } = &item.wish;
        let life = class.life.life(*ttl_seconds, *uses, tokens, self.now);
        let life = life.map_err(|reason| EngineError::Life {
            item: place,
            class: class.name.clone(),
            reason,
        })?;
        let row = match tokens {
            Repeatability::Repeatable => self.add_repeatable(class, &item.value, life)?,
            Repeatability::Random | Repeatability::Bound => {
                let find = class.searchable.then(|| Find {
                    index: self.index(class, class.normal_form, &item.value),
                    again: false,
                });
                self.add_new(&Content {
                    class,
                    value: &item.value,
                    life,
                    bound: tokens == Repeatability::Bound,
                    find,
                })?
            }
        };
        if let Some(subject) = subject {
            let handle = self.keys.subject(subject);
            self.drafted.writes.push(TokenWrite::Link(handle, row));
        }
        Ok(())
    }

    fn add_new(&mut self, content: &Content<'_>) -> Result<Fingerprint, EngineError> {
        let class = content.class;
        let (token, fingerprint) = self.draw(class, content.value)?;
        let row = self.row(content, &token, fingerprint)?;
        self.drafted.rows.push(row);
        self.place(class, token, fingerprint);
        Ok(fingerprint)
    }

    fn add_repeatable(
        &mut self,
        class: &DataClass,
        value: &Plaintext,
        life: Life,
    ) -> Result<Fingerprint, EngineError> {
        let index = self.index(class, class.normal_form, value);
        if let Some(seen) = self.seen.get(&index.0).copied() {
            self.drafted.places.push(seen.place);
            self.note(class, seen.row);
            self.prolong(seen.row, seen.expires, life.expires);
            return Ok(seen.row);
        }
        let place = self.drafted.tokens.len();
        let standing = self.standing(class, value, index)?;
        let (row, expires) = if let Some((row, token)) = standing {
            self.place(class, token, row.fingerprint);
            self.prolong(row.fingerprint, row.life.expires, life.expires);
            (row.fingerprint, row.life.expires)
        } else {
            let find = Some(Find { index, again: true });
            let content = Content {
                class,
                value,
                life,
                bound: false,
                find,
            };
            (self.add_new(&content)?, life.expires)
        };
        let seen = Seen {
            place,
            row,
            expires,
        };
        self.seen.insert(index.0, seen);
        Ok(row)
    }

    /// The row that an equal value gets, and its token. One whose time is over, or whose shred key is gone,
    /// steps aside.
    fn standing(
        &mut self,
        class: &DataClass,
        value: &Plaintext,
        index: BlindIndex,
    ) -> Result<Option<(TokenRow, Withheld<TokenText>)>, EngineError> {
        let reader = &self.engine.reader;
        let mut found = reader.token_by_value(index)?;
        if found.is_none() && class.normal_form != NormalForm::First {
            // It may have been written before the class's normal form was changed.
            found = reader.token_by_value(self.index(class, NormalForm::First, value))?;
            if let Some(row) = &found {
                self.index_anew(class, row, index);
            }
        }
        let Some(row) = found.filter(|row| row.class == class.name) else {
            return Ok(None);
        };
        let shred = match self.engine.shreds.key(row.shred)? {
            Some(shred) if !row.life.is_over(self.now) => shred,
            _ => {
                let aside = TokenWrite::StepAside(row.fingerprint, own_number(row.shred));
                self.drafted.writes.push(aside);
                return Ok(None);
            }
        };
        let shares = Shares {
            shred: &shred,
            token: None,
        };
        // After the row was read: it may be under a version that is newer than the batch.
        let token = seal::open_token(&self.keys.values(), &row, shares)?;
        Ok(Some((row, token)))
    }

    /// The row keeps its ciphertexts; what finds it is made of the class's normal form of today.
    fn index_anew(&mut self, class: &DataClass, row: &TokenRow, index: BlindIndex) {
        let indexed = row.indexed.clone().map(|indexed| Indexed {
            index,
            form: class.normal_form,
            ..indexed
        });
        self.drafted.writes.push(TokenWrite::Move {
            fingerprint: row.fingerprint,
            seen: row.sealed.clone(),
            class: row.class.clone(),
            sealed: row.sealed.clone(),
            indexed,
        });
    }

    fn index(&self, class: &DataClass, form: NormalForm, value: &Plaintext) -> BlindIndex {
        let normal = token::normalise_as(class, form, value);
        self.keys.blind_index(class.name.as_str(), &normal)
    }

    /// An equal value that came again keeps its token for as long as the longest wish.
    fn prolong(&mut self, row: Fingerprint, expires: Option<Timestamp>, wished: Option<Timestamp>) {
        let Some(now) = expires else { return };
        if wished.is_some_and(|wished| wished <= now) {
            return;
        }
        let fresh = self.drafted.rows.iter_mut();
        match fresh.rev().find(|known| known.fingerprint == row) {
            Some(fresh) => fresh.life.expires = wished,
            None => self.drafted.writes.push(TokenWrite::Expire(row, wished)),
        }
    }

    fn row(
        &self,
        content: &Content<'_>,
        token: &Withheld<TokenText>,
        fingerprint: Fingerprint,
    ) -> Result<TokenRow, EngineError> {
        let (class, bound) = (content.class, content.bound);
        let (slot, shred) = self.engine.shreds.take()?;
        let place = Place {
            domain: self.domain,
            class: &class.name,
            row: fingerprint,
        };
        let shred = &shred;
        let sealed = token.column(|text| {
            let token = bound.then_some(text);
            let shares = Shares { shred, token };
            seal::close(&self.values, place, shares, content.value)
        })?;
        let indexed = |find: Find| {
            let shares = Shares { shred, token: None };
            let close = |text: &_| seal::close_token(&self.values, place, shares, text);
            Ok::<_, EngineError>(Indexed {
                index: find.index,
                form: class.normal_form,
                nth: if find.again { 0 } else { own_number(slot) },
                token: token.column(close)?,
            })
        };
        Ok(TokenRow {
            fingerprint,
            domain: self.domain.clone(),
            class: class.name.clone(),
            created_us: self.now.0,
            shred: slot,
            sealed,
            bound,
            life: content.life,
            indexed: content.find.map(indexed).transpose()?,
        })
    }

    fn place(&mut self, class: &DataClass, token: Withheld<TokenText>, row: Fingerprint) {
        self.drafted.places.push(self.drafted.tokens.len());
        self.drafted.tokens.push(token);
        self.note(class, row);
    }

    fn note(&mut self, class: &DataClass, row: Fingerprint) {
        let item = self.engine.item(row, class.name.as_str(), ItemView::Issued);
        self.drafted.entry_items.push((item, 1));
    }

    /// Draws a token whose row is free. The commit's unique key decides; this look saves retries.
    fn draw(
        &self,
        class: &DataClass,
        value: &Plaintext,
    ) -> Result<(Withheld<TokenText>, Fingerprint), EngineError> {
        let small = token::space(class).bits() < SMALL_SPACE_BITS;
        let watch = &self.engine.space_watch;
        for met in 0..token::DRAWS_MAX {
            let token = token::issue(class, value, &mut SysRng).map_err(|_| EngineError::Keys)?;
            let fingerprint: Fingerprint =
                token.column(|text| Ok::<_, EngineError>(self.keys.fingerprint(text)))?;
            if !small {
                return Ok((token, fingerprint));
            }
            if !self.taken(fingerprint)? {
                let pressure = watch.note(self.domain, &class.name, class.space, met);
                if pressure == token::Pressure::Full {
                    break;
                }
                return Ok((token, fingerprint));
            }
        }
        watch.refused(self.domain, &class.name);
        Err(EngineError::SpaceExhausted(class.name.clone()))
    }

    fn taken(&self, row: Fingerprint) -> Result<bool, EngineError> {
        let here = self
            .drafted
            .rows
            .iter()
            .any(|known| known.fingerprint == row);
        Ok(here || self.engine.reader.is_taken(row)?)
    }
}

/// A number among the tokens of one value that no other row has; 0 is for the one that equal values get.
fn own_number(slot: ShredSlot) -> u64 {
    slot.0 + 1
}
