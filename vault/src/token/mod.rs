//! Tokens and the values they stand for: what is accepted, what is issued, what a mask still shows.
//!
//! [`issue`] yields a [`Withheld`] token: random over its format's free space, never derived.
//!
//! | file | owns |
//! | --- | --- |
//! | `value/` | what a class's values must be, and their normal form: a file for each family |
//! | `check_digit` | the sums of card numbers, Taiwanese IDs and business numbers, and of tokens |
//! | `draw` | uniform draws, by rejection |
//! | `shape` | what stands at each place of a token |
//! | `zh`, `zh_set.txt` | the published set of Chinese characters |
//! | `opaque` | the self-identifying format `jk1_…` |
//! | `format/` | each format: drawn, known again, counted; whether it can serve its class |
//! | `space` | free space as a number, and how much of it is used |
//! | `made_up` | values that pass for real ones, for honeytokens |
//! | `mask` | masks: what they keep, and when they keep nothing |
//! | `residue` | how many values a mask leaves possible |

mod check_digit;
mod draw;
mod error;
mod format;
mod made_up;
mod mask;
mod opaque;
mod residue;
mod shape;
mod space;
mod ticket;
mod value;
mod zh;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use rand::TryCryptoRng;

use crate::commit::Withheld;
use crate::model::{DataClass, Demand, NormalForm, Plaintext, TokenText};

pub use error::{TokenError, ValueFault};
pub use format::{Unfit, fit, space};
pub use made_up::made_up;
pub use mask::{Masking, hidden_min, masked};
pub use residue::{Residue, residue, residue_beside_token};
pub use space::{Pressure, Space, SpaceWatch, grouped, pressure};
pub use ticket::{draw_ticket, is_ticket};

/// Longest value that can be tokenized, in bytes of UTF-8.
pub const VALUE_BYTES_MAX: usize = 4_096;

/// Draws after which a format's space counts as used up, when each one met a token that stands
/// already. Half-full, it happens once in 65,536 requests; nine tenths full, once in five.
pub const DRAWS_MAX: u32 = 16;

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
    format::draw(class, value, &mut draw::Pool::new(rng)).map(Withheld::new)
}

/// Whether `value` is of the class's kind (if the class demands it), and one that tokens of its
/// format can stand for.
///
/// No token of a class is ever a value of that class (invariant 4), so nothing is tokenized twice.
pub fn accept(class: &DataClass, value: &Plaintext) -> Result<(), TokenError> {
    // Before anything looks at it: normal forms cost time in proportion to the length.
    if value.expose().len() > VALUE_BYTES_MAX {
        return Err(TokenError::ValueTooLong {
            bytes_max: VALUE_BYTES_MAX,
        });
    }
    let normal = normalise(class, value);
    match class.demand {
        Demand::Real => {
            value::check_normal(class.kind, &normal)?;
            if let Some(kind) = format::kind_stood_for(&class.format).filter(|&k| k != class.kind) {
                value::check(kind, class.normal_form, value)?;
            }
        }
        Demand::Anything if normal.expose().is_empty() => {
            return Err(value::invalid(class.kind, ValueFault::Empty));
        }
        Demand::Anything => {}
    }
    // INVARIANT 4: what looks like a token of the class is none of its values.
    let written = value.expose().trim();
    if format::is_token(class, written) || format::is_token(class, normal.expose()) {
        return Err(value::invalid(class.kind, ValueFault::Token));
    }
    format::room(class, value)
}

/// The one spelling of an accepted value, for the blind index. The sealed value stays as given.
///
/// NFKC and trimmed; codes in upper case; numbers without spaces and hyphens, mobile numbers in the
/// national form; hosts of e-mail addresses in lower case; names and postal addresses without white
/// space; days as `YYYY-MM-DD`; UUIDs in lower case with hyphens. Which version of these rules, the
/// class says ([`crate::model::NormalForm`]).
pub fn normalise(class: &DataClass, value: &Plaintext) -> Plaintext {
    normalise_as(class, class.normal_form, value)
}

/// The same by another version of the rules: rows may have been written under it.
pub fn normalise_as(class: &DataClass, form: NormalForm, value: &Plaintext) -> Plaintext {
    value::normal_form(class.kind, form, value)
}

/// Whether `text` has the look of a token, whatever its class. Cheap; asks no store.
///
/// Every token passes but those of `digits`, `alphanumeric`, `template`, `tw-ubn` and `zh` of the
/// value's length, which only their class can know ([`could_be_of`]); no real value of a kind that a format looks like passes.
pub fn plausible(text: &str) -> bool {
    format::has_a_look(text)
}

/// Whether `text` could be a token of this class. Exact: every one passes, no value of the class does.
pub fn could_be_of(class: &DataClass, text: &str) -> bool {
    format::is_token(class, text)
}

/// Whether `text` claims by its look to be a token, and its check characters or its form say no.
///
/// Nobody was ever given one, whatever the catalogue says today: no store need be asked.
pub fn is_mistyped(text: &str) -> bool {
    format::is_mistyped(text)
}
