//! Files put into their places whole: written beside them, made durable, moved, and read back.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How a file's name ends while it is not in its place.
const FRESH: &str = "new";

/// Files on their way into one directory. Each is made durable by itself: many at once keep the store's own commits
/// waiting, which come in between.
pub(super) struct Files {
    directory: PathBuf,
    /// Folders that files were put into, and that are not durable yet.
    unsettled: BTreeSet<PathBuf>,
}

impl Files {
    pub(super) fn under(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            unsettled: BTreeSet::new(),
        }
    }

    /// Puts a file into its place. Its folder is made durable with others', by [`Self::settle`].
    pub(super) fn write(&mut self, relative: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(relative);
        if relative.contains(".p/") {
            sweep(&path)?;
        }
        let folder = write_whole(&path, bytes)?;
        // A folder that is new is an entry of the one above.
        let above = folder.ancestors().map(Path::to_owned);
        self.unsettled
            .extend(above.take_while(|folder| folder.starts_with(&self.directory)));
        if fs::read(&path)? != bytes {
            return Err(io::Error::other(
                "a ledger file reads back otherwise than written",
            ));
        }
        Ok(())
    }

    /// All files are durable in their places: only then may a checkpoint say that they are there.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        for folder in &self.unsettled {
            File::open(folder)?.sync_all()?;
        }
        self.unsettled.clear();
        Ok(())
    }
}

/// Temp file, fsync, rename, fsync of the folder.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::open(write_whole(path, bytes)?)?.sync_all()
}

/// Keeps a time stamp at this path, of which the folders may not be there yet: whole or not at all.
pub fn keep_stamp(path: &Path, response: &[u8]) -> io::Result<()> {
    write_durably(path, response)
}

/// Temp file, fsync, rename. Gives the folder, whose fsync makes it last.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("a file without a folder"))?;
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(FRESH);
    let fresh = path.with_file_name(name);
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(folder.to_owned())
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

/// Whether a file is being written, or a crash broke that off: it is no part of the log.
pub fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_in_its_place_and_what_a_crash_left_beside_a_partial_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::under(folder.path());
        let partial = folder.path().join("tile/0/000.p");
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("3.new"), "torn").unwrap();
        files.write("tile/0/000.p/4", &[7; 32]).unwrap();
        files.settle().unwrap();
        let names: Vec<_> = fs::read_dir(&partial)
            .unwrap()
            .map(|name| name.unwrap().file_name())
            .collect();
        assert_eq!(names, ["4"]);
        assert_eq!(fs::read(partial.join("4")).unwrap(), [7; 32]);
    }
}
