//! From the tiles of a published tree to the proof of one leaf. Nothing that a tile says is believed:
//! the proof holds against the signed root, or there is none.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{TILE_WIDTH, TileIndex, partial};
use crate::error::{TileError, TreeError};
use crate::hash::{Hash, node_hash};
use crate::proof::{inclusion_ranges, verify_inclusion};

const HASH_BYTES: usize = 32;

/// Tiles kept in memory: 8 MiB.
const KNOWN_MAX: usize = 1024;

/// Makes the proof that `leaf` is leaf `index` of the tree with this size and root. `read` gives the
/// bytes of a tile, by its index and its width if it is not full; more bytes are not looked at, so a
/// full tile may stand in for a partial one. Each tile is read once, at most two a level.
///
/// Every hash that is taken from a tile is part of the proof, and the proof is checked before it is
/// given: a tile that was changed gives [`TileError::Tree`], never a proof. (A reader that checks some
/// of its tiles and believes the rest is CVE-2026-56865.)
pub fn proof_from_tiles<E>(
    leaf: &Hash,
    index: u64,
    (size, root): (u64, &Hash),
    read: impl FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, E>,
) -> Result<Vec<Hash>, TileError<E>> {
    let ranges = inclusion_ranges(index, size).map_err(TileError::Tree)?;
    let mut tiles = Tiles::of(size, read);
    let proof: Vec<Hash> = ranges
        .into_iter()
        .map(|range| tiles.root_of(range))
        .collect::<Result<_, _>>()?;
    verify_inclusion(leaf, index, size, root, &proof).map_err(TileError::Tree)?;
    Ok(proof)
}

/// The tiles read so far, and the roots of the subtrees that they hold. Not believed: see who asks.
pub(crate) struct Tiles<R> {
    size: u64,
    read: R,
    known: BTreeMap<(u8, u64), Vec<u8>>,
}

impl<R, E> Tiles<R>
where
    R: FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, E>,
{
    pub(crate) fn of(size: u64, read: R) -> Self {
        let known = BTreeMap::new();
        Self { size, read, known }
    }

    /// The root over leaves that are a subtree of the tree: perfect ones, largest first.
    pub(crate) fn root_of(&mut self, leaves: Range<u64>) -> Result<Hash, TileError<E>> {
        let Some(height) = (leaves.end - leaves.start).checked_ilog2() else {
            return Err(TileError::Tree(TreeError::Bounds));
        };
        let perfect = self.perfect(leaves.start, height)?;
        let rest = leaves.start + (1 << height)..leaves.end;
        if rest.is_empty() {
            return Ok(perfect);
        }
        Ok(node_hash(&perfect, &self.root_of(rest)?))
    }

    /// The root of 2^height leaves from a multiple of as many on: a level has every eighth height.
    pub(crate) fn perfect(&mut self, start: u64, height: u32) -> Result<Hash, TileError<E>> {
        let bounds = |_| TileError::Tree(TreeError::Bounds);
        let level = u8::try_from(height / 8).map_err(|_| TileError::Short)?;
        let place = start >> (8 * u32::from(level));
        let tile = self.tile(level, place / TILE_WIDTH)?;
        let from = usize::try_from(place % TILE_WIDTH).map_err(bounds)? * HASH_BYTES;
        let bytes = tile.get(from..from + (HASH_BYTES << (height % 8)));
        let (hashes, _) = bytes.ok_or(TileError::Short)?.as_chunks::<HASH_BYTES>();
        Ok(folded(hashes))
    }

    fn tile(&mut self, level: u8, n: u64) -> Result<&[u8], TileError<E>> {
        if !self.known.contains_key(&(level, n)) {
            let count = self.size >> (8 * u32::from(level));
            let width = partial(count).filter(|_| n == count / TILE_WIDTH);
            let bytes = (self.read)(TileIndex { level, n }, width).map_err(TileError::Read)?;
            if self.known.len() == KNOWN_MAX {
                self.known.clear();
            }
            self.known.insert((level, n), bytes);
        }
        let known = self.known.get(&(level, n));
        known.map(Vec::as_slice).ok_or(TileError::Short)
    }
}

/// The root over 1, 2, 4 … 128 hashes.
fn folded(hashes: &[[u8; HASH_BYTES]]) -> Hash {
    match hashes {
        [] => Hash::of_empty_tree(),
        [one] => Hash(*one),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            node_hash(&folded(left), &folded(right))
        }
    }
}
