//! Masks: which characters of a value stay, and how many values a mask still leaves possible.

use super::check_digit;
use crate::model::{Lengths, Mask, Plaintext, ValueKind};

/// Digits of the most common card numbers.
const PAN_DIGITS: usize = 16;

/// `value` with its inner characters replaced by `*`.
///
/// Characters are Unicode scalar values. If the mask keeps as many as the value has, or more, it
/// would hide nothing: then everything is masked. The length stays visible.
pub fn masked(value: &Plaintext, mask: Mask) -> Plaintext {
    let text = value.expose();
    let length = text.chars().count();
    // `*` has one byte, no character less: the text is never moved in memory while it grows.
    let mut shown = String::with_capacity(text.len());
    let hidden = hidden_places(mask, length);
    for (place, character) in text.chars().enumerate() {
        shown.push(if hidden.contains(&place) {
            '*'
        } else {
            character
        });
    }
    Plaintext::new(shown)
}

/// How many values of `kind` a masked view leaves possible, in the worst case.
///
/// `None` for what people write (text, e-mail and postal addresses, names, days in any writing) and for
/// UUIDs. The check digit is used against us: `A12****789` hides 10,000 numbers, of which 1,000
/// have the right sum. Card numbers are taken as 16 digits, plates in the form since 2012, values as
/// written without separators, of whatever length leaves the fewest. Not enforced.
pub fn residual_candidates(kind: ValueKind, mask: Mask) -> Option<f64> {
    let free = |choices: usize, count: usize| vec![vec![0; choices]; count];
    let of_lengths = |choices: usize, lengths: Lengths| {
        (lengths.min..=lengths.max)
            .map(|length| left(&free(choices, usize::from(length)), mask, 10))
            .min_by(f64::total_cmp)
    };
    match kind {
        ValueKind::Text
        | ValueKind::Email
        | ValueKind::NameZh
        | ValueKind::Address
        | ValueKind::Date
        | ValueKind::Uuid => None,
        ValueKind::Digits(lengths) => of_lengths(10, lengths),
        ValueKind::Alphanumeric(lengths) => of_lengths(36, lengths),
        ValueKind::BankAccount => of_lengths(10, Lengths { min: 10, max: 19 }),
        ValueKind::TwNationalId => Some(left(&tw_id_places(&[1, 2, 8, 9]), mask, 10)),
        ValueKind::TwUiNumber => Some(left(&tw_id_places(&[8, 9]), mask, 10)),
        // A seventh digit 7 may count one more, which leaves more, never fewer.
        ValueKind::TwUbn => Some(left(&check_digit::ubn_amounts(), mask, 5)),
        // Doubling permutes the ten digits: each place adds each amount once.
        ValueKind::Pan => Some(left(&vec![(0..10).collect(); PAN_DIGITS], mask, 10)),
        // `0` and `9` are known; the others have no sum to meet.
        ValueKind::TwMobile => Some(left(&[free(1, 2), free(10, 8)].concat(), mask, 10)),
        ValueKind::TwNhiCard => Some(left(&free(10, 12), mask, 10)),
        ValueKind::TwPassport => Some(left(&free(10, 9), mask, 10)),
        ValueKind::TwPlate => Some(left(&[free(24, 3), free(9, 4)].concat(), mask, 10)),
        ValueKind::TwMobileBarcode => Some(left(&[free(1, 1), free(39, 7)].concat(), mask, 10)),
    }
}

fn left(places: &[Vec<u32>], mask: Mask, modulus: u32) -> f64 {
    fewest(&places[hidden_places(mask, places.len())], modulus)
}

/// The places that a mask hides in a value of `length` characters.
fn hidden_places(mask: Mask, length: usize) -> std::ops::Range<usize> {
    let first = usize::from(mask.keep_first);
    let last = usize::from(mask.keep_last);
    if first + last >= length {
        0..length
    } else {
        first..length - last
    }
}

/// What each character of an ID may add to its sum: all letters, all assigned second characters.
fn tw_id_places(assigned: &[u32]) -> Vec<Vec<u32>> {
    let letters = (b'A'..=b'Z')
        .filter_map(check_digit::tw_id_letter)
        .collect();
    let old_form = (b'A'..=b'D').filter_map(check_digit::letter_code);
    let [second, rest @ ..] = check_digit::ID_WEIGHTS.map(u32::from);
    let second = assigned
        .iter()
        .copied()
        .chain(old_form)
        .map(|code| code * second)
        .collect();
    let digits = rest.map(|weight| (0..10).map(|digit| digit * weight).collect());
    [letters, second].into_iter().chain(digits).collect()
}

