//! Formats that are one shape with or without a check at the end: the look of each, and why no real
//! value has it.

use rand::TryCryptoRng;
use ring::digest;

use crate::model::Format;
use crate::token::check_digit;
use crate::token::draw::DIGITS;
use crate::token::shape::{self, PLAIN_LETTERS, Part};
use crate::token::{Space, TokenError, zh};

const HEX: &[u8; 16] = b"0123456789abcdef";
/// What a mobile barcode is written in: Code 39 without space, `$`, `/` and `%`.
const BARCODE: &[u8; 39] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.+-";

/// A shape, and what ends it.
#[derive(Clone, Copy)]
pub(in crate::token) struct Look<'a> {
    pub(in crate::token) shape: &'a [Part],
    pub(in crate::token) end: End,
}

/// What follows a shape: nothing that adds to the free space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::token) enum End {
    /// Nothing.
    Bare,
    /// The check character of ISO/IEC 7064, MOD 37,36.
    Iso7064,
    /// The check character of the published set over the characters of the set, and this text.
    Zh(&'static str),
    /// Four hexadecimal digits of the SHA-256 of what stands before.
    Digest,
}

/// Two letters where a number has digits. A dialler that drops letters is left with two digits too few;
/// libphonenumber takes letters for digits from three on.
const TW_MOBILE: Look<'_> = Look {
    shape: &[
        Part::Text("09"),
        Part::Of(PLAIN_LETTERS, 2),
        Part::Of(DIGITS, 6),
    ],
    end: End::Bare,
};

/// A letter before the serial number, which has digits only.
const TW_NHI_CARD: Look<'_> = Look {
    shape: &[Part::Of(PLAIN_LETTERS, 1), Part::Of(DIGITS, 10)],
    end: End::Iso7064,
};

/// Taiwan's have digits only; those of other states that hold letters begin with them, or have them
/// in the middle.
const TW_PASSPORT: Look<'_> = Look {
    shape: &[Part::Of(DIGITS, 7), Part::Of(PLAIN_LETTERS, 2)],
    end: End::Bare,
};

/// Five letters; plates have three at the most.
const TW_PLATE: Look<'_> = Look {
    shape: &[
        Part::Of(PLAIN_LETTERS, 3),
        Part::Sign('-'),
        Part::Of(PLAIN_LETTERS, 2),
        Part::Of(DIGITS, 2),
    ],
    end: End::Bare,
};

/// `*` where each real one has `/`: Code 39 keeps `*` for its ends, and no scanner hands it out.
const TW_MOBILE_BARCODE: Look<'_> = Look {
    shape: &[Part::Sign('*'), Part::Of(BARCODE, 7)],
    end: End::Bare,
};

/// Letters where the bank's three digits stand.
const BANK_ACCOUNT: Look<'_> = Look {
    shape: &[
        Part::Of(PLAIN_LETTERS, 3),
        Part::Sign('-'),
        Part::Of(DIGITS, 10),
    ],
    end: End::Iso7064,
};

/// Five characters that nobody is called by, of which one checks the others.
const NAME_ZH: Look<'_> = Look {
    shape: &[Part::Zh(4)],
    end: End::Zh(""),
};

/// A county that Taiwan does not have.
const ADDRESS: Look<'_> = Look {
    shape: &[Part::Text("代碼縣"), Part::Zh(7)],
    end: End::Zh("號"),
};

/// No order of year, month and day makes a date of it: no day reaches 32, no month 13.
const DATE: Look<'_> = Look {
    shape: &[
        Part::Of(DIGITS, 4),
        Part::Sign('-'),
        Part::From(13),
        Part::Sign('-'),
        Part::From(32),
    ],
    end: End::Bare,
};

/// RFC 9562 §4.1: variant `111x` is reserved for future definition; §4.2: version 15 too.
const UUID: Look<'_> = Look {
    shape: &[
        Part::Of(HEX, 8),
        Part::Sign('-'),
        Part::Of(HEX, 4),
        Part::Text("-f"),
        Part::Of(HEX, 3),
        Part::Text("-e"),
        Part::Of(HEX, 3),
        Part::Sign('-'),
        Part::Of(HEX, 8),
    ],
    end: End::Digest,
};

