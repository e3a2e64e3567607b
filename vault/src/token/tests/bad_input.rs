//! Bad values, kind by kind: what is refused, and with which fault.

use super::*;
use ValueFault::{
    Calendar, Character, CheckDigit, Empty, Hidden, Length as Long, Token, Unassigned,
};
use ValueKind as Kind;

fn fault(kind: ValueKind, text: &str) -> Option<ValueFault> {
    match accept(&class(kind, Format::Opaque), &plaintext(text)) {
        Ok(()) => None,
        Err(TokenError::ValueInvalid { fault, .. }) => Some(fault),
        Err(other) => panic!("{kind:?}: {other}"),
    }
}

/// A real value of each kind.
fn example(kind: ValueKind) -> &'static str {
    match kind {
        Kind::Text => "王測試 12",
        Kind::Digits(_) => "12345678",
        Kind::Alphanumeric(_) => "AB12CD34",
        Kind::TwNationalId => "A123456789",
        Kind::TwUiNumber => "A800000014",
        Kind::TwUbn => "04595257",
        Kind::TwMobile => "0912345678",
        Kind::TwNhiCard => "000012345678",
        Kind::TwPassport => "312345678",
        Kind::TwPlate => "ABC-1235",
        Kind::TwMobileBarcode => "/ABC+123",
        Kind::BankAccount => "700-0000123-4567890",
        Kind::Pan => "4111111111111111",
        Kind::Email => "wang@example.com",
        Kind::NameZh => "王小明",
        Kind::Address => "臺北市測試區示範路三段12號5樓之1",
        Kind::Date => "2026-03-02",
        Kind::Uuid => "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    }
}

