//! The published log read back: what a database that came from a backup does not know yet.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use ledger::tile::{TILE_WIDTH, entries_path, items_path, partial, unbundle, unbundle_items};
use ledger::{
    Checkpoint, Entry, Frontier, Hash, Item, Origin, VerifierKey, leaf_hash, stated_items,
};

use super::PublishError;
use super::receipt::Standing;
use crate::store::{Applied, Change, Database, Reader, StoreError, StoredEntry};

/// Entries read from the store at a time.
const CHUNK: u32 = 1_024;

/// Why the published log can't go on from this database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Nothing is published here.
    #[error(
        "the ledger directory is missing or empty: put it back first, or an auditor's archive of it; \
         without it nobody knows what was erased since the backup"
    )]
    Missing,
    /// The ledger directory is older than the backup.
    #[error(
        "the ledger directory ends at entry {published}, the backup at {database}: put the newest ledger \
         directory back first, or what was erased since could return"
    )]
    Older {
        /// Entries that the published checkpoint covers.
        published: u64,
        /// Entries that the database has.
        database: u64,
    },
    /// The database's entries, or the files', are not those of the published checkpoint.
    #[error(
        "the backup's entries and the ledger directory do not lead to the published root: one of them is \
         another log's, or was altered; verify the directory with `jinku-ledger`"
    )]
    Root,
    /// A file of the ledger directory is cut short, or an entry can't be read.
    #[error("the ledger directory is damaged at entry {seq}: verify it with `jinku-ledger`")]
    Damaged {
        /// The first entry that can't be read.
        seq: u64,
    },
    /// What an entry says can't be done to the database.
    #[error("entry {seq} can't be replayed: the backup was altered, or made by another build")]
    Unfit {
        /// Which.
        seq: u64,
    },
    /// The published checkpoint can't be read, or is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] PublishError),
    /// The ledger directory can't be read.
    #[error("the ledger directory can't be read ({0}): check its disk and rights")]
    Files(#[from] io::Error),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An entry of the published log, with its items; both are what the signed root covers.
pub struct Replayed {
    /// As it is stored.
    pub stored: StoredEntry,
    /// What it says.
    pub entry: Entry,
    /// Its items, in order.
    pub items: Vec<Item>,
}

/// The entries that were published since a database's last one. Every byte that it gives leads to the
/// signed root: the whole tree was computed first.
pub struct Replay {
    standing: Standing,
    /// How many entries the database has.
    first: u64,
    /// How many the published checkpoint covers.
    size: u64,
    /// Leaf hashes of those between: what is read again later must still be the same.
    leaves: Vec<Hash>,
}

impl Replay {
    /// Reads the published log under `directory`, and compares its beginning with a database's entries.
    pub fn open(
        directory: &Path,
        origin: Origin,
        key: VerifierKey,
        reader: &Reader,
    ) -> Result<Self, ReplayError> {
        let standing = Standing {
            directory: directory.to_owned(),
            origin,
            key,
        };
        let (_, checkpoint) = standing.checkpoint()?.ok_or(ReplayError::Missing)?;
        let mut tree = standing_tree(reader)?;
        let (first, size) = (tree.size(), checkpoint.size);
        if size < first {
            return Err(ReplayError::Older {
                published: size,
                database: first,
            });
        }
        let mut replay = Self {
            standing,
            first,
            size,
            leaves: Vec::new(),
        };
        replay.leaves = replay.leaves_to(&mut tree, &checkpoint)?;
        Ok(replay)
    }

    /// How many entries the database does not have.
    pub fn count(&self) -> u64 {
        self.size - self.first
    }

    /// The database's size before.
    pub fn first(&self) -> u64 {
        self.first
    }

    fn leaves_to(
        &self,
        tree: &mut Frontier,
        checkpoint: &Checkpoint,
    ) -> Result<Vec<Hash>, ReplayError> {
        let mut leaves = Vec::new();
        for bundle in self.bundles() {
            for (_, entry) in self.entries_of(bundle)? {
                leaves.push(leaf_hash(&entry));
                tree.append(leaf_hash(&entry));
            }
        }
        // Entries come from the files, proofs from the tree alone: only the root says that they are right.
        if tree.root() == checkpoint.root {
            Ok(leaves)
        } else {
            Err(ReplayError::Root)
        }
    }

    /// Every entry that the database does not have, in order. Reads one bundle at a time.
    pub fn entries(&self) -> impl Iterator<Item = Result<Replayed, ReplayError>> {
        let bundle = |n| match self.replayed(n) {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        self.bundles().flat_map(bundle)
    }

    /// Writes every one of these entries into the database, as it is, together with the change that
    /// `change` makes of it.
    pub fn apply<E: From<ReplayError>>(
        &self,
        database: &Database,
        mut change: impl FnMut(&Replayed) -> Result<Change, E>,
    ) -> Result<(), E> {
        let failed = |error: StoreError| E::from(ReplayError::from(error));
        let writer = database.writer().map_err(failed)?;
        writer.begin().map_err(failed)?;
        for (count, replayed) in (1_u32..).zip(self.entries()) {
            let replayed = replayed?;
            // INVARIANT 2: what the entry says was done, and the entry, in one transaction.
            match writer
                .apply(&change(&replayed)?, &replayed.stored)
                .map_err(failed)?
            {
                Applied::Yes => {}
                Applied::Conflict => {
                    let seq = replayed.stored.seq;
                    return Err(ReplayError::Unfit { seq }.into());
                }
            }
            if count % CHUNK == 0 {
                writer.commit().map_err(failed)?;
                writer.begin().map_err(failed)?;
            }
        }
        writer.commit().map_err(failed)
    }

    fn bundles(&self) -> std::ops::Range<u64> {
        self.first / TILE_WIDTH..self.size.div_ceil(TILE_WIDTH)
    }

    fn replayed(&self, n: u64) -> Result<Vec<Replayed>, ReplayError> {
        let entries = self.entries_of(n)?;
        let start = n * TILE_WIDTH;
        let items = self.items_of(n)?;
        let mut replayed = Vec::with_capacity(entries.len());
        for (seq, bytes) in entries {
            let at = |from: u64| usize::try_from(seq - from).unwrap_or(usize::MAX);
            if self.leaves.get(at(self.first)) != Some(&leaf_hash(&bytes)) {
                return Err(ReplayError::Root);
            }
            let kept = items.get(at(start)).cloned().unwrap_or_default();
            let damaged = |_| ReplayError::Damaged { seq };
            let entry = Entry::decode(&bytes).map_err(damaged)?;
            let items = stated_items(entry.facts.batch, &kept).map_err(damaged)?;
            if entry.seq != seq {
                return Err(ReplayError::Damaged { seq });
            }
            let stored = StoredEntry {
                seq,
                bytes,
                items: kept,
            };
            replayed.push(Replayed {
                stored,
                entry,
                items,
            });
        }
        Ok(replayed)
    }

    /// How many entries of a bundle are published.
    fn width(&self, n: u64) -> u64 {
        (self.size - n * TILE_WIDTH).min(TILE_WIDTH)
    }

    /// The entries of a bundle that the database does not have, with their indexes.
    fn entries_of(&self, n: u64) -> Result<Vec<(u64, Vec<u8>)>, ReplayError> {
        let start = n * TILE_WIDTH;
        let damaged = ReplayError::Damaged {
            seq: start.max(self.first),
        };
        let Some(bytes) = self.file(n, entries_path)? else {
            return Err(damaged);
        };
        let width = usize::try_from(self.width(n)).unwrap_or_default();
        let entries = unbundle(&bytes, width).ok_or(damaged)?;
        let entries = (start..).zip(entries);
        let missing = entries.filter(|(seq, _)| *seq >= self.first);
        Ok(missing.map(|(seq, entry)| (seq, entry.to_vec())).collect())
    }

    /// The items of a bundle's entries; none where there is no file, for no entry has any.
    fn items_of(&self, n: u64) -> Result<Vec<Vec<u8>>, ReplayError> {
        let Some(bytes) = self.file(n, items_path)? else {
            return Ok(Vec::new());
        };
        let width = usize::try_from(self.width(n)).unwrap_or_default();
        let damaged = ReplayError::Damaged {
            seq: n * TILE_WIDTH,
        };
        let items = unbundle_items(&bytes, width).ok_or(damaged)?;
        Ok(items.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// A file of a bundle: of its width, or the full one, which begins with it.
    fn file(
        &self,
        n: u64,
        path: fn(u64, Option<u8>) -> String,
    ) -> Result<Option<Vec<u8>>, ReplayError> {
        let width = partial(self.size).filter(|_| n == self.size / TILE_WIDTH);
        for width in [width, None] {
            match fs::read(self.standing.directory.join(path(n, width))) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// The tree over a database's entries.
pub fn standing_tree(reader: &Reader) -> Result<Frontier, StoreError> {
    let mut tree = Frontier::new();
    loop {
        let entries = reader.entries(tree.size(), CHUNK)?;
        if entries.is_empty() {
            return Ok(tree);
        }
        for entry in entries {
            if entry.seq != tree.size() {
                return Err(StoreError::Malformed { table: "entry" });
            }
            tree.append(leaf_hash(&entry.bytes));
        }
    }
}
