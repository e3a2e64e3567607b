//! Values that are made up and pass for real ones, for honeytokens. Of any text nothing plausible can be said.

use rand::{Rng, RngExt};

use super::accept;
use crate::model::{DataClass, Lengths, Plaintext, ValueKind};

/// Tries before a class counts as one that takes nothing made up: of ten numbers, one has the right sum.
const TRIES_MAX: usize = 1_000;

/// Length of numbers and codes whose kind allows many.
const LENGTH_USUAL: u8 = 10;

/// Letters of national IDs that are given out today.
const ID_LETTERS: &[u8] = b"ABCDEFGHIJKMNOPQTUVWXZ";
const PLATE_LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const PLATE_DIGITS: &[u8] = b"012356789";
const DIGITS: &[u8] = b"0123456789";
const BARCODE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
const CODE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BANKS: [&str; 8] = ["004", "005", "006", "007", "008", "012", "700", "822"];
const HOSTS: [&str; 4] = ["gmail.com", "yahoo.com.tw", "hotmail.com", "icloud.com"];
const SURNAMES: [&str; 12] = [
    "陳", "林", "黃", "張", "李", "王", "吳", "劉", "蔡", "楊", "許", "鄭",
];
const GIVEN: [&str; 16] = [
    "家", "志", "淑", "美", "雅", "俊", "怡", "宗", "建", "文", "佳", "慧", "明", "玉", "冠", "欣",
];
const ROMAN: [&str; 8] = ["chen", "lin", "huang", "chang", "lee", "wang", "wu", "liu"];
const PLACES: [&str; 8] = [
    "臺北市中正區",
    "臺北市大安區",
    "新北市板橋區",
    "桃園市中壢區",
    "臺中市西屯區",
    "臺南市東區",
    "高雄市三民區",
    "新竹市北區",
];
const ROADS: [&str; 6] = ["中山路", "中正路", "民生路", "和平路", "信義路", "文化路"];

/// A value that the class accepts and that looks like others of its kind; `None` where the kind says
/// nothing of what values look like.
pub fn made_up<R: Rng + ?Sized>(class: &DataClass, rng: &mut R) -> Option<Plaintext> {
    for _ in 0..TRIES_MAX {
        let value = Plaintext::new(draft(class.kind, rng)?);
        if accept(class, &value).is_ok() {
            return Some(value);
        }
    }
    None
}

/// Right in its form; whether its sum is right is for the class to say.
fn draft<R: Rng + ?Sized>(kind: ValueKind, rng: &mut R) -> Option<String> {
    Some(match kind {
        ValueKind::Text => return None,
        ValueKind::Digits(lengths) => some(rng, DIGITS, usual(lengths)),
        ValueKind::Alphanumeric(lengths) => some(rng, CODE, usual(lengths)),
        ValueKind::TwNationalId => {
            some(rng, ID_LETTERS, 1) + &some(rng, b"12", 1) + &some(rng, DIGITS, 8)
        }
        ValueKind::TwUiNumber => {
            some(rng, ID_LETTERS, 1) + &some(rng, b"89", 1) + &some(rng, DIGITS, 8)
        }
        ValueKind::TwUbn => some(rng, DIGITS, 8),
        ValueKind::TwMobile => "09".to_owned() + &some(rng, DIGITS, 8),
        ValueKind::TwNhiCard => "0000".to_owned() + &some(rng, DIGITS, 8),
        ValueKind::TwPassport => "3".to_owned() + &some(rng, DIGITS, 8),
        ValueKind::TwPlate => some(rng, PLATE_LETTERS, 3) + "-" + &some(rng, PLATE_DIGITS, 4),
        ValueKind::TwMobileBarcode => "/".to_owned() + &some(rng, BARCODE, 7),
        ValueKind::BankAccount => format!("{}-{}", one(rng, &BANKS), some(rng, DIGITS, 12)),
        ValueKind::Pan => "4".to_owned() + &some(rng, DIGITS, 15),
        ValueKind::Email => {
            let (name, number) = (one(rng, &ROMAN), some(rng, DIGITS, 6));
            format!("{name}{number}@{}", one(rng, &HOSTS))
        }
        ValueKind::NameZh => {
            format!(
                "{}{}{}",
                one(rng, &SURNAMES),
                one(rng, &GIVEN),
                one(rng, &GIVEN)
            )
        }
        ValueKind::Address => {
            let (place, road) = (one(rng, &PLACES), one(rng, &ROADS));
            let (number, floor) = (rng.random_range(1..300), rng.random_range(2..12));
            format!("{place}{road}{number}號{floor}樓")
        }
        ValueKind::Date => {
            let (year, month, day) = (
                rng.random_range(1945..2006),
                rng.random_range(1..13),
                rng.random_range(1..29),
            );
            format!("{year}-{month:02}-{day:02}")
        }
        ValueKind::Uuid => uuid(rng.random()),
    })
}

/// Version 4 of RFC 9562.
fn uuid(random: u128) -> String {
    let version = random & !(0xF << 76) | 0x4 << 76;
    let text = format!("{:032x}", version & !(0x3 << 62) | 0x2 << 62);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

fn usual(lengths: Lengths) -> usize {
    LENGTH_USUAL.clamp(lengths.min, lengths.max).into()
}

/// So many of these characters.
fn some<R: Rng + ?Sized>(rng: &mut R, of: &[u8], count: usize) -> String {
    let pick = |_| {
        char::from(
            of.get(rng.random_range(0..of.len()))
                .copied()
                .unwrap_or(b'0'),
        )
    };
    (0..count).map(pick).collect()
}

fn one<'a, R: Rng + ?Sized>(rng: &mut R, of: &[&'a str]) -> &'a str {
    of.get(rng.random_range(0..of.len()))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::model::Catalogue;

    const KINDS: [&str; 17] = [
        "digits",
        "alphanumeric",
        "tw-national-id",
        "tw-ui-number",
        "tw-ubn",
        "tw-mobile",
        "tw-nhi-card",
        "tw-passport",
        "tw-plate",
        "tw-mobile-barcode",
        "bank-account",
        "pan",
        "email",
        "name-zh",
        "address",
        "date",
        "uuid",
    ];

    fn class(kind: &str) -> DataClass {
        let text = format!(
            "levels = [\"public\"]\n[[class]]\nname = \"made\"\nlevel = \"public\"\nkind = \"{kind}\"\n\
             format = \"opaque\"\nmask = {{ keep_first = 0, keep_last = 0 }}\n[[domain]]\nname = \"d\"\n\
             classes = [\"made\"]\n"
        );
        Catalogue::parse(&text)
            .unwrap()
            .classes()
            .next()
            .unwrap()
            .clone()
    }

    #[test]
    fn of_every_kind_but_text_many_values_can_be_made_up() {
        let mut rng = StdRng::seed_from_u64(7);
        for kind in KINDS {
            let class = class(kind);
            let mut made: Vec<String> = (0..50)
                .map(|_| made_up(&class, &mut rng).unwrap().expose().to_owned())
                .collect();
            made.sort();
            made.dedup();
            assert!(made.len() > 45, "{kind}: {made:?}");
        }
        assert!(made_up(&class("text"), &mut rng).is_none());
    }
}
