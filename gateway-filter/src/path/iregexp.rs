//! Owns I-Regexp (RFC 9485): its grammar is checked here, then it is handed to the crate `regex`,
//! whose matching takes linear time whatever the pattern.

use super::cursor::Cursor;
use super::query::Extent;

/// Largest compiled pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// Most groups within each other.
const DEPTH_MAX: usize = 32;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: regex::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Pattern {
    /// `None` where the text is no I-Regexp, or compiles to something too large.
    pub(super) fn new(text: &str, extent: Extent) -> Option<Self> {
        let mut translation = Translation {
            cursor: Cursor::new(text),
            regex: String::with_capacity(text.len() + 16),
        };
        translation.branches(0)?;
        if translation.cursor.peek().is_some() {
            return None;
        }
        let body = translation.regex;
        let regex = match extent {
            Extent::Whole => format!(r"\A(?:{body})\z"),
            Extent::Part => body,
        };
        regex::RegexBuilder::new(&regex)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .ok()
            .map(|regex| Self { regex })
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// RFC 9485 §4, read and written out in one go.
struct Translation {
    cursor: Cursor,
    regex: String,
}

impl Translation {
    fn branches(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        loop {
            while !matches!(self.cursor.peek(), None | Some('|' | ')')) {
                self.atom(depth)?;
                self.quantifier()?;
            }
            if !self.cursor.eat('|') {
                return Some(());
            }
            self.regex.push('|');
        }
    }

    fn atom(&mut self, depth: usize) -> Option<()> {
        match self.cursor.next()? {
            '(' => {
                self.regex.push_str("(?:");
                self.branches(depth + 1)?;
                if !self.cursor.eat(')') {
                    return None;
                }
                self.regex.push(')');
            }
            // §5.2: any character but a line's end.
            '.' => self.regex.push_str(r"[^\n\r]"),
            '[' => self.class()?,
            '\\' => self.escape()?,
            ')' | '*' | '+' | '?' | ']' | '{' | '}' | '|' => return None,
            plain => self.regex.push(plain),
        }
        Some(())
    }

    fn quantifier(&mut self) -> Option<()> {
        match self.cursor.peek() {
            Some(sign @ ('*' | '+' | '?')) => {
                self.cursor.at += 1;
                self.regex.push(sign);
            }
            Some('{') => {
                self.cursor.at += 1;
                let least = self.digits()?;
                let most = if self.cursor.eat(',') {
                    format!(",{}", self.digits().unwrap_or_default())
                } else {
                    String::new()
                };
                if !self.cursor.eat('}') {
                    return None;
                }
                self.regex.extend(["{", &least, &most, "}"]);
            }
            _ => {}
        }
        Some(())
    }

    fn digits(&mut self) -> Option<String> {
        let digits = self.cursor.take_while(|next| next.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    /// After a backslash: a single character, or a category of Unicode.
    fn escape(&mut self) -> Option<()> {
        match self.cursor.next()? {
            single @ ('(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{'
            | '|' | '}' | 'n' | 'r' | 't') => {
                self.regex.push('\\');
                self.regex.push(single);
            }
            sign @ ('p' | 'P') => {
                if !self.cursor.eat('{') {
                    return None;
                }
                let category = self.cursor.take_while(|next| next.is_ascii_alphabetic());
                if category.is_empty() || category.len() > 2 || !self.cursor.eat('}') {
                    return None;
                }
                self.regex.push('\\');
                self.regex.push(sign);
                self.regex.extend(["{", &category, "}"]);
            }
            _ => return None,
        }
        Some(())
    }

    /// After `[`.
    fn class(&mut self) -> Option<()> {
        self.regex.push('[');
        if self.cursor.eat('^') {
            self.regex.push('^');
        }
        if self.cursor.eat('-') {
            self.regex.push_str(r"\-");
        } else if self.cursor.peek() == Some(']') {
            return None;
        }
        loop {
            match self.cursor.next()? {
                ']' => break,
                '\\' => self.escape()?,
                '[' => return None,
                '-' => {
                    // A range's middle, or a last plain one.
                    if self.cursor.peek() == Some(']') {
                        self.regex.push_str(r"\-");
                    } else {
                        self.regex.push('-');
                    }
                }
                // The crate reads doubled ones as operations on sets.
                special @ ('&' | '~' | '^') => {
                    self.regex.push('\\');
                    self.regex.push(special);
                }
                plain => self.regex.push(plain),
            }
        }
        self.regex.push(']');
        Some(())
    }
}
