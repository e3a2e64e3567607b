//! What holds for the tokens of every format, over many values.

use super::*;

proptest! {
    // Invariant 4
    #[test]
    fn no_token_is_a_value_of_its_class((class, value) in class_and_value(), seed: u64) {
        let token = draw(&class, &value, seed).unwrap();
        prop_assert_ne!(&token, &value);
        prop_assert!(accept(&class, &plaintext(&token)).is_err());
        let lenient = DataClass { demand: Demand::Anything, ..class.clone() };
        prop_assert!(accept(&lenient, &plaintext(&token)).is_err());
        let spaced = plaintext(&format!(" {token}\n"));
        prop_assert!(accept(&lenient, &spaced).is_err());
    }

    // Invariant 4
    #[test]
    fn no_token_is_a_real_value_of_its_kind((class, value) in class_and_value(), seed: u64) {
        let token = draw(&class, &value, seed).unwrap();
        let like = format::kind_stood_for(&class.format).unwrap_or(class.kind);
        // Free text takes what is merely shaped like a token: a case number may look so.
        prop_assert!(like == ValueKind::Text || !value::is_real(like, &token), "{:?}", class.format);
        let digits = token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        for kind in KINDS {
            let open = matches!(kind, ValueKind::Text | ValueKind::Digits(_) | ValueKind::Alphanumeric(_));
            // Digits alone may be an account somewhere, or a business.
            if !open && !digits && kind_is_told_apart(&class.format) {
                prop_assert!(!value::is_real(kind, &token), "{:?} {:?}", class.format, kind);
            }
        }
    }

    // Invariant 4, for classes whose format and kind differ
    #[test]
    fn a_class_never_accepts_its_own_tokens((source, value) in class_and_value(), seed: u64) {
        let token = draw(&source, &value, seed).unwrap();
        for kind in KINDS {
            // What a class alone can know, another kind's class knows by other lengths.
            if !needs_its_class(&source.format) || matches!(source.format, Format::TwUbn) {
                let other = class(kind, source.format.clone());
                prop_assert!(accept(&other, &plaintext(&token)).is_err());
            }
        }
    }

    #[test]
    fn every_token_is_known_again_and_fits((class, value) in class_and_value(), seed: u64) {
        let token = draw(&class, &value, seed).unwrap();
        prop_assert!(could_be_of(&class, &token), "{:?}", class.format);
        prop_assert!(plausible(&token) || needs_its_class(&class.format), "{:?}", class.format);
        prop_assert!(!is_mistyped(&token));
        prop_assert!(token.len() <= TokenText::BYTES_MAX);
    }

    #[test]
    fn no_real_value_looks_like_a_token((class, value) in class_and_value()) {
        prop_assert!(!could_be_of(&class, &value));
        prop_assert_eq!(accept(&class, &plaintext(&value)), Ok(()), "{:?}", class.format);
        // Numbers without check digits of their own may be a card's with a wrong one.
        if !matches!(class.kind, ValueKind::BankAccount) {
            prop_assert!(!plausible(&value));
        }
    }

    // Invariant 4: from the same randomness comes the same token, whatever the value.
    #[test]
    fn a_token_holds_nothing_of_its_value(
        (class, value, other) in proptest::sample::select(classes()).prop_flat_map(|class| {
            let (one, other) = (values(class.kind), values(class.kind));
            (Just(class), one, other)
        }),
        seed: u64,
    ) {
        let of_value = matches!(
            class.format,
            Format::Pan(_) | Format::Digits(Length::OfValue) | Format::Zh(Length::OfValue)
        );
        if !of_value {
            prop_assert_eq!(draw(&class, &value, seed), draw(&class, &other, seed));
        }
    }

    #[test]
    fn a_card_token_holds_what_its_class_keeps_and_no_more(
        pan in values(ValueKind::Pan),
        middle in "[0-9]{1,9}",
        seed: u64,
    ) {
        let of = |kept| class(ValueKind::Pan, Format::Pan(kept));
        let token = draw(&of(Kept::FirstAndLast), &pan, seed).unwrap();
        prop_assert_eq!(token.len(), pan.len());
        prop_assert_eq!(&token[..6], &pan[..6]);
        prop_assert_eq!(&token[token.len() - 4..], &pan[pan.len() - 4..]);
        prop_assert_ne!(check_digit::luhn(token.as_bytes()), Some(0));
        // The same ends, another middle: the same token. With nothing kept, whatever the ends.
        let other = same_ends(&pan, &middle);
        prop_assert_eq!(&draw(&of(Kept::FirstAndLast), &other, seed).unwrap(), &token);
        let foreign = with_luhn_digit(&"7".repeat(pan.len() - 1));
        let nothing = draw(&of(Kept::Nothing), &pan, seed).unwrap();
        prop_assert_eq!(&draw(&of(Kept::Nothing), &foreign, seed).unwrap(), &nothing);
        prop_assert_eq!(&nothing[..2], "99");
        let last = draw(&of(Kept::Last), &pan, seed).unwrap();
        prop_assert!(last.starts_with("99") && last.ends_with(&pan[pan.len() - 4..]));
        let first = draw(&of(Kept::First), &pan, seed).unwrap();
        prop_assert_eq!(&first[..6], &pan[..6]);
    }

    #[test]
    fn a_token_of_the_same_length_is_as_long_as_its_value(
        name in values(ValueKind::NameZh),
        pan in values(ValueKind::Pan),
        seed: u64,
    ) {
        let zh = class(ValueKind::NameZh, Format::Zh(Length::OfValue));
        let token = draw(&zh, &name, seed).unwrap();
        prop_assert_eq!(token.chars().count(), name.chars().count());
        let digits = class(ValueKind::Pan, Format::Digits(Length::OfValue));
        prop_assert_eq!(draw(&digits, &pan, seed).unwrap().len(), pan.len());
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form((class, value) in class_and_value()) {
        for normal_form in [NormalForm::First, NormalForm::Second] {
            let class = DataClass { normal_form, ..class.clone() };
            let once = normalise(&class, &plaintext(&value));
            let twice = normalise(&class, &once);
            prop_assert_eq!(once.expose(), twice.expose());
            prop_assert_eq!(accept(&class, &once), Ok(()), "{:?} {}", class.kind, once.expose());
        }
    }

    // Full width, surrounding white space, the other case: one value, one normal form.
    #[test]
    fn other_writings_of_a_value_have_its_normal_form((class, value) in class_and_value()) {
        let normal = normalise(&class, &plaintext(&value));
        let spaced = format!("\u{3000} {value}\n");
        let spaced = normalise(&class, &plaintext(&spaced));
        prop_assert_eq!(spaced.expose(), normal.expose());
        if class.kind != ValueKind::Text {
            let wide = plaintext(&full_width(&value));
            prop_assert_eq!(accept(&class, &wide), Ok(()));
            let wide = normalise(&class, &wide);
            prop_assert_eq!(wide.expose(), normal.expose());
        }
        let codes = !matches!(class.kind, ValueKind::Text | ValueKind::Email);
        if codes {
            let small = plaintext(&value.to_lowercase());
            let small = normalise(&class, &small);
            prop_assert_eq!(small.expose(), normal.expose());
        }
    }

    #[test]
    fn one_wrong_character_of_a_checked_token_is_seen(
        (class, value) in class_and_value(),
        seed: u64,
        place: proptest::sample::Index,
        other: proptest::sample::Index,
    ) {
        let certain = match &class.format {
            Format::TwNhiCard | Format::BankAccount | Format::NameZh | Format::Address
            | Format::Zh(Length::Fixed(_)) | Format::Alphanumeric(_) => true,
            // Another character of the set stays unseen: the check is over letters and digits.
            Format::Template(template) => template.slots().ends_with(&[Slot::Check])
                && !template.slots().contains(&Slot::Zh),
            _ => false,
        };
        if certain {
            let token: Vec<char> = draw(&class, &value, seed).unwrap().chars().collect();
            let place = place.index(token.len());
            let other = match token[place] {
                c if c.is_ascii() => char::from(check_digit::ALPHANUMERIC[other.index(36)]),
                _ => zh::character(other.index(zh::COUNT)).unwrap(),
            };
            let mut wrong = token.clone();
            wrong[place] = other;
            let wrong_text: String = wrong.iter().collect();
            prop_assert!(wrong == token || !could_be_of(&class, &wrong_text), "{}", wrong_text);
        }
    }

    #[test]
    fn a_mask_never_shows_more_than_it_keeps(
        (class, value) in class_and_value(),
        text in "\\PC{0,20}",
        written: bool,
        keep_first: u8,
        keep_last: u8,
        candidates_min in 2..100_000_u64,
    ) {
        let mask = Mask { keep_first: keep_first % 12, keep_last: keep_last % 12, candidates_min };
        let class = DataClass { mask, ..class };
        let value = plaintext(if written { &text } else { &value });
        let shown = masked(&value, Masking::of(&class));
        let length = normalise(&class, &value).expose().chars().count();
        let kept = usize::from(mask.keep_first + mask.keep_last);
        let hidden = if kept >= length { length } else { length - kept };
        prop_assert_eq!(shown.expose().chars().count(), length);
        prop_assert!(shown.expose().chars().filter(|&c| c == '*').count() >= hidden);
    }
}

/// Formats that look like one kind, and like no other.
fn kind_is_told_apart(format: &Format) -> bool {
    !matches!(
        format,
        Format::Digits(_) | Format::Alphanumeric(_) | Format::Template(_)
    )
}

fn full_width(text: &str) -> String {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        other => other,
    };
    text.chars().map(wide).collect()
}

