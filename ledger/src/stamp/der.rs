//! Reads DER (X.690) piece by piece: definite lengths in their one spelling, tags of one byte, and no byte left over.

use super::StampError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The context-specific tag `[n]`, constructed.
pub(super) const fn context(n: u8) -> u8 {
    0xA0 | n
}

/// Bytes that are read from their beginning.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<Element<'a>, StampError> {
        let cut = StampError::Malformed("an element that is cut short");
        let (tag, rest) = self.0.split_first().ok_or(cut)?;
        if tag & 0x1F == 0x1F {
            return Err(StampError::Malformed("a tag of more than one byte"));
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(cut)?;
        let taken = self.0.len() - rest.len();
        let whole = self.0.get(..taken).ok_or(cut)?;
        self.0 = rest;
        Ok(Element {
            tag: *tag,
            content,
            whole,
        })
    }

    /// The content of the next element, which has this tag.
    pub(super) fn one(&mut self, tag: u8) -> Result<&'a [u8], StampError> {
        let element = self.any()?;
        if element.tag == tag {
            Ok(element.content)
        } else {
            Err(StampError::Malformed("an element of another type"))
        }
    }

    /// The elements within the next one, which has this tag.
    pub(super) fn within(&mut self, tag: u8) -> Result<Self, StampError> {
        self.one(tag).map(Self)
    }

    /// The next element, if it has this tag.
    pub(super) fn maybe(&mut self, tag: u8) -> Result<Option<Element<'a>>, StampError> {
        if self.0.first() == Some(&tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), StampError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(StampError::Malformed("bytes behind the last element"))
        }
    }
}

/// A length in its shortest spelling (X.690 section 10.1), and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), StampError> {
    let bad = StampError::Malformed("a length that is not DER's");
    let (first, rest) = bytes.split_first().ok_or(bad)?;
    if *first < 0x80 {
        return Ok((usize::from(*first), rest));
    }
    // No response is of more than 2^24 bytes.
    let count = usize::from(first & 0x7F);
    let (digits, rest) = rest.split_at_checked(count).ok_or(bad)?;
    if !(1..=3).contains(&count) || digits.first() == Some(&0) {
        return Err(bad);
    }
    let length = digits
        .iter()
        .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    if length < 0x80 {
        return Err(bad);
    }
    Ok((length, rest))
}

/// A number of at most eight bytes, not negative.
pub(super) fn unsigned(content: &[u8]) -> Result<u64, StampError> {
    let bad = StampError::Malformed("a number that is not DER's, or too large");
    match content {
        [] => Err(bad),
        [0, second, ..] if *second < 0x80 => Err(bad),
        [first, ..] if *first >= 0x80 => Err(bad),
        digits if digits.len() > 9 || (digits.len() == 9 && digits.first() != Some(&0)) => Err(bad),
        digits => Ok(digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | u64::from(*digit))),
    }
}

/// An element with its tag and length.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
    match digits.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        // A length in memory has at most eight bytes.
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7F));
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}
