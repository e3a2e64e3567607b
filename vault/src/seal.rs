//! One value's encryption, bound to its row, in two layers. What it opens is withheld from the start.
//!
//! ```text
//! sealed = outer(inner(value))     outer: under the domain's key version, bound to domain, class, token and part
//!                                  inner: under the row's shred key, for that token and part; of a `bound` row
//!                                         the token's text is a share of the key too
//! ```
//! A rotation or a move to another class renews the outer layer and sees no value. Without the shred key the
//! inner one opens for nobody: that is what erasing means.

pub mod answer;
pub mod payload;
pub mod ticket;

use kms::{AeadKeyring, Binding, SecretBytes, ShredKey};

use crate::commit::Withheld;
use crate::model::{ClassName, DomainName, Plaintext, TokenText};
use crate::store::{Fingerprint, SealedValue, TokenRow};

/// Why a value can't be sealed or opened. One error for every cause (design section 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The row was altered or moved, its key is another, or its text is not UTF-8.
    #[error("a stored value does not open: its row was altered, or its key is not this one")]
    Unopened,
    /// The value can't be sealed: the key service refused.
    #[error("a value can't be sealed: the key service refused")]
    Unsealed,
}

/// What the row holds under a seal: never one where the other is meant.
#[derive(Clone, Copy)]
enum Part {
    Value,
    Token,
}

/// Where a value stands: what the outer layer is bound to.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Namespace of the token.
    pub domain: &'a DomainName,
    /// What the value is.
    pub class: &'a ClassName,
    /// The row's primary key.
    pub row: Fingerprint,
}

impl<'a> Place<'a> {
    /// Where a row's value stands.
    pub fn of(row: &'a TokenRow) -> Self {
        Self {
            domain: &row.domain,
            class: &row.class,
            row: row.fingerprint,
        }
    }

    // INVARIANT 5: domain, class, token and part are authenticated; a moved ciphertext does not open.
    /// The one binding of all outer seals. The key version is in the sealed header, which is bound too.
    fn outer(&self, part: Part) -> Binding {
        let label = match part {
            Part::Value => "jinku/v1 token row value",
            Part::Token => "jinku/v1 token row token",
        };
        Binding::new(label)
            .field(self.domain.as_str().as_bytes())
            .field(self.class.as_str().as_bytes())
            .field(&self.row.0)
    }
}

/// What opens a row's inner layer.
#[derive(Clone, Copy)]
pub struct Shares<'a> {
    /// The row's own key.
    pub shred: &'a ShredKey,
    /// The token's text, where the row is bound to it.
    pub token: Option<&'a TokenText>,
}

impl Shares<'_> {
    /// A row's parts are sealed once, each for a context of its own: its token never stands for another value.
    fn inner(&self, part: Part, place: &Place<'_>) -> Binding {
        let label = match part {
            Part::Value => "jinku/v1 shred row value",
            Part::Token => "jinku/v1 shred row token",
        };
        let context = Binding::new(label)
            .field(place.domain.as_str().as_bytes())
            .field(&place.row.0);
        match self.token {
            Some(token) => context.field(token.expose().as_bytes()),
            None => context,
        }
    }
}

/// Seals a value into its row.
pub fn close(
    keys: &AeadKeyring,
    place: Place<'_>,
    shares: Shares<'_>,
    value: &Plaintext,
) -> Result<SealedValue, SealError> {
    closed(keys, Part::Value, place, shares, value.expose())
}

/// Seals a token's own text into its row, so that it can be given out again.
pub fn close_token(
    keys: &AeadKeyring,
    place: Place<'_>,
    shares: Shares<'_>,
    token: &TokenText,
) -> Result<SealedValue, SealError> {
    closed(keys, Part::Token, place, shares, token.expose())
}

