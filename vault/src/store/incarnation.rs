//! Incarnations of the log's database, and the mark that tells a copy of it from the one that was left here.
//!
//! ```text
//! mark = "jinku incarnation v1\n" | id in hex | "\n" | place in hex | "\n"
//! ```
//! The place is a hash of what a copy does not have: the mark's own file (its inode, and when it came into being) and
//! the machine's id. A folder that was copied, or unpacked from an archive, shows by the first two, a machine that was
//! cloned by the third, where its id was made anew as it should be. A disk's image on a machine that kept the
//! id shows in neither: two such vaults are told apart by witnesses, or by comparing their logs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ring::digest;

use crate::model::Timestamp;

const MAGIC: &str = "jinku incarnation v1";
/// Longest mark that is read, in bytes.
const MARK_BYTES_MAX: u64 = 1024;
/// The machine's id, as systemd and D-Bus keep it.
const MACHINE: &str = "/etc/machine-id";

/// One incarnation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IncarnationRow {
    /// 1 and up, without gaps.
    pub number: u32,
    /// Random.
    pub id: [u8; 16],
    /// When it was opened.
    pub opened: Timestamp,
}

/// What the mark says of the database beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Marked {
    /// It was left here.
    Here,
    /// There is no mark.
    Missing,
    /// The mark is another incarnation's, or none that can be read.
    Other,
    /// The mark lies in another place than it was made in: it was copied, or the machine was.
    Moved,
}

/// The file that has the mark.
#[derive(Clone, Debug)]
pub struct Mark(PathBuf);

impl Mark {
    /// Beside the file of shred keys, out of backups as that is.
    pub fn beside(shreds: &Path) -> Self {
        Self(shreds.with_file_name("incarnation"))
    }

    /// What it says of a database of this incarnation.
    pub fn look(&self, id: &[u8; 16]) -> io::Result<Marked> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Marked::Missing),
            Err(error) => return Err(error),
        };
        let place = place(&file)?;
        let mut found = Vec::new();
        file.take(MARK_BYTES_MAX).read_to_end(&mut found)?;
        let id = hex(id);
        Ok(
            match found.strip_prefix(text(&id, "").trim_end().as_bytes()) {
                Some(_) if found == text(&id, &place).as_bytes() => Marked::Here,
                Some(_) => Marked::Moved,
                None => Marked::Other,
            },
        )
    }

    /// Marks this place. Durable when it comes back; a mark that stands is replaced whole.
    pub fn set(&self, id: &[u8; 16]) -> io::Result<()> {
        let fresh = self.0.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        let place = place(&file)?;
        file.write_all(text(&hex(id), &place).as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        match self.0.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn text(id: &str, place: &str) -> String {
    format!("{MAGIC}\n{id}\n{place}\n")
}

/// What a copy of the file is not: the same inode of the same birth, on the same machine.
fn place(file: &File) -> io::Result<String> {
    let about = file.metadata()?;
    // A file system that keeps no time of birth tells by the inode alone.
    let born = about.created().ok();
    let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let machine = fs::read(MACHINE).unwrap_or_default();
    let mut hashed = digest::Context::new(&digest::SHA256);
    hashed.update(b"jinku/v1 place");
    hashed.update(&about.ino().to_be_bytes());
    hashed.update(&born.map_or(0, |born| born.as_nanos()).to_be_bytes());
    hashed.update(&machine);
    // Half of it tells two places apart.
    let half = hashed.finish().as_ref().first_chunk().copied();
    Ok(hex(&half.unwrap_or_default()))
}

fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = [7; 16];

    #[test]
    fn a_copy_of_the_mark_is_not_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("shreds"));
        assert_eq!(mark.look(&ID).unwrap(), Marked::Missing);
        mark.set(&ID).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Here);
        assert_eq!(mark.look(&[8; 16]).unwrap(), Marked::Other);
        // Moved within the file system it is the same file; copied it is not.
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::rename(&mark.0, elsewhere.join("incarnation")).unwrap();
        let moved = Mark::beside(&elsewhere.join("shreds"));
        assert_eq!(moved.look(&ID).unwrap(), Marked::Here);
        fs::copy(&moved.0, &mark.0).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Moved);
        mark.set(&ID).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Here);
    }

    #[test]
    fn what_is_no_mark_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("shreds"));
        mark.set(&ID).unwrap();
        let whole = fs::read(&mark.0).unwrap();
        for length in 0..whole.len() {
            fs::write(&mark.0, &whole[..length]).unwrap();
            assert_ne!(mark.look(&ID).unwrap(), Marked::Here, "{length} bytes");
        }
        fs::write(&mark.0, [&whole[..], b"x"].concat()).unwrap();
        assert_ne!(mark.look(&ID).unwrap(), Marked::Here);
        fs::write(&mark.0, vec![b'x'; 100_000]).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Other);
    }
}
