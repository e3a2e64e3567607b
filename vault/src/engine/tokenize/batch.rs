//! A batch of values on its way to tokens: which stand already, which are drawn, and what changes for it.

use std::collections::HashMap;

use ledger::{Item, ItemView};
use rand::TryRng;
use rand::rngs::SysRng;

use super::fresh::{Content, Find, Fresh, own_number};
use super::{TokenizeItem, Wish};
use crate::commit::Withheld;
use crate::engine::{DomainKeys, Engine, EngineError};
use crate::model::{
    DataClass, DomainName, Life, NormalForm, Plaintext, Repeatability, Timestamp, TokenText,
};
use crate::seal::{self, Shares};
use crate::store::{BlindIndex, Fingerprint, Indexed, TokenRow, TokenWrite};

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
    fresh: Fresh<'a>,
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

impl<'a> Batch<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        domain: &'a DomainName,
        items: usize,
    ) -> Result<Self, EngineError> {
        let keys = engine.domain_keys(domain)?;
        let now = engine.clock.now();
        Ok(Self {
            engine,
            domain,
            keys,
            fresh: Fresh {
                engine,
                domain,
                keys,
                values: keys.values(),
                now,
            },
            now,
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
                    index: self.keys.index_of(class, class.normal_form, &item.value),
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

    /// Adds a honeytoken's row. It looks like any other of its class, but no equal value ever gets its token,
    /// nor finds it: its index is drawn, not made of the value.
    pub(super) fn plant(
        &mut self,
        class: &DataClass,
        value: &Plaintext,
    ) -> Result<Fingerprint, EngineError> {
        let tokens = self.engine.catalogue.repeatability(self.domain, class);
        let again = tokens == Repeatability::Repeatable;
        let mut index = BlindIndex([0; 16]);
        SysRng
            .try_fill_bytes(&mut index.0)
            .map_err(|_| EngineError::Keys)?;
        let life = class.life.life(None, None, tokens, self.now);
        self.add_new(&Content {
            class,
            value,
            life: life.unwrap_or_default(),
            bound: tokens == Repeatability::Bound,
            find: (again || class.searchable).then_some(Find { index, again }),
        })
    }

    fn add_new(&mut self, content: &Content<'_>) -> Result<Fingerprint, EngineError> {
        let class = content.class;
        let beside = &self.drafted.rows;
        let (token, fingerprint) = self.fresh.draw(class, content.value, beside)?;
        let row = self.fresh.row(content, &token, fingerprint)?;
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
        let index = self.keys.index_of(class, class.normal_form, value);
        if let Some(seen) = self.seen.get(&index.0).copied() {
            self.drafted.places.push(seen.place);
            self.note(class, seen.row);
            let expires = self.prolong(seen.row, seen.expires, life.expires);
            self.seen.insert(index.0, Seen { expires, ..seen });
            return Ok(seen.row);
        }
        let place = self.drafted.tokens.len();
        let standing = self.standing(class, value, index)?;
        let (row, expires) = if let Some((row, token)) = standing {
            // One that is removed before this is written is given to nobody.
            let stands = TokenWrite::Stands(row.fingerprint);
            self.drafted.writes.push(stands);
            self.place(class, token, row.fingerprint);
            let expires = self.prolong(row.fingerprint, row.life.expires, life.expires);
            (row.fingerprint, expires)
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
            found = reader.token_by_value(self.keys.index_of(class, NormalForm::First, value))?;
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

    /// An equal value that came again keeps its token for as long as the longest wish. Yields the expiry.
    fn prolong(
        &mut self,
        row: Fingerprint,
        expires: Option<Timestamp>,
        wished: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let before = expires?;
        if wished.is_some_and(|wished| wished <= before) {
            return expires;
        }
        let fresh = self.drafted.rows.iter_mut();
        match fresh.rev().find(|known| known.fingerprint == row) {
            Some(fresh) => fresh.life.expires = wished,
            None => self.drafted.writes.push(TokenWrite::Expire(row, wished)),
        }
        wished
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
}