/// Opens a row's value.
pub fn open(
    keys: &AeadKeyring,
    row: &TokenRow,
    shares: Shares<'_>,
) -> Result<Withheld<Plaintext>, SealError> {
    let text = opened(keys, Part::Value, row, shares, &row.sealed)?;
    Ok(Withheld::new(Plaintext::new(text)))
}

/// Opens an indexed row's token.
pub fn open_token(
    keys: &AeadKeyring,
    row: &TokenRow,
    shares: Shares<'_>,
) -> Result<Withheld<TokenText>, SealError> {
    let sealed = row.indexed.as_ref().ok_or(SealError::Unopened)?;
    let text = opened(keys, Part::Token, row, shares, &sealed.token)?;
    Ok(Withheld::new(TokenText::new(text)))
}

/// A row's ciphertexts under the current version, bound to `place`: the outer layers alone are opened.
pub fn renew(
    keys: &AeadKeyring,
    row: &TokenRow,
    place: Place<'_>,
) -> Result<(SealedValue, Option<SealedValue>), SealError> {
    let again = |part, sealed: &SealedValue| {
        let inner = keys
            .open(&Place::of(row).outer(part), &sealed.0)
            .map_err(|_| SealError::Unopened)?;
        let sealed = keys.seal(&place.outer(part), inner.expose());
        sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
    };
    let value = again(Part::Value, &row.sealed)?;
    let token = match &row.indexed {
        Some(indexed) => Some(again(Part::Token, &indexed.token)?),
        None => None,
    };
    Ok((value, token))
}

fn closed(
    keys: &AeadKeyring,
    part: Part,
    place: Place<'_>,
    shares: Shares<'_>,
    text: &str,
) -> Result<SealedValue, SealError> {
    let inner = shares
        .shred
        .seal_once(&shares.inner(part, &place), text.as_bytes());
    let inner = inner.map_err(|_| SealError::Unsealed)?;
    let sealed = keys.seal(&place.outer(part), inner.expose());
    sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
}

fn opened(
    keys: &AeadKeyring,
    part: Part,
    row: &TokenRow,
    shares: Shares<'_>,
    sealed: &SealedValue,
) -> Result<String, SealError> {
    let place = Place::of(row);
    let open = || -> Result<SecretBytes, kms::Error> {
        let inner = keys.open(&place.outer(part), &sealed.0)?;
        shares
            .shred
            .open(&shares.inner(part, &place), inner.expose())
    };
    let bytes = open().map_err(|_| SealError::Unopened)?;
    // Straight into the `String` that is wiped: no second copy stays behind.
    std::str::from_utf8(bytes.expose())
        .map(str::to_owned)
        .map_err(|_| SealError::Unopened)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    /// The inner layer alone: what is left for whoever has the database and the domain's keys.
    #[test]
    fn a_bound_row_opens_with_its_token_s_text_and_no_other() {
        let (domain, class) = (DomainName::parse("d"), ClassName::parse("c"));
        let (domain, class) = (domain.unwrap(), class.unwrap());
        let at = |byte| Place {
            domain: &domain,
            class: &class,
            row: Fingerprint([byte; 16]),
        };
        let shred = &ShredKey::new(Zeroizing::new([7; ShredKey::BYTES])).unwrap();
        let text = |text: &str| TokenText::new(text.to_owned());
        let (own, other) = (text("jk1_own"), text("jk1_other"));
        let with = |token| Shares { shred, token };
        let sealed = shred
            .seal_once(&with(Some(&own)).inner(Part::Value, &at(1)), b"value")
            .unwrap();
        let opens = |token, part, place: &Place<'_>| {
            let context = with(token).inner(part, place);
            shred.open(&context, sealed.expose()).is_ok()
        };
        assert!(opens(Some(&own), Part::Value, &at(1)));
        assert!(!opens(None, Part::Value, &at(1)));
        assert!(!opens(Some(&other), Part::Value, &at(1)));
        assert!(!opens(Some(&own), Part::Token, &at(1)));
        assert!(!opens(Some(&own), Part::Value, &at(2)));
    }
}
