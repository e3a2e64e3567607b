//! Reads files of an archive: never through a link, never outside of its folder, never without a limit.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::code::Code;
use super::finding::Finding;

/// A folder that holds a log's files.
pub(super) struct Archive {
    root: PathBuf,
    /// Folders that were looked at and are no links: every file stands in one of a few.
    plain: Mutex<HashSet<String>>,
    /// What is there, once all names were looked at.
    seen: OnceLock<Seen>,
}

/// What a look at all names has seen: where nothing was, nothing is looked for.
#[derive(Default)]
pub(super) struct Seen {
    /// Every folder of partial files.
    pub(super) partials: HashSet<String>,
    /// How many files of items there are.
    pub(super) items: u64,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    Missing,
    Link,
    TooLarge,
    Unreadable,
}

impl ReadError {
    pub(super) fn finding(self, file: &str) -> Finding {
        let (code, message) = match self {
            Self::Missing => (Code::FileMissing, "not there"),
            Self::Link => (Code::LinkRefused, "a link or special file, not followed"),
            Self::TooLarge => (Code::FileTooLarge, "too large, not read"),
            Self::Unreadable => (Code::FileUnreadable, "could not be read"),
        };
        Finding::new(code, message).file(file)
    }
}

/// A name in a folder of the archive.
pub(super) struct Name {
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Other,
}

impl Archive {
    /// The folder itself may be reached through a link: the auditor named it.
    pub(super) fn open(dir: &Path) -> Result<Self, ReadError> {
        let root = dir.canonicalize().map_err(|error| reason(&error))?;
        if root.is_dir() {
            Ok(Self {
                root,
                plain: Mutex::default(),
                seen: OnceLock::new(),
            })
        } else {
            Err(ReadError::Unreadable)
        }
    }

    /// The whole file at this relative path, if it has at most `bytes_max` bytes.
    pub(super) fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
        let mut file = open(&self.place(path)?)?;
        let meta = file.metadata().map_err(|error| reason(&error))?;
        if !meta.is_file() {
            return Err(ReadError::Link);
        }
        if meta.len() > bytes_max {
            return Err(ReadError::TooLarge);
        }
        let bytes = whole(&mut file, meta.len(), bytes_max).map_err(|error| reason(&error))?;
        if bytes.len() as u64 > bytes_max {
            Err(ReadError::TooLarge)
        } else {
            Ok(bytes)
        }
    }

    /// From now on nothing is looked for that was not there.
    pub(super) fn know(&self, seen: Seen) {
        // Whoever was first looked at the same names.
        let _ = self.seen.set(seen);
    }

    /// Whether there may be files of items.
    pub(super) fn may_have_items(&self) -> bool {
        self.seen.get().is_none_or(|seen| seen.items > 0)
    }

    /// Whether there may be partial files in this folder.
    pub(super) fn may_have_partials(&self, folder: &str) -> bool {
        let seen = self.seen.get();
        seen.is_none_or(|seen| seen.partials.contains(folder))
    }

    /// Whether a plain file stands there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.look(path).is_ok_and(|(_, meta)| meta.is_file())
    }

    /// The names in a folder, sorted; none if the folder is not there.
    pub(super) fn names(&self, path: &str) -> Result<Vec<Name>, ReadError> {
        let folder = match self.look(path) {
            Err(ReadError::Missing) => return Ok(Vec::new()),
            Err(error) => return Err(error),
            Ok((_, meta)) if !meta.is_dir() => return Ok(Vec::new()),
            Ok((full, _)) => full,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| reason(&error))? {
            let entry = entry.map_err(|error| reason(&error))?;
            let found = entry.file_type().map_err(|error| reason(&error))?;
            let text = entry.file_name().to_string_lossy().into_owned();
            let kind = match found {
                found if found.is_file() => Kind::File,
                found if found.is_dir() => Kind::Folder,
                _ => Kind::Other,
            };
            names.push(Name { text, kind });
        }
        names.sort_by(|a, b| a.text.cmp(&b.text));
        Ok(names)
    }

    /// Refuses links, and names that lead elsewhere, in every part of the path.
    fn look(&self, path: &str) -> Result<(PathBuf, Metadata), ReadError> {
        let full = self.place(path)?;
        let meta = fs::symlink_metadata(&full).map_err(|error| reason(&error))?;
        if meta.is_symlink() {
            return Err(ReadError::Link);
        }
        Ok((full, meta))
    }

    /// Where a path leads, if no folder on the way is a link.
    fn place(&self, path: &str) -> Result<PathBuf, ReadError> {
        let strange = |part: &str| part == "." || part == ".." || part.contains(['\\', '\0']);
        if path.starts_with('/') || path.split('/').any(strange) {
            return Err(ReadError::Link);
        }
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.look_at_folder(folder)?;
        }
        Ok(self.root.join(path))
    }

    fn look_at_folder(&self, folder: &str) -> Result<(), ReadError> {
        let plain = || self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if plain().contains(folder) {
            return Ok(());
        }
        if let Some((above, _)) = folder.rsplit_once('/') {
            self.look_at_folder(above)?;
        }
        let meta = fs::symlink_metadata(self.root.join(folder)).map_err(|error| reason(&error))?;
        if meta.is_symlink() {
            return Err(ReadError::Link);
        }
        // A log of a billion entries has some thousand folders of a thousand files.
        plain().insert(folder.to_owned());
        Ok(())
    }
}

