//! The sums behind check digits: Luhn for cards, the Ministry of the Interior's for IDs, the Ministry
//! of Finance's for businesses, ISO/IEC 7064 for tokens.

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

/// Weights of a business number's digits. The digits of each product are added.
const UBN_WEIGHTS: [u32; 8] = [1, 2, 1, 2, 1, 2, 4, 1];

/// Whether a business number's sum divides by `modulus`: by 10 until March 2023, by 5 since.
///
/// A seventh digit 7 weighs 28, whose digits make 10, whose digits make 1 or 0: either will do
/// (Fiscal Information Agency, 營利事業統一編號檢查碼邏輯修正說明). `None` unless there are eight digits.
pub(super) fn ubn(number: &[u8], modulus: u32) -> Option<bool> {
    if number.len() != UBN_WEIGHTS.len() {
        return None;
    }
    let mut sum = 0;
    for (&byte, weight) in number.iter().zip(UBN_WEIGHTS) {
        let product = decimal(byte)? * weight;
        sum += product / 10 + product % 10;
    }
    let one_more = number[6] == b'7' && (sum + 1).is_multiple_of(modulus);
    Some(sum.is_multiple_of(modulus) || one_more)
}

/// What each digit of a business number may add to its sum.
pub(super) fn ubn_amounts() -> Vec<Vec<u32>> {
    let amounts = |weight: u32| {
        let products = (0..10).map(move |digit| digit * weight);
        products
            .map(|product| product / 10 + product % 10)
            .collect()
    };
    UBN_WEIGHTS.into_iter().map(amounts).collect()
}

/// The digits and letters of ISO/IEC 7064.
pub(super) const ALPHANUMERIC: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The check character of ISO/IEC 7064, MOD 37,36. It sees every single wrong character.
///
/// What is neither a digit nor a capital letter is passed over.
pub(super) fn iso_7064(text: &str) -> char {
    let place = |byte: u8| ALPHANUMERIC.iter().position(|&known| known == byte);
    let mut carried = 36;
    for place in text.bytes().filter_map(place) {
        let sum = (carried + place) % 36;
        carried = if sum == 0 { 36 } else { sum } * 2 % 37;
    }
    char::from(ALPHANUMERIC[(37 - carried) % 36])
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
    fn business_numbers_divide_by_five_and_the_old_ones_by_ten() {
        // Both examples of the Fiscal Information Agency; three numbers from before 2023.
        for number in ["04595257", "10458575", "04702088", "00651474", "00238778"] {
            assert_eq!(ubn(number.as_bytes(), 5), Some(true), "{number}");
        }
        for number in ["04595257", "04702088", "00651474", "00238778"] {
            assert_eq!(ubn(number.as_bytes(), 10), Some(true), "{number}");
        }
        // Legal since April 2023, and not before.
        assert_eq!(ubn(b"12345670", 10), Some(false));
        assert_eq!(ubn(b"12345670", 5), Some(true));
        assert_eq!(ubn(b"04595258", 5), Some(false));
        for other in [&b""[..], b"0459525", b"045952577", b"0459525x"] {
            assert_eq!(ubn(other, 5), None);
        }
    }

    /// How many of the 100,000,000 numbers pass: each first half meets each second half once.
    fn business_numbers(modulus: u32) -> u64 {
        let sum = |digits: &str, weights: &[u32]| -> u32 {
            let products = digits
                .bytes()
                .zip(weights)
                .map(|(b, w)| u32::from(b - b'0') * w);
            products.map(|product| product / 10 + product % 10).sum()
        };
        let mut first = [0_u64; 10];
        for half in 0..10_000 {
            let sum = sum(&format!("{half:04}"), &UBN_WEIGHTS[..4]);
            first[(sum % 10) as usize] += 1;
        }
        let passes = |half: u32, other: u32| {
            let text = format!("{half:04}");
            let all = other + sum(&text, &UBN_WEIGHTS[4..]);
            let one_more = text.as_bytes()[2] == b'7' && (all + 1).is_multiple_of(modulus);
            all.is_multiple_of(modulus) || one_more
        };
        (0..10_000)
            .flat_map(|half| (0..10).map(move |other| (half, other)))
            .filter(|&(half, other)| passes(half, other))
            .map(|(_, other)| first[other as usize])
            .sum()
    }

    #[test]
    fn the_counts_of_business_numbers_are_the_known_ones() {
        assert_eq!(business_numbers(10), 11_000_000);
        assert_eq!(business_numbers(5), 22_000_000);
    }

    #[test]
    fn a_number_that_fails_the_rule_of_five_fails_the_rule_of_ten() {
        for number in 0..200_000_u32 {
            let text = format!("{:08}", number * 499 + 13);
            if ubn(text.as_bytes(), 5) == Some(false) {
                assert_eq!(ubn(text.as_bytes(), 10), Some(false), "{text}");
            }
        }
    }

    fn is_iso_7064(text: &str) -> bool {
        let mut before = text.chars();
        let last = before.next_back();
        last == Some(iso_7064(before.as_str()))
    }

    #[test]
    fn the_check_character_of_iso_7064_is_the_published_one() {
        // The example of the Global Release Identifier, IFPI.
        assert_eq!(iso_7064("A12425GABC1234002"), 'M');
        assert!(is_iso_7064("A1-2425G-ABC1234002-M"));
        assert!(!is_iso_7064("A1-2425G-ABC1234002-N"));
        assert!(!is_iso_7064("") && !is_iso_7064("a12425gabc1234002m") && !is_iso_7064("漢"));
    }

    #[test]
    fn iso_7064_sees_every_single_wrong_character() {
        let right = "K40719832A5";
        let right = format!("{right}{}", iso_7064(right));
        for place in 0..right.len() {
            for &other in ALPHANUMERIC {
                let mut wrong = right.clone().into_bytes();
                wrong[place] = other;
                let wrong = String::from_utf8(wrong).unwrap();
                assert!(wrong == right || !is_iso_7064(&wrong), "{wrong}");
            }
        }
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
