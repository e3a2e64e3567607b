//! The archive of all published checkpoints, a file a day: appended to, made durable, and mended where a crash left
//! the last record half written. Auditors compare what is in it, so nothing else is ever taken out of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ledger::{framed_note, notes_path, read_frames, whole_frames};

use super::publish::PublishError;
use crate::model::Timestamp;

/// The archive under a ledger directory.
pub(super) struct Annals<'a> {
    pub(super) directory: &'a Path,
}

impl Annals<'_> {
    /// Appends a published checkpoint to the file of its day. Half a record would hide all behind it: where
    /// writing fails, the file is as long as before.
    pub(super) fn append(&self, note: &str, now: Timestamp) -> io::Result<()> {
        let path = self.directory.join(notes_path(now.0));
        let folder = path.parent().unwrap_or(self.directory);
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let length = file.metadata()?.len();
        let record = framed_note(note);
        let written = file.write_all(record.as_bytes());
        if let Err(error) = written.and_then(|()| file.sync_all()) {
            let _ = file.set_len(length);
            return Err(error);
        }
        if length == 0 {
            self.settle(folder)?;
        }
        Ok(())
    }

    /// Mends what a crash between publishing a checkpoint and archiving it left: the standing checkpoint's record is
    /// missing, or there is only a part of it. What else is no record is left as it is, and refused.
    pub(super) fn mend(&self, standing: &str, now: Timestamp) -> Result<(), PublishError> {
        let Some(path) = self.newest()? else {
            return Ok(self.append(standing, now)?);
        };
        let bytes = fs::read(&path)?;
        let (whole, torn) = bytes.split_at(whole_frames(&bytes));
        if !torn.is_empty() {
            if !records(standing).any(|record| is_part(torn, record.as_bytes())) {
                return Err(PublishError::Archive(path));
            }
            let file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(whole.len() as u64)?;
            file.sync_all()?;
            tracing::warn!("a checkpoint that a crash left half archived is archived again");
        }
        let whole = String::from_utf8_lossy(whole);
        let archived = read_frames(&whole).unwrap_or_default();
        // Lines may be added to a checkpoint that stands: witnesses', and the next key's.
        if archived.last().map(|note| body(note)) == Some(body(standing)) {
            return Ok(());
        }
        Ok(self.append(standing, now)?)
    }

    /// The file of the newest day.
    fn newest(&self) -> io::Result<Option<PathBuf>> {
        let mut newest = self.directory.join("checkpoints");
        for _ in ["year", "month", "day"] {
            let names = match fs::read_dir(&newest) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                names => names?,
            };
            let mut last = None;
            for name in names {
                last = last.max(Some(name?.path()));
            }
            let Some(last) = last else {
                return Ok(None);
            };
            newest = last;
        }
        Ok(Some(newest))
    }

    /// A file that is new is an entry of its folder, and a folder that is new one of the folder above.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        let above = folder.ancestors();
        let within = above.take_while(|folder| folder.starts_with(self.directory));
        within
            .into_iter()
            .try_for_each(|folder| File::open(folder)?.sync_all())
    }
}

/// How a published checkpoint may have been archived: as it stands, or without the line of a second signature, which is
/// not kept each time.
fn records(standing: &str) -> impl Iterator<Item = String> {
    let (body, lines) = standing.split_once("\n\n").unwrap_or((standing, ""));
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let number = lines.len();
    let without = move |left_out: usize| {
        let kept = lines.iter().enumerate();
        let kept = kept.filter_map(|(at, line)| (at != left_out).then_some(*line));
        framed_note(&format!("{body}\n\n{}", kept.collect::<String>()))
    };
    std::iter::once(framed_note(standing)).chain((0..number).map(without))
}

/// Whether these bytes are what a crash may leave of a record: some of it, and zeros where the disk had not got so far.
fn is_part(torn: &[u8], record: &[u8]) -> bool {
    let mut pairs = torn.iter().zip(record);
    torn.len() <= record.len() && pairs.all(|(torn, whole)| torn == whole || *torn == 0)
}

/// What is signed: all before the empty line.
fn body(note: &str) -> &str {
    note.split_once("\n\n").map_or(note, |(body, _)| body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDING: &str = "origin\n3\nroot\n\n— log first\n— log second\n";
    const NOW: Timestamp = Timestamp(0);

    fn mended(torn: &str) -> Result<String, PublishError> {
        let folder = tempfile::tempdir().unwrap();
        let annals = Annals {
            directory: folder.path(),
        };
        annals
            .append("origin\n2\nroot\n\n— log first\n", NOW)
            .unwrap();
        let path = folder.path().join(notes_path(NOW.0));
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(torn.as_bytes()).unwrap();
        annals.mend(STANDING, NOW)?;
        Ok(fs::read_to_string(&path).unwrap())
    }

    // The archive keeps a second signature once a minute only.
    #[test]
    fn half_a_record_is_mended_with_or_without_a_second_signature() {
        let whole = framed_note(STANDING);
        let without = framed_note(&STANDING.replace("— log second\n", ""));
        for record in [&whole, &without] {
            for length in (1..record.len()).filter(|at| record.is_char_boundary(*at)) {
                assert!(mended(&record[..length]).unwrap().ends_with(&whole));
            }
        }
        let other = framed_note(&STANDING.replace("root", "tree"));
        for length in [17, other.len() - 1] {
            assert!(matches!(
                mended(&other[..length]),
                Err(PublishError::Archive(_))
            ));
        }
    }
}
