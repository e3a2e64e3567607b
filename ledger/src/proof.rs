//! Inclusion and consistency proofs of an RFC 6962 tree: which hashes they are, and their checks.
//! A proof of the wrong length is refused, whatever it leads to (RFC 9162 §2.1.3, §2.1.4).

use std::ops::Range;

use crate::error::TreeError;
use crate::frontier::Frontier;
use crate::hash::{Hash, node_hash};

/// The proof that leaf `index` is in the tree over these leaf hashes.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, TreeError> {
    roots(leaves, inclusion_ranges(index, leaves.len() as u64)?)
}

/// The proof that the tree over these leaf hashes only adds to its first `old_size` leaves.
pub fn consistency_proof(leaves: &[Hash], old_size: u64) -> Result<Vec<Hash>, TreeError> {
    roots(leaves, consistency_ranges(old_size, leaves.len() as u64)?)
}

/// The leaves under each hash of an inclusion proof, in its order (RFC 6962 §2.1.1).
pub fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<Range<u64>>, TreeError> {
    if index >= size {
        return Err(TreeError::Bounds);
    }
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The leaves under each hash of a consistency proof, in its order (RFC 6962 §2.1.2).
pub fn consistency_ranges(old_size: u64, size: u64) -> Result<Vec<Range<u64>>, TreeError> {
    if old_size == 0 || old_size > size {
        return Err(TreeError::Bounds);
    }
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while tree.end != old_size {
        let middle = tree.start + split(tree.end - tree.start);
        if old_size <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // The old root is known to who checks; any smaller old subtree must be given.
    if tree.start > 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Checks that `leaf` is leaf `index` of the tree with this size and root (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    let ranges = inclusion_ranges(index, size)?;
    if proof.len() != ranges.len() {
        return Err(TreeError::Length);
    }
    let found = ranges
        .iter()
        .zip(proof)
        .fold(*leaf, |hash, (range, sibling)| {
            if range.start > index {
                node_hash(&hash, sibling)
            } else {
                node_hash(sibling, &hash)
            }
        });
    if found == *root {
        Ok(())
    } else {
        Err(TreeError::Root)
    }
}

/// Checks that the new tree begins with the whole old one (RFC 9162 §2.1.4.2).
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), TreeError> {
    let (old_size, old_root) = old;
    let (size, root) = new;
    let ranges = consistency_ranges(old_size, size)?;
    if proof.len() != ranges.len() {
        return Err(TreeError::Length);
    }
    let mut steps = ranges.iter().zip(proof);
    // A perfect old tree is itself the first subtree; otherwise the proof begins with one.
    let own_subtree =
        old_size == size || ranges.first().is_none_or(|first| first.start >= old_size);
    let first = if own_subtree {
        Some(old_root)
    } else {
        steps.next().map(|(_, hash)| hash)
    };
    let first = *first.ok_or(TreeError::Length)?;
    let (mut old_hash, mut new_hash) = (first, first);
    for (range, sibling) in steps {
        if range.start >= old_size {
            new_hash = node_hash(&new_hash, sibling);
        } else {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        }
    }
    if old_hash == *old_root && new_hash == *root {
        Ok(())
    } else {
        Err(TreeError::Root)
    }
}

/// The largest power of two below `count` (at least 2).
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

fn roots(leaves: &[Hash], ranges: Vec<Range<u64>>) -> Result<Vec<Hash>, TreeError> {
    ranges
        .into_iter()
        .map(|range| root_of(leaves, range))
        .collect()
}

fn root_of(leaves: &[Hash], range: Range<u64>) -> Result<Hash, TreeError> {
    let bounds = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok());
    let part = bounds
        .and_then(|(start, end)| leaves.get(start..end))
        .ok_or(TreeError::Bounds)?;
    Ok(part.iter().copied().collect::<Frontier>().root())
}
