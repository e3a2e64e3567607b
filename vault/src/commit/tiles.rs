//! Entries become C2SP tiles on disk: immutable files, written once, read back before they count.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledger::tile::{
    Edge, TILE_WIDTH, Tile, bundle, entries_path, items_bundle, items_path, partial, tile_path,
};
use ledger::{Frontier, Hash, leaf_hash};

use super::files::Files;
use crate::store::StoredEntry;

/// The right edge of the tree, and the last bundle, which is not full yet.
pub(super) struct Integrator {
    directory: PathBuf,
    size: u64,
    edge: Edge,
    entries: Vec<Vec<u8>>,
    items: Vec<Vec<u8>>,
    /// Partial files' folders whose full file stands: not needed once a checkpoint covers it.
    stale: Vec<String>,
    /// What is on its way into the directory.
    files: Files,
}

impl Integrator {
    /// An empty tree whose files go under `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            size: 0,
            edge: Edge::new(),
            entries: Vec::new(),
            items: Vec::new(),
            stale: Vec::new(),
            files: Files::under(directory),
        }
    }

    /// Takes up a published tree of `size`: its edge from the tiles on disk, its last bundle from
    /// `tail`, the database's entries from that bundle's start on.
    /// `None` where the database's entries are not those of the tiles.
    pub(super) fn resume(
        directory: &Path,
        size: u64,
        tail: &[StoredEntry],
    ) -> io::Result<Option<Self>> {
        let altered = || io::Error::other("the tiles on disk are not those of the checkpoint");
        let mut hashes = Vec::new();
        for (index, width) in Edge::shape(size) {
            let path = directory.join(tile_path(index.level, index.n, Some(width)));
            let bytes = fs::read(path)?;
            let (tile, rest) = bytes.as_chunks::<32>();
            if !rest.is_empty() {
                return Err(altered());
            }
            hashes.push(tile.iter().map(|hash| Hash(*hash)).collect());
        }
        let mut tree = Self::new(directory);
        tree.size = size;
        tree.edge = Edge::restore(size, hashes).map_err(|_| altered())?;
        let leaves: Vec<Hash> = tail.iter().map(|entry| leaf_hash(&entry.bytes)).collect();
        let open = tree.edge.partial_tiles();
        let bottom = open.first().filter(|tile| tile.index.level == 0);
        if bottom.map_or(&[][..], |tile| &tile.hashes) != leaves {
            return Ok(None);
        }
        tree.entries = tail.iter().map(|entry| entry.bytes.clone()).collect();
        tree.items = tail.iter().map(|entry| entry.items.clone()).collect();
        Ok(Some(tree))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next entry; writes its bundle and tiles when they become full.
    pub(super) fn append(&mut self, entry: &StoredEntry) -> io::Result<()> {
        if entry.seq != self.size {
            return Err(io::Error::other("the database's entries have a gap"));
        }
        self.entries.push(entry.bytes.clone());
        self.items.push(entry.items.clone());
        self.size += 1;
        let full = self.edge.append(leaf_hash(&entry.bytes));
        if !full.is_empty() {
            let n = self.size / TILE_WIDTH - 1;
            self.write_bundle(n, None)?;
            self.stale
                .extend([entries_path(n, None), items_path(n, None)]);
            self.entries.clear();
            self.items.clear();
        }
        for tile in &full {
            self.write_tile(tile)?;
            self.stale.push(tile.path());
        }
        Ok(())
    }

    /// Partial files may go once the full one stands (C2SP tlog-tiles, "Partial Tiles"), and a
    /// checkpoint that needs it is in its place: until then a restart begins at the partial ones.
    pub(super) fn drop_stale(&mut self) -> io::Result<()> {
        for full in self.stale.drain(..) {
            match fs::remove_dir_all(self.directory.join(format!("{full}.p"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the partial tiles and bundle of the present size, and gives the root over it. All files
    /// are durable in their places then.
    pub(super) fn integrate(&mut self) -> io::Result<Hash> {
        if let Some(width) = partial(self.size) {
            self.write_bundle(self.size / TILE_WIDTH, Some(width))?;
        }
        for tile in self.edge.partial_tiles() {
            self.write_tile(&tile)?;
        }
        self.files.settle()?;
        Ok(self.root())
    }

    /// RFC 6962 section 2.1: each level's perfect subtrees stand left of all that is below.
    pub(super) fn root(&self) -> Hash {
        let mut below: Option<Hash> = None;
        for tile in self.edge.partial_tiles() {
            let nodes: Frontier = tile.hashes.into_iter().chain(below).collect();
            below = Some(nodes.root());
        }
        below.unwrap_or_else(|| Frontier::new().root())
    }

    /// Where no entry of a bundle has items, there is no file of items.
    fn write_bundle(&mut self, n: u64, width: Option<u8>) -> io::Result<()> {
        if self.items.iter().any(|items| !items.is_empty()) {
            self.files
                .write(&items_path(n, width), &items_bundle(&self.items))?;
        }
        self.files
            .write(&entries_path(n, width), &bundle(&self.entries))
    }

    fn write_tile(&mut self, tile: &Tile) -> io::Result<()> {
        self.files.write(&tile.path(), &tile.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Frontier, Integrator, StoredEntry, entries_path, items_bundle, items_path, leaf_hash,
    };

    fn entry(seq: u64) -> StoredEntry {
        StoredEntry {
            seq,
            bytes: seq.to_be_bytes().to_vec(),
            items: vec![7; (seq % 3) as usize],
        }
    }

    #[test]
    fn there_is_a_file_of_items_where_there_are_items() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Integrator::new(folder.path());
        let none = |seq| StoredEntry {
            items: Vec::new(),
            ..entry(seq)
        };
        (0..300).for_each(|seq| tree.append(&none(seq)).unwrap());
        tree.integrate().unwrap();
        assert!(folder.path().join(entries_path(1, Some(44))).exists());
        assert!(!folder.path().join("items").exists());
        tree.append(&entry(300)).unwrap();
        tree.append(&entry(301)).unwrap();
        tree.integrate().unwrap();
        let items = std::fs::read(folder.path().join(items_path(1, Some(46)))).unwrap();
        assert_eq!(items, items_bundle(&tree.items));
        assert!(!folder.path().join(items_path(0, None)).exists());
    }

    #[test]
    fn the_root_is_that_of_the_frontier_and_survives_a_restart() {
        for size in [1, 2, 255, 256, 257, 700] {
            let folder = tempfile::tempdir().unwrap();
            let mut tree = Integrator::new(folder.path());
            let mut oracle = Frontier::new();
            for seq in 0..size {
                tree.append(&entry(seq)).unwrap();
                oracle.append(leaf_hash(&entry(seq).bytes));
            }
            assert_eq!(tree.integrate().unwrap(), oracle.root(), "size {size}");
            let tail: Vec<_> = (size - size % 256..size).map(entry).collect();
            let again = Integrator::resume(folder.path(), size, &tail)
                .unwrap()
                .unwrap();
            assert_eq!(
                (again.size(), again.root()),
                (size, oracle.root()),
                "size {size}"
            );
        }
    }
}
