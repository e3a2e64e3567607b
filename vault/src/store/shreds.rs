//! Shred keys: a file of random keys, one for each token, that no backup of the database holds.
//!
//! ```text
//! file = "jinku shreds v1\n" | id 16 | slot 32 *         a slot of zeros: a key that was destroyed
//! ```
//! A row names its slot. Keys are made and made durable a block at a time, before rows need them, so that a
//! commit waits for one file only. Destroying one overwrites its slot in place. A second file, on another
//! disk, can hold the same bytes; neither must be kept in generations: whoever keeps an old copy keeps what
//! was erased since.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kms::ShredKey;
use zeroize::Zeroizing;

use super::StoreError;
use super::row::ShredSlot;
use super::sqlite::Database;

const MAGIC: &[u8; 16] = b"jinku shreds v1\n";
const HEAD_BYTES: usize = 32;
/// Keys that are made at a time: 128 KiB.
const BLOCK_SLOTS: usize = 4_096;

/// Where the file is, and its copy.
#[derive(Clone, Debug)]
pub struct ShredFiles {
    /// The file.
    pub file: PathBuf,
    /// The same bytes once more, on another disk.
    pub mirror: Option<PathBuf>,
}

impl ShredFiles {
    fn any_exists(&self) -> bool {
        self.file.exists() || self.mirror.as_ref().is_some_and(|path| path.exists())
    }

    /// Where one of the two is missing, for its disk was replaced, it becomes the other's copy.
    fn make_whole(&self) -> Result<(), ShredError> {
        let Some(mirror) = &self.mirror else {
            return Ok(());
        };
        let (from, to) = match (self.file.exists(), mirror.exists()) {
            (true, false) => (&self.file, mirror),
            (false, true) => (mirror, &self.file),
            _ => return Ok(()),
        };
        let fresh = to.with_extension("new");
        let mut copy = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        io::copy(&mut File::open(from)?, &mut copy)?;
        copy.sync_all()?;
        std::fs::rename(&fresh, to)?;
        tracing::warn!("a file of shred keys was missing, and was made again from the other");
        Ok(())
    }
}

