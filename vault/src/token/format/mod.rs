//! Each format in one place: what it stands for, how it is drawn, known again and counted.

mod card;
mod fit;
mod look;
mod number;
mod plain;

use rand::TryCryptoRng;

use crate::model::{
    DataClass, Format, Kept, Length, Lengths, NormalForm, Plaintext, TokenText, UiForm, ValueKind,
};
use crate::token::{Space, TokenError, ValueFault, opaque, value, zh};

pub use fit::{Unfit, fit};

/// RFC 6761 §6.4: names under `invalid` never resolve, so no mail can be sent to a token.
const EMAIL_HOST: &str = "@token.invalid";

/// Fewer tokens than these serve nobody: a class is refused at load, a value when it comes.
const TOKENS_MIN: u128 = 65_536;

/// Digits of the shortest card number that a token can stand for.
pub(super) const CARD_DIGITS_MIN: usize = card::DIGITS_MIN;

/// The kind of values that a format looks like; `None` for those that look like none.
pub(super) fn kind_stood_for(format: &Format) -> Option<ValueKind> {
    match format {
        Format::Opaque
        | Format::Digits(_)
        | Format::Alphanumeric(_)
        | Format::Zh(_)
        | Format::Template(_) => None,
        Format::Pan(_) => Some(ValueKind::Pan),
        Format::TwNationalId => Some(ValueKind::TwNationalId),
        Format::TwUiNumber(_) => Some(ValueKind::TwUiNumber),
        Format::TwUbn => Some(ValueKind::TwUbn),
        Format::TwMobile => Some(ValueKind::TwMobile),
        Format::TwNhiCard => Some(ValueKind::TwNhiCard),
        Format::TwPassport => Some(ValueKind::TwPassport),
        Format::TwPlate => Some(ValueKind::TwPlate),
        Format::TwMobileBarcode => Some(ValueKind::TwMobileBarcode),
        Format::BankAccount => Some(ValueKind::BankAccount),
        Format::Email => Some(ValueKind::Email),
        Format::NameZh => Some(ValueKind::NameZh),
        Format::Address => Some(ValueKind::Address),
        Format::Date => Some(ValueKind::Date),
        Format::Uuid => Some(ValueKind::Uuid),
    }
}

/// Draws a token for an accepted value.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(
    class: &DataClass,
    value: &Plaintext,
    rng: &mut R,
) -> Result<TokenText, TokenError> {
    if let Some(look) = look::of(&class.format) {
        return look.draw(rng).map(TokenText::new);
    }
    let text = match &class.format {
        Format::Pan(kept) => card::draw(*kept, &card_digits(value), rng),
        Format::TwNationalId => number::draw_id(UiForm::New, rng),
        Format::TwUiNumber(form) => number::draw_id(*form, rng),
        Format::TwUbn => number::draw_ubn(rng),
        Format::Email => email(rng),
        Format::Digits(_) | Format::Alphanumeric(_) | Format::Zh(_) | Format::Template(_) => {
            plain::draw(class, length(class, value), rng)
        }
        _ => return opaque::draw(rng),
    };
    text.map(TokenText::new)
}

/// Whether `text` could be a token of the class.
pub(super) fn is_token(class: &DataClass, text: &str) -> bool {
    if let Some(look) = look::of(&class.format) {
        return look.is_of(text);
    }
    match &class.format {
        Format::Pan(kept) => card::is_token(*kept, text),
        Format::TwNationalId => number::is_id(UiForm::New, text),
        Format::TwUiNumber(form) => number::is_id(*form, text),
        Format::TwUbn => number::is_ubn(text),
        Format::Email => is_email(text),
        Format::Digits(_) | Format::Alphanumeric(_) | Format::Zh(_) | Format::Template(_) => {
            plain::is_token(class, text)
        }
        _ => opaque::is_one(text),
    }
}

/// Whether `text` has the look of a format's tokens, whatever the class.
///
/// Not among them: `digits`, `alphanumeric`, `template`, `tw-ubn` and `zh` of the value's length,
/// which are known by their class alone.
pub(super) fn has_a_look(text: &str) -> bool {
    is_self_evident(text)
        || number::is_id(UiForm::New, text)
        || number::is_id(UiForm::Old, text)
        || card::is_shaped(text)
        || look::is_any(text)
}

/// Whether `text` says of itself that it is a token: nobody writes one by chance.
pub(super) fn is_self_evident(text: &str) -> bool {
    opaque::is_one(text) || is_email(text) || is_zh(text) || look::is_self_evident(text)
}

/// Whether `text` has the marks of self-evident tokens, and is none of them.
pub(super) fn is_mistyped(text: &str) -> bool {
    opaque::is_broken(text)
        || (text.ends_with(EMAIL_HOST) && !is_email(text))
        || look::is_mistyped(text)
}

