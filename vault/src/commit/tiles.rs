//! Entries become C2SP tiles on disk: immutable files, written once, read back before they count.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ledger::tile::{
    Edge, TILE_WIDTH, Tile, bundle, entries_path, items_bundle, items_path, partial, tile_path,
};
use ledger::{Frontier, Hash, leaf_hash};

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

    /// Writes the partial tiles and bundle of the present size, and gives the root over it.
    pub(super) fn integrate(&self) -> io::Result<Hash> {
        if let Some(width) = partial(self.size) {
            self.write_bundle(self.size / TILE_WIDTH, Some(width))?;
        }
        self.edge
            .partial_tiles()
            .iter()
            .try_for_each(|tile| self.write_tile(tile))?;
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

    fn write_bundle(&self, n: u64, width: Option<u8>) -> io::Result<()> {
        self.write(&items_path(n, width), &items_bundle(&self.items))?;
        self.write(&entries_path(n, width), &bundle(&self.entries))
    }

    fn write_tile(&self, tile: &Tile) -> io::Result<()> {
        self.write(&tile.path(), &tile.bytes())
    }

    /// A file is written whole beside its place, made durable, moved, and read back.
    fn write(&self, relative: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(relative);
        write_durably(&path, bytes)?;
        if fs::read(&path)? != bytes {
            return Err(io::Error::other(
                "a ledger file reads back otherwise than written",
            ));
        }
        Ok(())
    }
}

/// Temp file, fsync, rename, fsync of the folder.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("a file without a folder"))?;
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Frontier, Integrator, StoredEntry, leaf_hash};

    fn entry(seq: u64) -> StoredEntry {
        StoredEntry {
            seq,
            bytes: seq.to_be_bytes().to_vec(),
            items: vec![7; (seq % 3) as usize],
        }
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
