//! Tokens in the form of IDs and business numbers: unallocated, and with a sum that fails.

use rand::TryCryptoRng;

use super::plain::UBNS;
use crate::model::UiForm;
use crate::token::draw::{self, DIGITS, TRIES_MAX};
use crate::token::shape::CAPITALS;
use crate::token::{Space, TokenError, check_digit};

/// Second characters that no issuer assigns: 1 and 2 are citizens', 8, 9 and A to D residents'.
const UNALLOCATED_DIGITS: &[u8] = b"034567";
const UNALLOCATED_LETTERS: &[u8] = b"EFGHIJKLMNOPQRSTUVWXYZ";

fn unallocated(form: UiForm) -> &'static [u8] {
    match form {
        UiForm::New => UNALLOCATED_DIGITS,
        UiForm::Old => UNALLOCATED_LETTERS,
    }
}

/// An ID or UI number in the new form, or a UI number in the old one.
pub(super) fn draw_id<R: TryCryptoRng + ?Sized>(
    form: UiForm,
    rng: &mut R,
) -> Result<String, TokenError> {
    let mut id = [b'0'; 10];
    // The value's own letter would tell where its bearer was born.
    id[0] = draw::one_of(CAPITALS, rng)?;
    // INVARIANT 4: unallocated for those who look at the form, a wrong sum for those who only add.
    id[1] = draw::one_of(unallocated(form), rng)?;
    for digit in &mut id[2..9] {
        *digit = draw::one_of(DIGITS, rng)?;
    }
    spoil(&mut id, 9, check_digit::tw_id, rng)?;
    Ok(text_of(&id))
}

/// Whether `text` is one that [`draw_id`] may give.
pub(super) fn is_id(form: UiForm, text: &str) -> bool {
    let id = text.as_bytes();
    id.get(1)
        .is_some_and(|second| unallocated(form).contains(second))
        && check_digit::tw_id(id).is_some_and(|sum| sum != 0)
}

/// 26 letters, the unallocated, seven free digits, one of nine wrong ones.
pub(super) fn id_space(form: UiForm) -> Space {
    Space::of(26)
        .times(unallocated(form).len() as u128)
        .times_each(10, 7)
        .times(9)
}

/// Eight digits that fail the rule of 2023.
pub(super) fn draw_ubn<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<String, TokenError> {
    let mut number = [b'0'; 8];
    for _ in 0..TRIES_MAX {
        for digit in &mut number {
            *digit = draw::one_of(DIGITS, rng)?;
        }
        let text = text_of(&number);
        // INVARIANT 4: one that only fails the old rule may be a business of today.
        if is_ubn(&text) {
            return Ok(text);
        }
    }
    Err(TokenError::NoRandomness)
}

/// Whether `text` is one that [`draw_ubn`] may give.
pub(super) fn is_ubn(text: &str) -> bool {
    check_digit::ubn(text.as_bytes(), 5) == Some(false)
}

/// All numbers but those that pass.
pub(super) fn ubn_space() -> Space {
    Space::of(100_000_000).without(UBNS)
}

/// Draws the digit at `place` from the nine that make `sum` wrong.
///
/// Exactly one digit in ten makes it right, whatever the others are: the whole stays uniform over
/// all texts with a wrong sum, without drawing it again.
pub(super) fn spoil<R: TryCryptoRng + ?Sized>(
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

pub(super) fn text_of(ascii: &[u8]) -> String {
    let mut text = String::with_capacity(ascii.len());
    text.extend(ascii.iter().map(|&byte| char::from(byte)));
    text
}