/// Whether enough tokens can stand for a value of this length, in its normal form.
pub(super) fn room(class: &DataClass, value: &Plaintext) -> Result<(), TokenError> {
    if let Format::Pan(_) = class.format {
        let digits = card_digits(value);
        let text = digits.expose();
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(value::invalid(ValueKind::Pan, ValueFault::Character));
        }
        return match text.len() {
            0..card::DIGITS_MIN => Err(TokenError::SpaceTooSmall {
                characters_min: card::DIGITS_MIN,
            }),
            card::DIGITS_MIN..=card::DIGITS_MAX => Ok(()),
            _ => Err(value::invalid(ValueKind::Pan, ValueFault::Length)),
        };
    }
    if plain::chosen(&class.format) != Some(Length::OfValue) {
        return Ok(());
    }
    let length = length(class, value);
    let enough = |length| {
        let space = plain::space(class.kind, &class.format, length);
        space.is_some_and(|space| space.is_at_least(TOKENS_MIN))
    };
    if length > usize::from(Lengths::ANY.max) {
        Err(value::invalid(class.kind, ValueFault::Length))
    } else if enough(length) {
        Ok(())
    } else {
        let shortest = (1..=usize::from(Lengths::ANY.max)).find(|&length| enough(length));
        Err(TokenError::SpaceTooSmall {
            characters_min: shortest.unwrap_or(usize::MAX),
        })
    }
}

/// How many tokens can stand for one value of the class, at the least.
///
/// | format | tokens | bits |
/// | --- | --- | --- |
/// | `opaque`, `email` | 2^128 | 128 |
/// | `digits`, n | 10^n less the values of the kind with n digits | 3.3 n |
/// | `alphanumeric`, n | 26 × 36^(n - 2) | 5.2 n - 5.6 |
/// | `zh`, n | 2,048^(n - 1) | 11 (n - 1) |
/// | `zh`, `same` | 2,048^n | 11 n |
/// | `template` `LL-NNNN-漢漢` | 26² × 10^4 × 2,048² | 44.7 |
/// | `pan` of 16 digits, first six and last four kept | 900,000 for each of these ends | 19.8 |
/// | `pan` of 13 digits (the least), the same kept | 900 for each | 9.8 |
/// | `pan` of 16 digits, first six or last four kept | 9 × 10^9 for each | 33.1 |
/// | `pan` of 16 digits, nothing kept | 9 × 10^13 | 46.4 |
/// | `tw-national-id`, `tw-ui-number` (new) | 26 × 6 × 10^7 × 9 = 14,040,000,000 | 33.7 |
/// | `tw-ui-number` (old) | 26 × 22 × 10^7 × 9 = 51,480,000,000 | 35.6 |
/// | `tw-ubn` | 100,000,000 - 22,000,000 = 78,000,000 | 26.2 |
/// | `tw-mobile` | 24² × 10^6 = 576,000,000 | 29.1 |
/// | `tw-nhi-card` | 24 × 10^10 | 37.8 |
/// | `tw-passport` | 10^7 × 24² = 5,760,000,000 | 32.4 |
/// | `tw-plate` | 24^5 × 10² = 796,262,400 | 29.6 |
/// | `tw-mobile-barcode` | 39^7 = 137,231,006,679 | 37.0 |
/// | `bank-account` | 24³ × 10^10 | 47.0 |
/// | `name-zh` | 2,048^4 | 44 |
/// | `address` | 2,048^7 | 77 |
/// | `date` | 10^4 × 87 × 68 = 59,160,000 | 25.8 |
/// | `uuid` | 16^26 | 104 |
pub fn space(class: &DataClass) -> Space {
    if let Some(look) = look::of(&class.format) {
        return look.space();
    }
    match &class.format {
        Format::Pan(kept) => card::space(*kept, card::DIGITS_MIN),
        Format::TwNationalId => number::id_space(UiForm::New),
        Format::TwUiNumber(form) => number::id_space(*form),
        Format::TwUbn => number::ubn_space(),
        Format::Digits(_) | Format::Alphanumeric(_) | Format::Zh(_) | Format::Template(_) => {
            let shortest = match plain::chosen(&class.format) {
                Some(Length::Fixed(length)) => length,
                _ => value::lengths(class.kind).map_or(0, |lengths| lengths.min),
            };
            let space = plain::space(class.kind, &class.format, usize::from(shortest));
            space.unwrap_or(Space::of(0))
        }
        _ => Space::of_bits(128),
    }
}

/// Tokens for one 16-digit card number and card numbers that compete for them.
fn card_competition(kept: Kept) -> (Space, Space) {
    const USUAL_DIGITS: usize = 16;
    (
        card::space(kept, USUAL_DIGITS),
        card::values(kept, USUAL_DIGITS),
    )
}

fn card_digits(value: &Plaintext) -> Plaintext {
    value::normal_form(ValueKind::Pan, NormalForm::First, value)
}

/// Characters that a value's token has, where the class does not say.
fn length(class: &DataClass, value: &Plaintext) -> usize {
    if let Some(Length::Fixed(length)) = plain::chosen(&class.format) {
        return usize::from(length);
    }
    let normal = value::normal_form(class.kind, class.normal_form, value);
    normal.expose().chars().count()
}

fn is_email(text: &str) -> bool {
    text.strip_suffix(EMAIL_HOST).is_some_and(opaque::is_body)
}

/// Long enough for chance not to matter, and right in its check character.
fn is_zh(text: &str) -> bool {
    zh::is_checked(text)
        && text
            .chars()
            .nth(usize::from(crate::model::LENGTH_MIN) - 1)
            .is_some()
}

fn email<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<String, TokenError> {
    let mut text = String::with_capacity(opaque::BODY_CHARS + EMAIL_HOST.len());
    opaque::push_body(&mut text, rng)?;
    text.push_str(EMAIL_HOST);
    Ok(text)
}