#[test]
fn published_examples_of_every_kind_are_accepted() {
    for kind in KINDS {
        assert_eq!(fault(kind, example(kind)), None, "{kind:?}");
    }
    for (kind, value) in [
        (Kind::TwNationalId, "A800000014"),
        (Kind::TwNationalId, "AB12345677"),
        (Kind::TwUiNumber, "AB12345677"),
        (Kind::TwUbn, "10458575"),
        (Kind::TwUbn, "12345670"),
        (Kind::TwMobile, "+886 912-345-678"),
        (Kind::TwNhiCard, "0000 1234 5678"),
        (Kind::TwPlate, "abc1235"),
        (Kind::TwPlate, "AB-1234"),
        (Kind::TwPlate, "1234-AB"),
        (Kind::TwPlate, "123-ABC"),
        (Kind::TwPlate, "A2-1234"),
        (Kind::TwMobileBarcode, "/abc+12-"),
        (Kind::BankAccount, "004 1234567"),
        (Kind::Pan, "5555 5555 5555 4444"),
        (Kind::Pan, "378282246310005"),
        (Kind::NameZh, "王 小明"),
        (Kind::NameZh, "谷辣斯·尤達卡"),
        (Kind::NameZh, "夷將．拔路兒"),
        (Kind::NameZh, "𡘙小明"),
        (Kind::Address, "10001 台北市中正區測試路1號"),
        (Kind::Address, "連江縣南竿鄉測試村12號"),
        (Kind::Date, "民國115年3月2日"),
        (Kind::Uuid, "urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
        (Kind::Uuid, "{f81d4fae7dec11d0a76500a0c91e6bf6}"),
    ] {
        let normal = normalise(&class(kind, Format::Opaque), &plaintext(value));
        assert_eq!(fault(kind, value), None, "{value} {}", normal.expose());
    }
}

#[test]
fn a_bad_code_is_refused_with_what_is_wrong() {
    refused(&[
        (Kind::TwNationalId, "A123456788", CheckDigit),
        (Kind::TwNationalId, "A12345678", Long),
        (Kind::TwNationalId, "A1234567890", Long),
        (Kind::TwNationalId, "A323456783", Unassigned),
        (Kind::TwNationalId, "1234567890", Character),
        (Kind::TwNationalId, "A12345678X", Character),
        (Kind::TwNationalId, "Ａ12345678甲", Character),
        (Kind::TwUiNumber, "A123456789", Unassigned),
        (Kind::TwUiNumber, "A800000015", CheckDigit),
        (Kind::TwUbn, "04595258", CheckDigit),
        (Kind::TwUbn, "0459525", Long),
        (Kind::TwUbn, "0459525X", Character),
        (Kind::TwMobile, "0212345678", Unassigned),
        (Kind::TwMobile, "091234567", Long),
        (Kind::TwMobile, "09123456٧8", Character),
        (Kind::TwNhiCard, "00001234567", Long),
        (Kind::TwNhiCard, "00001234567A", Character),
        (Kind::TwPassport, "3123456789", Long),
        (Kind::TwPassport, "A12345678", Character),
        (Kind::TwPlate, "ABI-1235", Unassigned),
        (Kind::TwPlate, "ABC-1234", Unassigned),
        (Kind::TwPlate, "1235-ABC", Character),
        (Kind::TwPlate, "ABCDEFG", Character),
        (Kind::TwPlate, "ABC", Long),
        (Kind::TwPlate, "ABC-12355", Long),
        (Kind::TwPlate, "軍-12345", Character),
        (Kind::TwMobileBarcode, "ABC+1234", Character),
        (Kind::TwMobileBarcode, "/ABC 123", Character),
        (Kind::TwMobileBarcode, "/ABC+12", Long),
        (Kind::BankAccount, "700-123456", Long),
        (Kind::BankAccount, "700-1234567X", Character),
        (Kind::Pan, "4111111111111112", CheckDigit),
        (Kind::Pan, "41111111111", Long),
        (Kind::Pan, "41111111x11111111", Character),
        (Kind::Email, "a b@c.tw", Character),
        (Kind::Email, "@c.tw", Long),
        (Kind::Email, "a@token.invalid", Unassigned),
    ]);
}

#[test]
fn bad_writing_is_refused_with_what_is_wrong() {
    refused(&[
        (Kind::NameZh, "王", Long),
        (Kind::NameZh, "王Wang", Character),
        (Kind::NameZh, "‧王小明", Character),
        (Kind::NameZh, "王小明1", Character),
        (Kind::NameZh, "ワン小明", Character),
        (Kind::Address, "代碼縣測試區示範路1號", Unassigned),
        (Kind::Address, "範例市測試區示範路1號", Unassigned),
        (Kind::Address, "臺北市", Long),
        (Kind::Address, "臺北市測試區示範路😀號", Character),
        (Kind::Date, "2026-02-29", Calendar),
        (Kind::Date, "2026-13-32", Calendar),
        (Kind::Date, "yesterday", Character),
        (
            Kind::Uuid,
            "f81d4fae-7dec-f1d0-a765-00a0c91e6bf6",
            Unassigned,
        ),
        (
            Kind::Uuid,
            "f81d4fae-7dec-11d0-e765-00a0c91e6bf6",
            Unassigned,
        ),
        (
            Kind::Uuid,
            "00000000-0000-0000-0000-000000000000",
            Unassigned,
        ),
        (
            Kind::Uuid,
            "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
            Character,
        ),
        (Kind::Uuid, "f81d4fae", Long),
        (CASE_DIGITS, "1234567", Long),
        (CASE_DIGITS, "1234567x", Character),
        (
            Kind::Alphanumeric(Lengths { min: 2, max: 3 }),
            "A_B",
            Character,
        ),
    ]);
}

fn refused(rows: &[(ValueKind, &str, ValueFault)]) {
    for &(kind, value, expected) in rows {
        assert_eq!(fault(kind, value), Some(expected), "{kind:?} {value}");
    }
}

#[test]
fn nothing_is_no_value_of_any_kind() {
    for kind in KINDS {
        for nothing in ["", " ", "\u{3000}\n\t"] {
            assert_eq!(fault(kind, nothing), Some(Empty), "{kind:?} {nothing:?}");
        }
    }
}

#[test]
fn what_cannot_be_seen_is_refused_wherever_it_stands() {
    let hidden = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\u{ad}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{e0041}',
        '\u{61c}',
    ];
    for kind in KINDS {
        let value: Vec<char> = example(kind).chars().collect();
        for sign in hidden {
            for place in 0..=value.len() {
                let mut bad = value.clone();
                bad.insert(place, sign);
                let bad: String = bad.into_iter().collect();
                let expected = (kind != Kind::Text).then_some(Hidden);
                assert_eq!(fault(kind, &bad), expected, "{kind:?} {bad:?}");
            }
        }
    }
}

#[test]
fn other_scripts_combining_characters_and_emoji_are_refused() {
    // A Cyrillic А, an Arabic digit, a combining accent, an emoji with a skin tone, a Kana, a Thai digit.
    for sign in ["А", "٣", "\u{301}", "👍🏽", "ア", "๓"] {
        for kind in KINDS {
            let value: Vec<char> = example(kind).chars().collect();
            for place in 0..=value.len() {
                let mut bad: String = value[..place].iter().collect();
                bad.push_str(sign);
                bad.extend(&value[place..]);
                let refused = fault(kind, &bad).is_some();
                // RFC 6531: an address may hold any script, even these.
                if kind != Kind::Email {
                    assert_eq!(refused, kind != Kind::Text, "{kind:?} {bad}");
                }
            }
        }
    }
}