const ALL: [Look<'_>; 10] = [
    TW_MOBILE,
    TW_NHI_CARD,
    TW_PASSPORT,
    TW_PLATE,
    TW_MOBILE_BARCODE,
    BANK_ACCOUNT,
    NAME_ZH,
    ADDRESS,
    DATE,
    UUID,
];

/// The look of a format that is one.
pub(super) fn of(format: &Format) -> Option<Look<'static>> {
    match format {
        Format::TwMobile => Some(TW_MOBILE),
        Format::TwNhiCard => Some(TW_NHI_CARD),
        Format::TwPassport => Some(TW_PASSPORT),
        Format::TwPlate => Some(TW_PLATE),
        Format::TwMobileBarcode => Some(TW_MOBILE_BARCODE),
        Format::BankAccount => Some(BANK_ACCOUNT),
        Format::NameZh => Some(NAME_ZH),
        Format::Address => Some(ADDRESS),
        Format::Date => Some(DATE),
        Format::Uuid => Some(UUID),
        Format::Opaque
        | Format::Digits(_)
        | Format::Alphanumeric(_)
        | Format::Zh(_)
        | Format::Template(_)
        | Format::Pan(_)
        | Format::TwNationalId
        | Format::TwUiNumber(_)
        | Format::TwUbn
        | Format::Email => None,
    }
}

/// Whether `text` has one of these looks.
pub(super) fn is_any(text: &str) -> bool {
    ALL.iter().any(|look| look.is_of(text))
}

/// Whether `text` has a look that nobody writes by chance.
pub(super) fn is_self_evident(text: &str) -> bool {
    ADDRESS.is_of(text) || UUID.is_of(text)
}

/// Whether `text` is what a typing error made of an address or UUID token.
pub(super) fn is_mistyped(text: &str) -> bool {
    let address = text.starts_with("代碼縣") && !ADDRESS.is_of(text);
    let cut = text.len().checked_sub(UUID.end.characters());
    let before = cut.and_then(|at| text.get(..at));
    address
        || (before.is_some_and(|before| shape::matches(UUID.shape, before)) && !UUID.is_of(text))
}

impl Look<'_> {
    /// Draws a text of this look.
    pub(in crate::token) fn draw<R: TryCryptoRng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<String, TokenError> {
        let mut text = shape::draw(self.shape, rng)?;
        let check = self.end.check(&text).ok_or(TokenError::NoRandomness)?;
        text.push_str(&check);
        text.push_str(self.end.closing());
        Ok(text)
    }

    /// Whether `text` has this look, check and all.
    pub(in crate::token) fn is_of(&self, text: &str) -> bool {
        let Some(open) = text.strip_suffix(self.end.closing()) else {
            return false;
        };
        let characters = self.end.characters();
        let cut = open.char_indices().rev().take(characters).last();
        let at = cut.map_or(open.len(), |(at, _)| at);
        let (before, check) = open.split_at(at);
        shape::matches(self.shape, before) && self.end.check(before).as_deref() == Some(check)
    }

    /// How many texts have this look.
    pub(in crate::token) fn space(&self) -> Space {
        shape::space(self.shape)
    }
}

impl End {
    fn check(self, text: &str) -> Option<String> {
        match self {
            Self::Bare => Some(String::new()),
            Self::Iso7064 => Some(check_digit::iso_7064(text).into()),
            Self::Zh(_) => {
                let start = text.find(|c| zh::place(c).is_some())?;
                zh::check(&text[start..]).map(String::from)
            }
            Self::Digest => {
                let hash = digest::digest(&digest::SHA256, text.as_bytes());
                let hex = |byte: &u8| [byte >> 4, byte & 15].map(|four| HEX[usize::from(four)]);
                let digits = hash.as_ref().iter().take(2).flat_map(hex);
                Some(digits.map(char::from).collect())
            }
        }
    }

    fn characters(self) -> usize {
        match self {
            Self::Bare => 0,
            Self::Iso7064 | Self::Zh(_) => 1,
            Self::Digest => 4,
        }
    }

    fn closing(self) -> &'static str {
        match self {
            Self::Zh(closing) => closing,
            Self::Bare | Self::Iso7064 | Self::Digest => "",
        }
    }
}
