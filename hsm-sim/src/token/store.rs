//! The directory of token files: which slots exist, reading one with a stamp that changes with it,
//! replacing one atomically (temporary file, fsync, rename, fsync of the directory), one lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cryptoki_sys::CK_SLOT_ID;

use crate::error::{Error, Result};

/// A file larger than this is not one of ours.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The directory. Cloning it opens nothing.
#[derive(Clone)]
pub(crate) struct Store(PathBuf);

/// Changes whenever a token file is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    size_bytes: u64,
    modified: (i64, i64),
}

/// Held while a token is read, changed and written; other processes wait.
pub(crate) struct Held {
    /// Dropping it unlocks.
    _lock: File,
}

impl Store {
    /// Opens the directory, making it (mode 0700) if it is missing.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|_| Error::DeviceError)?;
        Ok(Self(directory.to_path_buf()))
    }

    /// Slots that have a token file, in order.
    pub(crate) fn slots(&self) -> Result<Vec<CK_SLOT_ID>> {
        let entries = fs::read_dir(&self.0).map_err(|_| Error::DeviceError)?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut slots: Vec<_> = names.filter_map(|name| slot_of(&name)).collect();
        slots.sort_unstable();
        Ok(slots)
    }

    /// Waits for the directory's lock.
    pub(crate) fn hold(&self) -> Result<Held> {
        let path = self.0.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|_| Error::DeviceError)?;
        file.lock().map_err(|_| Error::DeviceError)?;
        Ok(Held { _lock: file })
    }

    /// The file's stamp; `None` if there is no file.
    pub(crate) fn stamp(&self, slot: CK_SLOT_ID) -> Result<Option<Stamp>> {
        match fs::metadata(self.path(slot)) {
            Ok(found) => Ok(Some(Stamp::of(&found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(_) => Err(Error::DeviceError),
        }
    }

    /// The file's bytes, with the stamp of just these bytes.
    pub(crate) fn read(&self, slot: CK_SLOT_ID) -> Result<(Stamp, Vec<u8>)> {
        let mut file = File::open(self.path(slot)).map_err(|_| Error::DeviceError)?;
        let found = file.metadata().map_err(|_| Error::DeviceError)?;
        if found.len() > FILE_BYTES_MAX {
            return Err(Error::DeviceError);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|_| Error::DeviceError)?;
        Ok((Stamp::of(&found), bytes))
    }

    /// Replaces the file. When this returns, the new bytes survive a power cut.
    pub(crate) fn write(&self, slot: CK_SLOT_ID, bytes: &[u8], _held: &Held) -> Result<Stamp> {
        self.replace(slot, bytes).map_err(|_| Error::DeviceError)
    }

    fn replace(&self, slot: CK_SLOT_ID, bytes: &[u8]) -> std::io::Result<Stamp> {
        let path = self.path(slot);
        let temporary = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let stamp = Stamp::of(&file.metadata()?);
        fs::rename(&temporary, &path)?;
        File::open(&self.0)?.sync_all()?;
        Ok(stamp)
    }

    fn path(&self, slot: CK_SLOT_ID) -> PathBuf {
        self.0.join(format!("slot-{slot:04}.token"))
    }
}

impl Stamp {
    fn of(found: &fs::Metadata) -> Self {
        let modified = (found.mtime(), found.mtime_nsec());
        Self {
            inode: found.ino(),
            size_bytes: found.len(),
            modified,
        }
    }
}

fn slot_of(name: &str) -> Option<CK_SLOT_ID> {
    let digits = name.strip_prefix("slot-")?.strip_suffix(".token")?;
    let slot = digits.parse().ok()?;
    (format!("{slot:04}") == digits).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_another_stamp_and_no_leftovers() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let held = store.hold().unwrap();
        let first = store.write(3, b"one", &held).unwrap();
        let second = store.write(3, b"two", &held).unwrap();
        assert!(first != second);
        assert_eq!(store.slots().unwrap(), [3]);
        let (stamp, bytes) = store.read(3).unwrap();
        assert!(stamp == second && Some(stamp) == store.stamp(3).unwrap());
        assert_eq!(bytes, b"two");
        assert!(!directory.path().join("slot-0003.new").exists());
    }

    #[test]
    fn only_our_spelling_names_a_slot() {
        assert_eq!(slot_of("slot-0012.token"), Some(12));
        assert_eq!(slot_of("slot-12.token"), None);
        assert_eq!(slot_of("slot-0012.new"), None);
    }
}
