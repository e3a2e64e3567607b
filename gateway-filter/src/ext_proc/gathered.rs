//! Owns a body that comes in parts: gathered within its route's limit, the memory for all bodies, and a
//! time of its own, since the gateway has none in this mode.

use bytes::Bytes;
use tokio::time::Instant;

use crate::filter::HeadRewriting;
use crate::held::{Charged, Held};

/// The parts so far, and the head that waits for the whole.
pub(super) struct Gathered {
    /// What the head's answer will change.
    pub(super) head: HeadRewriting,
    /// When the whole body must be there.
    pub(super) deadline: Instant,
    bytes_max: usize,
    parts: Charged,
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
            parts: Charged::new(share),
        }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), Full> {
        if part.len() > self.bytes_max - self.parts.len() {
            return Err(Full::TooLarge);
        }
        let pushed = self.parts.push(part, self.bytes_max);
        pushed.map_err(|_| Full::NoRoom)
    }

    /// The whole body.
    pub(super) fn whole(self) -> Bytes {
        self.parts.into()
    }
}
