//! The shapes of tokens, as a class names them: a word, or a table with the word and its options.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;

use super::written::word_or_table;

/// Longest token of a format whose length a class chooses, in characters.
pub const LENGTH_MAX: u8 = 64;
/// Shortest `zh` and `alphanumeric` tokens of a chosen length: below, their check says too little.
pub const LENGTH_MIN: u8 = 4;

/// The shape of a class's tokens. Closed: a new shape is a new variant with its documented space.
///
/// `policies/README.md` shows an example of each, its free space, and what tells it from a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// `jk1_` + 128 random bits + check characters.
    Opaque,
    /// Decimal digits. Never a value of the class's kind.
    Digits(Length),
    /// A capital letter, letters and digits, a check character.
    Alphanumeric(Length),
    /// Chinese characters of a published set that nobody uses; of a chosen length, the last checks.
    Zh(Length),
    /// Letters, digits, Chinese characters and fixed text in an order of one's own.
    Template(Template),
    /// A card number's digits with an invalid Luhn sum.
    Pan(Kept),
    /// The shape of a Taiwanese national ID whose second character no issuer assigns.
    TwNationalId,
    /// The shape of a UI number whose second character no issuer assigns.
    TwUiNumber(UiForm),
    /// Eight digits that fail the business number's rule of 2023, and so that of before.
    TwUbn,
    /// `09`, two letters, six digits.
    TwMobile,
    /// A letter, ten digits, a check character.
    TwNhiCard,
    /// Seven digits, two letters.
    TwPassport,
    /// `LLL-LLNN`: more letters than any plate has.
    TwPlate,
    /// A mobile barcode that begins with `*`.
    TwMobileBarcode,
    /// Three letters where the bank's code stands, ten digits, a check character.
    BankAccount,
    /// An address in the reserved domain `token.invalid` (RFC 6761).
    Email,
    /// Five characters of the published set, the last of which checks.
    NameZh,
    /// An address in `代碼縣`, which Taiwan does not have.
    Address,
    /// `YYYY-MM-DD` with months from 13 and days from 32 on.
    Date,
    /// A UUID of a variant and version that RFC 9562 does not define, with check digits.
    Uuid,
}

/// How long a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// So many characters.
    Fixed(u8),
    /// As many as the value's normal form.
    OfValue,
}

/// What a card token keeps of its value.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Nothing but the number of digits.
    Nothing,
    /// The first six: the issuer.
    #[serde(rename = "first-6")]
    First,
    /// The last four: what receipts show.
    #[serde(rename = "last-4")]
    Last,
    /// Both.
    #[default]
    #[serde(rename = "first-6-last-4")]
    FirstAndLast,
}

impl Kept {
    /// Digits kept at the start: 6 or 0.
    pub fn first(self) -> usize {
        match self {
            Self::First | Self::FirstAndLast => 6,
            Self::Last | Self::Nothing => 0,
        }
    }

    /// Digits kept at the end: 4 or 0.
    pub fn last(self) -> usize {
        match self {
            Self::Last | Self::FirstAndLast => 4,
            Self::First | Self::Nothing => 0,
        }
    }
}

/// The two forms of UI numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum UiForm {
    /// A letter and nine digits: since 2021.
    #[default]
    New,
    /// Two letters and eight digits: before, and valid until the end of 2030.
    Old,
}

/// An order of letters, digits, Chinese characters and fixed text: `LL-NNNN-漢漢`.
///
/// `L` is a capital letter, `N` a digit, `X` either, `漢` a character of the published set. What is
/// neither a letter nor a digit stands for itself; other text stands `'between quotes'`. `C`, at the
/// end, is a check character over the letters and digits before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    slots: Arc<[Slot]>,
}

/// One character of a template's tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slot {
    /// `A` to `Z`.
    Letter,
    /// `0` to `9`.
    Digit,
    /// Either.
    Alphanumeric,
    /// A character of the published set.
    Zh,
    /// This character.
    Fixed(char),
    /// The check character of ISO/IEC 7064, MOD 37,36: a digit or a letter, at the end.
    Check,
}

