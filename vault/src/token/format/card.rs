//! Tokens in the form of card numbers: what is kept, what is drawn, and the issuers they never name.

use rand::TryCryptoRng;
use zeroize::Zeroizing;

use super::number::{spoil, text_of};
use crate::model::{Kept, Plaintext};
use crate::token::draw::{self, DIGITS};
use crate::token::{Space, TokenError, check_digit};

/// With three digits between first six and last four, 900 tokens share the same ends.
pub(super) const DIGITS_MIN: usize = 13;
pub(super) const DIGITS_MAX: usize = 19;

/// How a token begins that keeps no issuer.
///
/// ISO/IEC 7812-1: after a 9 stands the numeric country code of ISO 3166-1 whose national body
/// assigns the number; codes from 900 on are left to users, so no body assigns `99…`.
const NOBODYS: &[u8; 2] = b"99";

/// Draws a token for a card number's digits.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(
    kept: Kept,
    normal: &Plaintext,
    rng: &mut R,
) -> Result<String, TokenError> {
    let mut digits = Zeroizing::new(normal.expose().as_bytes().to_vec());
    if digits.len() < DIGITS_MIN {
        return Err(TokenError::SpaceTooSmall {
            characters_min: DIGITS_MIN,
        });
    }
    // INVARIANT 4: an issuer that is not kept is nobody, never another one.
    if kept.first() == 0 {
        digits[..NOBODYS.len()].copy_from_slice(NOBODYS);
    }
    let last_drawn = digits.len() - kept.last() - 1;
    for digit in &mut digits[begin(kept)..last_drawn] {
        *digit = draw::one_of(DIGITS, rng)?;
    }
    // INVARIANT 4: no card number is Luhn-invalid, so this differs from each of them.
    spoil(&mut digits, last_drawn, check_digit::luhn, rng)?;
    Ok(text_of(&digits))
}

/// Whether `text` is one that [`draw`] may give.
pub(super) fn is_token(kept: Kept, text: &str) -> bool {
    is_shaped(text) && (kept.first() > 0 || text.as_bytes().starts_with(NOBODYS))
}

/// Whether `text` has the digits of a card and a wrong sum.
pub(super) fn is_shaped(text: &str) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&text.len())
        && check_digit::luhn(text.as_bytes()).is_some_and(|sum| sum != 0)
}

/// Tokens that stand for card numbers of so many digits with the same kept ones.
pub(super) fn space(kept: Kept, digits: usize) -> Space {
    let drawn = digits.saturating_sub(begin(kept) + kept.last());
    match drawn.checked_sub(1) {
        Some(free) => Space::of(9).times_each(10, free),
        None => Space::of(0),
    }
}

/// Card numbers of so many digits with the same kept ones: the check digit follows.
pub(super) fn values(kept: Kept, digits: usize) -> Space {
    let free = digits.saturating_sub(kept.first() + kept.last() + 1);
    Space::of(1).times_each(10, free)
}

/// The first place that is drawn.
fn begin(kept: Kept) -> usize {
    kept.first().max(NOBODYS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First six digits of card schemes that are in use, as they publish them.
    const LISTED: [(u32, u32); 22] = [
        (100_000, 199_999), // UATP
        (220_000, 220_599), // Mir, BORICA
        (222_100, 272_099), // Mastercard
        (300_000, 305_999), // Diners Club
        (308_800, 310_299), // JCB
        (340_000, 349_999), // American Express
        (352_800, 358_999), // JCB
        (360_000, 369_999), // Diners Club
        (370_000, 379_999), // American Express
        (380_000, 399_999), // Diners Club
        (400_000, 499_999), // Visa
        (500_000, 509_999), // Maestro, Verve, RuPay, Elo
        (510_000, 559_999), // Mastercard
        (560_000, 589_999), // Maestro
        (600_000, 609_999), // Discover, RuPay, Hipercard
        (620_000, 629_999), // UnionPay
        (630_000, 659_999), // Maestro, InterPayment, InstaPayment, Discover, Troy, Elo
        (670_000, 679_999), // Maestro
        (810_000, 829_999), // UnionPay, RuPay
        (860_000, 860_099), // Uzcard
        (970_400, 970_499), // NAPAS, Vietnam
        (979_200, 986_099), // Troy, Türkiye, to Humo, Uzbekistan
    ];

    #[test]
    fn no_scheme_begins_as_tokens_do_that_keep_no_issuer() {
        for (from, to) in LISTED {
            assert!(from <= to && (to < 990_000 || from > 999_999), "{from}");
        }
        assert_eq!(NOBODYS, b"99");
    }

    #[test]
    fn spaces_and_values_are_counted_by_the_drawn_digits() {
        let tokens = |kept, digits| space(kept, digits).tokens().unwrap();
        assert_eq!(tokens(Kept::FirstAndLast, 16), 900_000);
        assert_eq!(tokens(Kept::FirstAndLast, 13), 900);
        assert_eq!(tokens(Kept::First, 16), 9_000_000_000);
        assert_eq!(tokens(Kept::Last, 16), 9_000_000_000);
        assert_eq!(tokens(Kept::Nothing, 16), 90_000_000_000_000);
        assert_eq!(tokens(Kept::FirstAndLast, 10), 0);
        assert_eq!(values(Kept::FirstAndLast, 16).tokens(), Some(100_000));
        assert_eq!(values(Kept::Nothing, 16).tokens(), Some(10_u128.pow(15)));
    }
}
