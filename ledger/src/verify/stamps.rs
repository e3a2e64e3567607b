//! Holds the log to time stamps: each says that it had a root at the latest then, under the auditor's certificates.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Trust;
use super::archive::Archive;
use super::book::{BookError, entry_of, tile_of};
use super::chain::Root;
use super::code::Code;
use super::finding::{Finding, Findings};
use super::quorum::CLOCKS_APART_SECONDS_MAX;
use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::stamp::{STAMP_BYTES_MAX, StampError, Stamped, verify_stamp};
use crate::tile::Tiles;
use crate::utc::Utc;

/// The folder of all stamps.
const FOLDER: &str = "stamps";

/// Stamps that hold.
#[derive(Clone, Debug, Serialize)]
pub struct Stamps {
    /// How many.
    pub held: u64,
    /// The one over the most entries.
    pub newest: Option<NewestStamp>,
}

/// A stamp.
#[derive(Clone, Debug, Serialize)]
pub struct NewestStamp {
    /// So many entries existed then, at the latest.
    pub size: u64,
    /// The authority's time, in microseconds since 1970.
    pub time_us: u64,
}

/// Judges every stamp of the archive, if the auditor brought certificates. Entries and tiles must have been verified:
/// the tiles give the root that each stamp is held against.
pub(super) fn judge(
    archive: &Archive,
    trust: &Trust,
    (now, root): (Option<&Checkpoint>, Root),
    findings: &mut Findings,
) -> Option<Stamps> {
    let certificates = trust.stamps.as_ref()?;
    // Without a root there is nothing to hold a stamp against, and that is a finding already.
    let now = now.filter(|_| root == Root::Holds)?;
    let mut tiles = Tiles::of(now.size, |index, width| tile_of(archive, index, width));
    let mut stamps = Stamps {
        held: 0,
        newest: None,
    };
    // By size: neighbours share tiles.
    for (size, file) in stamped_sizes(archive) {
        let mut push = |code, message: String| {
            findings.push(Finding::new(code, message).file(&file));
        };
        if size == 0 || size > now.size {
            push(
                Code::BeyondCheckpoint,
                format!("over {size} entries, not checked"),
            );
            continue;
        }
        let stamped = match tiles.root_of(0..size) {
            Ok(root) => Checkpoint {
                origin: now.origin.clone(),
                size,
                root,
            },
            Err(error) => {
                let error = BookError::from(error);
                push(error.code(), error.to_string());
                continue;
            }
        };
        let response = match archive.read(&file, STAMP_BYTES_MAX as u64) {
            Ok(response) => response,
            Err(error) => {
                findings.push(error.finding(&file));
                continue;
            }
        };
        match verify_stamp(&response, &stamped, certificates) {
            Ok(stamp) => {
                if let Some(message) = contradicted(archive, (size, now.size), &stamp) {
                    let finding = Finding::new(Code::TimeForward, message).file(&file);
                    findings.push(finding.seq(size - 1));
                }
                stamps.held += 1;
                stamps.newest = Some(NewestStamp {
                    size,
                    time_us: stamp.time_us,
                });
            }
            Err(error) => push(code_of(error), error.to_string()),
        }
    }
    if stamps.held == 0 {
        let message = "no stamp that holds is in the archive";
        findings.push(Finding::new(Code::StampMissing, message).file(FOLDER));
    }
    Some(stamps)
}

/// What was stamped existed then: none of its entries is of a later time, but for clocks that differ. Said of the last
/// one, for those before it are no later, or a finding of their own.
fn contradicted(archive: &Archive, (size, now): (u64, u64), stamp: &Stamped) -> Option<String> {
    let last = entry_of(archive, (size.checked_sub(1)?, now)).ok()?;
    let written_us = Entry::decode(&last).ok()?.time_us;
    let apart_us = stamp.accuracy_us.unwrap_or_default();
    let apart_us = apart_us.saturating_add(CLOCKS_APART_SECONDS_MAX * 1_000_000);
    let stamped = Utc::from_micros(stamp.time_us);
    let is_later = written_us > stamp.time_us.saturating_add(apart_us);
    is_later.then(|| {
        let written = Utc::from_micros(written_us);
        format!("it is of {written}, and was stamped at {stamped}")
    })
}

/// The files of stamps, with the number of entries that each is over.
fn stamped_sizes(archive: &Archive) -> BTreeSet<(u64, String)> {
    let mut sizes = BTreeSet::new();
    let mut folders = vec![FOLDER.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in archive.names(&folder).unwrap_or_default() {
            let path = format!("{folder}/{}", name.text);
            if let Some(size) = stamp_size(&path) {
                sizes.insert((size, path));
            } else if path.matches('/').count() < 4 {
                folders.push(path);
            }
        }
    }
    sizes
}

/// How many entries the file `stamps/YYYY/MM/DD/SIZE.tsr` is over, if this is exactly how its path is written.
pub(super) fn stamp_size(path: &str) -> Option<u64> {
    let rest = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let (day, name) = rest.split_at_checked(11)?;
    let shape = b"0000/00/00/";
    let is_day = day.bytes().zip(shape).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *shape,
    });
    let digits = name.strip_suffix(".tsr").filter(|_| is_day)?;
    let size = digits.parse::<u64>().ok()?;
    (size.to_string() == digits).then_some(size)
}

/// Where a stamp over so many entries is kept, by the day on which it was asked for.
#[must_use]
pub fn stamp_path(time_us: u64, size: u64) -> String {
    let day = Utc::from_micros(time_us);
    let (year, month, day) = (day.year, day.month, day.day);
    format!("{FOLDER}/{year:04}/{month:02}/{day:02}/{size}.tsr")
}

fn code_of(error: StampError) -> Code {
    match error {
        StampError::Other => Code::StampOther,
        StampError::Malformed(_) | StampError::Refused(_) => Code::StampMalformed,
        _ => Code::StampUntrusted,
    }
}

impl Stamps {
    /// In words.
    pub(super) fn said(&self) -> String {
        match &self.newest {
            None => "NOT stamped".to_owned(),
            Some(NewestStamp { size, time_us }) => {
                let time = Utc::from_micros(*time_us);
                format!(
                    "the first {size} existed at {time} at the latest ({} time stamps)",
                    self.held
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{stamp_path, stamp_size};

    #[test]
    fn a_stamp_has_one_path() {
        let path = stamp_path(1_795_471_916_000_000, 700);
        assert_eq!(path, "stamps/2026/11/23/700.tsr");
        assert_eq!(stamp_size(&path), Some(700));
        for other in [
            "stamps/2026/11/23/0700.tsr",
            "stamps/2026/11/23/+7.tsr",
            "stamps/2026/11/23/700",
            "stamps/2026/11/2/3/700.tsr",
            "stamps/700.tsr",
            "stamps/2026/11/23/.tsr",
            "stamp/2026/11/23/700.tsr",
            "stamps/２026/11/3/700.tsr",
        ] {
            assert_eq!(stamp_size(other), None, "{other}");
        }
    }
}