/// A card number like `pan` with other digits between the first six and the last four.
fn same_ends(pan: &str, middle: &str) -> String {
    let places = pan.len() - 10;
    let middle: String = middle.chars().cycle().take(places - 1).collect();
    (0..10)
        .map(|digit| format!("{}{middle}{digit}{}", &pan[..6], &pan[pan.len() - 4..]))
        .find(|other| check_digit::luhn(other.as_bytes()) == Some(0))
        .unwrap()
}

#[test]
fn a_uuid_token_with_a_wrong_digit_is_seen() {
    let uuid = class(ValueKind::Uuid, Format::Uuid);
    let token = draw(&uuid, "00000000-0000-4000-8000-000000000000", 5).unwrap();
    assert_eq!(
        (token.len(), &token[14..15], &token[19..20]),
        (36, "f", "e")
    );
    for place in 0..token.len() {
        let mut wrong = token.clone().into_bytes();
        wrong[place] = if wrong[place] == b'0' { b'1' } else { b'0' };
        assert!(
            !could_be_of(&uuid, &String::from_utf8(wrong).unwrap()),
            "{place}"
        );
    }
}

#[test]
fn what_is_mistyped_claims_to_be_a_token_and_is_none() {
    for text in [
        "jk1_",
        "jk1_00000000000000000000000000000000000000",
        "x@token.invalid",
        "代碼縣一二三四五六七八號",
        "ca09fb80-3333-f073-e4d3-a9a9eb0015d6",
    ] {
        assert!(is_mistyped(text) && !plausible(text), "{text}");
    }
    for text in [
        "",
        "JK1_",
        "A123456789",
        "ca09fb80-3333-f073-e4d3-a9a9eb0015d5",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "a@token.invalid.tw",
        "臺北市代碼縣",
        "1234",
    ] {
        assert!(!is_mistyped(text), "{text}");
    }
}

