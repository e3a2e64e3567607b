//! Looks at every name in the archive: links, strangers, and files beyond the checkpoint.

use std::mem;

use super::archive::{Archive, Kind, Seen};
use super::code::Code;
use super::finding::{Finding, Findings};
use super::stamps::stamp_size;
use crate::tile::TILE_WIDTH;

const DEPTH_MAX: usize = 12;
/// Positions without a file that are looked at in any case.
const GAPS_MAX: u64 = 1024;
/// Files that may lie beside the log's own.
const COMPANIONS: [&str; 5] = ["FORMAT.cddl", "README.md", "policy", "signers", "VERIFY.py"];

/// What the names alone tell.
#[derive(Default)]
pub(super) struct Inventory {
    /// The size that the checkpoint states, if there is one.
    size: Option<u64>,
    /// One more than the last bundle or leaf tile position that has a file.
    bundles: u64,
    /// How many files bundles and leaf tiles have.
    leaf_files: u64,
    /// The widest partial bundle at the last position, or 256.
    last_width: u64,
    /// What need not be looked for, being not there.
    seen: Seen,
}

impl Inventory {
    pub(super) fn take(archive: &Archive, size: Option<u64>, findings: &mut Findings) -> Self {
        let mut inventory = Self {
            size,
            ..Self::default()
        };
        inventory.walk(archive, "", 0, findings);
        archive.know(mem::take(&mut inventory.seen));
        inventory
    }

    /// The size of the log as its files have it.
    pub(super) fn size(&self) -> u64 {
        let before = self.bundles.saturating_sub(1).saturating_mul(TILE_WIDTH);
        before.saturating_add(self.last_width)
    }

    /// How many bundle positions are looked at. Anyone can name one small file as the last of 2^55: so no more
    /// than a walk that the files are worth, with room for gaps.
    pub(super) fn positions(&self) -> u64 {
        let worth = self.leaf_files.saturating_mul(2);
        self.bundles.min(worth.saturating_add(GAPS_MAX))
    }

    fn walk(&mut self, archive: &Archive, folder: &str, depth: usize, findings: &mut Findings) {
        let names = match archive.names(folder) {
            Ok(names) if depth <= DEPTH_MAX => names,
            Ok(_) => {
                let message = "a folder deeper than any of an archive, not read";
                return findings.push(Finding::new(Code::UnexpectedFile, message).file(folder));
            }
            Err(error) => return findings.push(error.finding(folder)),
        };
        for name in names {
            let path = if folder.is_empty() {
                name.text
            } else {
                format!("{folder}/{}", name.text)
            };
            match name.kind {
                Kind::Folder => {
                    self.walk(archive, &path, depth + 1, findings);
                    if path.as_bytes().ends_with(b".p") {
                        self.seen.partials.insert(path);
                    }
                }
                Kind::File => self.file(&path, findings),
                Kind::Other => {
                    // Whoever looks into it says what it is.
                    self.seen.items += u64::from(path.starts_with("items"));
                    self.seen.partials.insert(path.clone());
                    let message = "a link or special file, not followed";
                    findings.push(Finding::new(Code::LinkRefused, message).file(&path));
                }
            }
        }
    }

    fn file(&mut self, path: &str, findings: &mut Findings) {
        if let Some((level, n, width)) = tree_file(path) {
            if path.starts_with("tile/entries/") || path.starts_with("tile/0/") {
                self.position(n, width);
                self.leaf_files += 1;
            }
            self.seen.items += u64::from(path.starts_with("items/"));
            let hashes = self
                .size
                .map(|size| size.checked_shr(8 * level).unwrap_or(0));
            if hashes.is_some_and(|hashes| n.saturating_mul(TILE_WIDTH) >= hashes) {
                let message = "not covered by the checkpoint";
                findings.push(Finding::new(Code::BeyondCheckpoint, message).file(path));
            }
        } else if path != "checkpoint"
            && !is_notes(path)
            && stamp_size(path).is_none()
            && !COMPANIONS.contains(&path)
        {
            let message = "not part of an archive, not read";
            findings.push(Finding::new(Code::UnexpectedFile, message).file(path));
        }
    }

    fn position(&mut self, n: u64, width: u64) {
        if n + 1 > self.bundles {
            (self.bundles, self.last_width) = (n + 1, width);
        } else if n + 1 == self.bundles {
            self.last_width = self.last_width.max(width);
        }
    }
}