/// Ways to fill `places` so that they add up to one remainder of `modulus` (10 at the most): the
/// rarest that occurs.
fn fewest(places: &[Vec<u32>], modulus: u32) -> f64 {
    let mut ways = [0.0_f64; 10];
    ways[0] = 1.0;
    for amounts in places {
        let mut next = [0.0; 10];
        for amount in amounts {
            for (sum, count) in (0_u32..).zip(ways) {
                next[((sum + amount) % modulus) as usize] += count;
            }
        }
        ways = next;
    }
    ways.into_iter()
        .filter(|&count| count > 0.0)
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(keep_first: u8, keep_last: u8) -> Mask {
        Mask {
            keep_first,
            keep_last,
        }
    }

    fn shown(text: &str, keep_first: u8, keep_last: u8) -> String {
        let value = Plaintext::new(text.to_owned());
        masked(&value, mask(keep_first, keep_last))
            .expose()
            .to_owned()
    }

    #[test]
    fn a_mask_keeps_the_ends_and_hides_the_middle() {
        assert_eq!(shown("A123456789", 3, 3), "A12****789");
        assert_eq!(shown("4111111111111111", 6, 4), "411111******1111");
        assert_eq!(shown("王測試", 1, 0), "王**");
        assert_eq!(shown("王測試", 1, 1), "王*試");
        assert_eq!(shown("0912345678", 0, 3), "*******678");
        assert_eq!(shown("secret", 0, 0), "******");
    }

    #[test]
    fn a_mask_that_would_hide_nothing_hides_everything() {
        assert_eq!(shown("王測", 1, 1), "**");
        assert_eq!(shown("abcd", 2, 2), "****");
        assert_eq!(shown("abcde", 2, 2), "ab*de");
        assert_eq!(shown("a", 255, 255), "*");
        assert_eq!(shown("", 1, 1), "");
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "counts far below 2^53 are exact")]
    fn the_known_masks_leave_the_known_counts() {
        let id =
            |first, last| residual_candidates(ValueKind::TwNationalId, mask(first, last)).unwrap();
        assert_eq!(id(3, 3), 1_000.0);
        assert_eq!(id(4, 3), 100.0);
        assert_eq!(id(5, 0), 10_000.0);
        // One hidden digit of weight 1 is no secret at all; one of weight 5 has five candidates.
        assert_eq!(id(9, 0), 1.0);
        assert_eq!(id(4, 5), 5.0);
        // Nothing shown: 26 letters, 4 + 4 second characters, 8 digits of which one follows.
        assert_eq!(id(0, 0), 26.0 * 8.0 * 1e7);
        assert_eq!(id(9, 9), id(0, 0));
        let pan = |first, last| residual_candidates(ValueKind::Pan, mask(first, last)).unwrap();
        assert_eq!(pan(6, 4), 100_000.0);
        let mobile =
            |first, last| residual_candidates(ValueKind::TwMobile, mask(first, last)).unwrap();
        assert_eq!(mobile(4, 3), 1_000.0);
        assert_eq!(mobile(0, 0), 1e8);
        let ubn = |first, last| residual_candidates(ValueKind::TwUbn, mask(first, last)).unwrap();
        // One of five, and where the seventh digit is 7 two of five; never fewer than these.
        assert_eq!((ubn(0, 0), ubn(4, 0), ubn(7, 0)), (2e7, 2_000.0, 2.0));
        let ui =
            |first, last| residual_candidates(ValueKind::TwUiNumber, mask(first, last)).unwrap();
        assert_eq!((ui(3, 3), ui(0, 0)), (1_000.0, 26.0 * 6.0 * 1e7));
        let plate =
            |first, last| residual_candidates(ValueKind::TwPlate, mask(first, last)).unwrap();
        assert_eq!((plate(3, 0), plate(0, 4)), (6_561.0, 13_824.0));
        // The shortest account has ten digits: nine shown leave one.
        let account =
            |first, last| residual_candidates(ValueKind::BankAccount, mask(first, last)).unwrap();
        assert_eq!((account(0, 9), account(0, 3)), (10.0, 1e7));
        let digits = ValueKind::Digits(Lengths { min: 4, max: 6 });
        assert_eq!(residual_candidates(digits, mask(0, 4)), Some(10.0));
        assert_eq!(residual_candidates(ValueKind::Text, mask(1, 0)), None);
        assert_eq!(residual_candidates(ValueKind::Email, mask(1, 0)), None);
    }

    #[test]
    fn counting_agrees_with_trying_all() {
        // Every way to fill `A1234**7**` tried; the mask can't say that, so the count is by hand.
        for (first, last) in [(6_u8, 1_u8), (5, 2), (6, 0)] {
            let hidden = 10 - u32::from(first) - u32::from(last);
            let tail = &"789"[3 - usize::from(last)..];
            let head = &"A1234567"[..usize::from(first)];
            let right = (0..10_u32.pow(hidden))
                .map(|n| format!("{head}{n:0width$}{tail}", width = hidden as usize))
                .filter(|id| check_digit::tw_id(id.as_bytes()) == Some(0))
                .count();
            let counted = residual_candidates(ValueKind::TwNationalId, mask(first, last)).unwrap();
            assert_eq!(
                f64::from(u32::try_from(right).unwrap()).to_bits(),
                counted.to_bits()
            );
        }
    }
}
