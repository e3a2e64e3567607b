//! Invariant 4, counted: every place of a token is uniform. Seeds are fixed: nothing here can flake.
//!
//! Bounds: a fair draw is beyond them once in 10,000 seeds.

use super::*;
use crate::token::check_digit::ALPHANUMERIC;
use crate::token::shape::{CAPITALS, PLAIN_LETTERS};

/// Counts, for each place of `texts`, how often each of `choices` stands there.
fn counts_at(texts: &[String], place: usize, choices: &[u8]) -> Vec<u32> {
    let count = |&choice: &u8| {
        texts
            .iter()
            .filter(|t| t.as_bytes()[place] == choice)
            .count()
    };
    choices
        .iter()
        .map(count)
        .map(|n| u32::try_from(n).unwrap())
        .collect()
}

/// All counted characters are of `choices`, each as often as another.
fn assert_uniform(texts: &[String], places: impl IntoIterator<Item = usize>, choices: &[u8]) {
    // The chi-square quantile of 1 - 1/10,000, by Wilson and Hilferty.
    let freedom = f64::from(u32::try_from(choices.len() - 1).unwrap());
    let width = 2.0 / (9.0 * freedom);
    let bound = freedom * (1.0 - width + 3.719 * width.sqrt()).powi(3);
    for place in places {
        let counts = counts_at(texts, place, choices);
        assert_eq!(
            counts.iter().sum::<u32>(),
            20_000,
            "another character at {place}"
        );
        let found = chi_square(&counts);
        assert!(found < bound, "{place}: {found} of {bound}");
    }
}

#[test]
fn every_place_of_an_id_token_is_uniform() {
    for (format, second) in [
        (Format::TwNationalId, &b"034567"[..]),
        (Format::TwUiNumber(UiForm::New), b"034567"),
        (Format::TwUiNumber(UiForm::Old), b"EFGHIJKLMNOPQRSTUVWXYZ"),
    ] {
        let tokens = many(&class(ValueKind::TwUiNumber, format), "A800000014");
        assert_uniform(&tokens, [0], CAPITALS);
        assert_uniform(&tokens, [1], second);
        assert_uniform(&tokens, 2..10, draw::DIGITS);
        // The wrong remainders come equally often too: none is favoured, the right one never comes.
        let mut remainders = [0; 10];
        for token in &tokens {
            remainders[check_digit::tw_id(token.as_bytes()).unwrap() as usize] += 1;
        }
        assert_eq!(remainders[0], 0);
        assert!(chi_square(&remainders[1..]) < 31.8, "{remainders:?}");
    }
}

#[test]
fn every_drawn_place_of_a_card_token_is_uniform() {
    for (kept, drawn) in [
        (Kept::FirstAndLast, 6..12),
        (Kept::First, 6..16),
        (Kept::Last, 2..12),
        (Kept::Nothing, 2..16),
    ] {
        let tokens = many(
            &class(ValueKind::Pan, Format::Pan(kept)),
            "4111111111111111",
        );
        assert_uniform(&tokens, drawn, draw::DIGITS);
    }
}

#[test]
fn every_place_of_an_opaque_token_is_uniform() {
    let tokens = many(&class(ValueKind::Text, Format::Opaque), "王測試");
    // All but the body's last character, which holds three bits.
    let places = (4..29).chain(30..34);
    assert_uniform(&tokens, places, b"0123456789abcdefghjkmnpqrstvwxyz");
    assert_uniform(&tokens, [29], b"048cgmrw");
    let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len());
}

#[test]
fn every_place_of_the_other_shapes_is_uniform() {
    let of = |kind, format, value: &str| many(&class(kind, format), value);
    let mobile = of(ValueKind::TwMobile, Format::TwMobile, "0912345678");
    assert_uniform(&mobile, 2..4, PLAIN_LETTERS);
    assert_uniform(&mobile, 4..10, draw::DIGITS);
    let card = of(ValueKind::TwNhiCard, Format::TwNhiCard, "000012345678");
    assert_uniform(&card, [0], PLAIN_LETTERS);
    assert_uniform(&card, 1..11, draw::DIGITS);
    assert_uniform(&card, [11], ALPHANUMERIC);
    let passport = of(ValueKind::TwPassport, Format::TwPassport, "312345678");
    assert_uniform(&passport, 0..7, draw::DIGITS);
    assert_uniform(&passport, 7..9, PLAIN_LETTERS);
    let barcode = of(
        ValueKind::TwMobileBarcode,
        Format::TwMobileBarcode,
        "/ABC+123",
    );
    assert_uniform(&barcode, 1..8, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.+-");
    let uuid = of(
        ValueKind::Uuid,
        Format::Uuid,
        "00000000-0000-4000-8000-000000000000",
    );
    assert_uniform(
        &uuid,
        (0..8).chain(15..18).chain(24..36),
        b"0123456789abcdef",
    );
    let name = of(ValueKind::NameZh, Format::NameZh, "王小明");
    for place in 0..5 {
        let mut counts = vec![0; zh::COUNT];
        for token in &name {
            counts[zh::place(token.chars().nth(place).unwrap()).unwrap()] += 1;
        }
        // 2,047 degrees of freedom.
        assert!(
            chi_square(&counts) < 2_295.0,
            "{place}: {}",
            chi_square(&counts)
        );
    }
}

#[test]
fn a_date_token_favours_no_month_and_no_day() {
    let tokens = many(&class(ValueKind::Date, Format::Date), "2026-03-02");
    assert_uniform(&tokens, 0..4, draw::DIGITS);
    let counts = |part: usize, from: usize| {
        let mut counts = vec![0; 100 - from];
        for token in &tokens {
            counts[token
                .split('-')
                .nth(part)
                .unwrap()
                .parse::<usize>()
                .unwrap()
                - from] += 1;
        }
        counts
    };
    // 86 and 67 degrees of freedom.
    assert!(chi_square(&counts(1, 13)) < 141.0 && chi_square(&counts(2, 32)) < 117.0);
}

#[test]
fn what_is_drawn_anew_leaves_the_rest_uniform() {
    let tokens = many(&class(ValueKind::TwUbn, Format::TwUbn), "04595257");
    // Every weighted sum modulo 5 but 0 comes as often: the first seven digits are free.
    assert_uniform(&tokens, 0..6, draw::DIGITS);
    let all = many(
        &class(ValueKind::TwMobile, Format::Digits(Length::Fixed(10))),
        "0912345678",
    );
    assert!(all.iter().all(|token| !token.starts_with("09")));
    assert_uniform(&all, 2..10, draw::DIGITS);
}

#[test]
fn tokens_carry_no_order() {
    // Of neighbours in the order of drawing, the later one is the greater half of the time.
    let tokens = many(&class(ValueKind::Text, Format::Opaque), "王測試");
    let rises = tokens.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((9_700..10_300).contains(&rises), "{rises}");
}
