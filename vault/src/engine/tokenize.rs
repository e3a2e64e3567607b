//! Tokenize: values in, tokens out, all of a batch or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use kms::AeadKeyring;
use ledger::{Item, ItemView, Operation};
use rand::rngs::SysRng;

use super::{DomainKeys, Engine, EngineError, caller_facts};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::model::{ClassName, DataClass, DomainName, Plaintext, RequestId, TokenText};
use crate::policy::{Authorized, Tokenize};
use crate::seal;
use crate::store::{Change, Fingerprint, TokenRow};
use crate::token;

/// Spaces of fewer bits are looked up before the commit: their draws do meet.
const SMALL_SPACE_BITS: f64 = 64.0;

/// Times a batch is drawn anew when another request took one of its tokens or values first.
const ATTEMPTS_MAX: usize = 8;

/// One value to be replaced.
pub struct TokenizeItem {
    /// What the value is.
    pub class: ClassName,
    /// The value.
    pub value: Plaintext,
}

/// The answer: one token for each item, in the order asked.
pub struct Issued {
    /// The tokens.
    pub tokens: Vec<TokenText>,
    /// The entry that records them.
    pub entry: Sequenced,
}

impl Engine {
    /// Replaces values by tokens. The proof names the classes that may be used.
    pub async fn tokenize(
        self: &Arc<Self>,
        proof: Authorized<Tokenize>,
        items: Vec<TokenizeItem>,
        request: RequestId,
    ) -> Result<Issued, EngineError> {
        self.batch_size(items.len())?;
        let (proof, items) = (Arc::new(proof), Arc::new(items));
        for _ in 0..ATTEMPTS_MAX {
            let (engine, items, held) = (Arc::clone(self), Arc::clone(&items), Arc::clone(&proof));
            let drafting =
                tokio::task::spawn_blocking(move || engine.draft(&held, &items, request));
            let draft = drafting.await.map_err(|_| EngineError::Keys)??;
            match self.committer.record(draft.record, draft.tokens).await {
                Ok((tokens, entry)) => return Ok(Issued { tokens, entry }),
                Err(NotDurable::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotDurable::Conflict.into())
    }

    fn draft(
        &self,
        proof: &Authorized<Tokenize>,
        items: &[TokenizeItem],
        request: RequestId,
    ) -> Result<Draft, EngineError> {
        let domain = proof.grant().domain();
        let keys = self.domain_keys(domain)?;
        let mut batch = Batch {
            engine: self,
            domain,
            keys,
            values: keys.values(),
            now_us: self.clock.now().0,
            rows: Vec::with_capacity(items.len()),
            tokens: Vec::with_capacity(items.len()),
            entry_items: Vec::with_capacity(items.len()),
            places: Vec::with_capacity(items.len()),
            seen: HashMap::new(),
        };
        for (place, item) in items.iter().enumerate() {
            let class = self.catalogue.class(&item.class).ok_or(EngineError::Keys)?;
            token::accept(class, &item.value).map_err(|reason| EngineError::Value {
                item: place,
                class: class.name.clone(),
                reason,
            })?;
            batch.add(class, &item.value)?;
        }
        let mut facts = caller_facts(Operation::Tokenize, proof, request);
        facts.domain = Some(domain.to_string());
        let change = Change {
            tokens: batch.rows,
            ..Change::none()
        };
        let record = Record::batch(change, facts, batch.entry_items)?;
        let tokens = Withheld::gather(batch.tokens)
            .with(batch.places)
            .map(in_order);
        Ok(Draft { record, tokens })
    }
}

struct Draft {
    record: Record,
    tokens: Withheld<Vec<TokenText>>,
}

/// The same repeatable value twice in a batch is one token in two places.
fn in_order((tokens, places): (Vec<TokenText>, Vec<usize>)) -> Vec<TokenText> {
    let copy = |place: usize| tokens.get(place).map(|token| token.expose().to_owned());
    places
        .into_iter()
        .filter_map(copy)
        .map(TokenText::new)
        .collect()
}

struct Batch<'a> {
    engine: &'a Engine,
    domain: &'a DomainName,
    keys: &'a DomainKeys,
    /// One keyring for the whole batch: both ciphertexts of a row are under one version.
    values: Arc<AeadKeyring>,
    now_us: u64,
    rows: Vec<TokenRow>,
    tokens: Vec<Withheld<TokenText>>,
    entry_items: Vec<(Item, usize)>,
    places: Vec<usize>,
    seen: HashMap<([u8; 16], ClassName), (usize, Fingerprint)>,
}

impl Batch<'_> {
    fn add(&mut self, class: &DataClass, value: &Plaintext) -> Result<(), EngineError> {
        if class.repeatable {
            self.add_repeatable(class, value)
        } else {
            self.add_new(class, value)
        }
    }

    fn add_new(&mut self, class: &DataClass, value: &Plaintext) -> Result<(), EngineError> {
        let (token, fingerprint) = self.draw(class, value)?;
        let sealed = seal::close(&self.values, self.domain, &class.name, fingerprint, value)?;
        self.rows.push(TokenRow {
            fingerprint,
            domain: self.domain.clone(),
            class: class.name.clone(),
            created_us: self.now_us,
            sealed,
            repeatable: None,
        });
        self.place(class, token, fingerprint);
        Ok(())
    }

    fn add_repeatable(&mut self, class: &DataClass, value: &Plaintext) -> Result<(), EngineError> {
        let normal = token::normalise(class, value);
        let index = self.keys.blind_index(class.name.as_str(), &normal);
        let key = (index.0, class.name.clone());
        if let Some((place, fingerprint)) = self.seen.get(&key).copied() {
            self.places.push(place);
            self.note(class, fingerprint);
            return Ok(());
        }
        let standing = self
            .engine
            .reader
            .token_by_value(self.domain, &class.name, index)?;
        let (token, fingerprint) = match &standing {
            Some(row) => {
                let (_, sealed) = row.repeatable.as_ref().ok_or(EngineError::Keys)?;
                // After the row was read: it may be under a version that is newer than the batch.
                let opening = self.keys.values();
                (seal::open_token(&opening, row, sealed)?, row.fingerprint)
            }
            None => self.draw(class, value)?,
        };
        if standing.is_none() {
            let values = &self.values;
            let sealed = seal::close(values, self.domain, &class.name, fingerprint, value)?;
            let sealed_token = token.column(|text| {
                seal::close_token(values, self.domain, &class.name, fingerprint, text)
            })?;
            self.rows.push(TokenRow {
                fingerprint,
                domain: self.domain.clone(),
                class: class.name.clone(),
                created_us: self.now_us,
                sealed,
                repeatable: Some((index, sealed_token)),
            });
        }
        self.seen.insert(key, (self.tokens.len(), fingerprint));
        self.place(class, token, fingerprint);
        Ok(())
    }

    fn place(&mut self, class: &DataClass, token: Withheld<TokenText>, row: Fingerprint) {
        self.places.push(self.tokens.len());
        self.tokens.push(token);
        self.note(class, row);
    }

    fn note(&mut self, class: &DataClass, row: Fingerprint) {
        self.entry_items.push((
            self.engine.item(row, class.name.as_str(), ItemView::Issued),
            1,
        ));
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
        let here = self.rows.iter().any(|known| known.fingerprint == row);
        Ok(here
            || self
                .engine
                .reader
                .tokens(self.domain, &[row])?
                .iter()
                .any(Option::is_some))
    }
}
