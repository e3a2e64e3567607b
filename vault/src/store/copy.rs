//! A copy of the database, made while others write to it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StoreError;
use super::sqlite::connect_standing;

/// Copies the database at `path` into a new file, as it is at one moment: whole transactions only, free
/// pages left out. It waits for nobody and holds nobody up. The copy is durable in its place.
///
/// It holds ciphertexts, hashes and entries, and no shred key: those are in a file of their own.
pub fn copy_out(path: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |_: io::Error| StoreError::Database {
        code: "copy".to_owned(),
    };
    // SQLite takes an empty file as its target: this one is for its owner alone.
    let target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(failed)?;
    let text = to.to_str().ok_or_else(|| StoreError::Database {
        code: "a path that is not UTF-8".to_owned(),
    })?;
    connect_standing(path)?.execute("VACUUM INTO ?1", [text])?;
    target.sync_all().map_err(failed)?;
    let folder = to.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}