/// Why a format was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFormat {
    /// A template is not of its grammar.
    #[error(
        "a template is 1 to 64 of `L`, `N`, `X`, `漢`, signs, and other text 'between quotes', and `C` at \
        the end for a check character: for example `LL-NNNN-漢漢`"
    )]
    Template,
    /// A template has the look of another format's tokens.
    #[error(
        "a template may not hold `jk1_`, `@` or `代碼縣`, or be a UUID's: other formats are known by these"
    )]
    TemplateTaken,
    /// A length is out of bounds.
    #[error("`length` is \"same\" or a number of characters, from 4 to 64")]
    Length,
    /// The format needs an option.
    #[error("the format `{format}` needs `{option}`")]
    Missing {
        /// The format.
        format: &'static str,
        /// The option.
        option: &'static str,
    },
    /// The format does not know an option.
    #[error("the format `{format}` has no `{option}`")]
    Unknown {
        /// The format.
        format: &'static str,
        /// The option.
        option: &'static str,
    },
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, InvalidFormat> {
        // What another system folds on its way would not come back as it was issued.
        if !text.nfkc().eq(text.chars()) {
            return Err(InvalidFormat::Template);
        }
        let (mut slots, mut quoted) = (Vec::new(), false);
        for character in text.chars() {
            match character {
                '\'' => quoted = !quoted,
                _ if is_hidden(character) => return Err(InvalidFormat::Template),
                _ if quoted => slots.push(Slot::Fixed(character)),
                'L' => slots.push(Slot::Letter),
                'N' => slots.push(Slot::Digit),
                'X' => slots.push(Slot::Alphanumeric),
                '漢' => slots.push(Slot::Zh),
                'C' => slots.push(Slot::Check),
                _ if character.is_alphanumeric() || character.is_whitespace() => {
                    return Err(InvalidFormat::Template);
                }
                _ => slots.push(Slot::Fixed(character)),
            }
        }
        let early_check = slots.iter().rev().skip(1).any(|&slot| slot == Slot::Check);
        let fits = (1..=usize::from(LENGTH_MAX)).contains(&slots.len());
        if quoted || early_check || !fits {
            return Err(InvalidFormat::Template);
        }
        let fixed: String = slots
            .iter()
            .map(|slot| slot.fixed().unwrap_or('\n'))
            .collect();
        let taken = ["jk1_", "@", "代碼縣"]
            .iter()
            .any(|look| fixed.contains(look));
        let hyphens = [8, 13, 18, 23].map(|place| slots.get(place) == Some(&Slot::Fixed('-')));
        if taken || (slots.len() == 36 && hyphens == [true; 4]) {
            return Err(InvalidFormat::TemplateTaken);
        }
        Ok(Self {
            slots: slots.into(),
        })
    }

    /// Its characters, in order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

/// Whether a character is not seen, or changes how others are: controls, bidirectional marks, joiners,
/// variation selectors, tags.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

impl Slot {
    /// The character that always stands here.
    pub fn fixed(self) -> Option<char> {
        match self {
            Self::Fixed(character) => Some(character),
            _ => None,
        }
    }
}

impl Format {
    /// The word for it in `classes.toml`.
    pub fn name(&self) -> &'static str {
        Word::of(self).text()
    }
}

/// The formats' words, without their options.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Opaque,
    Digits,
    Alphanumeric,
    Zh,
    Template,
    Pan,
    TwNationalId,
    TwUiNumber,
    TwUbn,
    TwMobile,
    TwNhiCard,
    TwPassport,
    TwPlate,
    TwMobileBarcode,
    BankAccount,
    Email,
    NameZh,
    Address,
    Date,
    Uuid,
}

