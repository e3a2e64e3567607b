//! The tokens that a ticket stands for: sealed under its text, and that under the domain's key.
//!
//! The database with the HSM opens the outer seal only; the ticket's holder without them, nothing.

use kms::{AeadKeyring, BearerKey, Binding};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::SealError;
use crate::model::{DomainName, Purpose, TicketText, Timestamp, TokenText, UnitName};
use crate::store::{SealedValue, TicketHash, TicketRow};

/// What a ticket is bound to.
pub struct TicketTerms {
    /// Who may redeem it.
    pub unit: UnitName,
    /// Namespace of its tokens.
    pub domain: DomainName,
    /// What for.
    pub purpose: Purpose,
    /// First instant at which it counts no longer.
    pub expires: Timestamp,
}

impl TicketTerms {
    // INVARIANT 5: a ticket's tokens open for its unit, purpose, domain and end only.
    fn binding(&self, label: &'static str, hash: TicketHash) -> Binding {
        Binding::new(label)
            .field(&hash.0)
            .field(self.unit.as_str().as_bytes())
            .field(self.domain.as_str().as_bytes())
            .field(self.purpose.as_str().as_bytes())
            .number(self.expires.0)
    }

    /// A ticket's row.
    pub fn row(self, hash: TicketHash, sealed: SealedValue) -> TicketRow {
        TicketRow {
            hash,
            unit: self.unit,
            domain: self.domain,
            purpose: self.purpose,
            expires: self.expires,
            sealed,
        }
    }
}

const OUTER: &str = "jinku/v1 ticket row";
const INNER: &str = "jinku/v1 ticket tokens";

/// The name under which a ticket's row stands.
pub fn ticket_hash(ticket: &TicketText) -> TicketHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, ticket.expose().as_bytes()).as_ref());
    TicketHash(hash)
}

/// Seals a ticket's tokens. Each is at most [`TokenText::BYTES_MAX`] bytes.
pub fn close_tokens(
    keys: &AeadKeyring,
    ticket: &TicketText,
    terms: &TicketTerms,
    tokens: &[TokenText],
) -> Result<SealedValue, SealError> {
    let inner = close_inner(ticket, terms, tokens)?;
    let sealed = keys.seal(&terms.binding(OUTER, ticket_hash(ticket)), &inner);
    sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
}

/// Opens them again.
pub fn open_tokens(
    keys: &AeadKeyring,
    ticket: &TicketText,
    row: &TicketRow,
) -> Result<Vec<TokenText>, SealError> {
    let terms = TicketTerms {
        unit: row.unit.clone(),
        domain: row.domain.clone(),
        purpose: row.purpose.clone(),
        expires: row.expires,
    };
    let inner = keys.open(&terms.binding(OUTER, row.hash), &row.sealed.0);
    let inner = inner.map_err(|_| SealError::Unopened)?;
    open_inner(ticket, &terms, inner.expose())
}

/// Under the ticket's text. Each token stands behind its length in two big-endian bytes.
fn close_inner(
    ticket: &TicketText,
    terms: &TicketTerms,
    tokens: &[TokenText],
) -> Result<Vec<u8>, SealError> {
    let length: usize = tokens.iter().map(|token| 2 + token.expose().len()).sum();
    let mut texts = Zeroizing::new(Vec::with_capacity(length));
    for token in tokens {
        let text = token.expose().as_bytes();
        let length = u16::try_from(text.len()).map_err(|_| SealError::Unsealed)?;
        texts.extend_from_slice(&length.to_be_bytes());
        texts.extend_from_slice(text);
    }
    let key = BearerKey::derive(ticket.expose().as_bytes());
    let sealed = key.and_then(|key| key.seal(&terms.binding(INNER, ticket_hash(ticket)), &texts));
    sealed.map_err(|_| SealError::Unsealed)
}

fn open_inner(
    ticket: &TicketText,
    terms: &TicketTerms,
    inner: &[u8],
) -> Result<Vec<TokenText>, SealError> {
    let key = BearerKey::derive(ticket.expose().as_bytes());
    let opened = key.and_then(|key| key.open(&terms.binding(INNER, ticket_hash(ticket)), inner));
    let opened = opened.map_err(|_| SealError::Unopened)?;
    let (mut rest, mut tokens) = (opened.expose(), Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (text, behind) = behind.split_at_checked(length).ok_or(SealError::Unopened)?;
        let text = std::str::from_utf8(text).map_err(|_| SealError::Unopened)?;
        tokens.push(TokenText::new(text.to_owned()));
        rest = behind;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> TicketTerms {
        TicketTerms {
            unit: UnitName::parse("treasury").unwrap(),
            domain: DomainName::parse("city").unwrap(),
            purpose: Purpose::parse("tax-assessment").unwrap(),
            expires: Timestamp(7),
        }
    }

    // What the database gives with the HSM is this inner seal: without the ticket it tells no token.
    #[test]
    fn tokens_open_with_their_ticket_on_its_terms_only() {
        let ticket = TicketText::new("jkt_one".to_owned());
        let tokens = ["jk1_a", "", "王"].map(|text| TokenText::new(text.to_owned()));
        let inner = close_inner(&ticket, &terms(), &tokens).unwrap();
        let opened = open_inner(&ticket, &terms(), &inner).unwrap();
        let texts: Vec<_> = opened.iter().map(TokenText::expose).collect();
        assert_eq!(texts, ["jk1_a", "", "王"]);

        let other = TicketText::new("jkt_other".to_owned());
        assert!(open_inner(&other, &terms(), &inner).is_err());
        let mut changed = [(); 4].map(|()| terms());
        changed[0].unit = UnitName::parse("tax-bureau").unwrap();
        changed[1].domain = DomainName::parse("bank").unwrap();
        changed[2].purpose = Purpose::parse("curiosity").unwrap();
        changed[3].expires = Timestamp(8);
        for terms in changed {
            assert!(open_inner(&ticket, &terms, &inner).is_err());
        }
    }
}
