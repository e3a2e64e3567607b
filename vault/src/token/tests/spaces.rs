//! Each format's free space, as it is documented, and against counting.

use ValueKind as Kind;

use super::*;

fn tokens(class: &DataClass) -> Option<u128> {
    space(class).tokens()
}

#[test]
fn every_format_has_the_space_that_is_documented() {
    let of = |kind, format| tokens(&class(kind, format));
    for (kind, format, count) in [
        (Kind::TwNationalId, Format::TwNationalId, 14_040_000_000),
        (
            Kind::TwUiNumber,
            Format::TwUiNumber(UiForm::New),
            14_040_000_000,
        ),
        (
            Kind::TwUiNumber,
            Format::TwUiNumber(UiForm::Old),
            51_480_000_000,
        ),
        (Kind::TwUbn, Format::TwUbn, 78_000_000),
        (Kind::TwMobile, Format::TwMobile, 576_000_000),
        (Kind::TwNhiCard, Format::TwNhiCard, 240_000_000_000),
        (Kind::TwPassport, Format::TwPassport, 5_760_000_000),
        (Kind::TwPlate, Format::TwPlate, 796_262_400),
        (
            Kind::TwMobileBarcode,
            Format::TwMobileBarcode,
            137_231_006_679,
        ),
        (Kind::BankAccount, Format::BankAccount, 138_240_000_000_000),
        (Kind::NameZh, Format::NameZh, 1 << 44),
        (Kind::Address, Format::Address, 1 << 77),
        (Kind::Date, Format::Date, 59_160_000),
        (Kind::Uuid, Format::Uuid, 1 << 104),
        (Kind::Pan, Format::Pan(Kept::FirstAndLast), 900),
        (
            CASE_DIGITS,
            Format::Digits(Length::Fixed(12)),
            1_000_000_000_000,
        ),
        // Less those that may be a mobile number, a business number, a card.
        (
            Kind::TwMobile,
            Format::Digits(Length::Fixed(10)),
            9_900_000_000,
        ),
        (Kind::TwUbn, Format::Digits(Length::OfValue), 78_000_000),
        (Kind::Pan, Format::Digits(Length::OfValue), 900_000_000_000),
        (
            CASE_DIGITS,
            Format::Alphanumeric(Length::Fixed(6)),
            26 * 36_u128.pow(4),
        ),
        (Kind::Text, Format::Zh(Length::Fixed(4)), 1 << 33),
        (Kind::NameZh, Format::Zh(Length::OfValue), 1 << 22),
    ] {
        assert_eq!(of(kind, format.clone()), Some(count), "{format:?}");
    }
    let mixed = template(Kind::Text, "LL-NNNN-漢漢");
    assert_eq!(tokens(&mixed), Some(26 * 26 * 10_000 * 2_048 * 2_048));
    assert!((space(&mixed).bits() - 44.689).abs() < 0.001);
    for format in [Format::Opaque, Format::Email] {
        assert_eq!(of(Kind::Email, format.clone()), None);
        assert!((space(&class(Kind::Email, format)).bits() - 128.0).abs() < 1e-9);
    }
    let long = class(CASE_DIGITS, Format::Digits(Length::Fixed(64)));
    assert!(tokens(&long).is_none() && (space(&long).bits() - 212.6).abs() < 0.1);
}

#[test]
fn what_could_be_a_value_is_counted_out_exactly() {
    // One digit in ten makes a Luhn sum right, at every length.
    let right = (0..100_000_u32)
        .filter(|number| check_digit::luhn(format!("{number:05}").as_bytes()) == Some(0))
        .count();
    assert_eq!(right, 10_000);
    // Of the eight digits that begin with 045, those that are no business number.
    let ubn = class(ValueKind::TwUbn, Format::TwUbn);
    let digits = class(ValueKind::TwUbn, Format::Digits(Length::Fixed(8)));
    let texts = (0..100_000).map(|number| format!("045{number:05}"));
    for text in texts {
        let real = value::is_real(ValueKind::TwUbn, &text);
        assert_eq!(could_be_of(&ubn, &text), !real, "{text}");
        assert_eq!(could_be_of(&digits, &text), !real, "{text}");
    }
}

