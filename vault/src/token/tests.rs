//! The room's promises, over many values: tokens are uniform, hold nothing, and are never values.

mod bad_input;
mod fitness;
mod promises;
mod spaces;
mod uniform;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::model::{
    ClassName, Format, Kept, Length, Lengths, Level, Lifetimes, Mask, NormalForm, Repeatability,
    Slot, SpaceShares, Template, UiForm, ValueKind,
};

/// Digits of a case number in a made-up office.
const CASE_DIGITS: ValueKind = ValueKind::Digits(Lengths { min: 8, max: 10 });

/// Every kind; of those with lengths, one.
const KINDS: [ValueKind; 18] = [
    ValueKind::Text,
    CASE_DIGITS,
    ValueKind::Alphanumeric(Lengths { min: 6, max: 9 }),
    ValueKind::TwNationalId,
    ValueKind::TwUiNumber,
    ValueKind::TwUbn,
    ValueKind::TwMobile,
    ValueKind::TwNhiCard,
    ValueKind::TwPassport,
    ValueKind::TwPlate,
    ValueKind::TwMobileBarcode,
    ValueKind::BankAccount,
    ValueKind::Pan,
    ValueKind::Email,
    ValueKind::NameZh,
    ValueKind::Address,
    ValueKind::Date,
    ValueKind::Uuid,
];

/// Pearson's statistic of `counts` against the same count everywhere.
pub(super) fn chi_square(counts: &[u32]) -> f64 {
    let places = f64::from(u32::try_from(counts.len()).unwrap());
    let expected = f64::from(counts.iter().sum::<u32>()) / places;
    counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum()
}

pub(super) fn class(kind: ValueKind, format: Format) -> DataClass {
    DataClass {
        name: ClassName::parse("under-test").unwrap(),
        level: Level(0),
        compartments: std::collections::BTreeSet::new(),
        kind,
        format,
        mask: Mask {
            keep_first: 1,
            keep_last: 1,
            candidates_min: Mask::CANDIDATES_MIN,
        },
        tokens: Repeatability::Random,
        life: Lifetimes::default(),
        searchable: false,
        demand: Demand::Real,
        normal_form: NormalForm::First,
        space: SpaceShares::default(),
    }
}

fn template(kind: ValueKind, text: &str) -> DataClass {
    class(kind, Format::Template(Template::parse(text).unwrap()))
}

fn plaintext(text: &str) -> Plaintext {
    Plaintext::new(text.to_owned())
}

/// What `issue` would withhold.
fn draw(class: &DataClass, value: &str, seed: u64) -> Result<String, TokenError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let value = plaintext(value);
    accept(class, &value)?;
    let token = format::draw(class, &value, &mut rng)?;
    Ok(token.expose().to_owned())
}

/// 20,000 tokens of one value.
fn many(class: &DataClass, value: &str) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(42);
    let value = plaintext(value);
    let token = |_| {
        format::draw(class, &value, &mut rng)
            .unwrap()
            .expose()
            .to_owned()
    };
    (0..20_000).map(token).collect()
}

/// `text` with its last digit set so that `is_right`.
fn completed(text: &str, is_right: impl Fn(&[u8]) -> bool) -> String {
    (0..10)
        .map(|digit| format!("{text}{digit}"))
        .find(|id| is_right(id.as_bytes()))
        .unwrap()
}

fn with_id_digit(text: &str) -> String {
    completed(text, |id| check_digit::tw_id(id) == Some(0))
}

fn with_luhn_digit(text: &str) -> String {
    completed(text, |pan| check_digit::luhn(pan) == Some(0))
}