#[test]
fn what_is_no_token_is_not_plausible() {
    for text in [
        "",
        "A123456789",
        "4111111111111111",
        "王測試",
        "a@example.com",
        "jk1_",
        "411111",
        "0912345678",
        "ABC-1235",
        "2026-03-02",
        "/ABC+123",
        "臺北市測試區示範路1號",
        "20260302",
        "04595258",
    ] {
        assert!(!plausible(text), "{text}");
    }
    // Unassigned second character, yet a right sum: never issued.
    assert!(!plausible("A023456787"));
    assert!(plausible("A023456788"));
    // A wrong sum at 20 and 12 digits: longer than any card number, shorter than any token.
    assert!(!plausible("11111111111111111112") && !plausible("111111111112"));
    assert!(plausible("1111111111111111112") && plausible("1111111111111"));
    // A date token has no month and no day; one of each alone is none.
    assert!(plausible("2026-13-32") && !plausible("2026-12-32") && !plausible("2026-13-31"));
}

#[test]
fn issue_refuses_what_accept_refuses() {
    let mut rng = StdRng::seed_from_u64(1);
    let id = class(ValueKind::TwNationalId, Format::TwNationalId);
    assert!(issue(&id, &plaintext("A123456789"), &mut rng).is_ok());
    // `Withheld` has no `Debug`, and must not: only the error is looked at.
    let refused = issue(&id, &plaintext("A123456788"), &mut rng).map(drop);
    assert!(matches!(refused, Err(TokenError::ValueInvalid { .. })));
}

