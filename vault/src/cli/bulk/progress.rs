//! `OUT.progress`: how far a run has come, durable. Who takes the run up again goes on from here.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rand::TryRng;
use ring::digest::{Context as Digest, SHA256};
use serde::{Deserialize, Serialize};

use super::batch::Mark;

/// Bytes of the input's beginning that are compared when a run is taken up.
const HEAD_BYTES: u64 = 64 * 1024;
/// Version of the file.
const VERSION: u32 = 1;

/// What stands in the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    version: u32,
    /// Names the run, at random: its requests' idempotency keys begin with it.
    pub(super) run: String,
    input: Identity,
    /// SHA-256 of the map and of all that decides what is sent.
    setting: String,
    /// What becomes of an output that stands.
    pub(super) standing: Standing,
    /// All batches before this one are in the output.
    pub(super) batch: u64,
    /// Where the input stands before that batch. Of Parquet: the row group, and rows.
    pub(super) offset: u64,
    pub(super) lines: u64,
    pub(super) rows: u64,
    /// Row groups of a Parquet file that are in the output.
    pub(super) groups: usize,
    /// Bytes of the output, and of the file of errors.
    pub(super) out_bytes: u64,
    pub(super) errors_bytes: u64,
    /// Rows that were set aside, and values that were replaced.
    pub(super) errors: u64,
    pub(super) values: u64,
    /// The output is whole: it wants its name only.
    pub(super) whole: bool,
}

/// What becomes of a file that stands where the output shall be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    /// It stays, and the run fails.
    Kept,
    /// Who began the run said `--force`.
    Replaced,
}

/// What tells one input from another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    bytes: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
    head_sha256: String,
}

impl Identity {
    fn of(input: &Path) -> anyhow::Result<Self> {
        let unread = || format!("`{}` can't be read", input.display());
        let file = File::open(input).with_context(unread)?;
        let metadata = file.metadata().with_context(unread)?;
        let mut head = Vec::new();
        file.take(HEAD_BYTES)
            .read_to_end(&mut head)
            .with_context(unread)?;
        Ok(Self {
            bytes: metadata.len(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
            head_sha256: sha256(&[&head]),
        })
    }
}

impl Progress {
    /// Of a run that begins.
    pub(super) fn begin(
        input: &Path,
        setting: &[&[u8]],
        standing: Standing,
    ) -> anyhow::Result<Self> {
        let mut run = [0; 16];
        rand::rngs::SysRng
            .try_fill_bytes(&mut run)
            .map_err(|_| anyhow::anyhow!("the system's random numbers failed"))?;
        Ok(Self {
            version: VERSION,
            run: hexadecimal(&run),
            input: Identity::of(input)?,
            setting: sha256(setting),
            standing,
            batch: 0,
            offset: 0,
            lines: 0,
            rows: 0,
            groups: 0,
            out_bytes: 0,
            errors_bytes: 0,
            errors: 0,
            values: 0,
            whole: false,
        })
    }

    /// Of a run that was stopped: same input, same setting.
    pub(super) fn take_up(file: &Path, input: &Path, setting: &[&[u8]]) -> anyhow::Result<Self> {
        let shown = file.display();
        let text = fs::read(file)
            .with_context(|| format!("`{shown}` can't be read: no run was stopped there"))?;
        let progress: Self = serde_json::from_slice(&text)
            .map_err(|_| anyhow::anyhow!("`{shown}` is damaged: begin anew with --force"))?;
        if progress.version != VERSION {
            bail!("`{shown}` is of another version of jinku: begin anew with --force");
        }
        if progress.input != Identity::of(input)? {
            bail!("the file has changed since the run was stopped: begin anew with --force");
        }
        if progress.setting != sha256(setting) {
            bail!(
                "the map or the options have changed since the run was stopped: give the same, or \
                begin anew with --force"
            );
        }
        Ok(progress)
    }

    /// The input is the one that the run began with.
    pub(super) fn is_of(&self, input: &Path) -> anyhow::Result<bool> {
        Ok(self.input == Identity::of(input)?)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            offset: self.offset,
            lines: self.lines,
            rows: self.rows,
        }
    }

    pub(super) fn stands_at(&mut self, mark: Mark) {
        Mark {
            offset: self.offset,
            lines: self.lines,
            rows: self.rows,
        } = mark;
    }

    /// Writes the file, whole or not at all, before anything else happens.
    pub(super) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let fresh = beside(file, ".new");
        let unwritten = || format!("`{}` can't be written", fresh.display());
        let mut opened = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .with_context(unwritten)?;
        opened
            .write_all(&serde_json::to_vec(self)?)
            .with_context(unwritten)?;
        opened.sync_all().with_context(unwritten)?;
        fs::rename(&fresh, file).with_context(unwritten)?;
        sync_folder(file)
    }
}

/// Makes a name in a folder last.
pub(super) fn sync_folder(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("`{}` can't be made durable", folder.display()))
}

/// A file's path with more behind its name.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sha256(parts: &[&[u8]]) -> String {
    let mut digest = Digest::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hexadecimal(digest.finish().as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_taken_up_with_its_own_input_and_setting_only() {
        let folder = tempfile::tempdir().unwrap();
        let (input, file) = (folder.path().join("in"), folder.path().join("out.progress"));
        fs::write(&input, "a,b\n").unwrap();
        let mut progress = Progress::begin(&input, &[b"map", b""], Standing::Kept).unwrap();
        progress.stands_at(Mark {
            offset: 4,
            lines: 1,
            rows: 1,
        });
        progress.save(&file).unwrap();
        let again = Progress::take_up(&file, &input, &[b"map", b""]).unwrap();
        assert_eq!((again.run.len(), again.mark()), (32, progress.mark()));
        assert!(Progress::take_up(&file, &input, &[b"ma", b"p"]).is_err());
        assert!(again.is_of(&input).unwrap());
        fs::write(&input, "a,c\n").unwrap();
        assert!(Progress::take_up(&file, &input, &[b"map", b""]).is_err());
        fs::write(&file, "{").unwrap();
        assert!(Progress::take_up(&file, &input, &[b"map", b""]).is_err());
    }
}