impl Word {
    fn of(format: &Format) -> Self {
        match format {
            Format::Opaque => Self::Opaque,
            Format::Digits(_) => Self::Digits,
            Format::Alphanumeric(_) => Self::Alphanumeric,
            Format::Zh(_) => Self::Zh,
            Format::Template(_) => Self::Template,
            Format::Pan(_) => Self::Pan,
            Format::TwNationalId => Self::TwNationalId,
            Format::TwUiNumber(_) => Self::TwUiNumber,
            Format::TwUbn => Self::TwUbn,
            Format::TwMobile => Self::TwMobile,
            Format::TwNhiCard => Self::TwNhiCard,
            Format::TwPassport => Self::TwPassport,
            Format::TwPlate => Self::TwPlate,
            Format::TwMobileBarcode => Self::TwMobileBarcode,
            Format::BankAccount => Self::BankAccount,
            Format::Email => Self::Email,
            Format::NameZh => Self::NameZh,
            Format::Address => Self::Address,
            Format::Date => Self::Date,
            Format::Uuid => Self::Uuid,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::Digits => "digits",
            Self::Alphanumeric => "alphanumeric",
            Self::Zh => "zh",
            Self::Template => "template",
            Self::Pan => "pan",
            Self::TwNationalId => "tw-national-id",
            Self::TwUiNumber => "tw-ui-number",
            Self::TwUbn => "tw-ubn",
            Self::TwMobile => "tw-mobile",
            Self::TwNhiCard => "tw-nhi-card",
            Self::TwPassport => "tw-passport",
            Self::TwPlate => "tw-plate",
            Self::TwMobileBarcode => "tw-mobile-barcode",
            Self::BankAccount => "bank-account",
            Self::Email => "email",
            Self::NameZh => "name-zh",
            Self::Address => "address",
            Self::Date => "date",
            Self::Uuid => "uuid",
        }
    }

    /// The option it has, if it has one.
    fn option(self) -> Option<&'static str> {
        match self {
            Self::Digits | Self::Alphanumeric | Self::Zh => Some("length"),
            Self::Template => Some("template"),
            Self::Pan => Some("keep"),
            Self::TwUiNumber => Some("form"),
            _ => None,
        }
    }
}

/// A format as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Word,
    length: Option<WrittenLength>,
    template: Option<String>,
    keep: Option<Kept>,
    form: Option<UiForm>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`length` is \"same\" or a number of characters, from 4 to 64"
)]
enum WrittenLength {
    Characters(u8),
    Word(Same),
}

#[derive(Deserialize)]
enum Same {
    #[serde(rename = "same")]
    Same,
}

impl Written {
    fn meant(self) -> Result<Format, InvalidFormat> {
        let name = self.name;
        let given = [
            ("length", self.length.is_some()),
            ("template", self.template.is_some()),
            ("keep", self.keep.is_some()),
            ("form", self.form.is_some()),
        ];
        let format = name.text();
        for (option, given) in given {
            if given && name.option() != Some(option) {
                return Err(InvalidFormat::Unknown { format, option });
            }
        }
        let missing = |option| InvalidFormat::Missing { format, option };
        let length = || length(self.length.as_ref().ok_or(missing("length"))?);
        Ok(match name {
            Word::Opaque => Format::Opaque,
            Word::Digits => Format::Digits(length()?),
            Word::Alphanumeric => Format::Alphanumeric(length()?),
            Word::Zh => Format::Zh(length()?),
            Word::Template => {
                let text = self.template.ok_or(missing("template"))?;
                Format::Template(Template::parse(&text)?)
            }
            Word::Pan => Format::Pan(self.keep.unwrap_or_default()),
            Word::TwNationalId => Format::TwNationalId,
            Word::TwUiNumber => Format::TwUiNumber(self.form.unwrap_or_default()),
            Word::TwUbn => Format::TwUbn,
            Word::TwMobile => Format::TwMobile,
            Word::TwNhiCard => Format::TwNhiCard,
            Word::TwPassport => Format::TwPassport,
            Word::TwPlate => Format::TwPlate,
            Word::TwMobileBarcode => Format::TwMobileBarcode,
            Word::BankAccount => Format::BankAccount,
            Word::Email => Format::Email,
            Word::NameZh => Format::NameZh,
            Word::Address => Format::Address,
            Word::Date => Format::Date,
            Word::Uuid => Format::Uuid,
        })
    }
}

