//! Numbers and bytes in a message. What was written is wiped when it is dropped, and growing
//! leaves no copy behind: messages hold PINs and keys.

use std::mem;

use zeroize::{Zeroize, Zeroizing};

/// A message that no honest peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not have the form it must have")]
pub struct Malformed;

/// A message in the making.
#[derive(Default)]
pub struct Writer(Zeroizing<Vec<u8>>);

/// A message being read.
pub struct Reader<'a>(&'a [u8]);

impl Writer {
    /// An empty message.
    pub fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(256)))
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// True or false.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "this is how a truth travels"
    )]
    pub fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// A number, in 8 bytes.
    pub fn word(&mut self, word: u64) {
        self.put(&word.to_le_bytes());
    }

    /// Bytes, after their count.
    pub fn counted(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.put(bytes);
    }

    /// Bytes whose count the reader knows.
    pub fn put(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let grown = Vec::with_capacity(needed.saturating_mul(2));
            let mut old = mem::replace(&mut *self.0, grown);
            self.0.extend_from_slice(&old);
            old.zeroize();
        }
        self.0.extend_from_slice(bytes);
    }

    /// The message.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> Reader<'a> {
    /// Begins at the message's first byte.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    /// True or false, in one spelling.
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// A number.
    pub fn word(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?.try_into().map_err(|_| Malformed)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A count of things that fit into memory.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.word()?).map_err(|_| Malformed)
    }

    /// Bytes after their count.
    pub fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.take(length)
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}
