//! Tokens that look like their values and can't be mistaken for one, and each format's free space.

use rand::TryCryptoRng;
use zeroize::Zeroizing;

use super::draw::{self, DIGITS};
use super::{TokenError, check_digit, opaque, value};
use crate::model::{Format, Plaintext, TokenText, ValueKind};

/// Digits a card-shaped token keeps at the start: the issuer, by which payments are routed.
const PAN_FIRST: usize = 6;
/// Digits a card-shaped token keeps at the end: what receipts show.
const PAN_LAST: usize = 4;
/// With three digits between them, 900 tokens share the same first six and last four.
const PAN_DIGITS_MIN: usize = 13;
const PAN_DIGITS_MAX: usize = 19;

const CAPITALS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Second characters that no issuer assigns: 1 and 2 are citizens', 8, 9 and A to D residents'.
const UNALLOCATED: &[u8; 6] = b"034567";

/// RFC 6761 §6.4: names under `invalid` never resolve, so no mail can be sent to a token.
const EMAIL_HOST: &str = "@token.invalid";

/// How many tokens a format has at the least, as a power of two.
///
/// | format | free space | bits |
/// | --- | --- | --- |
/// | `Opaque`, `Email` | 2^128 | 128 |
/// | `TwNationalId` | 26 × 6 × 10^7 × 9 = 14,040,000,000 | 33.7 |
/// | `Pan`, 16 digits | 900,000 for each first six and last four | 19.8 |
/// | `Pan`, 13 digits (the least) | 900 for each first six and last four | 9.8 |
pub fn free_space_bits(format: Format) -> f64 {
    match format {
        Format::Opaque | Format::Email => 128.0,
        Format::TwNationalId => 14_040_000_000_f64.log2(),
        Format::Pan => 900_f64.log2(),
    }
}

/// The kind of values a format can stand for; `None` for any.
pub(super) fn kind_stood_for(format: Format) -> Option<ValueKind> {
    match format {
        Format::Opaque => None,
        Format::TwNationalId => Some(ValueKind::TwNationalId),
        Format::Pan => Some(ValueKind::Pan),
        Format::Email => Some(ValueKind::Email),
    }
}

/// Draws a token for an accepted value.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(
    format: Format,
    value: &Plaintext,
    rng: &mut R,
) -> Result<TokenText, TokenError> {
    match format {
        Format::Opaque => opaque::draw(rng),
        Format::TwNationalId => tw_national_id(rng),
        Format::Pan => pan(&value::normal_form(ValueKind::Pan, value), rng),
        Format::Email => email(rng),
    }
}

/// Whether `text` could be a token of one of this file's formats.
pub(super) fn is_shaped_token(text: &str) -> bool {
    is_tw_national_id(text.as_bytes()) || is_pan(text.as_bytes()) || is_email(text)
}

/// Whether `text` is an address that [`Format::Email`] makes.
pub(super) fn is_email(text: &str) -> bool {
    text.strip_suffix(EMAIL_HOST).is_some_and(opaque::is_body)
}

fn is_tw_national_id(text: &[u8]) -> bool {
    text.get(1)
        .is_some_and(|second| UNALLOCATED.contains(second))
        && check_digit::tw_id(text).is_some_and(|sum| sum != 0)
}

fn is_pan(text: &[u8]) -> bool {
    (PAN_DIGITS_MIN..=PAN_DIGITS_MAX).contains(&text.len())
        && check_digit::luhn(text).is_some_and(|sum| sum != 0)
}

fn email<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<TokenText, TokenError> {
    let mut text = String::with_capacity(opaque::BODY_CHARS + EMAIL_HOST.len());
    opaque::push_body(&mut text, rng)?;
    text.push_str(EMAIL_HOST);
    Ok(TokenText::new(text))
}

fn tw_national_id<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<TokenText, TokenError> {
    let mut id = [b'0'; 10];
    // The value's own letter would tell where its bearer was born.
    id[0] = draw::one_of(CAPITALS, rng)?;
    // INVARIANT 4: unallocated for those who look at the form, a wrong sum for those who only add.
    id[1] = draw::one_of(UNALLOCATED, rng)?;
    for digit in &mut id[2..9] {
        *digit = draw::one_of(DIGITS, rng)?;
    }
    spoil(&mut id, 9, check_digit::tw_id, rng)?;
    Ok(token_of(&id))
}

fn pan<R: TryCryptoRng + ?Sized>(value: &Plaintext, rng: &mut R) -> Result<TokenText, TokenError> {
    let mut digits = Zeroizing::new(value.expose().as_bytes().to_vec());
    if digits.len() < PAN_DIGITS_MIN {
        return Err(TokenError::SpaceTooSmall {
            digits_min: PAN_DIGITS_MIN,
        });
    }
    let last_drawn = digits.len() - PAN_LAST - 1;
    for digit in &mut digits[PAN_FIRST..last_drawn] {
        *digit = draw::one_of(DIGITS, rng)?;
    }
    // INVARIANT 4: no card number is Luhn-invalid, so this differs from each of them.
    spoil(&mut digits, last_drawn, check_digit::luhn, rng)?;
    Ok(token_of(&digits))
}

/// Draws the digit at `place` from the nine that make `sum` wrong.
///
/// Exactly one digit in ten makes it right, whatever the others are: the whole stays uniform over
/// all texts with a wrong sum, without drawing it again.
fn spoil<R: TryCryptoRng + ?Sized>(
    text: &mut [u8],
    place: usize,
    sum: fn(&[u8]) -> Option<u32>,
    rng: &mut R,
) -> Result<(), TokenError> {
    let mut wrong = [b'0'; 9];
    let mut count = 0;
    for &digit in DIGITS {
        text[place] = digit;
        if sum(text) != Some(0) && count < wrong.len() {
            wrong[count] = digit;
            count += 1;
        }
    }
    text[place] = draw::one_of(&wrong, rng)?;
    Ok(())
}

fn token_of(ascii: &[u8]) -> TokenText {
    let mut text = String::with_capacity(ascii.len());
    text.extend(ascii.iter().map(|&byte| char::from(byte)));
    TokenText::new(text)
}
