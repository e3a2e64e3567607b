//! What a class's values must be, and the one spelling in which two of them are compared.

mod date;
mod number;
mod writing;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::model::{Lengths, NormalForm, Plaintext, ValueKind, is_hidden};
use crate::token::{Space, TokenError, ValueFault};

/// Whether `value` is of `kind`. The error says what is expected, never what was given.
pub(super) fn check(
    kind: ValueKind,
    form: NormalForm,
    value: &Plaintext,
) -> Result<(), TokenError> {
    check_normal(kind, &normal_form(kind, form, value))
}

/// Whether a value in its normal form is of `kind`.
pub(super) fn check_normal(kind: ValueKind, normal: &Plaintext) -> Result<(), TokenError> {
    match fault(kind, normal.expose()) {
        None => Ok(()),
        Some(fault) => Err(invalid(kind, fault)),
    }
}

/// Whether `text`, in whatever spelling, is of `kind`.
pub(super) fn is_real(kind: ValueKind, text: &str) -> bool {
    let value = Plaintext::new(text.to_owned());
    check(kind, NormalForm::First, &value).is_ok()
}

/// That a value is not of `kind`.
pub(super) fn invalid(kind: ValueKind, fault: ValueFault) -> TokenError {
    let expected = match kind {
        ValueKind::Text => "text that is neither empty nor a token",
        ValueKind::Digits(_) => "a number of as many digits as its class takes",
        ValueKind::Alphanumeric(_) => "as many letters A to Z and digits as its class takes",
        ValueKind::TwNationalId => "a national ID or UI number with a right check digit",
        ValueKind::TwUiNumber => "a UI number, new or old form, with a right check digit",
        ValueKind::TwUbn => "a business number of 8 digits by the rule of 2023 (divides by 5)",
        ValueKind::TwMobile => "a mobile number of the form 09xxxxxxxx or +8869xxxxxxxx",
        ValueKind::TwNhiCard => "a health insurance card number of 12 digits",
        ValueKind::TwPassport => "a passport number of 9 digits",
        ValueKind::TwPlate => "a vehicle plate like ABC-1235, or of a form before 2012",
        ValueKind::TwMobileBarcode => "a mobile barcode: `/` and 7 of 0-9, A-Z, `.`, `+`, `-`",
        ValueKind::BankAccount => "a bank account: 3 digits of the bank and 7 to 16 of the account",
        ValueKind::Pan => "a card number of 12 to 19 digits with a right check digit",
        ValueKind::Email => "an e-mail address",
        ValueKind::NameZh => "a name of 2 to 40 Chinese characters and `‧`",
        ValueKind::Address => "an address that begins with one of Taiwan's counties or cities",
        ValueKind::Date => "a day from 1850 to 2199, like 2026-03-02 or 民國115年3月2日",
        ValueKind::Uuid => "a UUID of version 1 to 8",
    };
    TokenError::ValueInvalid { expected, fault }
}

/// The one spelling of a value of `kind`. Of a value that is not, some text.
pub(super) fn normal_form(kind: ValueKind, form: NormalForm, value: &Plaintext) -> Plaintext {
    let compatible = nfkc(value.expose());
    let text = compatible.trim();
    Plaintext::new(match kind {
        ValueKind::Text => match form {
            NormalForm::First => text.to_owned(),
            NormalForm::Second => writing::with_single_spaces(text),
        },
        ValueKind::TwNationalId | ValueKind::TwUiNumber | ValueKind::TwMobileBarcode => {
            text.to_ascii_uppercase()
        }
        ValueKind::Pan
        | ValueKind::Digits(_)
        | ValueKind::TwUbn
        | ValueKind::TwNhiCard
        | ValueKind::TwPassport
        | ValueKind::BankAccount => number::without_separators(text),
        ValueKind::Alphanumeric(_) | ValueKind::TwPlate => {
            let mut plain = number::without_separators(text);
            plain.make_ascii_uppercase();
            plain
        }
        ValueKind::TwMobile => number::national_mobile(number::without_separators(text)),
        ValueKind::Email => match form {
            NormalForm::First => writing::host_in_lower_case(text),
            NormalForm::Second => text.to_lowercase(),
        },
        ValueKind::NameZh => writing::name(text),
        ValueKind::Address => writing::address(text),
        ValueKind::Date => date::normal(text),
        ValueKind::Uuid => number::hyphenated_uuid(text),
    })
}