/// Values of a kind, in the writing that is usual.
fn values(kind: ValueKind) -> BoxedStrategy<String> {
    match kind {
        ValueKind::Text => "\\PC{0,9}字".boxed(),
        ValueKind::Digits(_) => "[0-9]{8,10}".boxed(),
        ValueKind::Alphanumeric(_) => "[0-9A-Z]{6,9}".boxed(),
        ValueKind::TwNationalId => "[A-Z][1289A-D][0-9]{7}"
            .prop_map(|id| with_id_digit(&id))
            .boxed(),
        ValueKind::TwUiNumber => "[A-Z][89A-D][0-9]{7}"
            .prop_map(|id| with_id_digit(&id))
            .boxed(),
        ValueKind::TwUbn => "[0-9]{7}"
            .prop_map(|text| completed(&text, |number| check_digit::ubn(number, 5) == Some(true)))
            .boxed(),
        ValueKind::TwMobile => "09[0-9]{8}".boxed(),
        ValueKind::TwNhiCard => "[0-9]{12}".boxed(),
        ValueKind::TwPassport => "[0-9]{9}".boxed(),
        ValueKind::TwPlate => prop_oneof![
            "[A-HJ-NP-Z]{3}-?[0-35-9]{4}",
            "[A-Z0-9][A-Z]-[0-9]{4}",
            "[0-9]{3}-[A-Z]{3}"
        ]
        .boxed(),
        ValueKind::TwMobileBarcode => "/[0-9A-Z.+-]{7}".boxed(),
        ValueKind::BankAccount => "[0-9]{3}-[0-9]{7,16}".boxed(),
        ValueKind::Pan => "[0-9]{12,18}".prop_map(|pan| with_luhn_digit(&pan)).boxed(),
        ValueKind::Email => "[a-z]{1,9}@[a-z]{1,9}\\.tw".boxed(),
        ValueKind::NameZh => "[王林陳李張黃吳劉][小明華美玲志偉怡君建宏]{1,3}".boxed(),
        ValueKind::Address => {
            "(100)?(臺北市|台中市|花蓮縣)測試區示範路[1-9]段[1-9][0-9]{0,2}號".boxed()
        }
        ValueKind::Date => (1850..2200_u16, 1..13_u8, 1..29_u8)
            .prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
            .boxed(),
        ValueKind::Uuid => any::<u128>()
            .prop_map(|bits| {
                let bits = (bits & !(0xf << 76) & !(0xc << 60)) | (4 << 76) | (8 << 60);
                let hex = format!("{bits:032x}");
                let groups = [
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..],
                ];
                groups.join("-")
            })
            .boxed(),
    }
}

/// A class of every format, with the kind that its values are of.
fn classes() -> Vec<DataClass> {
    use ValueKind as Kind;
    let alike = [
        (Kind::Pan, Format::Pan(Kept::FirstAndLast)),
        (Kind::Pan, Format::Pan(Kept::First)),
        (Kind::Pan, Format::Pan(Kept::Last)),
        (Kind::Pan, Format::Pan(Kept::Nothing)),
        (Kind::TwNationalId, Format::TwNationalId),
        (Kind::TwUiNumber, Format::TwUiNumber(UiForm::New)),
        (Kind::TwUiNumber, Format::TwUiNumber(UiForm::Old)),
        (Kind::TwUbn, Format::TwUbn),
        (Kind::TwMobile, Format::TwMobile),
        (Kind::TwNhiCard, Format::TwNhiCard),
        (Kind::TwPassport, Format::TwPassport),
        (Kind::TwPlate, Format::TwPlate),
        (Kind::TwMobileBarcode, Format::TwMobileBarcode),
        (Kind::BankAccount, Format::BankAccount),
        (Kind::Email, Format::Email),
        (Kind::NameZh, Format::NameZh),
        (Kind::Address, Format::Address),
        (Kind::Date, Format::Date),
        (Kind::Uuid, Format::Uuid),
        (Kind::Text, Format::Opaque),
        (CASE_DIGITS, Format::Digits(Length::Fixed(12))),
        (Kind::Pan, Format::Digits(Length::OfValue)),
        (Kind::TwUbn, Format::Digits(Length::OfValue)),
        (Kind::TwMobile, Format::Digits(Length::Fixed(10))),
        (CASE_DIGITS, Format::Alphanumeric(Length::Fixed(10))),
        (Kind::TwPassport, Format::Alphanumeric(Length::OfValue)),
        (Kind::Text, Format::Zh(Length::Fixed(6))),
        (Kind::NameZh, Format::Zh(Length::OfValue)),
    ];
    let mut all: Vec<DataClass> = alike.map(|(kind, format)| class(kind, format)).into();
    all.push(template(Kind::Text, "LL-NNNN-漢漢"));
    all.push(template(CASE_DIGITS, "'T'NNNNXX"));
    all.push(template(Kind::Text, "'TK'-NNNN-LLLLC"));
    all
}

/// A class of every format, with a value it accepts.
fn class_and_value() -> impl Strategy<Value = (DataClass, String)> {
    proptest::sample::select(classes()).prop_flat_map(|class| {
        let values = values(class.kind);
        (Just(class), values)
    })
}

/// Whether tokens of the format are known by their class alone.
fn needs_its_class(format: &Format) -> bool {
    matches!(
        format,
        Format::Digits(_)
            | Format::Alphanumeric(_)
            | Format::Template(_)
            | Format::TwUbn
            | Format::Zh(Length::OfValue)
    )
}
