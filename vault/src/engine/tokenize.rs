//! Tokenize: values in, tokens out, all of a batch or nothing.

mod batch;
pub(super) mod fresh;
mod plant;

use std::sync::Arc;

use ledger::Operation;

use super::{ATTEMPTS_MAX, Engine, EngineError, caller_facts};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::model::{ClassName, Once, Plaintext, RequestId, Subject, TokenText};
use crate::policy::{Authorized, Tokenize};
use crate::store::Change;
use crate::token;

use batch::Batch;

/// One value to be replaced.
pub struct TokenizeItem {
    /// What the value is.
    pub class: ClassName,
    /// The value.
    pub value: Plaintext,
    /// What the caller wishes beside it.
    pub wish: Wish,
}

/// What a caller may wish for a token. The class says what holds where it is silent.
#[derive(Default)]
pub struct Wish {
    /// Whom the value is about: by this it can be erased.
    pub subject: Option<Subject>,
    /// Seconds that the token serves.
    pub ttl_seconds: Option<u64>,
    /// How often it shows its value.
    pub uses: Option<u32>,
}

/// The answer: one token for each item, in the order asked. It does not tell which ones stood before.
pub struct Issued {
    /// The tokens.
    pub tokens: Vec<TokenText>,
    /// The entry that records them.
    pub entry: Sequenced,
    /// Index of the entry that recorded the request first, where this is a repeat.
    first: Option<u64>,
}

impl Issued {
    /// Index of the entry that records the tokens: a repeat gives the first one's again.
    pub fn seq(&self) -> u64 {
        self.first.unwrap_or(self.entry.seq())
    }
}

impl Engine {
    /// Replaces values by tokens. The proof names the classes that may be used. A request that is to be
    /// done `once` gets its tokens again when it comes again.
    pub async fn tokenize(
        self: &Arc<Self>,
        proof: Authorized<Tokenize>,
        items: Vec<TokenizeItem>,
        once: Option<Once>,
        request: RequestId,
    ) -> Result<Issued, EngineError> {
        self.batch_size(items.len())?;
        let (proof, asked) = (Arc::new(proof), Arc::new((items, once)));
        for _ in 0..ATTEMPTS_MAX {
            let (engine, asked, held) = (Arc::clone(self), Arc::clone(&asked), Arc::clone(&proof));
            let drafting = tokio::task::spawn_blocking(move || {
                let (items, once) = &*asked;
                engine.draft(&held, items, once.as_ref(), request)
            });
            let Draft {
                record,
                tokens,
                first,
            } = drafting.await.map_err(|_| EngineError::Keys)??;
            match self.committer.record(record, tokens).await {
                Ok((tokens, entry)) => {
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

    fn draft(
        &self,
        proof: &Authorized<Tokenize>,
        items: &[TokenizeItem],
        once: Option<&Once>,
        request: RequestId,
    ) -> Result<Draft, EngineError> {
        let domain = proof.grant().domain();
        let asked = once
            .map(|once| self.asked(proof, items, once))
            .transpose()?;
        if let Some(asked) = &asked
            && let Some(draft) = self.answered(proof, asked, request)?
        {
            return Ok(draft);
        }
        let mut batch = Batch::new(self, domain, items.len())?;
        for (place, item) in items.iter().enumerate() {
            let class = self.catalogue.class(&item.class).ok_or(EngineError::Keys)?;
            token::accept(class, &item.value).map_err(|reason| EngineError::Value {
                item: place,
                class: class.name.clone(),
                reason,
            })?;
            batch.add(place, class, item)?;
        }
        let mut facts = caller_facts(Operation::Tokenize, proof, request);
        facts.domain = Some(domain.to_string());
        let drafted = batch.finish();
        let tokens = Withheld::gather(drafted.tokens)
            .with(drafted.places)
            .map(in_order);
        let answer = asked.map(|asked| self.answer(domain, &asked, &tokens));
        let change = Change {
            tokens: drafted.rows,
            token_writes: drafted.writes,
            answer: answer.transpose()?,
            ..Change::none()
        };
        let record = Record::batch(change, facts, drafted.entry_items)?;
        Ok(Draft {
            record,
            tokens,
            first: None,
        })
    }
}

pub(super) struct Draft {
    pub(super) record: Record,
    pub(super) tokens: Withheld<Vec<TokenText>>,
    /// Of a repeat: the index of the first entry.
    pub(super) first: Option<u64>,
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