/// How many characters the normal form of a value has; `None` for any number.
pub(super) fn lengths(kind: ValueKind) -> Option<Lengths> {
    let between = |min, max| Some(Lengths { min, max });
    match kind {
        ValueKind::Text | ValueKind::Email | ValueKind::Address => None,
        ValueKind::Digits(lengths) | ValueKind::Alphanumeric(lengths) => Some(lengths),
        ValueKind::TwNationalId | ValueKind::TwUiNumber | ValueKind::TwMobile | ValueKind::Date => {
            between(10, 10)
        }
        ValueKind::TwUbn | ValueKind::TwMobileBarcode => between(8, 8),
        ValueKind::TwNhiCard => between(12, 12),
        ValueKind::TwPassport => between(9, 9),
        ValueKind::TwPlate => between(4, 7),
        ValueKind::BankAccount => between(10, 19),
        ValueKind::Pan => between(12, 19),
        ValueKind::NameZh => between(writing::NAME_MIN, writing::NAME_MAX),
        ValueKind::Uuid => between(36, 36),
    }
}

/// How many values the kind has, where that can be counted.
pub(super) fn count(kind: ValueKind) -> Option<Space> {
    let of_lengths = |choices: u128, lengths: Lengths| {
        let one = |length| choices.checked_pow(u32::from(length));
        let counts: Option<Vec<u128>> = (lengths.min..=lengths.max).map(one).collect();
        let sum = counts.and_then(|counts| counts.into_iter().try_fold(0, u128::checked_add));
        sum.map_or(Space::of_bits(128), Space::of)
    };
    let digits = |min, max| Some(of_lengths(10, Lengths { min, max }));
    match kind {
        ValueKind::Digits(lengths) => Some(of_lengths(10, lengths)),
        ValueKind::Alphanumeric(lengths) => Some(of_lengths(36, lengths)),
        // Letters, assigned second characters, eight digits of which one follows.
        ValueKind::TwNationalId => Some(Space::of(26 * 8).times_each(10, 7)),
        ValueKind::TwUiNumber => Some(Space::of(26 * 6).times_each(10, 7)),
        ValueKind::TwUbn => Some(Space::of(22_000_000)),
        ValueKind::TwMobile => digits(8, 8),
        ValueKind::TwNhiCard => digits(12, 12),
        ValueKind::TwPassport => digits(9, 9),
        ValueKind::TwMobileBarcode => Some(Space::of(1).times_each(39, 7)),
        ValueKind::BankAccount => digits(10, 19),
        ValueKind::Pan => digits(11, 18),
        ValueKind::Date => Some(Space::of(date::DAYS)),
        ValueKind::Uuid => Some(Space::of_bits(122).times(8)),
        ValueKind::Text
        | ValueKind::TwPlate
        | ValueKind::Email
        | ValueKind::NameZh
        | ValueKind::Address => None,
    }
}

/// The fewest days that have the same signs in all places of their normal form but the hidden ones.
pub(super) fn fewest_days(hidden: &std::ops::Range<usize>) -> u128 {
    date::fewest(hidden)
}

/// What is wrong with a value in its normal form.
fn fault(kind: ValueKind, text: &str) -> Option<ValueFault> {
    if text.is_empty() {
        return Some(ValueFault::Empty);
    }
    // Free text is kept as it is, lines and all.
    if kind != ValueKind::Text && text.chars().any(is_hidden) {
        return Some(ValueFault::Hidden);
    }
    let result = match kind {
        ValueKind::Text => writing::check_text(text),
        ValueKind::Digits(lengths) => number::check_digits(text, lengths),
        ValueKind::Alphanumeric(lengths) => number::check_alphanumeric(text, lengths),
        ValueKind::TwNationalId => number::check_id(text, b"1289ABCD"),
        ValueKind::TwUiNumber => number::check_id(text, b"89ABCD"),
        ValueKind::TwUbn => number::check_ubn(text),
        ValueKind::TwMobile => number::check_mobile(text),
        ValueKind::TwNhiCard => number::check_digits(text, Lengths { min: 12, max: 12 }),
        ValueKind::TwPassport => number::check_digits(text, Lengths { min: 9, max: 9 }),
        ValueKind::TwPlate => number::check_plate(text),
        ValueKind::TwMobileBarcode => number::check_barcode(text),
        ValueKind::BankAccount => number::check_digits(text, Lengths { min: 10, max: 19 }),
        ValueKind::Pan => number::check_pan(text),
        ValueKind::Email => writing::check_email(text),
        ValueKind::NameZh => writing::check_name(text),
        ValueKind::Address => writing::check_address(text),
        ValueKind::Date => date::check(text),
        ValueKind::Uuid => number::check_uuid(text),
    };
    result.err()
}

