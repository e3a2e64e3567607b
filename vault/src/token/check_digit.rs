//! The sums behind check digits: Luhn for cards, the Ministry of the Interior's for IDs.

/// What a Taiwanese ID's letter stands for, `A` to `Z`. Out of order where a county came later.
const LETTERS: [u8; 26] = [
    10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30,
    31, 33,
];

/// Weights of an ID's second to tenth character. The first character weighs 1 (tens) and 9 (ones).
pub(super) const ID_WEIGHTS: [u8; 9] = [8, 7, 6, 5, 4, 3, 2, 1, 1];

/// The Luhn sum of ASCII digits modulo 10: 0 for a real card number (ISO/IEC 7812-1 annex B).
///
/// `None` if there is anything but digits.
pub(super) fn luhn(digits: &[u8]) -> Option<u32> {
    let mut sum = 0;
    for (place, &byte) in digits.iter().rev().enumerate() {
        let digit = decimal(byte)?;
        let doubled = if place % 2 == 1 { digit * 2 } else { digit };
        sum = (sum + doubled / 10 + doubled % 10) % 10;
    }
    Some(sum)
}

/// The weighted sum of an ID modulo 10: 0 for a national ID or UI number, old or new form.
///
/// `None` unless it has the shape letter, letter or digit, eight digits. Which second characters
/// an issuer assigns is not asked here.
pub(super) fn tw_id(id: &[u8]) -> Option<u32> {
    let [letter, second, rest @ ..] = id else {
        return None;
    };
    if rest.len() != 8 {
        return None;
    }
    // The old UI form's second letter counts with its ones only; modulo 10, its tens add nothing.
    let second = decimal(*second).or_else(|| letter_code(*second))?;
    let mut sum = tw_id_letter(*letter)? + second * u32::from(ID_WEIGHTS[0]);
    for (&byte, &weight) in rest.iter().zip(&ID_WEIGHTS[1..]) {
        sum += decimal(byte)? * u32::from(weight);
    }
    Some(sum % 10)
}

/// What an ID's first letter adds to the sum.
pub(super) fn tw_id_letter(letter: u8) -> Option<u32> {
    letter_code(letter).map(|code| code / 10 + code % 10 * 9)
}

/// The two-digit code of a letter.
pub(super) fn letter_code(letter: u8) -> Option<u32> {
    let place = letter.checked_sub(b'A')?;
    LETTERS.get(usize::from(place)).map(|&code| u32::from(code))
}

fn decimal(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_have_the_sums_their_issuers_say() {
        for card in ["4111111111111111", "5555555555554444", "378282246310005"] {
            assert_eq!(luhn(card.as_bytes()), Some(0), "{card}");
        }
        assert_eq!(luhn(b"4111111111111112"), Some(1));
        // National ID; UI number in the new form; UI number in the old form.
        for id in ["A123456789", "A800000014", "AB12345677"] {
            assert_eq!(tw_id(id.as_bytes()), Some(0), "{id}");
        }
        assert_eq!(tw_id(b"A123456788"), Some(9));
    }

    #[test]
    fn other_shapes_have_no_sum() {
        assert_eq!(luhn(b"4111 1111"), None);
        for id in [
            &b""[..],
            b"A",
            b"A12345678",
            b"A1234567890",
            b"a123456789",
            b"A1234567x9",
        ] {
            assert_eq!(tw_id(id), None);
        }
        assert_eq!(tw_id(b"1123456789"), None);
        assert_eq!(tw_id("A１2345678".as_bytes()), None);
    }

    #[test]
    fn each_letter_has_its_own_code() {
        let codes: std::collections::BTreeSet<_> = (b'A'..=b'Z').filter_map(letter_code).collect();
        assert_eq!(codes, (10..=35).collect());
        assert_eq!(letter_code(b'O'), Some(35));
        assert_eq!(letter_code(b'I'), Some(34));
        assert_eq!(letter_code(b'W'), Some(32));
        assert_eq!(letter_code(b'Z'), Some(33));
        assert_eq!(letter_code(b'['), None);
    }
}