/// Opens a file for reading, and no link: the system refuses one in the same step. What waits for a writer is not
/// waited for.
#[cfg(unix)]
fn open(path: &Path) -> Result<File, ReadError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;
    use rustix::io::Errno;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let opened = File::options().read(true).custom_flags(flags).open(path);
    opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::NXIO) => ReadError::Link,
        _ => reason(&error),
    })
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, ReadError> {
    let meta = fs::symlink_metadata(path).map_err(|error| reason(&error))?;
    if meta.is_symlink() {
        return Err(ReadError::Link);
    }
    File::open(path).map_err(|error| reason(&error))
}

thread_local! {
    /// Memory that this thread has read a bundle into, and will read the next one into: the system would clear it anew.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What was read is needed no longer.
pub(super) fn spare(bytes: Vec<u8>) {
    SPARE.set(bytes);
}

/// What is in a file that was said to have so many bytes: with one call where it has them. Of one that grew meanwhile no
/// more is read than there is room for, or than one byte above `bytes_max`.
fn whole(file: &mut File, said: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    let said = usize::try_from(said).unwrap_or(usize::MAX);
    let mut bytes = SPARE.take();
    bytes.clear();
    // One more than there are, so that the end is seen without growing.
    bytes.reserve_exact(said.saturating_add(1));
    begun(file, &mut bytes)?;
    if bytes.len() != said {
        let left = bytes_max.saturating_add(1);
        let left = left.saturating_sub(bytes.len() as u64);
        file.take(left).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// One call, into room that nobody fills with zeros first: they are what a verification would else write most of.
#[cfg(unix)]
fn begun(file: &File, bytes: &mut Vec<u8>) -> io::Result<()> {
    match rustix::io::read(file, rustix::buffer::spare_capacity(bytes)) {
        // A signal came between: what follows reads on.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn begun(_: &File, _: &mut Vec<u8>) -> io::Result<()> {
    Ok(())
}

fn reason(error: &io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing,
        _ => ReadError::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_plain_files_below_the_folder_are_read() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let dir = outside.path().join("archive");
        fs::create_dir_all(dir.join("tile/0")).unwrap();
        fs::write(dir.join("tile/0/000"), "hash").unwrap();
        symlink(outside.path().join("secret"), dir.join("file-link")).unwrap();
        symlink(outside.path(), dir.join("folder-link")).unwrap();
        let archive = Archive::open(&dir).unwrap();

        assert_eq!(archive.read("tile/0/000", 4), Ok(b"hash".to_vec()));
        assert_eq!(archive.read("tile/0/000", 3), Err(ReadError::TooLarge));
        assert_eq!(archive.read("tile/0/001", 4), Err(ReadError::Missing));
        assert_eq!(archive.read("tile/0/000/1", 4), Err(ReadError::Missing));
        for path in [
            "file-link",
            "folder-link/secret",
            "../secret",
            "tile/../../secret",
            "tile/0",
        ] {
            assert_eq!(archive.read(path, 100), Err(ReadError::Link), "{path}");
        }
        assert!(!archive.has("file-link") && archive.has("tile/0/000"));
        assert!(archive.names("folder-link").is_err());
    }
}
