//! Owns a body that comes in parts: gathered within its route's limit, the memory for all bodies, and a
//! time of its own, since the gateway has none in this mode.

use bytes::Bytes;
use tokio::time::Instant;

use crate::filter::HeadRewriting;
use crate::held::Held;

/// The parts so far, and the head that waits for the whole.
pub(super) struct Gathered {
    /// What the head's answer will change.
    pub(super) head: HeadRewriting,
    /// When the whole body must be there.
    pub(super) deadline: Instant,
    bytes_max: usize,
    parts: Vec<u8>,
    share: Held,
}

/// Why a part was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The body is over its limit.
    TooLarge,
    /// All bodies together take what they may.
    NoRoom,
}

impl Gathered {
    pub(super) fn new(
        head: HeadRewriting,
        bytes_max: usize,
        deadline: Instant,
        share: Held,
    ) -> Self {
        Self {
            head,
            deadline,
            bytes_max,
            parts: Vec::new(),
            share,
        }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), Full> {
        if part.len() > self.bytes_max - self.parts.len() {
            return Err(Full::TooLarge);
        }
        self.share.grow(part.len()).map_err(|_| Full::NoRoom)?;
        self.parts.extend_from_slice(part);
        Ok(())
    }

    /// The whole body; its share of the memory lasts until it is answered.
    pub(super) fn whole(self) -> (Bytes, Held) {
        (self.parts.into(), self.share)
    }
}
