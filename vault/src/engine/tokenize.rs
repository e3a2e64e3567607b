//! Tokenize: values in, tokens out, all of a batch or nothing.

mod batch;

use std::sync::Arc;

use ledger::Operation;

use super::{ATTEMPTS_MAX, Engine, EngineError, caller_facts};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::model::{ClassName, Plaintext, RequestId, Subject, TokenText};
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
        let change = Change {
            tokens: drafted.rows,
            token_writes: drafted.writes,
            ..Change::none()
        };
        let record = Record::batch(change, facts, drafted.entry_items)?;
        let tokens = Withheld::gather(drafted.tokens)
            .with(drafted.places)
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
