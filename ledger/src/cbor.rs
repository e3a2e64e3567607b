//! The part of CBOR that entries use, in its one deterministic spelling (RFC 8949 §4.2.1).
//! The reader refuses every other spelling: there is one way to write an entry.

use unicode_normalization::is_nfc;

use crate::error::EntryError;

/// In a head's low five bits: the number stands in the next 1, 2, 4 or 8 bytes.
const NEXT_1: u8 = 0x18;
const NEXT_2: u8 = 0x19;
const NEXT_4: u8 = 0x1a;
const NEXT_8: u8 = 0x1b;

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Whether a text may have line feeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    One,
    Many,
}

/// NFC, and no control character (but LF, where the text may have lines).
pub(crate) fn is_clean(text: &str, lines: Lines) -> bool {
    // Most texts are printable ASCII, and then this is all there is to look at.
    let printable = |all, byte| all & matches!(byte, b' '..=b'~');
    if text.bytes().fold(true, printable) {
        return true;
    }
    let controls = text
        .chars()
        .any(|c| c.is_control() && !(lines == Lines::Many && c == '\n'));
    !controls && (text.is_ascii() || is_nfc(text))
}

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn array(&mut self, items: u64) {
        self.head(ARRAY, items);
    }

    pub(crate) fn map(&mut self, pairs: u64) {
        self.head(MAP, pairs);
    }

    /// A head takes the fewest bytes that hold its number.
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let bytes = value.to_be_bytes();
        match value {
            0..24 => self.0.push(major | bytes[7]),
            24..0x100 => self.0.extend_from_slice(&[major | NEXT_1, bytes[7]]),
            0x100..0x1_0000 => self.sized(major | NEXT_2, &bytes[6..]),
            0x1_0000..0x1_0000_0000 => self.sized(major | NEXT_4, &bytes[4..]),
            _ => self.sized(major | NEXT_8, &bytes),
        }
    }

    fn sized(&mut self, head: u8, number: &[u8]) {
        self.0.push(head);
        self.0.extend_from_slice(number);
    }
}

/// Reads an entry's twenty heads and more, by the million: what is read of nearly every entry is inlined into who
/// reads it, and what is wrong is found out and told in functions of its own.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// How many bytes there were.
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    #[inline]
    pub(crate) fn uint(&mut self) -> Result<u64, EntryError> {
        self.head(UINT, "expected an unsigned integer")
    }

    #[inline]
    pub(crate) fn byte_array<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        // Of this length there is one head: one byte, or two.
        let behind = match self.rest {
            [head, behind @ ..] if N < 24 && usize::from(*head ^ BYTES << 5) == N => behind,
            [head, length, behind @ ..]
                if N >= 24 && *head == BYTES << 5 | NEXT_1 && usize::from(*length) == N =>
            {
                behind
            }
            _ => return self.sized_otherwise(),
        };
        match behind.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => self.sized_otherwise(),
        }
    }

    /// Says what is wrong with a byte string.
    #[cold]
    fn sized_otherwise<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let start = self.at();
        let length = self.head(BYTES, "expected a byte string")?;
        let bytes = self.take(length)?;
        bytes
            .try_into()
            .map_err(|_| spelling(start, "a byte string of the wrong length"))
    }

    #[inline]
    pub(crate) fn text(&mut self, lines: Lines) -> Result<&'a str, EntryError> {
        let start = self.at();
        let length = self.head(TEXT, "expected a text string")?;
        let bytes = self.take(length)?;
        let text = str::from_utf8(bytes).map_err(|_| spelling(start, "text that is not UTF-8"))?;
        if !is_clean(text, lines) {
            return Err(spelling(
                start,
                "text that is not NFC or has control characters",
            ));
        }
        Ok(text)
    }

    #[inline]
    pub(crate) fn array(&mut self, items: u64) -> Result<(), EntryError> {
        let start = self.at();
        let found = self.head(ARRAY, "expected an array")?;
        if found == items {
            Ok(())
        } else {
            Err(spelling(start, "an array of the wrong length"))
        }
    }

    #[inline]
    pub(crate) fn map(&mut self) -> Result<u64, EntryError> {
        self.head(MAP, "expected a map")
    }

    pub(crate) fn end(&self) -> Result<(), EntryError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.broken("bytes after the end"))
        }
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    /// An error about what begins here.
    pub(crate) fn broken(&self, rule: &'static str) -> EntryError {
        spelling(self.at(), rule)
    }

    /// Most heads are one byte: that is what is read here, and all others in [`Reader::long_head`].
    #[expect(
        clippy::inline_always,
        reason = "a call costs more than what is done here"
    )]
    #[inline(always)]
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, EntryError> {
        match self.rest.split_first() {
            Some((first, rest)) if *first >> 5 == major && *first & 0x1f < NEXT_1 => {
                self.rest = rest;
                Ok(u64::from(*first & 0x1f))
            }
            _ => self.long_head(major, expected),
        }
    }

    fn long_head(&mut self, major: u8, expected: &'static str) -> Result<u64, EntryError> {
        let start = self.at();
        let first = self.take(1)?[0];
        if first >> 5 != major {
            return Err(spelling(start, expected));
        }
        let (value, floor) = match first & 0x1f {
            NEXT_1 => (u64::from(u8::from_be_bytes(self.number()?)), 24),
            NEXT_2 => (u64::from(u16::from_be_bytes(self.number()?)), 0x100),
            NEXT_4 => (u64::from(u32::from_be_bytes(self.number()?)), 0x1_0000),
            NEXT_8 => (u64::from_be_bytes(self.number()?), 0x1_0000_0000),
            _ => return Err(spelling(start, "an indefinite or reserved length")),
        };
        if value < floor {
            Err(spelling(start, "not the shortest form"))
        } else {
            Ok(value)
        }
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let cut = self.rest.split_first_chunk();
        let (number, rest) = cut.ok_or_else(|| self.broken("cut short"))?;
        self.rest = rest;
        Ok(*number)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], EntryError> {
        let length = usize::try_from(length).ok();
        let cut = length.and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = cut.ok_or_else(|| self.broken("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// An error about what begins at `offset`.
#[cold]
pub(crate) fn spelling(offset: usize, rule: &'static str) -> EntryError {
    EntryError::Spelling { offset, rule }
}
