//! The stamps that are kept beside the log, in `stamps/YYYY/MM/DD/SIZE.tsr`: one more, and the newest.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ledger::verify::stamp_path;
use ledger::{STAMP_BYTES_MAX, stated_in};

use super::StampFault;
use crate::commit::keep_stamp;
use crate::model::Timestamp;

/// A stamp that is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptStamp {
    /// So many entries it is over.
    pub size: u64,
    /// The authority's time.
    pub time: Timestamp,
}

/// Keeps an authority's answer that was checked, under the day on which it was asked. One over as many entries that was kept
/// on that day stays: the older one says more.
pub fn keep_stamp_of(
    ledger: &Path,
    (size, response): (u64, &[u8]),
    asked: Timestamp,
) -> Result<PathBuf, StampFault> {
    if response.len() > STAMP_BYTES_MAX {
        return Err(StampFault::TooLong);
    }
    let path = ledger.join(stamp_path(asked.0, size));
    if !path.exists() {
        keep_stamp(&path, response).map_err(StampFault::Unkept)?;
    }
    Ok(path)
}

/// The newest stamp of a ledger directory. One that can't be read is none.
pub(super) fn newest(ledger: &Path) -> io::Result<Option<KeptStamp>> {
    let Some((size, path)) = newest_file(ledger)? else {
        return Ok(None);
    };
    let stated = stated_in(&fs::read(path)?).ok();
    Ok(stated.map(|stated| KeptStamp {
        size,
        time: Timestamp(stated.time_us),
    }))
}

/// Of the last day, the one over the most entries.
fn newest_file(ledger: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let mut folder = ledger.join("stamps");
    for _ in ["year", "month", "day"] {
        match names(&folder)?.into_iter().max() {
            Some(last) => folder = last,
            None => return Ok(None),
        }
    }
    let size = |path: &PathBuf| {
        let digits = path.file_name()?.to_str()?.strip_suffix(".tsr")?;
        digits.parse::<u64>().ok()
    };
    let stamps = names(&folder)?.into_iter();
    let stamps = stamps.filter_map(|path| Some((size(&path)?, path)));
    Ok(stamps.max())
}

/// A folder that is not there has nothing in it.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_s_largest_is_the_newest_and_the_first_of_a_size_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path();
        assert_eq!(newest_file(ledger).unwrap(), None);
        let day = Timestamp(86_400_000_000 * 20_000);
        let keep =
            |size, response: &[u8], asked| keep_stamp_of(ledger, (size, response), asked).unwrap();
        keep(900, b"the day before", Timestamp(day.0 - 86_400_000_000));
        let first = keep(99, b"first", day);
        let largest = keep(100, b"largest", day);
        let found = newest_file(ledger).unwrap();
        assert_eq!(found, Some((100, largest)));
        // The older one of two over as many entries says more.
        assert_eq!(keep(99, b"later", day), first);
        assert_eq!(fs::read(first).unwrap(), b"first");
        // What is no stamp has no time.
        assert_eq!(newest(ledger).unwrap(), None);
        let long = vec![0; STAMP_BYTES_MAX + 1];
        let refused = keep_stamp_of(ledger, (102, &long), day);
        assert!(matches!(refused, Err(StampFault::TooLong)));
    }
}