/// Level, index and width of a file of the tree, if this is exactly how its path is written. There are
/// thousands of paths: none is written anew to be compared.
fn tree_file(path: &str) -> Option<(u32, u64, u64)> {
    let (full, width) = match path.split_once(".p/") {
        Some((full, width)) => (full, partial_width(width)?),
        None => (path, TILE_WIDTH),
    };
    if let Some(index) = full
        .strip_prefix("tile/entries/")
        .or_else(|| full.strip_prefix("items/"))
    {
        return Some((0, index_of(index)?, width));
    }
    let (level, index) = full.strip_prefix("tile/")?.split_once('/')?;
    let level = match level.as_bytes() {
        [digit @ b'0'..=b'7'] => u32::from(digit - b'0'),
        _ => return None,
    };
    Some((level, index_of(index)?, width))
}

/// 1 to 255, with no zero before.
fn partial_width(digits: &str) -> Option<u64> {
    let width = digits.parse::<u8>().ok()?;
    let one_spelling = digits
        .bytes()
        .next()
        .is_some_and(|digit| matches!(digit, b'1'..=b'9'));
    one_spelling.then(|| u64::from(width))
}

/// Groups of three digits, with an `x` before each but the last: `x001/x234/067`. 2^63 entries are 2^55
/// bundles: no index has more than six groups.
fn index_of(groups: &str) -> Option<u64> {
    let (mut index, mut count, mut rest) = (0, 0, groups);
    loop {
        let (group, behind) = match rest.strip_prefix('x') {
            Some(group) => group
                .split_once('/')
                .map(|(group, behind)| (group, Some(behind)))?,
            None => (rest, None),
        };
        let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = group.as_bytes() else {
            return None;
        };
        let number = [a, b, c]
            .into_iter()
            .fold(0, |n, digit| 10 * n + u64::from(digit - b'0'));
        // A first group of zeros would be another spelling.
        if count == 6 || (count == 0 && number == 0 && behind.is_some()) {
            return None;
        }
        index = 1000 * index + number;
        count += 1;
        match behind {
            Some(behind) => rest = behind,
            None => return Some(index),
        }
    }
}

/// `checkpoints/YYYY/MM/DD.notes`.
pub(super) fn is_notes(path: &str) -> bool {
    let shape = b"checkpoints/0000/00/00.notes";
    path.len() == shape.len()
        && path.bytes().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *shape,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tile::{entries_path, items_path, tile_path};

    #[test]
    fn a_path_has_one_spelling() {
        for good in [
            "tile/entries/000",
            "tile/7/x001/000.p/255",
            "items/x999/x000/001",
        ] {
            assert!(tree_file(good).is_some(), "{good}");
        }
        for bad in [
            "tile/entries/x000/000",
            "tile/entries/x001",
            "tile/entries/x001/x000",
            "tile/entries/001/000",
            "tile/entries/00",
            "tile/entries/0000",
            "tile/entries/+00",
            "tile/entries/000.p/0",
            "tile/entries/000.p/+1",
            "tile/entries/000.p/01",
            "tile/entries/000.p/256",
            "tile/entries/000/",
            "tile/entries/xx01/000",
            "tile/8/000",
            "tile/00/000",
            "tile/-1/000",
            "items/x001/x000/x000/x000/x000/x000/000",
        ] {
            assert_eq!(tree_file(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_path_that_is_written_is_read(level in 0_u8..8, n in 0..1_u64 << 55, width in 0_u8..=255) {
            let partial = Some(width).filter(|width| *width > 0);
            let width = partial.map_or(TILE_WIDTH, u64::from);
            prop_assert_eq!(tree_file(&tile_path(level, n, partial)), Some((u32::from(level), n, width)));
            prop_assert_eq!(tree_file(&entries_path(n, partial)), Some((0, n, width)));
            prop_assert_eq!(tree_file(&items_path(n, partial)), Some((0, n, width)));
        }

        #[test]
        fn a_path_that_is_read_is_written_so(path in "(tile/entries|tile/[0-8]|items)/(x?[0-9]{3}/){0,6}x?[0-9]{3}(.p/[0-9]{1,3})?") {
            if let Some((level, n, width)) = tree_file(&path) {
                let partial = u8::try_from(width).ok();
                let level = u8::try_from(level).unwrap();
                let spellings = [entries_path(n, partial), items_path(n, partial), tile_path(level, n, partial)];
                prop_assert!(spellings.contains(&path));
            }
        }
    }
}
