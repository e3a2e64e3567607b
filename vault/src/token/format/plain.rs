//! Formats whose length or order a class chooses. What they may be taken for depends on its kind.

use rand::TryCryptoRng;

use super::look::{End, Look};
use crate::model::{DataClass, Format, Length, Lengths, Slot, Template, ValueKind};
use crate::token::check_digit::ALPHANUMERIC;
use crate::token::draw::{DIGITS, TRIES_MAX};
use crate::token::shape::{self, CAPITALS, Part};
use crate::token::{Space, TokenError, value};

/// Business numbers that pass the rule of 2023, of 100,000,000.
pub(in crate::token) const UBNS: u128 = 22_000_000;

/// Draws a token of `length` characters that is no value of the class's kind.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(
    class: &DataClass,
    length: usize,
    rng: &mut R,
) -> Result<String, TokenError> {
    let (shape, end) = look(&class.format, length).ok_or(TokenError::NoRandomness)?;
    let look = Look { shape: &shape, end };
    for _ in 0..TRIES_MAX {
        let text = look.draw(rng)?;
        // INVARIANT 4: what could be a value is drawn anew; the rest stays uniform.
        if !is_real(class.kind, &text) {
            return Ok(text);
        }
    }
    Err(TokenError::NoRandomness)
}

/// Whether `text` could be a token of the class.
pub(super) fn is_token(class: &DataClass, text: &str) -> bool {
    let count = text.chars().count();
    let length = match chosen(&class.format) {
        Some(Length::Fixed(length)) => usize::from(length),
        Some(Length::OfValue) => count,
        None => 0,
    };
    look(&class.format, length).is_some_and(|(shape, end)| {
        Look { shape: &shape, end }.is_of(text) && !is_real(class.kind, text)
    })
}

/// How many tokens of `length` characters there are; `None` if they may look like values.
pub(super) fn space(kind: ValueKind, format: &Format, length: usize) -> Option<Space> {
    let taken = values_among(kind, format, length)?;
    let (shape, _) = look(format, length)?;
    Some(shape::space(&shape).without(taken))
}

/// The length that a class chose.
pub(super) fn chosen(format: &Format) -> Option<Length> {
    match format {
        Format::Digits(length) | Format::Alphanumeric(length) | Format::Zh(length) => Some(*length),
        _ => None,
    }
}

/// Free text is whatever one writes: there, a mark tells tokens ([`is_marked`]), or nothing does.
fn is_real(kind: ValueKind, text: &str) -> bool {
    kind != ValueKind::Text && value::is_real(kind, text)
}

fn look(format: &Format, length: usize) -> Option<(Vec<Part>, End)> {
    match format {
        Format::Digits(_) => Some((vec![Part::Of(DIGITS, length)], End::Bare)),
        Format::Alphanumeric(_) => {
            // A letter first: no program takes it for a number.
            let rest = length.checked_sub(2)?;
            let shape = vec![Part::Of(CAPITALS, 1), Part::Of(ALPHANUMERIC, rest)];
            Some((shape, End::Iso7064))
        }
        Format::Zh(Length::Fixed(_)) => {
            let drawn = length.checked_sub(1)?;
            Some((vec![Part::Zh(drawn)], End::Zh("")))
        }
        // As short as a name may be, there is no room for a check.
        Format::Zh(Length::OfValue) => Some((vec![Part::Zh(length)], End::Bare)),
        Format::Template(template) => {
            let checked = template.slots().last() == Some(&Slot::Check);
            let end = if checked { End::Iso7064 } else { End::Bare };
            Some((shape::of_template(template), end))
        }
        _ => None,
    }
}

/// How many texts of the format are values of the kind; `None` if it can't be told, or all are.
fn values_among(kind: ValueKind, format: &Format, length: usize) -> Option<u128> {
    match format {
        Format::Digits(_) => values_among_digits(kind, length),
        Format::Alphanumeric(_) => {
            let like = match kind {
                ValueKind::Text => true,
                ValueKind::Alphanumeric(lengths) => holds(lengths, length),
                ValueKind::TwNationalId | ValueKind::TwUiNumber => length == 10,
                ValueKind::TwPlate => (4..=7).contains(&length),
                ValueKind::Uuid => length == 32,
                _ => false,
            };
            (!like).then_some(0)
        }
        // What is checked, no kind takes (`value::check`); names of the set alone are none either.
        Format::Zh(Length::Fixed(_)) => Some(0),
        Format::Zh(Length::OfValue) => (kind != ValueKind::Text).then_some(0),
        Format::Template(template) => (!may_spell(template, kind)).then_some(0),
        _ => None,
    }
}

