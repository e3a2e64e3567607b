//! The tiles still open at the right edge of the tree: grows leaf by leaf, yields tiles as they fill.

use super::{TILE_WIDTH, TileIndex, partial, tile_path};
use crate::error::TreeError;
use crate::frontier::Frontier;
use crate::hash::Hash;

/// A hash tile, full or partial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Which tile.
    pub index: TileIndex,
    /// Its hashes, 1 to 256.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// Where its file stands.
    #[must_use]
    pub fn path(&self) -> String {
        tile_path(
            self.index.level,
            self.index.n,
            partial(self.hashes.len() as u64),
        )
    }

    /// What its file holds.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

/// The last, open tile of every level. Memory: at most eight tiles of 8 KiB.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    open: Vec<Tile>,
}

impl Edge {
    /// The edge of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Which partial tiles a tree of this size has; their files are what [`Edge::restore`] needs.
    #[must_use]
    pub fn shape(size: u64) -> Vec<(TileIndex, u8)> {
        Self::levels(size)
            .filter_map(|(index, count)| partial(count).map(|width| (index, width)))
            .collect()
    }

    /// The edge again, from the hashes of the partial tiles that [`Edge::shape`] names, in order.
    pub fn restore(size: u64, partial_tiles: Vec<Vec<Hash>>) -> Result<Self, TreeError> {
        let mut found = partial_tiles.into_iter();
        let mut open = Vec::new();
        for (index, count) in Self::levels(size) {
            let hashes = match partial(count) {
                None => Vec::new(),
                Some(width) => {
                    let hashes = found
                        .next()
                        .filter(|found| found.len() == usize::from(width));
                    hashes.ok_or(TreeError::Shape)?
                }
            };
            open.push(Tile { index, hashes });
        }
        if found.next().is_some() {
            Err(TreeError::Shape)
        } else {
            Ok(Self { open })
        }
    }

    /// Adds a leaf by its hash; returns the tiles that it filled, lowest level first.
    pub fn append(&mut self, leaf: Hash) -> Vec<Tile> {
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0..=u8::MAX {
            if self.open.len() == usize::from(level) {
                self.open.push(Tile {
                    index: TileIndex { level, n: 0 },
                    hashes: Vec::new(),
                });
            }
            let tile = &mut self.open[usize::from(level)];
            tile.hashes.push(hash);
            if (tile.hashes.len() as u64) < TILE_WIDTH {
                break;
            }
            hash = tile.hashes.iter().copied().collect::<Frontier>().root();
            let next = Tile {
                index: TileIndex {
                    level,
                    n: tile.index.n + 1,
                },
                hashes: Vec::new(),
            };
            full.push(std::mem::replace(tile, next));
        }
        full
    }

    /// The partial tiles now, lowest level first.
    #[must_use]
    pub fn partial_tiles(&self) -> Vec<Tile> {
        self.open
            .iter()
            .filter(|tile| !tile.hashes.is_empty())
            .cloned()
            .collect()
    }

    /// Each level of the tree: its open tile, and how many hashes the level has.
    fn levels(size: u64) -> impl Iterator<Item = (TileIndex, u64)> {
        (0..8u8)
            .map(move |level| (level, size >> (8 * u32::from(level))))
            .take_while(|(_, count)| *count > 0)
            .map(|(level, count)| {
                (
                    TileIndex {
                        level,
                        n: count / TILE_WIDTH,
                    },
                    count,
                )
            })
    }
}
