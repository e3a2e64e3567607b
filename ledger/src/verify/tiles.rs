//! Recomputes every hash tile of every level from the entries, and compares it with its file.

use super::archive::Archive;
use super::code::Code;
use super::files::{Found, Position};
use super::finding::{Finding, Findings};
use crate::frontier::Frontier;
use crate::hash::Hash;
use crate::tile::{TILE_WIDTH, tile_path, tile_root};

const HASH_BYTES: usize = 32;
/// Twice what a tile has, so that one with bytes too many is read and reported as such.
const TILE_BYTES_MAX: u64 = 2 * TILE_WIDTH * HASH_BYTES as u64;

/// A hash as the entries give it, and as the tile below gives it. Where the two differ, the tile
/// below was reported, and a tile that agrees with either is not reported again.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) computed: Option<Hash>,
    pub(super) claimed: Option<Hash>,
}

/// A tile's file and the hashes in it.
pub(super) struct Stored {
    pub(super) path: String,
    pub(super) hashes: Vec<Hash>,
}

/// The open tile of a level.
#[derive(Default)]
struct Level {
    n: u64,
    known: Vec<Known>,
}

/// The open tiles above the leaves; at most seven levels of 256 hashes.
#[derive(Default)]
pub(super) struct Tiles {
    levels: Vec<Level>,
    pub(super) read: u64,
}

/// Reads a tile, and compares the other widths that lie beside it.
pub(super) fn read(
    archive: &Archive,
    (level, n): (u8, u64),
    width: u64,
    findings: &mut Findings,
) -> Option<Stored> {
    let path = |partial| tile_path(level, n, partial);
    let position = Position {
        archive,
        path: &path,
        width,
        bytes_max: TILE_BYTES_MAX,
    };
    let found = match position.read() {
        Ok(found) => found,
        Err((path, error)) => {
            findings.push(error.finding(&path));
            return None;
        }
    };
    let hashes = cut(&position, &found, findings);
    let end_of = |count| Some(count * HASH_BYTES).filter(|_| count <= hashes.len());
    position.compare_widths(&found, &end_of, findings);
    Some(Stored {
        path: found.path,
        hashes,
    })
}

impl Tiles {
    /// The open tiles, and the tree, of a log's first `size` entries (whole bundles), from the files
    /// of a log of `now` entries. Believed only if the tree's root is: see who calls.
    pub(super) fn restore(archive: &Archive, size: u64, now: u64) -> Option<(Self, Frontier)> {
        let (mut tiles, mut tree) = (Self::default(), Frontier::new());
        for level in 1..8u8 {
            let shift = 8 * u32::from(level);
            let (count, count_now) = (size >> shift, now >> shift);
            if count == 0 {
                break;
            }
            let (n, width) = (count / TILE_WIDTH, count % TILE_WIDTH);
            let mut open = Level {
                n,
                known: Vec::new(),
            };
            if width > 0 {
                let width_now = (count_now - n * TILE_WIDTH).min(TILE_WIDTH);
                let mut ignored = Findings::new(0);
                let stored = read(archive, (level, n), width_now, &mut ignored)?;
                let width = usize::try_from(width).ok()?;
                let hashes = stored.hashes.get(..width)?;
                open.known.extend(hashes.iter().map(|hash| Known {
                    computed: Some(*hash),
                    claimed: Some(*hash),
                }));
            }
            tiles.levels.push(open);
        }
        for (below, open) in tiles.levels.iter().enumerate().rev() {
            let level = u32::try_from(below).ok()? + 1;
            for hash in open.known.iter().filter_map(|known| known.computed) {
                tree.append_subtree(hash, 8 * level);
            }
        }
        (tree.size() == size).then_some((tiles, tree))
    }

    /// Takes the root of a whole leaf tile: a hash of level 1.
    pub(super) fn leaf_tile(&mut self, archive: &Archive, root: Known, findings: &mut Findings) {
        self.push(archive, 1, root, findings);
    }

    /// Compares the partial tiles at the right edge.
    pub(super) fn finish(&mut self, archive: &Archive, findings: &mut Findings) {
        for (level, open) in (1..).zip(std::mem::take(&mut self.levels)) {
            if !open.known.is_empty() {
                self.compare(archive, level, &open, findings);
            }
        }
    }

    fn push(&mut self, archive: &Archive, level: u8, known: Known, findings: &mut Findings) {
        let index = usize::from(level) - 1;
        if self.levels.len() == index {
            self.levels.push(Level::default());
        }
        let open = &mut self.levels[index];
        open.known.push(known);
        if (open.known.len() as u64) < TILE_WIDTH {
            return;
        }
        let full = std::mem::replace(
            open,
            Level {
                n: open.n + 1,
                known: Vec::new(),
            },
        );
        let claimed = self.compare(archive, level, &full, findings);
        let computed = full
            .known
            .iter()
            .map(|known| known.computed)
            .collect::<Option<Vec<_>>>();
        let above = Known {
            computed: computed.as_deref().map(root),
            claimed,
        };
        self.push(archive, level + 1, above, findings);
    }

    /// Compares a tile with its file; returns the root that the file claims.
    fn compare(
        &mut self,
        archive: &Archive,
        level: u8,
        tile: &Level,
        findings: &mut Findings,
    ) -> Option<Hash> {
        let stored = read(archive, (level, tile.n), tile.known.len() as u64, findings)?;
        self.read += 1;
        for (index, (known, hash)) in tile.known.iter().zip(&stored.hashes).enumerate() {
            let checkable = known.computed.or(known.claimed).is_some();
            if checkable && ![known.computed, known.claimed].contains(&Some(*hash)) {
                let message =
                    format!("hash {index} is {hash}, which is not that of the tile below");
                let finding = Finding::new(Code::TileHash, message).file(&stored.path);
                findings.push(finding.offset(index * HASH_BYTES));
            }
        }
        claim(Some(&stored))
    }
}

fn cut(position: &Position<'_>, found: &Found, findings: &mut Findings) -> Vec<Hash> {
    let width = usize::try_from(position.width).unwrap_or(usize::MAX);
    let (hashes, rest) = found.bytes.as_chunks::<HASH_BYTES>();
    if hashes.len() < width || (found.exact && (hashes.len() > width || !rest.is_empty())) {
        let message = format!("{} bytes for {width} hashes", found.bytes.len());
        let offset = found.bytes.len().min(width * HASH_BYTES);
        findings.push(
            Finding::new(Code::TileFraming, message)
                .file(&found.path)
                .offset(offset),
        );
    }
    hashes.iter().take(width).map(|hash| Hash(*hash)).collect()
}

fn claim(stored: Option<&Stored>) -> Option<Hash> {
    let hashes = &stored?.hashes;
    (hashes.len() as u64 == TILE_WIDTH).then(|| root(hashes))
}

/// The root over the hashes of a tile.
pub(super) fn root(hashes: &[Hash]) -> Hash {
    match hashes.try_into() {
        Ok(full) => tile_root(full),
        Err(_) => hashes.iter().copied().collect::<Frontier>().root(),
    }
}
