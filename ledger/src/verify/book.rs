//! An archive opened at its checkpoint, to look things up in: entries with their proofs, earlier roots.
//! What leaves it holds against the checkpoint's root, or is an error with its class.

use std::ops::Range;
use std::path::Path;

use thiserror::Error;

use super::Trust;
use super::archive::{Archive, ReadError};
use super::code::Code;
use super::finding::Findings;
use super::items::ITEMS_BYTES_MAX;
use super::second::fault;
use super::signers::followed;
use crate::checkpoint::Checkpoint;
use crate::entry::{ENTRY_BYTES_MAX, Entry};
use crate::error::{EntryError, NoteError, TileError, TreeError};
use crate::hash::{Hash, leaf_hash};
use crate::item::stated_items;
use crate::note::NOTE_BYTES_MAX;
use crate::proof::{consistency_ranges, verify_consistency};
use crate::receipt::Receipt;
use crate::tile::{
    TILE_WIDTH, TileIndex, Tiles, entries_path, items_path, partial, proof_from_tiles, tile_path,
    unbundle, unbundle_items,
};

const CHECKPOINT: &str = "checkpoint";
const TILE_BYTES_MAX: u64 = 32 * TILE_WIDTH;
const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + ENTRY_BYTES_MAX as u64);

/// An archive and the checkpoint that it is read at.
pub struct Book {
    archive: Archive,
    checkpoint: Checkpoint,
    note: String,
    /// The auditor's trust, with the keys that the log was handed over to.
    trust: Trust,
}

/// Why an archive does not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BookError {
    /// A file that is needed cannot be read.
    #[error("{file}: {}", .code.meaning())]
    File {
        /// Which, relative to the archive.
        file: String,
        /// Why, as the verifier would say it.
        code: Code,
    },
    /// The checkpoint cannot be read, or is not signed by the key.
    #[error("the checkpoint: {0}")]
    Checkpoint(NoteError),
    /// The checkpoint has no good second signature, and one is demanded.
    #[error("the checkpoint: {}", .0.meaning())]
    Second(Code),
    /// The checkpoint is of another log than the expected one.
    #[error("the archive is of another log than the key's")]
    Origin,
    /// There is no such entry.
    #[error("the checkpoint covers {size} entries, from 0 to one less")]
    Outside {
        /// The log's size.
        size: u64,
    },
    /// A bundle cannot be cut into its entries, or an items file into items.
    #[error("{file} cannot be cut into its parts: verify the archive")]
    Framing {
        /// Which file.
        file: String,
    },
    /// An entry, or its items, cannot be read or are not those of the entry.
    #[error("entry {seq}: {error}")]
    Entry {
        /// Which entry.
        seq: u64,
        /// What is wrong.
        error: EntryError,
    },
    /// The tiles do not lead to the root: something was changed, or the log is no continuation.
    #[error("the tiles do not lead to the root that is signed ({0}): verify the archive")]
    Tree(TreeError),
    /// A tile is shorter than the tree needs it.
    #[error("a tile is cut short: verify the archive")]
    Short,
}

impl BookError {
    /// The finding that it is, with its class, its meaning and its remedy.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::File { code, .. } | Self::Second(code) => *code,
            Self::Checkpoint(NoteError::Unsigned) => Code::SignatureMissing,
            Self::Checkpoint(NoteError::Signature) => Code::SignatureBad,
            Self::Checkpoint(_) => Code::CheckpointMalformed,
            Self::Origin => Code::OriginOther,
            Self::Outside { .. } => Code::FileMissing,
            Self::Framing { .. } => Code::BundleFraming,
            Self::Entry { error, .. } if *error == EntryError::OtherItems => Code::ItemsAltered,
            Self::Entry { .. } => Code::EntryMalformed,
            Self::Tree(_) => Code::ProofBroken,
            Self::Short => Code::TileFraming,
        }
    }
}

impl From<TileError<Self>> for BookError {
    fn from(error: TileError<Self>) -> Self {
        match error {
            TileError::Read(error) => error,
            TileError::Short => Self::Short,
            TileError::Tree(error) => Self::Tree(error),
        }
    }
}

impl Book {
    /// Opens an archive at its checkpoint, which the pinned key signed. Without a key nothing vouches
    /// for it: what leaves the book then only agrees with itself.
    pub fn open(dir: &Path, trust: &Trust) -> Result<Self, BookError> {
        let archive = Archive::open(dir).map_err(|error| file_error(".", error))?;
        // A statement that does not hold is not followed; `verify` says which and why.
        let trust = followed(&archive, trust, &mut Findings::new(0));
        let note = archive.read(CHECKPOINT, NOTE_BYTES_MAX as u64);
        let note = note.map_err(|error| file_error(CHECKPOINT, error))?;
        let broken = BookError::Checkpoint(NoteError::Malformed("not UTF-8"));
        let note = String::from_utf8(note).map_err(|_| broken)?;
        let checkpoint = trust.open(&note).map_err(BookError::Checkpoint)?;
        if !trust.same_log(&checkpoint) {
            return Err(BookError::Origin);
        }
        let second = trust.second.as_ref().map(|key| key.signed(&note));
        let second = second.transpose().map_err(BookError::Checkpoint)?;
        if let Some(code) = second.and_then(fault) {
            return Err(BookError::Second(code));
        }
        Ok(Self {
            archive,
            checkpoint,
            note,
            trust,
        })
    }

    /// What the log states of itself.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint as it is signed.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The bytes of an entry, as its bundle has them. [`Book::receipt`] proves them.
    pub fn entry(&self, seq: u64) -> Result<Vec<u8>, BookError> {
        entry_of(&self.archive, (seq, self.checkpoint.size))
    }

