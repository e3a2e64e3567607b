//! Proofs from tiles: those that the leaves give, and none at all where a tile was changed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

use std::collections::BTreeMap;

use ledger::proof::{inclusion_proof, verify_inclusion};
use ledger::tile::{Edge, TileIndex, partial, proof_from_tiles, tile_path};
use ledger::{Frontier, Hash, TileError, TreeError, leaf_hash};
use proptest::prelude::*;

/// A log's tiles by their paths, as they lie on disk at one size.
#[derive(Clone)]
struct Shelf {
    leaves: Vec<Hash>,
    root: Hash,
    tiles: BTreeMap<String, Vec<u8>>,
}

impl Shelf {
    fn of(size: u64) -> Self {
        let (mut edge, mut leaves, mut tiles) = (Edge::new(), Vec::new(), BTreeMap::new());
        for n in 0..size {
            let leaf = leaf_hash(&n.to_be_bytes());
            leaves.push(leaf);
            tiles.extend(
                edge.append(leaf)
                    .iter()
                    .map(|tile| (tile.path(), tile.bytes())),
            );
        }
        tiles.extend(
            edge.partial_tiles()
                .iter()
                .map(|tile| (tile.path(), tile.bytes())),
        );
        let root = leaves.iter().copied().collect::<Frontier>().root();
        Self {
            leaves,
            root,
            tiles,
        }
    }

    /// The proof, and which tiles were read for it.
    fn proof(&self, index: u64) -> (Result<Vec<Hash>, TileError<String>>, Vec<String>) {
        let mut read = Vec::new();
        let size = self.leaves.len() as u64;
        let leaf = self.leaves[usize::try_from(index).unwrap()];
        let proof = proof_from_tiles(&leaf, index, (size, &self.root), |tile, width| {
            let path = tile_path(tile.level, tile.n, width);
            read.push(path.clone());
            self.tiles.get(&path).cloned().ok_or(path)
        });
        (proof, read)
    }
}

#[test]
fn the_proof_is_the_one_that_the_leaves_give() {
    for size in [
        1, 2, 3, 255, 256, 257, 511, 512, 700, 65_536, 65_537, 66_000,
    ] {
        let shelf = Shelf::of(size);
        for index in [0, 1, size / 2, size.saturating_sub(2), size - 1] {
            let index = index.min(size - 1);
            let (proof, read) = shelf.proof(index);
            let proof = proof.unwrap();
            assert_eq!(
                proof,
                inclusion_proof(&shelf.leaves, index).unwrap(),
                "{index} of {size}"
            );
            let mut once = read.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), read.len(), "a tile is read twice: {read:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_leaf_of_any_tree(size in 1_u64..3_000, at in any::<prop::sample::Index>()) {
        let shelf = Shelf::of(size);
        let index = at.index(usize::try_from(size).unwrap()) as u64;
        let proof = shelf.proof(index).0.unwrap();
        let leaf = shelf.leaves[usize::try_from(index).unwrap()];
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &shelf.root, &proof), Ok(()));
    }
}

// The class of CVE-2026-56865: at this size several hashes of the edge share a tile, and a reader that
// counts one for the other believes tiles that it never compared with their parents.
#[test]
fn a_changed_tile_gives_no_proof_whichever_it_is() {
    let honest = Shelf::of(70_000);
    for index in [0, 1, 300, 65_535, 65_536, 69_999] {
        let (proof, read) = honest.proof(index);
        assert!(proof.is_ok());
        for path in read {
            let hashes = honest.tiles[&path].len() / 32;
            for hash in [0, 1, hashes / 2, hashes - 1] {
                let mut forged = honest.clone();
                forged.tiles.get_mut(&path).unwrap()[hash.min(hashes - 1) * 32 + 5] ^= 1;
                let root = honest.root;
                let leaf = honest.leaves[usize::try_from(index).unwrap()];
                match forged.proof(index).0 {
                    Err(error) => assert_eq!(error, TileError::Tree(TreeError::Root)),
                    // The hash was not needed: then the proof is the honest one.
                    Ok(proof) => assert_eq!(
                        verify_inclusion(&leaf, index, 70_000, &root, &proof),
                        Ok(()),
                        "{path}"
                    ),
                }
            }
        }
    }
    // The whole of leaf tile 0 replaced, everything else honest.
    let mut forged = honest.clone();
    let other = leaf_hash(b"forged").0.repeat(256);
    forged.tiles.insert(tile_path(0, 0, None), other);
    assert_eq!(
        forged.proof(3).0,
        Err(TileError::Tree(TreeError::Root)),
        "a forged leaf tile is believed"
    );
}

#[test]
fn a_tile_that_is_cut_short_or_missing_is_told_apart_from_a_forged_one() {
    let mut shelf = Shelf::of(300);
    shelf
        .tiles
        .get_mut(&tile_path(0, 1, Some(44)))
        .unwrap()
        .truncate(40 * 32);
    assert_eq!(shelf.proof(3).0, Err(TileError::Short));
    shelf.tiles.clear();
    assert_eq!(shelf.proof(3).0, Err(TileError::Read("tile/0/000".into())));
}

// A publisher may have removed a partial tile since its full one stands.
#[test]
fn a_full_tile_stands_in_for_a_partial_one() {
    let (now, later) = (Shelf::of(300), Shelf::of(512));
    let proof = proof_from_tiles(&now.leaves[290], 290, (300, &now.root), |tile, width| {
        let TileIndex { level, n } = tile;
        assert_eq!(
            width,
            partial(300).filter(|_| n == 1 && level == 0).or(width)
        );
        let path = tile_path(level, n, if level == 0 { None } else { width });
        let tiles = if level == 0 { &later } else { &now };
        tiles.tiles.get(&path).cloned().ok_or(path)
    });
    assert_eq!(proof.unwrap(), inclusion_proof(&now.leaves, 290).unwrap());
}

#[test]
fn outside_the_tree_there_is_nothing() {
    let shelf = Shelf::of(3);
    let absent = proof_from_tiles(&shelf.leaves[0], 3, (3, &shelf.root), |_, _| {
        Err::<Vec<u8>, _>(())
    });
    assert_eq!(absent, Err(TileError::Tree(TreeError::Bounds)));
}
