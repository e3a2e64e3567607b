//! Tokens and the values they stand for: what is accepted, what is issued, what a mask still shows.
//!
//! [`issue`] yields a [`Withheld`] token: random over its format's free space, never derived.
//!
//! | file | owns |
//! | --- | --- |
//! | `value` | what a class's values must be, and their normal form |
//! | `check_digit` | the sums of card numbers and Taiwanese IDs |
//! | `draw` | uniform draws, by rejection |
//! | `opaque` | the self-identifying format `jk1_…` |
//! | `format` | the formats that look like their values, and each format's free space |
//! | `mask` | masks, and how many candidates they leave |

mod check_digit;
mod draw;
mod format;
mod mask;
mod opaque;
mod value;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use rand::TryCryptoRng;

use crate::commit::Withheld;
use crate::model::{DataClass, Plaintext, TokenText};

pub use format::free_space_bits;
pub use mask::{masked, residual_candidates};

/// Longest value that can be tokenized, in bytes of UTF-8.
pub const VALUE_BYTES_MAX: usize = 4_096;

/// Draws after which a format's space counts as used up, when each one met a token that stands
/// already. Half-full, it happens once in 65,536 requests; nine tenths full, once in five.
pub const DRAWS_MAX: u32 = 16;

/// Why a value is not accepted, or no token is issued. Never holds the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The value is not what its class expects.
    #[error("the value is not {expected}")]
    ValueInvalid {
        /// What was expected, in words.
        expected: &'static str,
    },
    /// The value has too many bytes.
    #[error("the value has more than {bytes_max} bytes")]
    ValueTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The format would keep too much of a value this short: too few tokens are left to draw from.
    #[error(
        "card-shaped tokens need {digits_min} digits or more: give the class the opaque format"
    )]
    SpaceTooSmall {
        /// Digits a value must have.
        digits_min: usize,
    },
    /// [`DRAWS_MAX`] draws met tokens that stand already. For the engine, which alone can see it.
    #[error("the format's free space is nearly used up: give the class the opaque format")]
    SpaceUsedUp,
    /// The source of randomness failed, or is stuck. Nothing was issued.
    #[error("the source of randomness failed: check the operating system")]
    NoRandomness,
}

/// Draws a token for `value`, uniform over the free space of the class's format.
///
/// Nothing of the value goes into it but what the format openly keeps (`Pan`: first six, last
/// four). The token may stand already: the store says so, and the caller draws again.
pub fn issue<R: TryCryptoRng + ?Sized>(
    class: &DataClass,
    value: &Plaintext,
    rng: &mut R,
) -> Result<Withheld<TokenText>, TokenError> {
    accept(class, value)?;
    format::draw(class.format, value, rng).map(Withheld::new)
}

/// Whether `value` is of the class's kind, and one that tokens of its format can stand for.
///
/// No token of a class is ever a value of that class (invariant 4), so nothing is tokenized twice.
pub fn accept(class: &DataClass, value: &Plaintext) -> Result<(), TokenError> {
    // Before anything looks at it: normal forms cost time in proportion to the length.
    if value.expose().len() > VALUE_BYTES_MAX {
        return Err(TokenError::ValueTooLong {
            bytes_max: VALUE_BYTES_MAX,
        });
    }
    value::check(class.kind, value)?;
    match format::kind_stood_for(class.format) {
        Some(kind) if kind != class.kind => value::check(kind, value),
        _ => Ok(()),
    }
}

/// The one spelling of an accepted value, for the blind index. The sealed value stays as given.
///
/// NFKC and trimmed; IDs in upper case; card and mobile numbers without spaces and hyphens, mobile
/// numbers in the national form; hosts of e-mail addresses in lower case.
pub fn normalise(class: &DataClass, value: &Plaintext) -> Plaintext {
    value::normal_form(class.kind, value)
}

/// Whether `text` could be a token of any format at all. Cheap; asks no store.
///
/// Exact: every token of every format passes, and no real card number or ID does.
pub fn plausible(text: &str) -> bool {
    opaque::is_one(text) || format::is_shaped_token(text)
}
