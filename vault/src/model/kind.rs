//! What a class's values must be: a word, or a table with the word and the lengths it allows.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::written::word_or_table;

/// What a class's values must be.
///
/// `token::accept` checks it; `policies/README.md` says what each kind takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// So many decimal digits.
    Digits(Lengths),
    /// So many letters `A` to `Z` and digits.
    Alphanumeric(Lengths),
    /// National ID or UI number (new or old form) with a right check digit.
    TwNationalId,
    /// UI number (new or old form) with a right check digit.
    TwUiNumber,
    /// Business number by the rule of 2023: its sum divides by 5.
    TwUbn,
    /// Mobile number, `09xxxxxxxx` or `+8869xxxxxxxx`.
    TwMobile,
    /// Card number of the health insurance: 12 digits; no public check digit is known.
    TwNhiCard,
    /// Passport number: 9 digits.
    TwPassport,
    /// Vehicle plate of the form since 2012 (`ABC-1235`), or of those before.
    TwPlate,
    /// Mobile barcode of electronic invoices: `/` and 7 of `0-9A-Z.+-`.
    TwMobileBarcode,
    /// Three digits for the bank and 7 to 16 for the account; banks share no check digit.
    BankAccount,
    /// 12 to 19 digits with a right Luhn digit.
    Pan,
    /// Something with one `@` and a host.
    Email,
    /// Chinese name: 2 to 40 Chinese characters and `‧`.
    NameZh,
    /// Address in one of Taiwan's 22 counties and cities.
    Address,
    /// Day of the Gregorian or the ROC calendar, 1850 to 2199.
    Date,
    /// UUID of RFC 9562, version 1 to 8.
    Uuid,
}

/// How many characters a value may have, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lengths {
    /// The least.
    pub min: u8,
    /// The most.
    pub max: u8,
}

impl Lengths {
    /// Any number up to 64.
    pub const ANY: Self = Self { min: 1, max: 64 };
}

impl ValueKind {
    /// The word for it in `classes.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Digits(_) => "digits",
            Self::Alphanumeric(_) => "alphanumeric",
            Self::TwNationalId => "tw-national-id",
            Self::TwUiNumber => "tw-ui-number",
            Self::TwUbn => "tw-ubn",
            Self::TwMobile => "tw-mobile",
            Self::TwNhiCard => "tw-nhi-card",
            Self::TwPassport => "tw-passport",
            Self::TwPlate => "tw-plate",
            Self::TwMobileBarcode => "tw-mobile-barcode",
            Self::BankAccount => "bank-account",
            Self::Pan => "pan",
            Self::Email => "email",
            Self::NameZh => "name-zh",
            Self::Address => "address",
            Self::Date => "date",
            Self::Uuid => "uuid",
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Text,
    Digits,
    Alphanumeric,
    TwNationalId,
    TwUiNumber,
    TwUbn,
    TwMobile,
    TwNhiCard,
    TwPassport,
    TwPlate,
    TwMobileBarcode,
    BankAccount,
    Pan,
    Email,
    NameZh,
    Address,
    Date,
    Uuid,
}

/// A kind as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Word,
    min: Option<u8>,
    max: Option<u8>,
}

impl Written {
    fn meant(&self) -> Result<ValueKind, &'static str> {
        let lengths = Lengths {
            min: self.min.unwrap_or(Lengths::ANY.min),
            max: self.max.unwrap_or(Lengths::ANY.max),
        };
        let sound =
            0 < lengths.min && lengths.min <= lengths.max && lengths.max <= Lengths::ANY.max;
        if !sound {
            return Err("`min` and `max` are numbers of characters, from 1 to 64, in this order");
        }
        let kind = match self.name {
            Word::Digits => return Ok(ValueKind::Digits(lengths)),
            Word::Alphanumeric => return Ok(ValueKind::Alphanumeric(lengths)),
            Word::Text => ValueKind::Text,
            Word::TwNationalId => ValueKind::TwNationalId,
            Word::TwUiNumber => ValueKind::TwUiNumber,
            Word::TwUbn => ValueKind::TwUbn,
            Word::TwMobile => ValueKind::TwMobile,
            Word::TwNhiCard => ValueKind::TwNhiCard,
            Word::TwPassport => ValueKind::TwPassport,
            Word::TwPlate => ValueKind::TwPlate,
            Word::TwMobileBarcode => ValueKind::TwMobileBarcode,
            Word::BankAccount => ValueKind::BankAccount,
            Word::Pan => ValueKind::Pan,
            Word::Email => ValueKind::Email,
            Word::NameZh => ValueKind::NameZh,
            Word::Address => ValueKind::Address,
            Word::Date => ValueKind::Date,
            Word::Uuid => ValueKind::Uuid,
        };
        if self.min.is_some() || self.max.is_some() {
            return Err("only the kinds `digits` and `alphanumeric` have `min` and `max`");
        }
        Ok(kind)
    }
}

impl<'de> Deserialize<'de> for ValueKind {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let expected = "a kind's name, or a table with `name`, `min` and `max`";
        let written: Written = word_or_table(input, expected)?;
        written.meant().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Line {
        kind: ValueKind,
    }

    fn read(text: &str) -> Result<ValueKind, String> {
        let line: Result<Line, _> = toml::from_str(&format!("kind = {text}"));
        line.map(|line| line.kind)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_word_reads_as_the_kind_it_names() {
        for word in [
            "text",
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
        ] {
            assert_eq!(read(&format!("\"{word}\"")).unwrap().name(), word);
        }
    }

    #[test]
    fn lengths_belong_to_digits_and_letters() {
        let lengths = Lengths { min: 8, max: 10 };
        assert_eq!(
            read("{ name = \"digits\", min = 8, max = 10 }"),
            Ok(ValueKind::Digits(lengths))
        );
        assert_eq!(read("\"digits\""), Ok(ValueKind::Digits(Lengths::ANY)));
        for (text, says) in [
            ("{ name = \"digits\", min = 9, max = 8 }", "in this order"),
            ("{ name = \"digits\", min = 0 }", "from 1 to 64"),
            ("{ name = \"digits\", max = 65 }", "from 1 to 64"),
            ("{ name = \"text\", max = 9 }", "only the kinds"),
            ("\"shoe-size\"", "unknown variant `shoe-size`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
