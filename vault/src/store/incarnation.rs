//! Incarnations of the log's database, and the mark that tells a copy of it from the one that was left here.
//!
//! ```text
//! mark = "jinku incarnation v2\n" | id in hex | "\n" | place in hex | "\n" | cards, in hex, a space between two | "\n"
//! ```
//! The place is a hash of what a copy does not have: the mark's own file (its inode, and when it came into being) and
//! the machine's id. A folder that was copied, or unpacked from an archive, shows by the first two, a machine that was
//! cloned by the third, where its id was made anew as it should be. A disk's image on a machine that kept the id shows by
//! the hashes of its network cards' addresses, of which none is left: a card that came or went alone says nothing.
//! Containers have no cards of their own, and often no machine's id; where all of that is the same too, two such vaults are
//! told apart by witnesses, or by comparing their logs. Marks of v1 have no cards, and say what they said.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ring::digest;

use crate::model::Timestamp;

const MAGIC: &str = "jinku incarnation v2";
/// Of marks without cards.
const MAGIC_1: &str = "jinku incarnation v1";
/// Longest mark that is read, in bytes.
const MARK_BYTES_MAX: u64 = 1024;
/// Most cards that a mark names.
const CARDS_MAX: usize = 16;
/// The machine's id, as systemd and D-Bus keep it.
const MACHINE: &str = "/etc/machine-id";
/// The machine's network interfaces, as Linux shows them; those with a `device` are cards.
const INTERFACES: &str = "/sys/class/net";

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
pub struct Mark {
    file: PathBuf,
    interfaces: PathBuf,
}

/// What a mark says.
struct Written {
    id: String,
    place: String,
    /// None in a mark of v1, and on a machine without any.
    cards: Vec<String>,
}

impl Mark {
    /// Beside the file of shred keys, out of backups as that is.
    pub fn beside(shreds: &Path) -> Self {
        Self {
            file: shreds.with_file_name("incarnation"),
            interfaces: PathBuf::from(INTERFACES),
        }
    }

    /// What it says of a database of this incarnation.
    pub fn look(&self, id: &[u8; 16]) -> io::Result<Marked> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Marked::Missing),
            Err(error) => return Err(error),
        };
        let place = place(&file)?;
        let mut found = Vec::new();
        file.take(MARK_BYTES_MAX).read_to_end(&mut found)?;
        let written = str::from_utf8(&found).ok().and_then(Written::parse);
        let Some(written) = written.filter(|written| written.id == hex(id)) else {
            return Ok(Marked::Other);
        };
        let cards = self.cards(id);
        let is_kept = |card| cards.contains(card);
        let others = !cards.is_empty() && !written.cards.is_empty();
        if written.place != place || (others && !written.cards.iter().any(is_kept)) {
            return Ok(Marked::Moved);
        }
        Ok(Marked::Here)
    }

    /// Hashes of the addresses of this machine's network cards, in order. What can't be read is none.
    fn cards(&self, id: &[u8; 16]) -> Vec<String> {
        let names = fs::read_dir(&self.interfaces).into_iter().flatten();
        let cards = names.flatten().map(|name| name.path());
        let cards = cards.filter(|card| card.join("device").exists());
        let addresses = cards.filter_map(|card| fs::read_to_string(card.join("address")).ok());
        let hashed = |address: String| {
            let mut hashed = digest::Context::new(&digest::SHA256);
            hashed.update(b"jinku/v1 card");
            hashed.update(id);
            hashed.update(address.trim().as_bytes());
            half(hashed)
        };
        let mut cards: Vec<String> = addresses.map(hashed).collect();
        cards.sort_unstable();
        cards.truncate(CARDS_MAX);
        cards
    }

    /// Marks this place. Durable when it comes back; a mark that stands is replaced whole.
    pub fn set(&self, id: &[u8; 16]) -> io::Result<()> {
        let fresh = self.file.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        let written = Written {
            id: hex(id),
            place: place(&file)?,
            cards: self.cards(id),
        };
        file.write_all(written.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file)?;
        match self.file.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Written {
    fn text(&self) -> String {
        let Self { id, place, cards } = self;
        let cards = cards.join(" ");
        format!("{MAGIC}\n{id}\n{place}\n{cards}\n")
    }

    /// A mark that is whole.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let (id, place, cards) = match lines.as_slice() {
            [MAGIC, id, place, cards] => (id, place, *cards),
            [MAGIC_1, id, place] => (id, place, ""),
            _ => return None,
        };
        Some(Self {
            id: (*id).to_owned(),
            place: (*place).to_owned(),
            cards: cards.split_whitespace().map(str::to_owned).collect(),
        })
    }
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
    Ok(half(hashed))
}