#[test]
fn full_width_writing_is_the_same_value() {
    for (kind, value) in [
        (Kind::TwNationalId, "Ａ１２３４５６７８９"),
        (Kind::Pan, "４１１１　１１１１　１１１１　１１１１"),
        (Kind::TwMobile, "０９１２－３４５－６７８"),
        (Kind::TwUbn, "０４５９５２５７"),
        (Kind::TwPlate, "ＡＢＣ－１２３５"),
        (Kind::TwMobileBarcode, "／ＡＢＣ＋１２３"),
        (Kind::Date, "２０２６／０３／０２"),
    ] {
        assert_eq!(fault(kind, value), None, "{value}");
        let of = |text| normalise(&class(kind, Format::Opaque), &plaintext(text));
        assert_eq!(of(value).expose(), of(example(kind)).expose());
    }
}

#[test]
fn a_mebibyte_is_refused_before_it_is_read_by_every_kind_and_format() {
    let large = plaintext(&"9".repeat(1 << 20));
    let expected = Err(TokenError::ValueTooLong { bytes_max: 4_096 });
    for kind in KINDS {
        assert_eq!(accept(&class(kind, Format::Opaque), &large), expected);
    }
    for class in classes() {
        assert_eq!(accept(&class, &large), expected);
        let lenient = DataClass {
            demand: Demand::Anything,
            ..class
        };
        assert_eq!(accept(&lenient, &large), expected);
    }
}

#[test]
fn lengths_have_a_limit_in_bytes() {
    let text = class(ValueKind::Text, Format::Opaque);
    let longest = "字".repeat(VALUE_BYTES_MAX / 3) + "x";
    assert_eq!(longest.len(), VALUE_BYTES_MAX);
    assert_eq!(accept(&text, &plaintext(&longest)), Ok(()));
    let refused = accept(&text, &plaintext(&(longest + "x")));
    assert_eq!(refused, Err(TokenError::ValueTooLong { bytes_max: 4_096 }));
    // One sign of Arabic is 18 characters in its normal form: no kind is surprised by what grows.
    let growing = "\u{fdfa}".repeat(VALUE_BYTES_MAX / 3);
    for kind in KINDS {
        let refused = accept(&class(kind, Format::Opaque), &plaintext(&growing)).is_err();
        assert_eq!(refused, kind != ValueKind::Text, "{kind:?}");
    }
}

#[test]
fn a_token_that_says_so_is_no_text() {
    for (kind, format, value) in [
        (Kind::Text, Format::Opaque, "x"),
        (Kind::Email, Format::Email, "a@b.tw"),
        (Kind::NameZh, Format::NameZh, "王小明"),
        (Kind::Address, Format::Address, "臺北市測試區示範路1號"),
        (
            Kind::Uuid,
            Format::Uuid,
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ),
        (Kind::Text, Format::Zh(Length::Fixed(4)), "x"),
    ] {
        let token = draw(&class(kind, format), value, 3).unwrap();
        assert_eq!(fault(Kind::Text, &token), Some(Token), "{token}");
    }
}

#[test]
fn an_error_names_what_was_expected_and_never_the_value() {
    for kind in KINDS {
        let class = class(kind, Format::Opaque);
        let value = if kind == ValueKind::Text {
            ""
        } else {
            "秘密-A123456788"
        };
        let error = accept(&class, &plaintext(value)).unwrap_err();
        assert!(matches!(error, TokenError::ValueInvalid { expected, .. } if expected.len() > 10));
        assert!(!error.to_string().contains("A123456788") && !error.to_string().contains("秘密"));
    }
}

#[test]
fn a_card_number_with_separators_gets_a_token_of_digits() {
    let token = draw(
        &class(ValueKind::Pan, Format::Pan(Kept::FirstAndLast)),
        "4111 1111-1111 1111",
        7,
    )
    .unwrap();
    assert!(token.len() == 16 && token.bytes().all(|b| b.is_ascii_digit()));
}

proptest! {
    // Each case goes through all classes.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_text_is_judged_by_every_class_without_a_panic(text in "\\PC{0,40}", noise in any::<String>()) {
        for class in classes() {
            for text in [&text, &noise] {
                let _ = accept(&class, &plaintext(text));
                let lenient = DataClass { demand: Demand::Anything, ..class.clone() };
                if accept(&lenient, &plaintext(text)).is_ok() {
                    prop_assert!(draw(&lenient, text, 1).is_ok(), "{:?}", class.format);
                }
                let _ = (could_be_of(&class, text), plausible(text), is_mistyped(text));
            }
        }
    }
}