fn length(written: &WrittenLength) -> Result<Length, InvalidFormat> {
    match *written {
        WrittenLength::Word(Same::Same) => Ok(Length::OfValue),
        WrittenLength::Characters(count) if (LENGTH_MIN..=LENGTH_MAX).contains(&count) => {
            Ok(Length::Fixed(count))
        }
        WrittenLength::Characters(_) => Err(InvalidFormat::Length),
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let expected = "a format's name, or a table with `name` and the format's option";
        let written: Written = word_or_table(input, expected)?;
        written.meant().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Line {
        format: Format,
    }

    fn read(text: &str) -> Result<Format, String> {
        let line: Result<Line, _> = toml::from_str(&format!("format = {text}"));
        line.map(|line| line.format)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_format_is_a_word_or_a_table_with_its_option() {
        assert_eq!(read("\"opaque\""), Ok(Format::Opaque));
        assert_eq!(read("\"pan\""), Ok(Format::Pan(Kept::FirstAndLast)));
        assert_eq!(
            read("{ name = \"pan\", keep = \"last-4\" }"),
            Ok(Format::Pan(Kept::Last))
        );
        assert_eq!(
            read("{ name = \"digits\", length = 12 }"),
            Ok(Format::Digits(Length::Fixed(12)))
        );
        assert_eq!(
            read("{ name = \"zh\", length = \"same\" }"),
            Ok(Format::Zh(Length::OfValue))
        );
        assert_eq!(
            read("{ name = \"tw-ui-number\", form = \"old\" }"),
            Ok(Format::TwUiNumber(UiForm::Old))
        );
    }

    #[test]
    fn every_word_reads_as_the_format_it_names() {
        let words = [
            "opaque",
            "pan",
            "tw-national-id",
            "tw-ui-number",
            "tw-ubn",
            "tw-mobile",
            "tw-nhi-card",
            "tw-passport",
            "tw-plate",
            "tw-mobile-barcode",
            "bank-account",
            "email",
            "name-zh",
            "address",
            "date",
            "uuid",
        ];
        for word in words {
            assert_eq!(read(&format!("\"{word}\"")).unwrap().name(), word);
        }
        for word in ["digits", "alphanumeric", "zh"] {
            let format = read(&format!("{{ name = \"{word}\", length = 12 }}")).unwrap();
            assert_eq!(format.name(), word);
            assert!(
                read(&format!("\"{word}\""))
                    .unwrap_err()
                    .contains("needs `length`")
            );
        }
    }

    #[test]
    fn an_option_of_another_format_is_refused() {
        for (text, says) in [
            (
                "{ name = \"opaque\", length = 9 }",
                "`opaque` has no `length`",
            ),
            (
                "{ name = \"pan\", template = \"N\" }",
                "`pan` has no `template`",
            ),
            ("{ name = \"template\" }", "needs `template`"),
            ("{ name = \"digits\", length = 3 }", "from 4 to 64"),
            ("{ name = \"digits\", length = 65 }", "from 4 to 64"),
            ("{ name = \"digits\", length = \"long\" }", "from 4 to 64"),
            ("{ name = \"digits\", size = 9 }", "unknown field `size`"),
            ("\"credit-card\"", "unknown variant `credit-card`"),
            ("7", "a format's name, or a table"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_template_is_read_character_by_character() {
        let template = Template::parse("LN-X漢'No'.").unwrap();
        let slots = [
            Slot::Letter,
            Slot::Digit,
            Slot::Fixed('-'),
            Slot::Alphanumeric,
            Slot::Zh,
            Slot::Fixed('N'),
            Slot::Fixed('o'),
            Slot::Fixed('.'),
        ];
        assert_eq!(template.slots(), slots);
        for bad in [
            "",
            "''",
            "A",
            "L 'x",
            "N N",
            "n",
            "L\u{0}",
            "字",
            "'\u{202e}'x",
            "N\u{200b}",
            "３",
            "'ＴＫ'NNN",
        ] {
            assert_eq!(
                Template::parse(bad),
                Err(InvalidFormat::Template),
                "{bad:?}"
            );
        }
        let checked = Template::parse("LNC").unwrap();
        assert_eq!(checked.slots(), [Slot::Letter, Slot::Digit, Slot::Check]);
        for early in ["CLN", "LCC", "LC-"] {
            assert_eq!(
                Template::parse(early),
                Err(InvalidFormat::Template),
                "{early}"
            );
        }
        assert!(Template::parse(&"N".repeat(64)).is_ok());
        assert_eq!(
            Template::parse(&"N".repeat(65)),
            Err(InvalidFormat::Template)
        );
        for taken in [
            "'jk1_'NNNN",
            "NN@'token.invalid'",
            "'代碼縣'漢漢",
            "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX",
        ] {
            assert_eq!(
                Template::parse(taken),
                Err(InvalidFormat::TemplateTaken),
                "{taken}"
            );
        }
    }
}
