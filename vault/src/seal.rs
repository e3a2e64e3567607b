//! One value's encryption, bound to its row. What it opens is withheld from the start.

pub mod payload;

use kms::{AeadKeyring, Binding};

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

/// The one binding of all seals. The key version is in the sealed header, which is bound too.
// INVARIANT 5: domain, class, token and part are authenticated; a moved ciphertext does not open.
fn binding(part: Part, domain: &DomainName, class: &ClassName, row: Fingerprint) -> Binding {
    let label = match part {
        Part::Value => "jinku/v1 token row value",
        Part::Token => "jinku/v1 token row token",
    };
    Binding::new(label)
        .field(domain.as_str().as_bytes())
        .field(class.as_str().as_bytes())
        .field(&row.0)
}

/// Seals a value into its row.
pub fn close(
    keys: &AeadKeyring,
    domain: &DomainName,
    class: &ClassName,
    row: Fingerprint,
    value: &Plaintext,
) -> Result<SealedValue, SealError> {
    let context = binding(Part::Value, domain, class, row);
    let sealed = keys.seal(&context, value.expose().as_bytes());
    sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
}

/// Seals a repeatable token's own text into its row, so that it can be given out again.
pub fn close_token(
    keys: &AeadKeyring,
    domain: &DomainName,
    class: &ClassName,
    row: Fingerprint,
    token: &TokenText,
) -> Result<SealedValue, SealError> {
    let context = binding(Part::Token, domain, class, row);
    let sealed = keys.seal(&context, token.expose().as_bytes());
    sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
}

/// Opens a row's value.
pub fn open(keys: &AeadKeyring, row: &TokenRow) -> Result<Withheld<Plaintext>, SealError> {
    let context = binding(Part::Value, &row.domain, &row.class, row.fingerprint);
    opened(keys, &context, &row.sealed).map(|text| Withheld::new(Plaintext::new(text)))
}

/// Opens a repeatable row's token.
pub fn open_token(
    keys: &AeadKeyring,
    row: &TokenRow,
    sealed: &SealedValue,
) -> Result<Withheld<TokenText>, SealError> {
    let context = binding(Part::Token, &row.domain, &row.class, row.fingerprint);
    opened(keys, &context, sealed).map(|text| Withheld::new(TokenText::new(text)))
}

/// A row's ciphertexts under the current version: opened and sealed again, in the same binding.
pub fn renew(
    keys: &AeadKeyring,
    row: &TokenRow,
) -> Result<(SealedValue, Option<SealedValue>), SealError> {
    let again = |part, sealed: &SealedValue| {
        let context = binding(part, &row.domain, &row.class, row.fingerprint);
        let bytes = keys
            .open(&context, &sealed.0)
            .map_err(|_| SealError::Unopened)?;
        let sealed = keys.seal(&context, bytes.expose());
        sealed.map(SealedValue).map_err(|_| SealError::Unsealed)
    };
    let value = again(Part::Value, &row.sealed)?;
    let token = match &row.repeatable {
        Some((_, sealed)) => Some(again(Part::Token, sealed)?),
        None => None,
    };
    Ok((value, token))
}

fn opened(
    keys: &AeadKeyring,
    context: &Binding,
    sealed: &SealedValue,
) -> Result<String, SealError> {
    let bytes = keys
        .open(context, &sealed.0)
        .map_err(|_| SealError::Unopened)?;
    // Straight into the `String` that `Plaintext` wipes: no second copy stays behind.
    std::str::from_utf8(bytes.expose())
        .map(str::to_owned)
        .map_err(|_| SealError::Unopened)
}
