//! Receipts of published entries, made from the tiles on disk and checked before they leave.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use ledger::tile::{TileIndex, proof_from_tiles, tile_path};
use ledger::{Checkpoint, Origin, Receipt, ReceiptError, TileError, VerifierKey, leaf_hash};
use tokio::sync::watch;

use super::PublishError;
use crate::store::StoredEntry;

/// A published log: where it stands, its name, and whose signature counts.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) directory: PathBuf,
    pub(super) origin: Origin,
    pub(super) key: VerifierKey,
}

impl Standing {
    /// The published checkpoint, if there is one: signed by this log's key, and of this log.
    pub(super) fn checkpoint(&self) -> Result<Option<(String, Checkpoint)>, PublishError> {
        let note = match fs::read_to_string(self.directory.join("checkpoint")) {
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let checkpoint = ledger::open_checkpoint(&note, &self.key)
            .map_err(|_| PublishError::ForeignCheckpoint)?;
        if checkpoint.origin == self.origin {
            Ok(Some((note, checkpoint)))
        } else {
            Err(PublishError::ForeignCheckpoint)
        }
    }

    /// A tile's bytes; where the partial one is gone, the full one's, which begins with them.
    pub(super) fn tile(
        &self,
        TileIndex { level, n }: TileIndex,
        width: Option<u8>,
    ) -> io::Result<Vec<u8>> {
        let read = |width| fs::read(self.directory.join(tile_path(level, n, width)));
        match read(width) {
            Err(error) if error.kind() == ErrorKind::NotFound && width.is_some() => read(None),
            read => read,
        }
    }
}

/// Why there is no receipt. The entry stands all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoReceipt {
    /// No checkpoint covers the entry yet.
    #[error("no checkpoint covers the entry yet: ask for its receipt again")]
    Late,
    /// The published checkpoint can't be read, or is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] PublishError),
    /// The ledger directory can't be read, or is not what the checkpoint states.
    #[error("the ledger directory does not prove the entry ({0}): verify it with `jinku-ledger`")]
    Tiles(#[from] TileError<io::Error>),
    /// The entry's items are more than a receipt carries.
    #[error(transparent)]
    Text(#[from] ReceiptError),
}

/// Makes receipts. Clones share what the publisher tells.
#[derive(Clone)]
pub struct Receipts {
    standing: Standing,
    published: watch::Receiver<u64>,
    deadline: Duration,
}

impl Receipts {
    pub(super) fn new(
        standing: Standing,
        published: watch::Receiver<u64>,
        deadline: Duration,
    ) -> Self {
        Self {
            standing,
            published,
            deadline,
        }
    }

    /// Waits until a published checkpoint covers entry `seq`, no longer than the ledger's deadline.
    pub async fn covering(&self, seq: u64) -> Result<(), NoReceipt> {
        let mut published = self.published.clone();
        let covered = published.wait_for(|size| *size > seq);
        match tokio::time::timeout(self.deadline, covered).await {
            Ok(Ok(_)) => Ok(()),
            // The publisher has stopped, and the vault with it.
            Ok(Err(_)) => Err(PublishError::Stopped.into()),
            Err(_) => Err(NoReceipt::Late),
        }
    }

    /// The receipt of a covered entry, against the newest checkpoint. Reads files.
    pub fn make(&self, entry: &StoredEntry) -> Result<String, NoReceipt> {
        let (note, checkpoint) = self.standing.checkpoint()?.ok_or(PublishError::Missing)?;
        if checkpoint.size <= entry.seq {
            return Err(NoReceipt::Late);
        }
        let tree = (checkpoint.size, &checkpoint.root);
        // The proof holds against the signed root, or is none: no tile is believed, and neither is
        // the database, whose entry is the leaf.
        let proof = proof_from_tiles(&leaf_hash(&entry.bytes), entry.seq, tree, |tile, width| {
            self.standing.tile(tile, width)
        })?;
        let receipt = Receipt {
            entry: entry.bytes.clone(),
            items: entry.items.clone(),
            index: entry.seq,
            proof,
            note,
        };
        Ok(receipt.encode()?)
    }
}
