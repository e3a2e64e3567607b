//! Tokens move to another class in place: their text stays, and so does the inner layer of what is sealed.

use std::sync::Arc;

use super::TokenFault;
use super::act::{Acted, Outcome, Seen, Work, told};
use crate::engine::tokenize::fresh::own_number;
use crate::engine::{Engine, EngineError};
use crate::model::{ClassName, DataClass, Repeatability, RequestId, TokenText};
use crate::policy::token_act::Move;
use crate::policy::{Authorized, OnTokens};
use crate::seal::{self, Place, SealError, Shares};
use crate::store::{BlindIndex, Indexed, SealedValue, TokenWrite};
use crate::token;

impl Engine {
    /// Moves tokens to a class; the proof must cover it. One that is of it already stays as it is.
    pub async fn move_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Move>>,
        tokens: Vec<TokenText>,
        to_class: ClassName,
        request: RequestId,
    ) -> Result<Acted<()>, EngineError> {
        let step = move |work: &mut Work<'_>, seen: &Seen<'_>| {
            let class = work.engine.catalogue.class(&to_class);
            moved(work, seen, class.ok_or(EngineError::Keys)?)
        };
        self.on_tokens(proof, tokens, request, step).await
    }
}

fn moved(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    class: &DataClass,
) -> Result<Outcome<()>, EngineError> {
    let value = seen.opened(work);
    let Some(value) = value.filter(|_| seen.stands) else {
        return Ok(Err(TokenFault::NotAvailable));
    };
    if seen.row.class == class.name {
        return Ok(Ok(told(())));
    }
    let tokens = work.engine.catalogue.repeatability(work.domain, class);
    // The inner layer is sealed once: a row can't become a bound one.
    let promised = tokens != Repeatability::Bound || seen.row.bound;
    if !promised || !token::could_be_of(class, seen.token.expose()) {
        return Ok(Err(TokenFault::Look));
    }
    let life = match class
        .life
        .kept(seen.row.life, (None, None), tokens, work.now)
    {
        Ok(life) => life,
        Err(fault) => return Ok(Err(TokenFault::Life(fault))),
    };
    let index: Result<BlindIndex, TokenFault> = value.column(|value| {
        token::accept(class, value).map_err(|_| TokenFault::Value)?;
        Ok(work.keys.index_of(class, class.normal_form, value))
    });
    let index = match index {
        Ok(index) => index,
        Err(fault) => return Ok(Err(fault)),
    };
    if seen.again {
        return Ok(Ok(told(())));
    }
    let (sealed, indexed) = renewed(work, seen, (class, tokens), index)?;
    work.change.token_writes.push(TokenWrite::Move {
        fingerprint: seen.fingerprint,
        seen: seen.row.sealed.clone(),
        class: class.name.clone(),
        sealed,
        indexed,
    });
    if life.expires != seen.row.life.expires {
        let expire = TokenWrite::Expire(seen.fingerprint, life.expires);
        work.change.token_writes.push(expire);
    }
    Ok(Ok(told(())))
}

/// The row's ciphertexts, bound to the other class, and what finds its value there.
fn renewed(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    (class, tokens): (&DataClass, Repeatability),
    index: BlindIndex,
) -> Result<(SealedValue, Option<Indexed>), EngineError> {
    let row = &seen.row;
    let place = Place {
        class: &class.name,
        ..Place::of(row)
    };
    let (sealed, token) = seal::renew(&work.keyring, row, place)?;
    let repeatable = tokens == Repeatability::Repeatable;
    if !repeatable && !class.searchable {
        return Ok((sealed, None));
    }
    let token = if let Some(token) = token {
        token
    } else {
        let shred = seen.shred.as_ref().ok_or(SealError::Unopened)?;
        let shares = Shares { shred, token: None };
        seal::close_token(&work.keyring, place, shares, seen.token)?
    };
    // Where another token stands for the value already, equal values go on getting that one.
    let again = repeatable && work.firsts.take(work.engine, index, seen.fingerprint)?;
    let indexed = Indexed {
        index,
        form: class.normal_form,
        nth: if again { 0 } else { own_number(row.shred) },
        token,
    };
    Ok((sealed, Some(indexed)))
}