/// Half of a hash tells two places apart.
fn half(hashed: digest::Context) -> String {
    let half = hashed.finish().as_ref().first_chunk().copied();
    hex(&half.unwrap_or_default())
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
        fs::rename(&mark.file, elsewhere.join("incarnation")).unwrap();
        let moved = Mark::beside(&elsewhere.join("shreds"));
        assert_eq!(moved.look(&ID).unwrap(), Marked::Here);
        fs::copy(&moved.file, &mark.file).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Moved);
        mark.set(&ID).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Here);
    }

    #[test]
    fn what_is_no_mark_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("shreds"));
        mark.set(&ID).unwrap();
        let whole = fs::read(&mark.file).unwrap();
        for length in 0..whole.len() {
            fs::write(&mark.file, &whole[..length]).unwrap();
            assert_ne!(mark.look(&ID).unwrap(), Marked::Here, "{length} bytes");
        }
        fs::write(&mark.file, [&whole[..], b"x"].concat()).unwrap();
        assert_ne!(mark.look(&ID).unwrap(), Marked::Here);
        fs::write(&mark.file, vec![b'x'; 100_000]).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Other);
    }

    /// A machine with these cards, and a bridge that is none.
    fn machine(folder: &Path, cards: &[&str]) -> PathBuf {
        let interfaces = folder.join(cards.join("-") + "net");
        for (name, address) in cards
            .iter()
            .map(|card| (*card, *card))
            .chain([("br0", "b")])
        {
            let card = interfaces.join(name);
            fs::create_dir_all(&card).unwrap();
            fs::write(card.join("address"), format!("{address}\n")).unwrap();
            if name != "br0" {
                fs::create_dir(card.join("device")).unwrap();
            }
        }
        interfaces
    }

    #[test]
    fn an_image_on_a_machine_with_other_cards_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let mut mark = Mark::beside(&folder.path().join("shreds"));
        let on = |mark: &mut Mark, cards: &[&str]| {
            mark.interfaces = machine(folder.path(), cards);
            mark.look(&ID).unwrap()
        };
        mark.interfaces = machine(folder.path(), &["one", "two"]);
        mark.set(&ID).unwrap();
        assert_eq!(on(&mut mark, &["three"]), Marked::Moved);
        assert_eq!(on(&mut mark, &["three", "four"]), Marked::Moved);
        // A card that came, one that went; and where there are none, nothing is known.
        assert_eq!(on(&mut mark, &["one", "two", "three"]), Marked::Here);
        assert_eq!(on(&mut mark, &["two"]), Marked::Here);
        assert_eq!(on(&mut mark, &[]), Marked::Here);
        let text = fs::read_to_string(&mark.file).unwrap();
        assert!(!text.contains("one"), "an address is in the mark: {text}");
    }

    #[test]
    fn a_mark_of_before_says_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::beside(&folder.path().join("shreds"));
        mark.set(&ID).unwrap();
        let text = fs::read_to_string(&mark.file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // In place: another file would be another place.
        let old = format!("{MAGIC_1}\n{}\n{}\n", lines[1], lines[2]);
        fs::write(&mark.file, old).unwrap();
        assert_eq!(mark.look(&ID).unwrap(), Marked::Here);
        assert_eq!(mark.look(&[8; 16]).unwrap(), Marked::Other);
    }
}
