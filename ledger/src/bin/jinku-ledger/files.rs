//! Reads what the auditor names, with a limit; writes what he asked for, whole or not at all.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};

/// Puts a file in the place of another in one step.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut next = file.as_os_str().to_owned();
    next.push(".next");
    let mut opened =
        File::create(&next).with_context(|| format!("{} cannot be written", file.display()))?;
    let written = opened.write_all(bytes).and_then(|()| opened.sync_all());
    written.with_context(|| format!("{} cannot be written", file.display()))?;
    fs::rename(&next, file).with_context(|| format!("{} cannot be replaced", file.display()))
}

/// Writes a new file; one that is there already is left as it is.
pub(crate) fn create(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut opened = File::create_new(file)
        .with_context(|| format!("{} cannot be made (is it there already?)", file.display()))?;
    let written = opened.write_all(bytes).and_then(|()| opened.sync_all());
    written.with_context(|| format!("{} cannot be written", file.display()))
}

/// Reads a file of at most so many bytes.
pub(crate) fn read(file: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut bytes = Vec::new();
    let taken = opened.take(bytes_max + 1).read_to_end(&mut bytes);
    taken.with_context(|| format!("{} cannot be read", file.display()))?;
    ensure!(
        bytes.len() as u64 <= bytes_max,
        "{} is too large: at most {bytes_max} bytes",
        file.display()
    );
    Ok(bytes)
}
