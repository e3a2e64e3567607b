//! Looks at every name in the archive: links, strangers, and files beyond the checkpoint.

use std::collections::HashSet;
use std::mem;

use super::archive::{Archive, Kind};
use super::code::Code;
use super::finding::{Finding, Findings};
use crate::tile::{TILE_WIDTH, entries_path, items_path, tile_path};

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
    /// The folders of partial files.
    partials: HashSet<String>,
}

impl Inventory {
    pub(super) fn take(archive: &Archive, size: Option<u64>, findings: &mut Findings) -> Self {
        let mut inventory = Self {
            size,
            ..Self::default()
        };
        inventory.walk(archive, "", 0, findings);
        archive.know_partials(mem::take(&mut inventory.partials));
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
                        self.partials.insert(path);
                    }
                }
                Kind::File => self.file(&path, findings),
                Kind::Other => {
                    // Whoever looks into it says what it is.
                    self.partials.insert(path.clone());
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
            let hashes = self
                .size
                .map(|size| size.checked_shr(8 * level).unwrap_or(0));
            if hashes.is_some_and(|hashes| n.saturating_mul(TILE_WIDTH) >= hashes) {
                let message = "not covered by the checkpoint";
                findings.push(Finding::new(Code::BeyondCheckpoint, message).file(path));
            }
        } else if path != "checkpoint" && !is_notes(path) && !COMPANIONS.contains(&path) {
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

/// Level, index and width of a file of the tree, if this is exactly how its path is written.
fn tree_file(path: &str) -> Option<(u32, u64, u64)> {
    let (full, partial) = match path.split_once(".p/") {
        Some((full, width)) => (full, Some(width.parse::<u8>().ok().filter(|w| *w > 0)?)),
        None => (path, None),
    };
    let width = partial.map_or(TILE_WIDTH, u64::from);
    if let Some(index) = full.strip_prefix("tile/entries/") {
        let n = index_of(index)?;
        return (entries_path(n, partial) == path).then_some((0, n, width));
    }
    if let Some(index) = full.strip_prefix("items/") {
        let n = index_of(index)?;
        return (items_path(n, partial) == path).then_some((0, n, width));
    }
    let (level, index) = full.strip_prefix("tile/")?.split_once('/')?;
    let (level, n) = (
        level.parse::<u8>().ok().filter(|level| *level < 8)?,
        index_of(index)?,
    );
    (tile_path(level, n, partial) == path).then_some((u32::from(level), n, width))
}

fn index_of(groups: &str) -> Option<u64> {
    let digits: String = groups.chars().filter(char::is_ascii_digit).collect();
    // 2^63 entries are 2^55 bundles: no index has more than 17 digits.
    if digits.len() > 18 {
        None
    } else {
        digits.parse().ok()
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
