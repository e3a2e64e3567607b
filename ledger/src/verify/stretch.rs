//! A bundle whose entries are in order among themselves, as nearly all are. Such entries are not kept:
//! their neighbours are held to the two ends. Whatever is to be told of an entry is no stretch, and is
//! looked at entry by entry (`chain`).

use super::bundle::Bundle;
use super::chain::{Before, in_time};
use super::epochs;
use super::items::Stated;
use super::part::Said;
use super::tiles::Stored;
use crate::entry::Operation;
use crate::entry::decode::view;
use crate::entry::glance::glance;
use crate::hash::{Hash, leaf_hash};
use crate::tile::TILE_WIDTH;

/// What entries say of their items where none has any.
const NO_ITEMS: [Stated; 256] = [Some(None); 256];

/// The ends of entries that agree with each other and with their leaf tile.
pub(super) struct Stretch {
    pub(super) first: Said,
    /// What the entry behind them is held to.
    pub(super) last: Before,
    batches: Batches,
}

/// What each entry says of its items; empty where none has any.
#[derive(Default)]
struct Batches(Vec<Stated>);

impl Stretch {
    /// The stretch of this bundle, if it is one.
    pub(super) fn of(bundle: &Bundle, tile: &Stored, n: u64) -> Option<Self> {
        // The log's first entry has rules of its own.
        let seq = Some(n * TILE_WIDTH).filter(|seq| *seq > 0)?;
        let mut entries = (seq..).zip(&tile.hashes).zip(bundle.entries());
        let ((seq, hash), bytes) = entries.next()?;
        let first = in_place(bytes, seq, hash)?;
        let (mut leaf, mut clock) = (hash, (first.time_us, first.boot));
        let mut batches = Batches::default();
        batches.note(&first, 0);
        for (index, ((seq, hash), bytes)) in (1..).zip(entries) {
            let said = in_place(bytes, seq, hash)?;
            if said.prev != *leaf || !in_time(clock, &said) {
                return None;
            }
            (leaf, clock) = (hash, (said.time_us, said.boot));
            batches.note(&said, index);
        }
        let last = Before {
            leaf: Some(*leaf),
            clock: Some(clock),
        };
        Some(Self {
            first,
            last,
            batches,
        })
    }

    /// What each of the `count` entries says of its items.
    pub(super) fn stated(&self, count: usize) -> &[Stated] {
        let stated = match self.batches.0.as_slice() {
            [] => &NO_ITEMS,
            stated => stated,
        };
        &stated[..count.min(stated.len())]
    }
}

impl Batches {
    #[inline]
    fn note(&mut self, said: &Said, index: usize) {
        if said.batch.is_some() || !self.0.is_empty() {
            self.push(said, index);
        }
    }

    fn push(&mut self, said: &Said, index: usize) {
        if self.0.is_empty() {
            self.0.reserve(NO_ITEMS.len());
            self.0.extend_from_slice(&NO_ITEMS[..index]);
        }
        self.0.push(Some(said.batch));
    }
}

/// What the entry says, if it stands where the tree and itself have it, and no rule is for it alone.
#[inline]
fn in_place(bytes: &[u8], seq: u64, hash: &Hash) -> Option<Said> {
    let said = match glance(bytes) {
        Some(seen) => Said::at(&seen),
        None => viewed(bytes)?,
    };
    let begins = matches!(
        said.operation,
        Operation::Genesis | Operation::IncarnationOpen
    );
    let apart = begins || said.hands_over || epochs::changes(said.operation);
    let plain = said.seq == seq && !apart;
    (plain && leaf_hash(bytes) == *hash).then_some(said)
}

#[cold]
fn viewed(bytes: &[u8]) -> Option<Said> {
    Some(Said::of(&view(bytes).ok()?))
}