/// Counts before it writes: a text that moves while it grows leaves copies behind (invariant 12).
fn nfkc(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_owned());
    }
    let bytes = text.nfkc().map(char::len_utf8).sum();
    let mut normal = Zeroizing::new(String::with_capacity(bytes));
    normal.extend(text.nfkc());
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(kind: ValueKind, text: &str) -> bool {
        is_real(kind, text)
    }

    fn normal(kind: ValueKind, text: &str) -> String {
        normal_form(kind, NormalForm::First, &Plaintext::new(text.to_owned()))
            .expose()
            .to_owned()
    }

    #[test]
    fn ids_of_all_three_forms_are_accepted() {
        for id in [
            "A123456789",
            "A800000014",
            "AB12345677",
            " a123456789 ",
            "Ａ１２３４５６７８９",
        ] {
            assert!(is(ValueKind::TwNationalId, id), "{id}");
        }
    }

    #[test]
    fn ids_with_a_wrong_sum_or_an_unassigned_second_character_are_refused() {
        // Right sums, enough for a legacy check; no issuer assigns the second character.
        for id in ["A023456787", "A323456783", "AE23456785"] {
            assert_eq!(
                crate::token::check_digit::tw_id(id.as_bytes()),
                Some(0),
                "{id}"
            );
            assert!(!is(ValueKind::TwNationalId, id), "{id}");
        }
        for id in [
            "A123456788",
            "A12345678",
            "A1234567890",
            "A 123456789",
            "",
            "1234567890",
        ] {
            assert!(!is(ValueKind::TwNationalId, id), "{id}");
        }
    }

    #[test]
    fn card_numbers_are_read_with_separators_and_their_sum_checked() {
        for pan in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
        ] {
            assert!(is(ValueKind::Pan, pan), "{pan}");
        }
        for pan in [
            "4111111111111112",
            "41111111x11111111",
            "00000000000",
            "00000000000000000000",
        ] {
            assert!(!is(ValueKind::Pan, pan), "{pan}");
        }
        assert!(is(ValueKind::Pan, "000000000000") && is(ValueKind::Pan, &"0".repeat(19)));
    }

    #[test]
    fn mobile_numbers_have_one_normal_form() {
        for number in [
            "0912345678",
            "0912-345-678",
            "+886912345678",
            "+886 912 345 678",
        ] {
            assert!(is(ValueKind::TwMobile, number), "{number}");
            assert_eq!(normal(ValueKind::TwMobile, number), "0912345678");
        }
        for number in [
            "0212345678",
            "091234567",
            "09123456789",
            "+8860912345678",
            "886912345678",
        ] {
            assert!(!is(ValueKind::TwMobile, number), "{number}");
        }
    }

    #[test]
    fn addresses_need_one_at_and_a_host_that_may_exist() {
        for address in [
            "a@example.com",
            "王@例子.tw",
            "a.b+c@sub.example.com",
            "a@x-y.tw",
            "a@localhost",
        ] {
            assert!(is(ValueKind::Email, address), "{address}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let refused = [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@b..c",
            "a@.b",
            "a@b.",
            &long,
            "a@token.invalid",
            "a@TOKEN.INVALID",
            "a@sub.invalid",
            "a@token．invalid",
        ];
        for address in refused {
            assert!(!is(ValueKind::Email, address), "{address}");
        }
        assert_eq!(
            normal(ValueKind::Email, " Wang@Example.COM "),
            "Wang@example.com"
        );
    }

    #[test]
    fn text_is_anything_but_nothing() {
        assert!(is(ValueKind::Text, "王測試") && is(ValueKind::Text, "0"));
        assert!(!is(ValueKind::Text, "") && !is(ValueKind::Text, " \u{3000}\n"));
        assert_eq!(normal(ValueKind::Text, "　王 測試 "), "王 測試");
    }
}
