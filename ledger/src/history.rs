//! The archive of published checkpoints: `checkpoints/YYYY/MM/DD.notes`, one file a day.
//! Each note stands behind a line `#<its length in bytes>`, so that files are appended to and cut apart.

use crate::error::NoteError;
use crate::note::NOTE_BYTES_MAX;
use crate::utc::Utc;

/// Where the checkpoints published on that day are kept.
#[must_use]
pub fn notes_path(time_us: u64) -> String {
    let day = Utc::from_micros(time_us);
    format!(
        "checkpoints/{:04}/{:02}/{:02}.notes",
        day.year, day.month, day.day
    )
}

/// A note as it is appended to its day's file. Publish `checkpoint` first, append after:
/// an archive whose history is ahead of its `checkpoint` looks like a rollback.
#[must_use]
pub fn framed_note(note: &str) -> String {
    format!("#{}\n{note}", note.len())
}

/// The notes that [`framed_note`] framed, in order; nothing in them is believed yet.
pub fn read_frames(text: &str) -> Result<Vec<&str>, NoteError> {
    let frames = Frames {
        rest: text,
        offset: 0,
    };
    frames.map(|(_, note)| note).collect()
}

/// How many bytes the whole notes at the beginning of a file have: one that a crash cut short is whole up to there.
#[must_use]
pub fn whole_frames(bytes: &[u8]) -> usize {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut whole = 0;
    while let Some((_, taken)) = first_frame(&valid[whole..]) {
        whole += taken;
    }
    whole
}

/// The notes of a file with their offsets. After a broken frame nothing more can be cut.
pub(crate) struct Frames<'a> {
    pub(crate) rest: &'a str,
    pub(crate) offset: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = (usize, Result<&'a str, NoteError>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.offset;
        let Some((note, taken)) = first_frame(self.rest) else {
            self.rest = "";
            return Some((start, Err(NoteError::Malformed("a broken '#length' line"))));
        };
        self.rest = &self.rest[taken..];
        self.offset += taken;
        Some((start + taken - note.len(), Ok(note)))
    }
}

fn first_frame(rest: &str) -> Option<(&str, usize)> {
    let (length, _) = rest.strip_prefix('#')?.split_once('\n')?;
    let bytes = length
        .parse::<usize>()
        .ok()
        .filter(|bytes| *bytes <= NOTE_BYTES_MAX)?;
    if bytes.to_string() != length {
        return None;
    }
    let start = length.len() + 2;
    rest.get(start..start + bytes)
        .map(|note| (note, start + bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(usize, Option<&str>)> {
        let frames = Frames {
            rest: text,
            offset: 0,
        };
        frames.map(|(offset, note)| (offset, note.ok())).collect()
    }

    #[test]
    fn notes_are_cut_as_they_were_framed() {
        let text = [framed_note("a\n\n#b\n"), framed_note("é")].concat();
        assert_eq!(cut(&text), [(3, Some("a\n\n#b\n")), (12, Some("é"))]);
        assert_eq!(cut(""), []);
    }

    #[test]
    fn a_broken_frame_ends_the_file_at_its_offset() {
        for broken in [
            "x", "#", "#1", "#01\na", "#+1\na", "#2\na", "#1\né", "#99999\n", "1\na",
        ] {
            let text = format!("#1\na{broken}");
            assert_eq!(cut(&text), [(3, Some("a")), (4, None)], "{broken:?}");
        }
    }

    #[test]
    fn a_day_has_its_file() {
        assert_eq!(
            notes_path(1_795_471_916_000_000),
            "checkpoints/2026/11/23.notes"
        );
    }
}
