//! The directory of token files: which slots exist, reading one with a stamp that changes with it,
//! replacing one atomically (temporary file, fsync, rename, fsync of the directory), one lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cryptoki_sys::CK_SLOT_ID;

use crate::error::{Error, Result};
use crate::faults::{CrashPoint, crash_at};

/// A file larger than this is not one of ours.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The directory, and the one of the counters (the same, if none is named). Cloning it opens
/// nothing.
#[derive(Clone)]
pub(crate) struct Store {
    tokens: PathBuf,
    counters: PathBuf,
}

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
    pub(crate) fn open(directory: &Path, counters: Option<&Path>) -> Result<Self> {
        let counters = counters.unwrap_or(directory);
        for wanted in [directory, counters] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(wanted)
                .map_err(|_| Error::DeviceError)?;
        }
        Ok(Self {
            tokens: directory.to_path_buf(),
            counters: counters.to_path_buf(),
        })
    }

    /// Slots that have a token file, in order.
    pub(crate) fn slots(&self) -> Result<Vec<CK_SLOT_ID>> {
        let entries = fs::read_dir(&self.tokens).map_err(|_| Error::DeviceError)?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut slots: Vec<_> = names.filter_map(|name| slot_of(&name)).collect();
        slots.sort_unstable();
        Ok(slots)
    }

    /// Waits for the directory's lock.
    pub(crate) fn hold(&self) -> Result<Held> {
        let path = self.tokens.join("lock");
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
        let crash = |point| crash_at(&self.tokens, point);
        replace(&self.path(slot), bytes, crash).map_err(|_| Error::DeviceError)
    }

    /// The counter file's bytes; `None` if there is no file.
    pub(crate) fn read_counter(&self, slot: CK_SLOT_ID) -> Result<Option<Vec<u8>>> {
        match fs::read(self.counter_path(slot)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(_) => Err(Error::DeviceError),
        }
    }

    /// Replaces the counter file, as [`Store::write`] does the token's.
    pub(crate) fn write_counter(&self, slot: CK_SLOT_ID, bytes: &[u8], _held: &Held) -> Result<()> {
        replace(&self.counter_path(slot), bytes, |_| ())
            .map(drop)
            .map_err(|_| Error::DeviceError)
    }

    /// Destroys a token for good.
    pub(crate) fn remove(&self, slot: CK_SLOT_ID, _held: &Held) -> Result<()> {
        fs::remove_file(self.path(slot)).map_err(|_| Error::DeviceError)?;
        fs::remove_file(self.counter_path(slot)).map_err(|_| Error::DeviceError)?;
        let directory = File::open(&self.tokens).and_then(|directory| directory.sync_all());
        directory.map_err(|_| Error::DeviceError)
    }

    /// Overwrites the file where it lies. What a file system or a disk copied elsewhere stays.
    pub(crate) fn destroy(&self, slot: CK_SLOT_ID, _held: &Held) -> Result<()> {
        let overwrite = || {
            let mut file = OpenOptions::new().write(true).open(self.path(slot))?;
            let length = file.metadata()?.len().min(FILE_BYTES_MAX);
            io::copy(&mut io::repeat(0).take(length), &mut file)?;
            file.sync_all()
        };
        overwrite().map_err(|_| Error::DeviceError)
    }

    fn path(&self, slot: CK_SLOT_ID) -> PathBuf {
        self.tokens.join(format!("slot-{slot:04}.token"))
    }

    fn counter_path(&self, slot: CK_SLOT_ID) -> PathBuf {
        self.counters.join(format!("slot-{slot:04}.counter"))
    }
}

/// `crash` strikes before and after the bytes are there for good, if it was ordered.
fn replace(path: &Path, bytes: &[u8], crash: impl Fn(CrashPoint)) -> io::Result<Stamp> {
    let temporary = path.with_extension(if path.extension().is_some_and(|kind| kind == "token") {
        "new"
    } else {
        "count"
    });
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    crash(CrashPoint::BeforeWrite);
    file.sync_all()?;
    let stamp = Stamp::of(&file.metadata()?);
    fs::rename(&temporary, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    crash(CrashPoint::AfterWrite);
    Ok(stamp)
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
        let store = Store::open(directory.path(), None).unwrap();
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
