//! Where a run's files are, and that none is overwritten: output, its part, its progress, its errors.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::progress::{Standing, beside, sync_folder};

/// A run's files.
pub(super) struct Places {
    pub(super) input: PathBuf,
    pub(super) out: PathBuf,
    /// What is written until the output is whole: a file, or for Parquet a folder.
    pub(super) part: PathBuf,
    pub(super) progress: PathBuf,
    pub(super) errors: PathBuf,
}

/// How a run begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// Where nothing stands.
    Fresh,
    /// The same; what stands is removed.
    Forced,
    /// Where a run was stopped.
    Resumed,
}

impl Places {
    /// `suffix` goes before the extension where no output is named.
    pub(super) fn of(
        input: PathBuf,
        out: Option<PathBuf>,
        errors: Option<PathBuf>,
        suffix: &str,
        start: Start,
    ) -> anyhow::Result<Self> {
        let out = out.unwrap_or_else(|| named(&input, suffix));
        let places = Self {
            part: beside(&out, ".part"),
            progress: beside(&out, ".progress"),
            errors: errors.unwrap_or_else(|| beside(&input, ".errors.jsonl")),
            input,
            out,
        };
        places.check(start)?;
        Ok(places)
    }

    fn check(&self, start: Start) -> anyhow::Result<()> {
        let input = fs::metadata(&self.input);
        let input = input.with_context(|| format!("`{}` can't be read", self.input.display()))?;
        if !input.is_file() {
            bail!("`{}` is no file", self.input.display());
        }
        for other in [&self.out, &self.part, &self.errors] {
            let same =
                |found: &fs::Metadata| (found.dev(), found.ino()) == (input.dev(), input.ino());
            if fs::metadata(other).as_ref().is_ok_and(same) {
                bail!("`{}` is the input itself", other.display());
            }
        }
        match start {
            Start::Forced => Ok(()),
            Start::Resumed if self.progress.exists() => Ok(()),
            Start::Resumed => {
                bail!(
                    "`{}` is not there: no run was stopped",
                    self.progress.display()
                )
            }
            Start::Fresh if self.progress.exists() || self.part.exists() => bail!(
                "a run to `{}` was stopped: --resume goes on, --force begins anew",
                self.out.display()
            ),
            Start::Fresh => {
                for file in [&self.out, &self.errors] {
                    if file.exists() {
                        let file = file.display();
                        bail!(
                            "`{file}` is there already: name another, or replace it with --force"
                        );
                    }
                }
                Ok(())
            }
        }
    }

    /// Removes what an earlier run left. The output itself stays until it is replaced.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        for path in [&self.progress, &self.part, &self.errors] {
            let removed = match fs::symlink_metadata(path) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(path),
                Ok(_) => fs::remove_file(path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            removed.with_context(|| format!("`{}` can't be removed", path.display()))?;
        }
        Ok(())
    }

    /// Gives the finished output its name; whether it replaces what has it, who began the run has said.
    pub(super) fn name(&self, finished: &Path, standing: Standing) -> anyhow::Result<()> {
        let renamed = if standing == Standing::Replaced {
            fs::rename(finished, &self.out)
        } else {
            // Whatever came there meanwhile stays.
            let flags = RenameFlags::NOREPLACE;
            renameat_with(CWD, finished, CWD, &self.out, flags).map_err(io::Error::from)
        };
        renamed.with_context(|| {
            let (finished, out) = (finished.display(), self.out.display());
            format!("`{finished}` is whole, and can't be renamed to `{out}`")
        })?;
        sync_folder(&self.out)
    }
}

/// A file's path with a suffix before its extension.
fn named(input: &Path, suffix: &str) -> PathBuf {
    let mut name = input.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = input.extension() {
        name.push(".");
        name.push(extension);
    }
    input.with_file_name(name)
}

/// A file that is written from `length` on; what stands behind is cut off.
pub(super) fn append_from(path: &Path, length: u64, mode: u32) -> anyhow::Result<File> {
    let unwritten = || format!("`{}` can't be written", path.display());
    let mut options = File::options();
    options.append(true).mode(mode);
    let file = if length == 0 {
        options.create(true).open(path)
    } else {
        options.open(path)
    };
    let file = file.with_context(unwritten)?;
    if file.try_lock().is_err() {
        bail!("`{}` is written by another run", path.display());
    }
    if file.metadata().with_context(unwritten)?.len() < length {
        bail!(
            "`{}` is shorter than its run says: begin anew with --force",
            path.display()
        );
    }
    file.set_len(length).with_context(unwritten)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path, start: Start) -> anyhow::Result<Places> {
        Places::of(folder.join("a.b.csv"), None, None, ".tokenized", start)
    }

    #[test]
    fn nothing_that_stands_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(places(folder.path(), Start::Fresh).is_err());
        fs::write(at("a.b.csv"), "x").unwrap();
        let fresh = places(folder.path(), Start::Fresh).unwrap();
        assert_eq!(fresh.out, at("a.b.tokenized.csv"));
        assert_eq!(fresh.errors, at("a.b.csv.errors.jsonl"));
        assert!(places(folder.path(), Start::Resumed).is_err());
        fs::write(&fresh.part, "part").unwrap();
        assert!(places(folder.path(), Start::Fresh).is_err());
        fs::write(&fresh.out, "stands").unwrap();
        assert!(fresh.name(&fresh.part, Standing::Kept).is_err());
        assert_eq!(fs::read(&fresh.out).unwrap(), b"stands");
        let forced = places(folder.path(), Start::Forced).unwrap();
        forced.name(&fresh.part, Standing::Replaced).unwrap();
        assert_eq!(fs::read(&fresh.out).unwrap(), b"part");
        assert!(places(folder.path(), Start::Fresh).is_err());
        let over = |out| Places::of(at("a.b.csv"), Some(out), None, "", Start::Forced);
        assert!(over(at("a.b.csv")).is_err());
    }
}
