//! A request's tokens under one seal, so that the same request gets them again. What opens is withheld.

use kms::{AeadKeyring, Binding};

use super::SealError;
use crate::commit::Withheld;
use crate::model::{DomainName, TokenText};
use crate::store::{AnswerId, SealedValue};

/// Bytes of a token's length.
const LENGTH_BYTES: usize = 2;

/// Bound to domain and id: another request's answer does not open in its place.
// INVARIANT 5: a row that is moved to another id opens for nobody.
fn binding(domain: &DomainName, id: AnswerId) -> Binding {
    Binding::new("jinku/v1 idempotent answer")
        .field(domain.as_str().as_bytes())
        .field(&id.0)
}

/// Seals the tokens of an answer, in their order.
pub fn close(
    keys: &AeadKeyring,
    domain: &DomainName,
    id: AnswerId,
    tokens: &[TokenText],
) -> Result<SealedValue, SealError> {
    let mut text = Vec::new();
    for token in tokens {
        let token = token.expose().as_bytes();
        let length = u16::try_from(token.len()).map_err(|_| SealError::Unsealed)?;
        text.extend_from_slice(&length.to_be_bytes());
        text.extend_from_slice(token);
    }
    let sealed = keys.seal(&binding(domain, id), &text);
    sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
}

/// Opens them.
pub fn open(
    keys: &AeadKeyring,
    domain: &DomainName,
    id: AnswerId,
    sealed: &SealedValue,
) -> Result<Withheld<Vec<TokenText>>, SealError> {
    let opened = keys.open(&binding(domain, id), &sealed.0);
    let opened = opened.map_err(|_| SealError::Unopened)?;
    let tokens = read(opened.expose()).ok_or(SealError::Unopened)?;
    Ok(Withheld::new(tokens))
}

fn read(mut text: &[u8]) -> Option<Vec<TokenText>> {
    let mut tokens = Vec::new();
    while !text.is_empty() {
        let (length, rest) = text.split_first_chunk::<LENGTH_BYTES>()?;
        let (token, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        tokens.push(TokenText::new(std::str::from_utf8(token).ok()?.to_owned()));
        text = rest;
    }
    Some(tokens)
}