/// Why the shred keys can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShredError {
    /// Tokens stand, and their keys are not there.
    #[error("the file of shred keys is missing, and tokens need it: put it back, or its mirror")]
    Missing,
    /// The file is another database's.
    #[error("the file of shred keys belongs to another database")]
    Foreign,
    /// The file has fewer keys than rows name, or is none.
    #[error(
        "the file of shred keys, or its mirror, is cut short or is none: remove the bad one, and the other is copied"
    )]
    Malformed,
    /// The file can't be read or written.
    #[error("the file of shred keys can't be read or written ({0}): check its disk and rights")]
    File(#[from] io::Error),
    /// The system gave no random bytes.
    #[error("the system's random numbers failed")]
    Random,
    /// The database can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The open files. Reading needs no lock.
pub struct Shreds {
    file: File,
    mirror: Option<File>,
    fresh: Mutex<Fresh>,
}

/// Keys that are durable and not given to a row yet. Those of the last run stay unused: a count of them would
/// go back with the database when a backup is restored.
struct Fresh {
    next: u64,
    keys: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Shreds {
    /// Opens the files of this database, or makes them for a database without tokens.
    pub fn open(files: &ShredFiles, database: &Database) -> Result<Self, ShredError> {
        let known = database.shred_file()?;
        let reader = database.reader();
        let id = match known {
            Some(_) if !files.any_exists() && reader.last_shred()?.is_some() => {
                return Err(ShredError::Missing);
            }
            Some(id) => id,
            None => {
                let mut id = [0; 16];
                random(&mut id)?;
                id
            }
        };
        files.make_whole()?;
        let (file, slots) = open_one(&files.file, &id)?;
        let mirror = files
            .mirror
            .as_deref()
            .map(|path| open_one(path, &id))
            .transpose()?;
        if known.is_none() {
            database.claim_shred_file(&id)?;
        }
        let mirrored = mirror.as_ref().map_or(slots, |(_, slots)| *slots);
        let shreds = Self {
            file,
            mirror: mirror.map(|(file, _)| file),
            fresh: Mutex::new(Fresh {
                next: slots.min(mirrored),
                keys: Zeroizing::default(),
                used: 0,
            }),
        };
        // A block that only one of them got before a crash was given to no row.
        shreds.cut(slots.min(mirrored), reader.last_shred()?)?;
        // A process that ended between its entry and this is caught up with.
        shreds.destroy(&reader.shreds_due()?)?;
        Ok(shreds)
    }

    /// Nothing behind so many slots; the newest row's is to be among them.
    fn cut(&self, slots: u64, newest: Option<ShredSlot>) -> Result<(), ShredError> {
        if newest.is_some_and(|newest| newest.0 >= slots) {
            return Err(ShredError::Malformed);
        }
        for file in self.files() {
            file.set_len(place(ShredSlot(slots)))?;
        }
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &File> {
        [Some(&self.file), self.mirror.as_ref()]
            .into_iter()
            .flatten()
    }

    /// A key for a new row: durable already, and given once.
    pub fn take(&self) -> Result<(ShredSlot, ShredKey), ShredError> {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if fresh.used == fresh.keys.len() {
                self.refill(&mut fresh)?;
            }
            let (used, slot) = (fresh.used, fresh.next);
            let end = used + ShredKey::BYTES;
            let bytes = fresh
                .keys
                .get(used..end)
                .and_then(|bytes| bytes.try_into().ok());
            let key = ShredKey::new(Zeroizing::new(bytes.ok_or(ShredError::Random)?));
            (fresh.used, fresh.next) = (end, slot + 1);
            // Zeros only, by chance, would be a destroyed key.
            if let Some(key) = key {
                return Ok((ShredSlot(slot), key));
            }
        }
    }

    /// A row's key; `None` where it was destroyed, or never was.
    pub fn key(&self, slot: ShredSlot) -> Result<Option<ShredKey>, ShredError> {
        let mut bytes = Zeroizing::new([0; ShredKey::BYTES]);
        match self.file.read_exact_at(&mut *bytes, place(slot)) {
            Ok(()) => Ok(ShredKey::new(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys keys: overwritten in place and on disk, here and in the mirror, when this returns.
    pub fn destroy(&self, slots: &[ShredSlot]) -> Result<(), ShredError> {
        if slots.is_empty() {
            return Ok(());
        }
        for file in self.files() {
            for slot in slots {
                file.write_all_at(&[0; ShredKey::BYTES], place(*slot))?;
            }
            file.sync_data()?;
        }
        Ok(())
    }

    /// Makes a block of keys, and makes it durable.
    fn refill(&self, fresh: &mut Fresh) -> Result<(), ShredError> {
        let mut keys = Zeroizing::new(vec![0; ShredKey::BYTES * BLOCK_SLOTS]);
        random(&mut keys)?;
        for file in self.files() {
            file.write_all_at(&keys, place(ShredSlot(fresh.next)))?;
            file.sync_all()?;
        }
        (fresh.keys, fresh.used) = (keys, 0);
        Ok(())
    }
}

fn place(slot: ShredSlot) -> u64 {
    HEAD_BYTES as u64 + slot.0 * ShredKey::BYTES as u64
}

fn random(bytes: &mut [u8]) -> Result<(), ShredError> {
    use rand::TryRng;
    rand::rngs::SysRng
        .try_fill_bytes(bytes)
        .map_err(|_| ShredError::Random)
}

/// The file, and how many slots it has. One that is not there is made.
fn open_one(path: &Path, id: &[u8; 16]) -> Result<(File, u64), ShredError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let mut head = [0; HEAD_BYTES];
    head[..16].copy_from_slice(MAGIC);
    head[16..].copy_from_slice(id);
    if bytes == 0 {
        file.write_all(&head)?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        return Ok((file, 0));
    }
    let mut found = [0; HEAD_BYTES];
    file.seek(SeekFrom::Start(0))?;
    match file.read_exact(&mut found) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(ShredError::Malformed);
        }
        read => read?,
    }
    if found[..16] != head[..16] {
        return Err(ShredError::Malformed);
    }
    if found != head {
        return Err(ShredError::Foreign);
    }
    // A block that was cut off by a crash was given to no row.
    let slots = bytes.saturating_sub(place(ShredSlot(0))) / ShredKey::BYTES as u64;
    file.set_len(place(ShredSlot(slots)))?;
    Ok((file, slots))
}

#[cfg(test)]
mod tests;