    /// An entry with its items and the proof that the checkpoint covers it.
    pub fn receipt(&self, seq: u64) -> Result<Receipt, BookError> {
        let bytes = self.entry(seq)?;
        let (size, root) = (self.checkpoint.size, &self.checkpoint.root);
        let proof = proof_from_tiles(&leaf_hash(&bytes), seq, (size, root), |index, width| {
            self.tile(index, width)
        })?;
        let broken = |error| BookError::Entry { seq, error };
        let entry = Entry::decode(&bytes).map_err(broken)?;
        let items = match entry.facts.batch {
            Some(batch) if batch.count > 0 => self.items(seq)?,
            _ => Vec::new(),
        };
        stated_items(entry.facts.batch, &items).map_err(broken)?;
        Ok(Receipt {
            entry: bytes,
            items,
            index: seq,
            proof,
            note: self.note.clone(),
        })
    }

    /// The proof that of two statements of this log the newer continues the older (RFC 6962 §2.1.2).
    /// The archive may be of any later time.
    pub fn consistency(&self, old: &Checkpoint, new: &Checkpoint) -> Result<Vec<Hash>, BookError> {
        let size = self.checkpoint.size;
        if new.size > size {
            return Err(BookError::Outside { size });
        }
        let mut tiles = self.subtrees();
        let proof = consistency_ranges(old.size, new.size)
            .map_err(BookError::Tree)?
            .into_iter()
            .map(|range| tiles.root_of(range))
            .collect::<Result<Vec<_>, _>>()?;
        verify_consistency((old.size, &old.root), (new.size, &new.root), &proof)
            .map_err(BookError::Tree)?;
        Ok(proof)
    }

    /// The roots of the tree's parts, as the tiles have them: not proven.
    pub(super) fn subtrees(
        &self,
    ) -> Tiles<impl FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, BookError> + '_> {
        Tiles::of(self.checkpoint.size, |index, width| self.tile(index, width))
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(super) fn archive(&self) -> &Archive {
        &self.archive
    }

    fn items(&self, seq: u64) -> Result<Vec<u8>, BookError> {
        let path = |partial| items_path(seq / TILE_WIDTH, partial);
        let place = (seq, self.checkpoint.size);
        let (file, bytes) = position(&self.archive, place, &path, ITEMS_BYTES_MAX)?;
        let index = usize::try_from(seq % TILE_WIDTH).unwrap_or(0);
        let parts = unbundle_items(&bytes, index + 1);
        let items = parts.and_then(|parts| parts.last().map(|items| items.to_vec()));
        items.ok_or(BookError::Framing { file })
    }

    fn tile(&self, index: TileIndex, width: Option<u8>) -> Result<Vec<u8>, BookError> {
        tile_of(&self.archive, index, width)
    }
}

/// The bytes of an entry of a log of `size` entries, as its bundle has them.
pub(super) fn entry_of(archive: &Archive, (seq, size): (u64, u64)) -> Result<Vec<u8>, BookError> {
    let path = |partial| entries_path(seq / TILE_WIDTH, partial);
    let (file, bytes) = position(archive, (seq, size), &path, BUNDLE_BYTES_MAX)?;
    let index = usize::try_from(seq % TILE_WIDTH).unwrap_or(0);
    let entries = unbundle(&bytes, index + 1);
    let entry = entries.and_then(|entries| entries.last().map(|entry| entry.to_vec()));
    entry.ok_or(BookError::Framing { file })
}

/// The file in which an entry of a log of `size` entries stands, or its items.
fn position(
    archive: &Archive,
    (seq, size): (u64, u64),
    path: &dyn Fn(Option<u8>) -> String,
    bytes_max: u64,
) -> Result<(String, Vec<u8>), BookError> {
    if seq >= size {
        return Err(BookError::Outside { size });
    }
    let first = seq / TILE_WIDTH * TILE_WIDTH;
    let width = partial(size).filter(|_| size - first < TILE_WIDTH);
    file_of(archive, path, width, bytes_max)
}

/// A tile's bytes, as the archive has them.
pub(super) fn tile_of(
    archive: &Archive,
    index: TileIndex,
    width: Option<u8>,
) -> Result<Vec<u8>, BookError> {
    let path = |partial| tile_path(index.level, index.n, partial);
    Ok(file_of(archive, &path, width, TILE_BYTES_MAX)?.1)
}

/// The file of this width, or the full one where only that is left.
fn file_of(
    archive: &Archive,
    path: &dyn Fn(Option<u8>) -> String,
    width: Option<u8>,
    bytes_max: u64,
) -> Result<(String, Vec<u8>), BookError> {
    let exact = path(width);
    let read = match archive.read(&exact, bytes_max) {
        Err(ReadError::Missing) if width.is_some() => archive.read(&path(None), bytes_max),
        read => read,
    };
    match read {
        Ok(bytes) => Ok((exact, bytes)),
        Err(error) => Err(file_error(&exact, error)),
    }
}

/// Whole subtrees that make up the first `size` leaves, from the left.
pub(super) fn perfect_parts(size: u64) -> Vec<(u64, u32)> {
    let mut rest: Range<u64> = 0..size;
    let mut parts = Vec::new();
    while let Some(height) = (rest.end - rest.start).checked_ilog2() {
        parts.push((rest.start, height));
        rest.start += 1 << height;
    }
    parts
}

fn file_error(file: &str, error: ReadError) -> BookError {
    BookError::File {
        file: file.to_owned(),
        code: error.finding(file).code,
    }
}
