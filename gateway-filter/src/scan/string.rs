//! Owns the string grammar of RFC 8259 §7: checks a literal, and resolves the escapes of one that
//! was checked.

use super::{Fault, Scanner};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

impl Scanner<'_, '_> {
    /// A literal from its opening quote to its closing one; yields whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        self.run()?;
        if self.eat(b'"') {
            return Ok(false);
        }
        while self.eat(b'\\') {
            self.escape()?;
            self.run()?;
        }
        self.at += 1;
        Ok(true)
    }

    /// Up to the next quote or backslash, eight bytes at a time.
    #[inline]
    fn run(&mut self) -> Result<(), Fault> {
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*chunk));
            if stops == 0 {
                self.at += 8;
                continue;
            }
            self.at += (stops.trailing_zeros() / 8) as usize;
            break;
        }
        loop {
            match self.peek().ok_or(Fault::Truncated)? {
                b'"' | b'\\' => return Ok(()),
                0..=0x1F => return Err(Fault::Control),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.peek().ok_or(Fault::Truncated)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                self.at += 1;
                self.unicode()
            }
            _ => Err(Fault::Escape),
        }
    }

    fn unicode(&mut self) -> Result<(), Fault> {
        match self.hex4()? {
            0xD800..=0xDBFF => {}
            0xDC00..=0xDFFF => return Err(Fault::LoneSurrogate),
            _ => return Ok(()),
        }
        if !(self.eat(b'\\') && self.eat(b'u')) {
            return Err(self.unexpected(Fault::LoneSurrogate));
        }
        match self.hex4()? {
            0xDC00..=0xDFFF => Ok(()),
            _ => Err(Fault::LoneSurrogate),
        }
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.peek().ok_or(Fault::Truncated)?;
            let digit = char::from(byte).to_digit(16).ok_or(Fault::Escape)?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
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
