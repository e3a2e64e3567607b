//! From the tiles of a published tree to the proof that it only adds to an earlier one. As with
//! inclusion, nothing that a tile says is believed.

use super::TileIndex;
use super::path::Tiles;
use crate::error::{TileError, TreeError};
use crate::hash::Hash;
use crate::proof::{consistency_ranges, verify_consistency};

/// Makes the proof that the tree with this size and root begins with its first `old_size` leaves; gives the
/// root over them too, for who does not know it. `read` gives the bytes of a tile, by its index and its width
/// if it is not full.
///
/// The old root comes from the tiles as well, so the caller compares it with what was signed. All that is
/// proven otherwise is that both lie in the one tree with `root`.
pub fn consistency_from_tiles<E>(
    old_size: u64,
    (size, root): (u64, &Hash),
    read: impl FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, E>,
) -> Result<(Hash, Vec<Hash>), TileError<E>> {
    if old_size == 0 {
        return Ok((Hash::of_empty_tree(), Vec::new()));
    }
    let ranges = consistency_ranges(old_size, size).map_err(TileError::Tree)?;
    let mut tiles = Tiles::of(size, read);
    let old_root = tiles.root_of(0..old_size)?;
    let proof: Vec<Hash> = ranges
        .into_iter()
        .map(|range| tiles.root_of(range))
        .collect::<Result<_, _>>()?;
    if old_size == size {
        // There is nothing to prove, so the old root itself is held against the tree's.
        let same = old_root == *root;
        return same
            .then_some((old_root, proof))
            .ok_or(TileError::Tree(TreeError::Root));
    }
    verify_consistency((old_size, &old_root), (size, root), &proof).map_err(TileError::Tree)?;
    Ok((old_root, proof))
}