#[test]
fn all_ids_of_a_corner_are_tokens_or_not_as_counted() {
    // All ten last digits of 1,000 beginnings: nine in ten are tokens, one in ten has a right sum.
    let id = class(ValueKind::TwNationalId, Format::TwNationalId);
    let texts = (0..10_000).map(|number| format!("K04071{number:04}"));
    assert_eq!(texts.filter(|text| could_be_of(&id, text)).count(), 9_000);
}

#[test]
fn all_tokens_of_the_smallest_space_occur() {
    let tokens = many(
        &class(ValueKind::Pan, Format::Pan(Kept::FirstAndLast)),
        &with_luhn_digit("411111000111"),
    );
    let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), 900);
}

#[test]
fn too_small_a_space_is_an_error_and_no_other_format() {
    let pan = with_luhn_digit("41111100011");
    let refused = draw(
        &class(ValueKind::Pan, Format::Pan(Kept::FirstAndLast)),
        &pan,
        1,
    );
    assert_eq!(
        refused,
        Err(TokenError::SpaceTooSmall { characters_min: 13 })
    );
    assert!(
        draw(&class(ValueKind::Pan, Format::Opaque), &pan, 1)
            .unwrap()
            .starts_with("jk1_")
    );
    // As long as the value, and the value is short.
    let short = ValueKind::Digits(Lengths { min: 1, max: 9 });
    let same = class(short, Format::Alphanumeric(Length::OfValue));
    assert!(matches!(
        draw(&same, "123", 1),
        Err(TokenError::SpaceTooSmall { .. })
    ));
}

/// A format as the table of `policies/README.md` has it, with its example.
struct Row {
    class: DataClass,
    example: String,
    tokens: String,
}

fn rows() -> Vec<Row> {
    #[derive(serde::Deserialize)]
    struct Line {
        format: Format,
        kind: ValueKind,
    }
    let text = include_str!("../../../../policies/README.md");
    let table = text.split("| `format` | example |").nth(1).unwrap();
    let lines = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let quoted = |cell: &str| cell.split('`').nth(1).map(str::to_owned);
            let format = quoted(cells[0]).unwrap();
            let format = match format.strip_prefix('{') {
                Some(_) => format,
                None => format!("\"{format}\""),
            };
            let kind = match quoted(cells[4]) {
                Some(kind) => format!("\"{kind}\""),
                None if cells[4].starts_with("any") || format.contains("template") => {
                    "\"text\"".to_owned()
                }
                None => "{ name = \"digits\", min = 8, max = 9 }".to_owned(),
            };
            let line: Line = toml::from_str(&format!("format = {format}\nkind = {kind}")).unwrap();
            Row {
                class: class(line.kind, line.format),
                example: quoted(cells[1]).unwrap(),
                tokens: cells[2].to_owned(),
            }
        })
        .collect()
}

#[test]
fn the_table_of_formats_shows_tokens_and_their_spaces() {
    let rows = rows();
    for Row {
        class,
        example,
        tokens,
    } in &rows
    {
        assert!(could_be_of(class, example), "{:?}: {example}", class.format);
        // Of cards the table says what 16 digits leave, and `space` what 13 do.
        if !matches!(class.format, Format::Pan(_)) {
            let bits = format!("({:.1})", space(class).bits());
            assert!(
                tokens.contains(&bits),
                "{:?}: {bits} in {tokens}",
                class.format
            );
        }
    }
    let names: std::collections::BTreeSet<_> =
        rows.iter().map(|row| row.class.format.name()).collect();
    assert_eq!(names.len(), 20, "{names:?}");
}
