//! Reads of an entry what its neighbours are held to, and of all else no more than whether it is spelled right: a
//! verification reads millions of entries, and keeps none.
//!
//! It lets nothing through that [`super::decode::view`] refuses, and tells the same of it. What it does not let through
//! may be well all the same: a genesis, a handover, a long text, a key that was added since. That is for `view` to
//! say, and so is what is wrong. Property tests hold the two together.

use super::{Batch, Boot, ENTRY_BYTES_MAX, Operation, Outcome, SCHEMA};
use crate::cbor::{Lines, is_clean};
use crate::hash::Hash;

// The beginning of an entry, as far as it is the same in all: version, and the key of what comes next.
const VERSION: [u8; 3] = [0, 1, 1];
const _: () = assert!(SCHEMA == VERSION[1] as u64);

/// A map's head: seven pairs at least, and no more than one byte can say.
const MAP: std::ops::Range<u8> = 0xa7..0xb8;
const PAIRS_REQUIRED: u8 = 7;
const ARRAY_OF_2: u8 = 0x82;
const BYTES_8: u8 = 0x48;
const BYTES_16: u8 = 0x50;
const BYTES_32: [u8; 2] = [0x58, 32];
/// The heads of texts up to 23 bytes, and of those up to 255.
const TEXT: std::ops::Range<u8> = 0x60..0x78;
const TEXT_NEXT_1: u8 = 0x78;

/// What an entry is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) seq: u64,
    pub(crate) prev: Hash,
    pub(crate) time_us: u64,
    pub(crate) boot: Boot,
    pub(crate) operation: Operation,
    pub(crate) batch: Option<Batch>,
}

/// The entry, if it is one of those that nearly all are.
#[inline]
pub(crate) fn glance(bytes: &[u8]) -> Option<Glance> {
    let (head, rest) = bytes.split_first()?;
    if bytes.len() > ENTRY_BYTES_MAX || !MAP.contains(head) {
        return None;
    }
    let mut r = Rest(rest);
    r.expect(VERSION)?;
    let seq = r.uint()?;
    r.expect([2])?;
    let prev = Hash(r.bytes_32()?);
    r.expect([3])?;
    let time_us = r.uint()?;
    r.expect([4, ARRAY_OF_2, BYTES_8])?;
    let (id, monotonic_us) = (r.array()?, r.uint()?);
    r.expect([5])?;
    let operation = Operation::from_code(r.uint()?)?;
    r.expect([6])?;
    Outcome::from_code(r.uint()?)?;
    let (mut batch, mut last) = (None, 6);
    for _ in PAIRS_REQUIRED..head - MAP.start + PAIRS_REQUIRED {
        last = r.fact(last, &mut batch)?;
    }
    let ordinary = !matches!(operation, Operation::Genesis | Operation::SignerRotate);
    (ordinary && r.0.is_empty()).then_some(Glance {
        seq,
        prev,
        time_us,
        boot: Boot { id, monotonic_us },
        operation,
        batch,
    })
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    #[inline]
    fn expect<const N: usize>(&mut self, expected: [u8; N]) -> Option<()> {
        (self.array()? == expected).then_some(())
    }

    #[inline]
    fn bytes_32(&mut self) -> Option<[u8; 32]> {
        self.expect(BYTES_32)?;
        self.array()
    }

    /// An unsigned integer in its shortest form.
    #[inline]
    fn uint(&mut self) -> Option<u64> {
        let [head] = self.array()?;
        let (value, floor) = match head {
            0..24 => return Some(u64::from(head)),
            0x18 => (u64::from(u8::from_be_bytes(self.array()?)), 24),
            0x19 => (u64::from(u16::from_be_bytes(self.array()?)), 0x100),
            0x1a => (u64::from(u32::from_be_bytes(self.array()?)), 0x1_0000),
            0x1b => (u64::from_be_bytes(self.array()?), 0x1_0000_0000),
            _ => return None,
        };
        (value >= floor).then_some(value)
    }

    /// A text of one line.
    #[inline]
    fn text(&mut self) -> Option<()> {
        let [head] = self.array()?;
        let length = if TEXT.contains(&head) {
            head - TEXT.start
        } else {
            let [length] = self.array()?;
            Some(length).filter(|length| head == TEXT_NEXT_1 && *length >= 24)?
        };
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        let printable = |all, byte: &u8| all & matches!(byte, b' '..=b'~');
        if text.iter().fold(true, printable) || is_text(text) {
            Some(())
        } else {
            None
        }
    }

    /// One optional pair; gives its key.
    #[inline]
    fn fact(&mut self, last: u8, batch: &mut Option<Batch>) -> Option<u8> {
        let [key] = self.array()?;
        if key <= last {
            return None;
        }
        match key {
            7 | 8 | 10 | 16 | 17 => self.text()?,
            9 => {
                self.expect([ARRAY_OF_2])?;
                self.uint()?;
                self.expect([BYTES_16])?;
                self.array::<16>()?;
            }
            11 | 14 => drop(self.bytes_32()?),
            12 => {
                self.expect([ARRAY_OF_2])?;
                self.text()?;
                u32::try_from(self.uint()?).ok()?;
            }
            13 => {
                self.expect([BYTES_16])?;
                self.array::<16>()?;
            }
            15 => {
                self.expect([ARRAY_OF_2])?;
                let (count, root) = (self.uint()?, Hash(self.bytes_32()?));
                *batch = Some(Batch { count, root });
            }
            _ => return None,
        }
        Some(key)
    }
}

/// Not only printable ASCII, and clean all the same.
#[cold]
fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| is_clean(text, Lines::One))
}
