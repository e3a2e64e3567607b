//! Where a tree's tiles and bundles stand (C2SP tlog-tiles), and what is in them.

mod consistency;
mod edge;
mod file;
mod path;

pub use consistency::consistency_from_tiles;
pub use edge::{Edge, Tile};
pub use file::LogFile;
pub(crate) use path::Tiles;
pub use path::proof_from_tiles;

use crate::hash::{Hash, node_hash};

/// How many hashes a full tile has, and how many entries a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Which tile: its level (0 holds leaf hashes) and its index in that level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileIndex {
    /// Each level has the roots of 256 hashes of the level below.
    pub level: u8,
    /// From 0.
    pub n: u64,
}

/// The root over a full tile's hashes: the hash of the level above.
#[must_use]
pub fn tile_root(hashes: &[Hash; 256]) -> Hash {
    // Level by level no hash waits for the one before it, so that a processor can be at two of them at once.
    let (mut level, mut width) = (*hashes, hashes.len());
    while width > 1 {
        width /= 2;
        for at in 0..width {
            level[at] = node_hash(&level[2 * at], &level[2 * at + 1]);
        }
    }
    level[0]
}

/// `tile/<L>/<N>[.p/<W>]`: a hash tile; `partial` is its width if it is not full.
#[must_use]
pub fn tile_path(level: u8, n: u64, partial: Option<u8>) -> String {
    format!("tile/{level}/{}{}", index_path(n), partial_suffix(partial))
}

/// `tile/entries/<N>[.p/<W>]`: an entry bundle.
#[must_use]
pub fn entries_path(n: u64, partial: Option<u8>) -> String {
    format!("tile/entries/{}{}", index_path(n), partial_suffix(partial))
}

/// `items/<N>[.p/<W>]`: the items of a bundle's entries. Our own, beside the files of C2SP.
#[must_use]
pub fn items_path(n: u64, partial: Option<u8>) -> String {
    format!("items/{}{}", index_path(n), partial_suffix(partial))
}

/// The width of the last tile of a level with `count` hashes, or none if that tile is full.
#[must_use]
pub fn partial(count: u64) -> Option<u8> {
    u8::try_from(count % TILE_WIDTH)
        .ok()
        .filter(|width| *width > 0)
}

/// An entry bundle: each entry behind its length in two big-endian bytes.
/// Entries have at most [`crate::ENTRY_BYTES_MAX`] bytes, as [`crate::Entry::encode`] sees to.
#[must_use]
pub fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 2).sum());
    for entry in entries {
        let [.., high, low] = entry.len().to_be_bytes();
        bytes.extend_from_slice(&[high, low]);
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// The items file of a bundle: for each entry its items ([`crate::encode_items`]) behind their
/// length in four big-endian bytes; an entry without a batch has length 0.
/// Where no entry of the bundle has items, the file may be absent.
#[must_use]
pub fn items_bundle(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.iter().map(|item| item.len() + 4).sum());
    for item in items {
        let [.., a, b, c, d] = item.len().to_be_bytes();
        bytes.extend_from_slice(&[a, b, c, d]);
        bytes.extend_from_slice(item);
    }
    bytes
}

/// The first `count` entries of a bundle; nothing where it has not so many whole ones. This believes
/// what it reads: compare the entries' leaf hashes with the tree's.
#[must_use]
pub fn unbundle(bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    cut::<2>(bytes, count)
}

/// The items of the first `count` entries of an items file, as [`crate::encode_items`] wrote them.
/// Each entry commits to its own: compare them.
#[must_use]
pub fn unbundle_items(bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    cut::<4>(bytes, count)
}

/// Takes `count` parts, each behind its length in `LENGTH` big-endian bytes.
fn cut<const LENGTH: usize>(mut bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let length = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

/// An index in groups of three digits: 1234067 is `x001/x234/067`.
fn index_path(n: u64) -> String {
    let mut path = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn partial_suffix(partial: Option<u8>) -> String {
    partial.map_or_else(String::new, |width| format!(".p/{width}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_tlog_tiles() {
        assert_eq!(tile_path(0, 1_234_067, None), "tile/0/x001/x234/067");
        assert_eq!(tile_path(1, 0, Some(8)), "tile/1/000.p/8");
        assert_eq!(entries_path(999, None), "tile/entries/999");
        assert_eq!(items_path(1000, Some(255)), "items/x001/000.p/255");
    }

    #[test]
    fn a_bundle_is_taken_apart_as_it_was_made() {
        let parts = [vec![7; 300], vec![], vec![1, 2]];
        let (entries, items) = (bundle(&parts), items_bundle(&parts));
        for count in 0..=3 {
            let expected: Vec<&[u8]> = parts[..count].iter().map(Vec::as_slice).collect();
            assert_eq!(unbundle(&entries, count).as_ref(), Some(&expected));
            assert_eq!(unbundle_items(&items, count), Some(expected));
        }
        assert_eq!(unbundle(&entries, 4), None);
        for length in 0..entries.len() {
            assert_eq!(unbundle(&entries[..length], 3), None, "{length}");
        }
        assert_eq!(unbundle_items(&[255; 4], 1), None);
    }

    #[test]
    fn a_bundle_has_lengths_and_entries() {
        assert_eq!(bundle(&[vec![7; 3], vec![]]), [0, 3, 7, 7, 7, 0, 0]);
        assert_eq!(
            items_bundle(&[vec![], vec![9]]),
            [0, 0, 0, 0, 0, 0, 0, 1, 9]
        );
    }

    #[test]
    fn a_full_tile_has_no_partial_width() {
        assert_eq!(
            [partial(0), partial(255), partial(256)],
            [None, Some(255), None]
        );
    }
}
