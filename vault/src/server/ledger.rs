//! The published log as files: which of them may leave, for whom, and the three sizes.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ledger::Origin;
use ledger::tile::LogFile;
use tokio::sync::watch;

use crate::commit::{Backlog, Sizes};
use crate::model::UnitName;

/// Who reads the log over HTTP. Entries name units and purposes: so nobody does, unless it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerReaders {
    /// The paths are not there.
    Nobody,
    /// These units, who prove themselves as for anything else.
    Units(BTreeSet<UnitName>),
    /// Whoever asks.
    Anyone,
}

/// The log of a running vault, as others see it.
pub struct LedgerFace {
    directory: PathBuf,
    origin: Origin,
    readers: LedgerReaders,
    backlog: Backlog,
}

impl LedgerFace {
    /// Of the log that is published in this directory.
    pub fn new(
        directory: PathBuf,
        origin: Origin,
        readers: LedgerReaders,
        backlog: Backlog,
    ) -> Self {
        Self {
            directory,
            origin,
            readers,
            backlog,
        }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn readers(&self) -> &LedgerReaders {
        &self.readers
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many entries a published checkpoint covers, as it changes.
    pub(super) fn published(&self) -> watch::Receiver<u64> {
        self.backlog.published.clone()
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.backlog.sizes()
    }

    /// The newest checkpoint. Reads a file.
    pub(super) fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        self.read("checkpoint")
    }

    /// A tile or a bundle, if a published checkpoint covers it and it is there. Reads a file.
    pub(super) fn file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let file = LogFile::parse(path);
        match file.filter(|file| file.is_covered(self.sizes().published)) {
            // The path is written anew: nothing of what was asked reaches the disk.
            Some(file) => self.read(&file.path()),
            None => Ok(None),
        }
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.directory.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
