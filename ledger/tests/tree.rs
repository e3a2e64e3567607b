//! The tree agrees with RFC 6962's own vectors and with another implementation (`ct-merkle`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger::proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use ledger::tile::Edge;
use ledger::{Frontier, Hash, TreeError, leaf_hash};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::Sha256;

/// The inputs of the Certificate Transparency reference tests.
const CT_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

fn tree(leaves: &[Hash]) -> Frontier {
    leaves.iter().copied().collect()
}

fn hashes(entries: &[Vec<u8>]) -> Vec<Hash> {
    entries.iter().map(|entry| leaf_hash(entry)).collect()
}

fn other(entries: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for entry in entries {
        tree.push(entry.clone());
    }
    tree
}

fn flat(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn the_hashes_are_those_of_rfc_6962() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Frontier::new().root().to_string(), empty);
    let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(leaf_hash(b"").to_string(), leaf);
}

#[test]
fn the_roots_are_those_of_the_ct_reference_tests() {
    let leaves: Vec<Hash> = CT_LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect();
    let root = |size: usize| tree(&leaves[..size]).root().to_string();
    assert_eq!(
        root(1),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        root(2),
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    );
    assert_eq!(
        root(3),
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    );
    assert_eq!(
        root(8),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}

#[test]
fn an_edge_restored_anywhere_yields_the_same_tiles() {
    let leaves: Vec<Hash> = (0..66_000_u32)
        .map(|n| leaf_hash(&n.to_be_bytes()))
        .collect();
    let mut whole = Edge::new();
    for (size, leaf) in (0_u64..).zip(&leaves) {
        if [0, 1, 255, 256, 257, 65_535, 65_536, 65_537].contains(&size) {
            let tiles = whole.partial_tiles();
            let shape: Vec<_> = tiles
                .iter()
                .map(|t| (t.index, u8::try_from(t.hashes.len()).unwrap()))
                .collect();
            assert_eq!(Edge::shape(size), shape);
            let saved: Vec<_> = tiles.into_iter().map(|tile| tile.hashes).collect();
            let mut again = Edge::restore(size, saved).unwrap();
            assert_eq!(again.append(*leaf), whole.clone().append(*leaf));
            again.append(*leaf);
        }
        whole.append(*leaf);
    }
    assert!(Edge::restore(3, vec![]).is_err());
    assert!(Edge::restore(0, vec![vec![leaves[0]]]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn roots_and_proofs_are_those_of_ct_merkle(
        entries in vec(vec(any::<u8>(), 0..40), 1..300),
        at in any::<prop::sample::Index>(),
    ) {
        let (leaves, oracle) = (hashes(&entries), other(&entries));
        let (size, index) = (leaves.len() as u64, at.index(entries.len()));
        let root = tree(&leaves).root();
        prop_assert_eq!(root.0.to_vec(), oracle.root().as_bytes().to_vec());

        let proof = inclusion_proof(&leaves, index as u64).unwrap();
        prop_assert_eq!(flat(&proof), oracle.prove_inclusion(index).as_bytes().to_vec());
        prop_assert!(verify_inclusion(&leaves[index], index as u64, size, &root, &proof).is_ok());

        let old = index as u64 + 1;
        let old_root = tree(&leaves[..=index]).root();
        let proof = consistency_proof(&leaves, old).unwrap();
        if old < size {
            let added = entries.len() - index - 1;
            prop_assert_eq!(flat(&proof), oracle.prove_consistency(added).as_bytes().to_vec());
        }
        prop_assert!(verify_consistency((old, &old_root), (size, &root), &proof).is_ok());
    }

    #[test]
    fn a_changed_proof_is_refused(
        entries in vec(vec(any::<u8>(), 1..8), 2..200),
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let leaves = hashes(&entries);
        let (size, index) = (leaves.len() as u64, at.index(entries.len() - 1));
        let root = tree(&leaves).root();
        let (leaf, old) = (leaves[index], index as u64 + 1);
        let old_root = tree(&leaves[..=index]).root();
        let inclusion = inclusion_proof(&leaves, index as u64).unwrap();
        let consistency = consistency_proof(&leaves, old).unwrap();
        let included = |proof: &[Hash]| verify_inclusion(&leaf, index as u64, size, &root, proof);
        let continued =
            |proof: &[Hash]| verify_consistency((old, &old_root), (size, &root), proof);

        for place in 0..inclusion.len() {
            let mut changed = inclusion.clone();
            changed[place].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(included(&changed), Err(TreeError::Root));
        }
        for place in 0..consistency.len() {
            let mut changed = consistency.clone();
            changed[place].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(continued(&changed), Err(TreeError::Root));
        }
        let longer = |proof: &[Hash]| [proof, &[root]].concat();
        prop_assert_eq!(included(&longer(&inclusion)), Err(TreeError::Length));
        prop_assert_eq!(continued(&longer(&consistency)), Err(TreeError::Length));
        prop_assert_eq!(included(&inclusion[1..]), Err(TreeError::Length));
        let beyond = verify_inclusion(&leaf, size, size, &root, &inclusion);
        prop_assert_eq!(beyond, Err(TreeError::Bounds));
        let other_index = index as u64 + 1;
        prop_assert!(
            leaves[index + 1] == leaf
                || verify_inclusion(&leaf, other_index, size, &root, &inclusion).is_err()
        );
    }

    #[test]
    fn a_restored_frontier_goes_on_where_it_was(sizes in (0_usize..300, 0_usize..50)) {
        let leaves: Vec<Hash> = (0..sizes.0 + sizes.1).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let saved = tree(&leaves[..sizes.0]);
        let mut again = Frontier::restore(saved.size(), saved.hashes().to_vec()).unwrap();
        leaves[sizes.0..].iter().for_each(|leaf| again.append(*leaf));
        prop_assert_eq!(again.root(), tree(&leaves).root());
        prop_assert!(Frontier::restore(saved.size() * 2 + 1, saved.hashes().to_vec()).is_err());
    }

    #[test]
    fn a_run_of_equal_leaves_makes_the_tree_that_appending_each_makes(runs in vec((0_u64..4, 0_u64..70), 0..8)) {
        let (mut one_by_one, mut by_runs) = (Frontier::new(), Frontier::new());
        for (leaf, times) in runs {
            let leaf = leaf_hash(&leaf.to_be_bytes());
            (0..times).for_each(|_| one_by_one.append(leaf));
            by_runs.append_run(leaf, times);
            prop_assert_eq!(&by_runs, &one_by_one);
        }
    }
}
