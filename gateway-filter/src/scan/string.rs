//! Owns the string grammar of RFC 8259 §7: checks a literal, and resolves the escapes of one that
//! was checked.

use super::Fault;
use super::read::{Stopped, stopped, unexpected};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A literal from its opening quote at `at` to behind its closing one; and whether it has escapes.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<(usize, bool), Stopped> {
    let end = run(bytes, at + 1);
    if bytes.get(end) == Some(&b'"') {
        return Ok((end + 1, false));
    }
    Ok((escaped(bytes, end)?, true))
}

/// On from the first byte that is not plain to behind the closing quote.
#[inline(never)]
fn escaped(bytes: &[u8], mut at: usize) -> Result<usize, Stopped> {
    loop {
        match bytes.get(at) {
            Some(b'\\') => at = run(bytes, escape(bytes, at + 1)?),
            Some(b'"') => return Ok(at + 1),
            Some(_) => return Err(stopped(at, Fault::Control)),
            None => return Err(stopped(at, Fault::Truncated)),
        }
    }
}

/// Up to the next quote, backslash or control character, eight bytes at a time; or to the end.
#[inline]
fn run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at)
        && !matches!(byte, b'"' | b'\\' | ..0x20)
    {
        at += 1;
    }
    at
}

fn escape(bytes: &[u8], at: usize) -> Result<usize, Stopped> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => unicode(bytes, at + 1),
        _ => Err(unexpected(bytes, at, Fault::Escape)),
    }
}

fn unicode(bytes: &[u8], at: usize) -> Result<usize, Stopped> {
    let at = match hex4(bytes, at)? {
        (0xD800..=0xDBFF, at) => at,
        (0xDC00..=0xDFFF, at) => return Err(stopped(at, Fault::LoneSurrogate)),
        (_, at) => return Ok(at),
    };
    let at = wanted(bytes, at, b'\\')?;
    let at = wanted(bytes, at, b'u')?;
    match hex4(bytes, at)? {
        (0xDC00..=0xDFFF, at) => Ok(at),
        (_, at) => Err(stopped(at, Fault::LoneSurrogate)),
    }
}

/// A byte of the second half of a surrogate pair.
fn wanted(bytes: &[u8], at: usize, byte: u8) -> Result<usize, Stopped> {
    if bytes.get(at) == Some(&byte) {
        Ok(at + 1)
    } else {
        Err(unexpected(bytes, at, Fault::LoneSurrogate))
    }
}

fn hex4(bytes: &[u8], start: usize) -> Result<(u32, usize), Stopped> {
    let mut code = 0;
    for at in start..start + 4 {
        let digit = bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16));
        code = code * 16 + digit.ok_or_else(|| unexpected(bytes, at, Fault::Escape))?;
    }
    Ok((code, start + 4))
}

/// The high bit of each byte that ends a run; the lowest of them is exact.
#[inline]
fn stops(word: u64) -> u64 {
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_in(word ^ (ONES * 0x22));
    let backslash = zero_in(word ^ (ONES * 0x5C));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

/// The text of a literal that was checked, its quotes taken off.
pub(super) fn resolved(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, after)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut letters = after.chars();
        match letters.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (scalar, after) = scalar(letters.as_str());
                text.push(scalar);
                rest = after;
                continue;
            }
            Some(same) => text.push(same),
            None => {}
        }
        rest = letters.as_str();
    }
    text.push_str(rest);
    text
}

/// What `XXXX` or `XXXX\uXXXX` names, and what follows it.
fn scalar(digits: &str) -> (char, &str) {
    let unit = |from: &str| {
        from.get(..4)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
    };
    let first = unit(digits).unwrap_or_default();
    let rest = digits.get(4..).unwrap_or_default();
    if (0xD800..=0xDBFF).contains(&first) {
        let low = rest.get(2..).and_then(unit).unwrap_or(0xDC00);
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (low.saturating_sub(0xDC00));
        let after = rest.get(6..).unwrap_or_default();
        return (char::from_u32(code).unwrap_or_default(), after);
    }
    (char::from_u32(first).unwrap_or_default(), rest)
}
