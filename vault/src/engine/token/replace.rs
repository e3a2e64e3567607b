//! Re-token: a value gets a new token, and the old one stops for good, its shred key with it.

use std::sync::Arc;

use super::TokenFault;
use super::act::{Acted, Outcome, Seen, Work};
use crate::commit::Withheld;
use crate::engine::tokenize::fresh::{Content, Find};
use crate::engine::{Engine, EngineError};
use crate::model::{
    ClassName, DataClass, Life, Once, Plaintext, Repeatability, RequestId, TokenText,
};
use crate::policy::token_act::Replace;
use crate::policy::{Authorized, OnTokens};
use crate::store::{TokenRow, TokenWrite};
use crate::token;

/// What a caller may wish for the new tokens. Where it is silent, they go on as the old ones were.
#[derive(Default)]
pub struct Replacement {
    /// Into which class; the proof must cover it.
    pub to_class: Option<ClassName>,
    /// Seconds that they serve.
    pub ttl_seconds: Option<u64>,
    /// How often they show their value.
    pub uses: Option<u32>,
}

/// Why a row was not made.
enum Unmade {
    Fault(TokenFault),
    Engine(EngineError),
}

impl From<EngineError> for Unmade {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Engine {
    /// Gives values new tokens. Subjects, and what equal values get, pass over to them. A request that is to be done
    /// `once` gets them again when it comes again.
    pub async fn replace_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Replace>>,
        tokens: Vec<TokenText>,
        (wish, once): (Replacement, Option<Once>),
        request: RequestId,
    ) -> Result<Acted<TokenText>, EngineError> {
        let repeats = once.map(|once| self.repeats(&proof, &tokens, &wish, &once, request));
        let repeats = repeats.transpose()?;
        let step = move |work: &mut Work<'_>, seen: &Seen<'_>| replaced(work, seen, &wish);
        let asked = (proof, tokens);
        self.on_tokens_once(asked, repeats, request, step).await
    }
}

fn replaced(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    wish: &Replacement,
) -> Result<Outcome<TokenText>, EngineError> {
    let held = work.engine.reader.is_held(seen.fingerprint)?;
    let value = seen.opened(work);
    let gone = seen.again && work.shreds.contains(&seen.row.shred);
    let Some(value) = value.filter(|_| seen.stands && !gone) else {
        return Ok(Err(TokenFault::NotAvailable));
    };
    if held {
        return Ok(Err(TokenFault::Held));
    }
    let name = wish.to_class.as_ref().unwrap_or(&seen.row.class);
    let class = work.engine.catalogue.class(name).ok_or(EngineError::Keys)?;
    let tokens = work.engine.catalogue.repeatability(work.domain, class);
    let asked = (wish.ttl_seconds, wish.uses);
    let life = match class.life.kept(seen.row.life, asked, tokens, work.now) {
        Ok(life) => life,
        Err(fault) => return Ok(Err(TokenFault::Life(fault))),
    };
    match made(work, seen, &value, (class, tokens, life)) {
        Ok((token, row)) => {
            let writes = [
                // A use that was taken meanwhile must not come back with the new token.
                TokenWrite::Lives(seen.fingerprint, seen.row.life),
                TokenWrite::Inherit(seen.fingerprint, row.fingerprint),
                TokenWrite::Remove(seen.fingerprint),
            ];
            work.change.token_writes.extend(writes);
            work.change.tokens.push(row);
            work.shreds.push(seen.row.shred);
            Ok(Ok(token))
        }
        Err(Unmade::Fault(fault)) => Ok(Err(fault)),
        Err(Unmade::Engine(error)) => Err(error),
    }
}

/// The new token and its row, from a value that nobody sees.
fn made(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    value: &Withheld<Plaintext>,
    (class, tokens, life): (&DataClass, Repeatability, Life),
) -> Result<(Withheld<TokenText>, TokenRow), Unmade> {
    let mut drawn = None;
    let row: TokenRow = value.column(|value| {
        token::accept(class, value).map_err(|_| Unmade::Fault(TokenFault::Value))?;
        let index = work.keys.index_of(class, class.normal_form, value);
        let repeatable = tokens == Repeatability::Repeatable;
        // The old one's place among equal values is the new one's.
        let again = repeatable && work.firsts.take(work.engine, index, seen.fingerprint)?;
        let find = (repeatable || class.searchable).then_some(Find { index, again });
        let fresh = work.fresh();
        let (token, fingerprint) = fresh.draw(class, value, &work.change.tokens)?;
        let content = Content {
            class,
            value,
            life,
            bound: tokens == Repeatability::Bound,
            find,
        };
        let row = fresh.row(&content, &token, fingerprint)?;
        drawn = Some(token);
        Ok::<_, Unmade>(row)
    })?;
    let token = drawn.ok_or(EngineError::Keys)?;
    Ok((token, row))
}
