//! Owns the string grammar of RFC 8259 §7: checks a literal and resolves its escapes in one go.

use std::borrow::Cow;

use super::{Fault, Scanner};

impl<'a> Scanner<'a, '_> {
    /// A literal from its opening quote to its closing one; borrowed where nothing is escaped.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        self.run()?;
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut text = self.text[start..self.at].to_owned();
        while self.eat(b'\\') {
            text.push(self.escape()?);
            let run_start = self.at;
            self.run()?;
            text.push_str(&self.text[run_start..self.at]);
        }
        self.at += 1;
        Ok(Cow::Owned(text))
    }

    /// Up to the next quote or backslash.
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            match self.peek().ok_or(Fault::Truncated)? {
                b'"' | b'\\' => return Ok(()),
                0..=0x1F => return Err(Fault::Control),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.peek().ok_or(Fault::Truncated)?;
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(Fault::Escape),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.hex4()?;
        if !(0xD800..=0xDBFF).contains(&first) {
            return char::from_u32(first).ok_or(Fault::LoneSurrogate);
        }
        if !(self.eat(b'\\') && self.eat(b'u')) {
            return Err(self.unexpected(Fault::LoneSurrogate));
        }
        let second = self.hex4()?;
        if !(0xDC00..=0xDFFF).contains(&second) {
            return Err(Fault::LoneSurrogate);
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            .ok_or(Fault::LoneSurrogate)
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
