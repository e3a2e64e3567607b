//! Files put into their places whole: written beside them, made durable, moved, and read back.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How a file's name ends while it is not in its place.
const FRESH: &str = "new";
/// Most files that wait to be made durable: they are open, and what they hold is kept to be compared.
const FILES_MAX: usize = 64;

/// Files on their way into one directory. They are made durable many at a time: the first one's fsync writes what the
/// file system knows of all of them, and the store's commits wait for that once, not once for each file.
pub(super) struct Files {
    directory: PathBuf,
    fresh: Vec<Fresh>,
    /// Folders that files were put into, and that are not durable yet.
    unsettled: BTreeSet<PathBuf>,
}

/// A file beside its place.
struct Fresh {
    file: File,
    beside: PathBuf,
    place: PathBuf,
    bytes: Vec<u8>,
}

impl Files {
    pub(super) fn under(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            fresh: Vec::new(),
            unsettled: BTreeSet::new(),
        }
    }

    /// Writes a file beside its place, where [`Self::settle`] puts it, or a later call of this.
    pub(super) fn write(&mut self, relative: &str, bytes: Vec<u8>) -> io::Result<()> {
        let place = self.directory.join(relative);
        if relative.contains(".p/") {
            sweep(&place)?;
        }
        self.fresh.push(Fresh::write(&place, bytes)?);
        if self.fresh.len() >= FILES_MAX {
            self.place()?;
        }
        Ok(())
    }

    /// All files are in their places and durable there: only then may a checkpoint say that they are.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.place()?;
        for folder in &self.unsettled {
            File::open(folder)?.sync_all()?;
        }
        self.unsettled.clear();
        Ok(())
    }

    /// Moves what is beside its place into it, in the order in which it was written.
    fn place(&mut self) -> io::Result<()> {
        for fresh in &self.fresh {
            fresh.file.sync_all()?;
        }
        for fresh in self.fresh.drain(..) {
            fs::rename(&fresh.beside, &fresh.place)?;
            if fs::read(&fresh.place)? != fresh.bytes {
                return Err(io::Error::other(
                    "a ledger file reads back otherwise than written",
                ));
            }
            // A folder that is new is an entry of the one above.
            let above = fresh.place.ancestors().skip(1).map(Path::to_owned);
            self.unsettled
                .extend(above.take_while(|folder| folder.starts_with(&self.directory)));
        }
        Ok(())
    }
}

impl Fresh {
    fn write(place: &Path, bytes: Vec<u8>) -> io::Result<Self> {
        fs::create_dir_all(folder_of(place)?)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(FRESH);
        let beside = place.with_file_name(name);
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        Ok(Self {
            file,
            beside,
            place: place.to_owned(),
            bytes,
        })
    }
}

/// Puts one file into its place, durably: temp file, fsync, rename, fsync of the folder.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = Fresh::write(path, bytes.to_vec())?;
    fresh.file.sync_all()?;
    fs::rename(&fresh.beside, path)?;
    File::open(folder_of(path)?)?.sync_all()
}

/// Removes what a crash left beside this partial file: a full one is written again under the same name, but the next
/// partial one has another.
fn sweep(path: &Path) -> io::Result<()> {
    let names = match path.parent().map(fs::read_dir) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        None => return Ok(()),
        Some(names) => names?,
    };
    for name in names {
        let left = name?.path();
        if is_unfinished(&left) {
            fs::remove_file(left)?;
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::other("a file without a folder"))
}

/// Whether a file is being written, or a crash broke that off: it is no part of the log.
pub fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_in_its_place_before_it_is_durable_and_all_is_after() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::under(folder.path());
        let count = FILES_MAX + 3;
        let named = |number: usize| format!("tile/{}/{number}", number % 3);
        for number in 0..count {
            files.write(&named(number), vec![7; number]).unwrap();
            let placed = (0..=number).filter(|number| folder.path().join(named(*number)).exists());
            let expected = if number + 1 < FILES_MAX { 0 } else { FILES_MAX };
            assert_eq!(placed.count(), expected, "after {number}");
        }
        files.settle().unwrap();
        for number in 0..count {
            let found = fs::read(folder.path().join(named(number))).unwrap();
            assert_eq!(found, vec![7; number]);
        }
        let left = fs::read_dir(folder.path().join("tile/0")).unwrap();
        let ends = |name: &Path| name.extension().is_some_and(|end| end == FRESH);
        assert!(
            left.map(|name| name.unwrap().path())
                .all(|name| !ends(&name))
        );
    }

    #[test]
    fn a_file_that_reads_back_otherwise_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::under(folder.path());
        files.write("tile/0/000", vec![7; 32]).unwrap();
        fs::write(folder.path().join("tile/0/000.new"), [8; 32]).unwrap();
        assert!(files.settle().is_err());
    }
}