fn values_among_digits(kind: ValueKind, length: usize) -> Option<u128> {
    let unless = |all: bool| (!all).then_some(0);
    match kind {
        ValueKind::Text => None,
        ValueKind::Digits(lengths) | ValueKind::Alphanumeric(lengths) => {
            unless(holds(lengths, length))
        }
        // One digit follows from the others.
        ValueKind::Pan if (12..=19).contains(&length) => {
            10_u128.checked_pow(u32::try_from(length - 1).ok()?)
        }
        ValueKind::TwUbn if length == 8 => Some(UBNS),
        ValueKind::TwMobile if length == 10 => Some(100_000_000),
        ValueKind::TwNhiCard => unless(length == 12),
        ValueKind::TwPassport => unless(length == 9),
        ValueKind::BankAccount => unless((10..=19).contains(&length)),
        ValueKind::Date => unless((7..=8).contains(&length)),
        ValueKind::Uuid => unless(length == 32),
        ValueKind::Pan
        | ValueKind::TwUbn
        | ValueKind::TwMobile
        | ValueKind::TwNationalId
        | ValueKind::TwUiNumber
        | ValueKind::TwPlate
        | ValueKind::TwMobileBarcode
        | ValueKind::Email
        | ValueKind::NameZh
        | ValueKind::Address => Some(0),
    }
}

fn holds(lengths: Lengths, length: usize) -> bool {
    (usize::from(lengths.min)..=usize::from(lengths.max)).contains(&length)
}

/// Whether a text of the template could be a value of the kind. Says yes where it is not sure.
fn may_spell(template: &Template, kind: ValueKind) -> bool {
    let slots = template.slots();
    // Kinds of numbers pass over these two.
    let kept: Vec<Slot> = slots
        .iter()
        .copied()
        .filter(|slot| !matches!(slot.fixed(), Some(' ' | '-')))
        .collect();
    let count = kept.len();
    let digits = kept.iter().all(|&slot| may_be_digit(slot));
    let letters = kept
        .iter()
        .all(|&slot| may_be_letter(slot) || may_be_digit(slot));
    match kind {
        ValueKind::Text => !is_marked(template),
        ValueKind::Digits(lengths) => digits && holds(lengths, count),
        ValueKind::Alphanumeric(lengths) => letters && holds(lengths, count),
        ValueKind::TwNationalId | ValueKind::TwUiNumber => letters && count == 10,
        ValueKind::TwUbn => digits && count == 8,
        ValueKind::TwMobile => kept.iter().skip(1).all(|&slot| may_be_digit(slot)),
        ValueKind::TwNhiCard => digits && count == 12,
        ValueKind::TwPassport => digits && count == 9,
        ValueKind::TwPlate => letters && (4..=7).contains(&count),
        ValueKind::TwMobileBarcode => slots.first() == Some(&Slot::Fixed('/')),
        ValueKind::BankAccount => digits && (10..=19).contains(&count),
        ValueKind::Pan => digits && (12..=19).contains(&count),
        // No template holds `@`.
        ValueKind::Email => false,
        ValueKind::NameZh | ValueKind::Address => slots
            .iter()
            .any(|slot| slot.fixed().is_some_and(|sign| !sign.is_ascii())),
        ValueKind::Date => !slots.contains(&Slot::Zh) && !slots.contains(&Slot::Letter),
        ValueKind::Uuid => !slots.contains(&Slot::Zh) && slots.len() >= 32,
    }
}

fn may_be_digit(slot: Slot) -> bool {
    match slot {
        Slot::Digit | Slot::Alphanumeric | Slot::Check => true,
        Slot::Letter | Slot::Zh => false,
        Slot::Fixed(sign) => sign.is_ascii_digit(),
    }
}

fn may_be_letter(slot: Slot) -> bool {
    match slot {
        Slot::Letter | Slot::Alphanumeric | Slot::Check => true,
        Slot::Digit | Slot::Zh => false,
        Slot::Fixed(sign) => sign.is_ascii_alphabetic(),
    }
}

/// Whether a template tells its tokens from what people write: two characters of the published
/// set, or two letters or digits of fixed text side by side.
fn is_marked(template: &Template) -> bool {
    let slots = template.slots();
    let set = slots.iter().filter(|&&slot| slot == Slot::Zh).count();
    let fixed = |slot: &Slot| slot.fixed().is_some_and(char::is_alphanumeric);
    set >= 2 || slots.windows(2).any(|pair| pair.iter().all(fixed))
}
