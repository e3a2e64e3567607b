//! Exact search: one value, and the tokens that stand for it. It is an oracle over values: permitted by itself,
//! limited by itself, and each search is an entry, whatever it finds.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ledger::ItemView;

use super::TokenActFault;
use super::act::act_facts;
use crate::commit::{Record, Sequenced, Withheld};
use crate::engine::{Engine, EngineError};
use crate::model::{
    ClassName, DataClass, NormalForm, Plaintext, Repeatability, RequestId, TokenText, UnitName,
};
use crate::policy::token_act::Search;
use crate::policy::{Authorized, OnTokens};
use crate::seal::{self, SealError, Shares};
use crate::store::{BlindIndex, Change, TokenRow};
use crate::token;

/// Most tokens of an answer.
const FOUND_MAX: usize = 100;

/// How fast units search, each for itself. Counted anew after a start.
pub(in crate::engine) struct SearchRates {
    quota: Quota,
    units: Mutex<BTreeMap<UnitName, DefaultDirectRateLimiter>>,
}

impl SearchRates {
    /// So many a minute, for each unit.
    pub(in crate::engine) fn new(per_minute: NonZeroU32) -> Self {
        Self {
            quota: Quota::per_minute(per_minute),
            units: Mutex::default(),
        }
    }

    fn check(&self, unit: &UnitName) -> Result<(), TokenActFault> {
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let direct = || RateLimiter::direct(self.quota);
        let rate = units.entry(unit.clone()).or_insert_with(direct);
        rate.check().map_err(|_| TokenActFault::SearchRate)
    }
}

/// What a search found.
pub struct Found {
    /// The value's tokens that serve, at most 100.
    pub tokens: Vec<TokenText>,
    /// Whether there may be more.
    pub more: bool,
    /// The entry that records it.
    pub entry: Sequenced,
}

struct Draft {
    record: Record,
    tokens: Withheld<Vec<TokenText>>,
    more: bool,
}

impl Engine {
    /// The tokens of a value. The proof must cover its class.
    pub async fn search(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Search>>,
        class: ClassName,
        value: Plaintext,
        request: RequestId,
    ) -> Result<Found, EngineError> {
        let unit = &proof.admitted().caller().unit().name;
        self.search_rates.check(unit)?;
        let draft =
            self.blocking(move |engine| engine.draft_search(&proof, &class, &value, request));
        let Draft {
            record,
            tokens,
            more,
        } = draft.await?;
        let (tokens, entry) = self.committer.record(record, tokens).await?;
        Ok(Found {
            tokens,
            more,
            entry,
        })
    }

    fn draft_search(
        &self,
        proof: &Authorized<OnTokens<Search>>,
        class: &ClassName,
        value: &Plaintext,
        request: RequestId,
    ) -> Result<Draft, EngineError> {
        let domain = proof.grant().domain();
        let class = self.catalogue.class(class).ok_or(EngineError::Keys)?;
        let tokens = self.catalogue.repeatability(domain, class);
        if tokens != Repeatability::Repeatable && !class.searchable {
            return Err(TokenActFault::NotSearchable(class.name.clone()).into());
        }
        token::accept(class, value).map_err(|reason| EngineError::Value {
            item: 0,
            class: class.name.clone(),
            reason,
        })?;
        let keys = self.domain_keys(domain)?;
        let index = keys.index_of(class, class.normal_form, value);
        let older = keys.index_of(class, NormalForm::First, value);
        let (rows, more) = self.rows_of_value(class, index, older)?;
        let items: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    self.item(row.fingerprint, class.name.as_str(), ItemView::Token),
                    1,
                )
            })
            .collect();
        // After the rows were read: they may be under a version that came a moment ago.
        let (keyring, decoy) = keys.values_and_decoy();
        let open = |row: &TokenRow| -> Result<_, EngineError> {
            let shred = self.shreds.key(row.shred)?.ok_or(SealError::Unopened)?;
            let shares = Shares {
                shred: &shred,
                token: None,
            };
            Ok(seal::open_token(&keyring, row, shares)?)
        };
        // INVARIANT 8: found or not, a token is opened; how many there are is the answer itself.
        let opened = if rows.is_empty() {
            open(&decoy).map(|_| Vec::new())?
        } else {
            rows.iter().map(open).collect::<Result<_, _>>()?
        };
        let mut facts = act_facts(proof, request);
        // INVARIANT 13: a keyed commitment to what was searched for, no value.
        facts.commitment = Some(self.keys.search_commitment(index));
        let record = if items.is_empty() {
            Record::single(Change::none(), facts)
        } else {
            Record::batch(Change::none(), facts, items)?
        };
        Ok(Draft {
            record,
            tokens: Withheld::gather(opened),
            more,
        })
    }

    /// The rows that serve, also those that were indexed before the class's normal form was changed.
    fn rows_of_value(
        &self,
        class: &DataClass,
        index: BlindIndex,
        older: BlindIndex,
    ) -> Result<(Vec<TokenRow>, bool), EngineError> {
        const LOOKED_AT_MAX: u32 = 1_000;
        let now = self.clock.now();
        let mut rows = self.reader.tokens_by_value(index, LOOKED_AT_MAX)?;
        if older != index {
            rows.extend(self.reader.tokens_by_value(older, LOOKED_AT_MAX)?);
        }
        let looked_at = rows.len();
        let mut serving = Vec::new();
        for row in rows {
            let serves = row.class == class.name && row.life.serves(now);
            if serves && self.shreds.key(row.shred)?.is_some() {
                serving.push(row);
            }
        }
        let more = serving.len() > FOUND_MAX || looked_at >= LOOKED_AT_MAX as usize;
        serving.truncate(FOUND_MAX);
        Ok((serving, more))
    }
}
