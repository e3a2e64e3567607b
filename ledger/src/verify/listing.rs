//! Lists the entries of an archive, for people to read. It verifies nothing.

use std::path::Path;

use thiserror::Error;

use super::Trust;
use super::archive::Archive;
use super::bundle::Bundle;
use super::finding::Findings;
use super::head::Head;
use super::inventory::Inventory;
use crate::entry::Entry;
use crate::tile::TILE_WIDTH;

/// An archive that cannot be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ListError {
    /// The folder cannot be opened.
    #[error("not a folder that can be read")]
    Folder,
}

/// An entry of the archive, or its place if it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its place.
    pub seq: u64,
    /// What stands there.
    pub entry: Option<Entry>,
}

/// The entries of an archive in order, one bundle in memory at a time.
pub struct Listing {
    archive: Archive,
    size: u64,
    bundles: u64,
    next: u64,
    bundle: Option<Bundle>,
}

impl Listing {
    /// Opens an archive; its size is what its checkpoint says, or what its files are.
    pub fn open(dir: &Path) -> Result<Self, ListError> {
        let archive = Archive::open(dir).map_err(|_| ListError::Folder)?;
        let mut ignored = Findings::new(0);
        let head = Head::open(&archive, &Trust::default(), &mut ignored);
        let inventory = Inventory::take(&archive, None, &mut ignored);
        let size = head
            .checkpoint
            .map_or_else(|| inventory.size(), |stated| stated.size);
        Ok(Self {
            archive,
            size,
            bundles: inventory.bundles,
            next: 0,
            bundle: None,
        })
    }
}

impl Iterator for Listing {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        let (seq, n) = (self.next, self.next / TILE_WIDTH);
        if seq >= self.size || n >= self.bundles {
            return None;
        }
        let index = usize::try_from(seq % TILE_WIDTH).ok()?;
        if index == 0 {
            let width = (self.size - seq).min(TILE_WIDTH);
            self.bundle = Bundle::read(&self.archive, n, width, &mut Findings::new(0));
        }
        self.next += 1;
        let bytes = self.bundle.as_ref().and_then(|bundle| bundle.entry(index));
        let entry = bytes.and_then(|(_, bytes)| Entry::decode(bytes).ok());
        Some(Listed { seq, entry })
    }
}
