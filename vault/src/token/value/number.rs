//! Values that are numbers or codes: their characters, their assigned beginnings, their check digits.

use zeroize::Zeroizing;

use crate::model::Lengths;
use crate::token::ValueFault;
use crate::token::check_digit;

type Checked = Result<(), ValueFault>;

pub(super) fn without_separators(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    kept.extend(text.chars().filter(|c| !matches!(c, ' ' | '-')));
    kept
}

pub(super) fn national_mobile(number: String) -> String {
    let number = Zeroizing::new(number);
    match number.strip_prefix("+886") {
        Some(rest) => ["0", rest].concat(),
        None => number.to_string(),
    }
}

/// RFC 9562 §4: 32 digits in five groups, in lower case; also as a URN, in braces, without hyphens.
pub(super) fn hyphenated_uuid(text: &str) -> String {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let bare = lower.strip_prefix("urn:uuid:").unwrap_or(&lower);
    let bare = bare
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(bare);
    if bare.len() != 32 || !bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return bare.to_owned();
    }
    let mut text = String::with_capacity(36);
    for (at, digit) in bare.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

pub(super) fn check_digits(text: &str, lengths: Lengths) -> Checked {
    length(text, lengths)?;
    all(text, |byte| byte.is_ascii_digit())
}

pub(super) fn check_alphanumeric(text: &str, lengths: Lengths) -> Checked {
    length(text, lengths)?;
    all(text, |byte| {
        byte.is_ascii_digit() || byte.is_ascii_uppercase()
    })
}

/// `assigned`: second characters that are. 1, 2: citizens. 8, 9: residents since 2021. A to D:
/// residents before, valid until 2030.
pub(super) fn check_id(text: &str, assigned: &[u8]) -> Checked {
    length(text, Lengths { min: 10, max: 10 })?;
    all(text, |byte| {
        byte.is_ascii_digit() || byte.is_ascii_uppercase()
    })?;
    let sum = check_digit::tw_id(text.as_bytes()).ok_or(ValueFault::Character)?;
    let second = text.as_bytes().get(1);
    if !second.is_some_and(|second| assigned.contains(second)) {
        Err(ValueFault::Unassigned)
    } else if sum == 0 {
        Ok(())
    } else {
        Err(ValueFault::CheckDigit)
    }
}

pub(super) fn check_ubn(text: &str) -> Checked {
    check_digits(text, Lengths { min: 8, max: 8 })?;
    match check_digit::ubn(text.as_bytes(), 5) {
        Some(true) => Ok(()),
        _ => Err(ValueFault::CheckDigit),
    }
}

pub(super) fn check_mobile(text: &str) -> Checked {
    check_digits(text, Lengths { min: 10, max: 10 })?;
    if text.starts_with("09") {
        Ok(())
    } else {
        Err(ValueFault::Unassigned)
    }
}

pub(super) fn check_pan(text: &str) -> Checked {
    check_digits(text, Lengths { min: 12, max: 19 })?;
    match check_digit::luhn(text.as_bytes()) {
        Some(0) => Ok(()),
        _ => Err(ValueFault::CheckDigit),
    }
}

pub(super) fn check_barcode(text: &str) -> Checked {
    length(text, Lengths { min: 8, max: 8 })?;
    let code = text.strip_prefix('/').ok_or(ValueFault::Character)?;
    all(code, |byte| {
        byte.is_ascii_digit() || byte.is_ascii_uppercase() || b".+-".contains(&byte)
    })
}

/// Since 2012: three letters without `I` and `O`, four digits without 4 (motorcycles too). Before:
/// two to four characters on each side, one side digits, the other with a letter; where the hyphen
/// stood is not kept.
pub(super) fn check_plate(text: &str) -> Checked {
    length(text, Lengths { min: 4, max: 7 })?;
    all(text, |byte| {
        byte.is_ascii_digit() || byte.is_ascii_uppercase()
    })?;
    let bytes = text.as_bytes();
    let letters = bytes
        .iter()
        .filter(|byte| byte.is_ascii_uppercase())
        .count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if bytes.len() < 7 {
        // One side is digits alone, of which there are two or more at one end.
        let leading = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let trailing = bytes
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let sides = leading.max(trailing) >= 2;
        return if sides && (1..=3).contains(&letters) {
            Ok(())
        } else {
            Err(ValueFault::Character)
        };
    }
    let (head, tail) = bytes.split_at(3);
    if letters != 3 || digits != 4 || !head.iter().all(u8::is_ascii_uppercase) {
        return Err(ValueFault::Character);
    }
    if head.iter().any(|byte| b"IO".contains(byte)) || tail.contains(&b'4') {
        return Err(ValueFault::Unassigned);
    }
    Ok(())
}

/// RFC 9562 §4.1 and §4.2: the variant of the standard, versions that it defines.
pub(super) fn check_uuid(text: &str) -> Checked {
    length(text, Lengths { min: 36, max: 36 })?;
    for (at, byte) in text.bytes().enumerate() {
        let hyphen = matches!(at, 8 | 13 | 18 | 23);
        if hyphen != (byte == b'-') || !(hyphen || byte.is_ascii_hexdigit()) {
            return Err(ValueFault::Character);
        }
    }
    let at = |place: usize| text.as_bytes().get(place).copied().unwrap_or_default();
    let version = (b'1'..=b'8').contains(&at(14));
    let variant = b"89ab".contains(&at(19));
    if version && variant {
        Ok(())
    } else {
        Err(ValueFault::Unassigned)
    }
}

fn length(text: &str, lengths: Lengths) -> Checked {
    let count = text.chars().count();
    if (usize::from(lengths.min)..=usize::from(lengths.max)).contains(&count) {
        Ok(())
    } else {
        Err(ValueFault::Length)
    }
}

fn all(text: &str, belongs: impl Fn(u8) -> bool) -> Checked {
    if text.bytes().all(belongs) {
        Ok(())
    } else {
        Err(ValueFault::Character)
    }
}
