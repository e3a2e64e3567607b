//! The right edge of the tree: enough to append leaves and to know the root, in 64 hashes at most.

use crate::error::TreeError;
use crate::hash::{Hash, node_hash};

/// The roots of the perfect subtrees that make up a tree, from left (largest) to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// The edge of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            hashes: Vec::new(),
        }
    }

    /// The edge saved as [`Frontier::size`] and [`Frontier::hashes`].
    pub fn restore(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        let fits = hashes.len() == size.count_ones() as usize;
        if fits {
            Ok(Self { size, hashes })
        } else {
            Err(TreeError::Shape)
        }
    }

    /// Adds a leaf by its hash ([`crate::leaf_hash`]).
    pub fn append(&mut self, leaf: Hash) {
        self.append_subtree(leaf, 0);
    }

    /// Adds a leaf `times` over, with as many hashes as that number has digits, not as it counts.
    pub fn append_run(&mut self, leaf: Hash, times: u64) {
        // The roots of 1, 2, 4 … such leaves.
        let mut roots = vec![leaf];
        let mut rest = times;
        while let Some(largest) = rest.checked_ilog2() {
            let height = self.size.trailing_zeros().min(largest);
            let mut root = leaf;
            for level in 1..=height as usize {
                if roots.len() == level {
                    roots.push(node_hash(&root, &root));
                }
                root = roots[level];
            }
            self.append_subtree(root, height);
            rest -= 1 << height;
        }
    }

    /// Adds a perfect subtree; the tree's size is a multiple of the subtree's.
    pub(crate) fn append_subtree(&mut self, root: Hash, height: u32) {
        let mut hash = root;
        // As many subtrees close as the size, counted in such subtrees, has one bits at its end.
        for _ in 0..(self.size >> height).trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1 << height;
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree (RFC 6962 §2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.hashes.iter().rev();
        let Some(last) = right_to_left.next() else {
            return Hash::of_empty_tree();
        };
        right_to_left.fold(*last, |right, left| node_hash(left, &right))
    }

    /// What [`Frontier::restore`] needs beside the size.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        for leaf in leaves {
            tree.append(leaf);
        }
        tree
    }
}
