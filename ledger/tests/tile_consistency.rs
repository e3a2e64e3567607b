//! Consistency proofs that are made from tiles are those made from all leaves, and no changed tile yields one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::collections::BTreeMap;

use ledger::proof::consistency_proof;
use ledger::tile::{Edge, TileIndex, consistency_from_tiles, tile_path};
use ledger::{Frontier, Hash, leaf_hash};
use proptest::prelude::*;
use support::Dice;

type Files = BTreeMap<String, Vec<u8>>;

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

fn tiles(leaves: &[Hash]) -> Files {
    let mut edge = Edge::new();
    let mut all = Vec::new();
    for leaf in leaves {
        all.extend(edge.append(*leaf));
    }
    all.extend(edge.partial_tiles());
    all.into_iter()
        .map(|tile| (tile.path(), tile.bytes()))
        .collect()
}

fn read(files: &Files, index: TileIndex, width: Option<u8>) -> Result<Vec<u8>, ()> {
    files
        .get(&tile_path(index.level, index.n, width))
        .cloned()
        .ok_or(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_proof_from_tiles_is_that_from_the_leaves(size in 1_u64..1200, part in any::<u64>()) {
        let all = leaves(size);
        let old = part % size + 1;
        let found = consistency_from_tiles(old, (size, &root(&all)), |index, width| read(&tiles(&all), index, width));
        let (old_root, proof) = found.unwrap();
        prop_assert_eq!(old_root, root(&all[..usize::try_from(old).unwrap()]));
        prop_assert_eq!(proof, consistency_proof(&all, old).unwrap());
    }
}

#[test]
fn sizes_at_tile_borders_are_proven_and_none_beyond_the_tree_is() {
    for size in [1, 255, 256, 257, 512, 513, 65_536 + 257] {
        let all = leaves(size);
        let files = tiles(&all);
        let prove = |old| {
            consistency_from_tiles(old, (size, &root(&all)), |index, width| {
                read(&files, index, width)
            })
        };
        for old in [0, 1, 2, 255, 256, 257, size]
            .into_iter()
            .filter(|old| *old <= size)
        {
            let expected = root(&all[..usize::try_from(old).unwrap()]);
            assert_eq!(prove(old).unwrap().0, expected, "{old} of {size}");
        }
        assert!(prove(size + 1).is_err());
    }
}

#[test]
fn a_changed_tile_yields_no_proof_that_uses_it() {
    let (all, mut dice) = (leaves(700), Dice(99));
    let (honest, signed) = (tiles(&all), root(&all));
    for old in [1, 255, 256, 300, 512, 699, 700] {
        let expected =
            consistency_from_tiles(old, (700, &signed), |i, w| read(&honest, i, w)).unwrap();
        for path in honest.keys() {
            let mut files = honest.clone();
            let bytes = files.get_mut(path).unwrap();
            let at = dice.below(bytes.len());
            bytes[at] ^= 1;
            let found = consistency_from_tiles(old, (700, &signed), |i, w| read(&files, i, w));
            assert!(found.is_err() || found.unwrap() == expected, "{old} {path}");
        }
    }
}