#[test]
fn a_format_needs_values_it_can_stand_for() {
    let odd = class(ValueKind::Text, Format::Pan(Kept::FirstAndLast));
    assert!(accept(&odd, &plaintext("not a card")).is_err());
    assert!(accept(&odd, &plaintext("4111111111111111")).is_ok());
    let odd = class(ValueKind::Text, Format::Email);
    assert!(accept(&odd, &plaintext("not an address")).is_err());
    assert!(accept(&odd, &plaintext("a@example.com")).is_ok());
}

#[test]
fn a_class_that_takes_anything_takes_what_is_not_real_and_none_of_its_tokens() {
    let lenient = |kind, format| DataClass {
        demand: Demand::Anything,
        ..class(kind, format)
    };
    let id = lenient(ValueKind::TwNationalId, Format::TwNationalId);
    for value in ["A123456788", "unknown", "待補", "A1\u{0}"] {
        assert_eq!(accept(&id, &plaintext(value)), Ok(()), "{value:?}");
    }
    let refused = |class: &DataClass, value| match accept(class, &plaintext(value)) {
        Err(TokenError::ValueInvalid { fault, .. }) => fault,
        other => panic!("{value}: {other:?}"),
    };
    assert_eq!(refused(&id, " "), ValueFault::Empty);
    assert_eq!(refused(&id, "a023456788"), ValueFault::Token);
    // What a card token keeps, it needs.
    let pan = lenient(ValueKind::Pan, Format::Pan(Kept::FirstAndLast));
    assert_eq!(refused(&pan, "unknown"), ValueFault::Character);
    assert_eq!(refused(&pan, "4111111111111112"), ValueFault::Token);
    assert_eq!(refused(&pan, &"0".repeat(20)), ValueFault::Length);
    // A token that keeps nothing looks like none of those numbers.
    let pan = lenient(ValueKind::Pan, Format::Pan(Kept::Nothing));
    assert_eq!(accept(&pan, &plaintext("4111111111111112")), Ok(()));
}

#[test]
fn the_second_normal_form_finds_more_of_the_same_together() {
    let second = |kind, text| {
        let class = DataClass {
            normal_form: NormalForm::Second,
            ..class(kind, Format::Opaque)
        };
        normalise(&class, &plaintext(text)).expose().to_owned()
    };
    let first = |kind, text| {
        normalise(&class(kind, Format::Opaque), &plaintext(text))
            .expose()
            .to_owned()
    };
    assert_eq!(second(ValueKind::Text, " a \u{3000} b\n c "), "a b c");
    assert_eq!(first(ValueKind::Text, " a \u{3000} b\n c "), "a   b\n c");
    assert_eq!(
        second(ValueKind::Email, "Wang@Example.TW"),
        "wang@example.tw"
    );
    assert_eq!(
        first(ValueKind::Email, "Wang@Example.TW"),
        "Wang@example.tw"
    );
}
