//! Lists the entries of an archive, for people to read. It verifies nothing, but gives the leaf hashes
//! by which a reader can tell that he read what was verified.

use std::path::Path;

use thiserror::Error;

use super::Trust;
use super::archive::Archive;
use super::bundle::Bundle;
use super::finding::Findings;
use super::head::Head;
use super::inventory::Inventory;
use super::items::ITEMS_BYTES_MAX;
use crate::entry::Entry;
use crate::hash::{Hash, leaf_hash};
use crate::item::{Item, stated_items};
use crate::tile::{TILE_WIDTH, items_path, partial, unbundle_items};

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
    /// The leaf hash of the bytes there.
    pub leaf: Option<Hash>,
    /// Its items, if they were asked for ([`Listing::with_items`]) and are those that it states.
    pub items: Option<Vec<Item>>,
}

/// The entries of an archive in order, one bundle in memory at a time.
pub struct Listing {
    archive: Archive,
    size: u64,
    bundles: u64,
    next: u64,
    items: Items,
    bundle: Option<Bundle>,
    beside: Option<Vec<u8>>,
}

/// Whether the items are read too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    Read,
    Skipped,
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
            bundles: inventory.positions(),
            next: 0,
            items: Items::Skipped,
            bundle: None,
            beside: None,
        })
    }

    /// Reads the items of each entry too.
    #[must_use]
    pub fn with_items(self) -> Self {
        Self {
            items: Items::Read,
            ..self
        }
    }

    /// How many entries there are to list.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn open_position(&mut self, n: u64) {
        let width = (self.size - n * TILE_WIDTH).min(TILE_WIDTH);
        self.bundle = Bundle::read(&self.archive, n, width, &mut Findings::new(0));
        if self.items == Items::Read {
            let width = partial(width);
            let read = |width| self.archive.read(&items_path(n, width), ITEMS_BYTES_MAX);
            let found = read(width).or_else(|error| width.map_or(Err(error), |_| read(None)));
            self.beside = found.ok();
        }
    }

    fn items_of(&self, entry: &Entry, index: usize) -> Option<Vec<Item>> {
        let batch = entry.facts.batch;
        if self.items == Items::Skipped {
            return None;
        }
        if batch.is_none_or(|batch| batch.count == 0) {
            return Some(Vec::new());
        }
        let parts = unbundle_items(self.beside.as_ref()?, index + 1)?;
        stated_items(batch, parts.last()?).ok()
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
            self.open_position(n);
        }
        self.next += 1;
        let bytes = self.bundle.as_ref().and_then(|bundle| bundle.entry(index));
        let entry = bytes.and_then(|(_, bytes)| Entry::decode(bytes).ok());
        Some(Listed {
            seq,
            leaf: bytes.map(|(_, bytes)| leaf_hash(bytes)),
            items: entry.as_ref().and_then(|entry| self.items_of(entry, index)),
            entry,
        })
    }
}
