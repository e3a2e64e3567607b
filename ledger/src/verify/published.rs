//! The archived checkpoints one by one: what each states, who signed, and whether the tiles agree.

use super::Trust;
use super::book::{Book, BookError};
use super::code::Code;
use super::past::{NOTES_BYTES_MAX, day_files};
use crate::checkpoint::{Checkpoint, unauthenticated};
use crate::error::NoteError;
use crate::history::Frames;
use crate::note::signers;

/// An archived checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The file, relative to the archive.
    pub file: String,
    /// Where the note begins in it.
    pub offset: u64,
    /// What the note states, if it can be read.
    pub checkpoint: Option<Checkpoint>,
    /// The names in its signature lines. Only the log's own signature is checked.
    pub signers: Vec<String>,
    /// What is wrong with it, if anything is.
    pub fault: Option<Code>,
}

/// Calls `each` with every archived checkpoint in the order of the files. Its signature is checked
/// with the auditor's key, its root against the tiles, its size against the one before.
pub fn published(book: &Book, mut each: impl FnMut(Published)) -> Result<(), BookError> {
    let (archive, trust) = (book.archive(), book.trust());
    let mut tiles = book.subtrees();
    let mut last: Option<(String, Checkpoint)> = None;
    for file in day_files(archive) {
        let bytes = archive.read(&file, NOTES_BYTES_MAX);
        let bytes = bytes.map_err(|error| BookError::File {
            code: error.finding(&file).code,
            file: file.clone(),
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let frames = Frames {
            rest: &text,
            offset: 0,
        };
        for (offset, note) in frames {
            let mut one = read(&file, offset as u64, note, trust);
            if let Some(stated) = &one.checkpoint {
                let before = last.as_ref().map(|(file, stated)| (file.as_str(), stated));
                one.fault = one.fault.or_else(|| order(&file, stated, before));
                if one.fault.is_none() && stated.size > 0 {
                    let root = (stated.size <= book.checkpoint().size)
                        .then(|| tiles.root_of(0..stated.size));
                    one.fault = match root {
                        None => Some(Code::CheckpointBehind),
                        Some(Ok(root)) if root == stated.root => None,
                        Some(Ok(_)) => Some(Code::HistoryFork),
                        Some(Err(error)) => Some(BookError::from(error).code()),
                    };
                }
                last = Some((file.clone(), stated.clone()));
            }
            each(one);
        }
    }
    Ok(())
}

fn read(file: &str, offset: u64, note: Result<&str, NoteError>, trust: &Trust) -> Published {
    let mut one = Published {
        file: file.to_owned(),
        offset,
        checkpoint: None,
        signers: Vec::new(),
        fault: Some(Code::HistoryMalformed),
    };
    let Ok(note) = note else { return one };
    one.checkpoint = unauthenticated(note).ok();
    one.signers = signers(note);
    one.fault = match trust.open(note) {
        Ok(stated) if trust.same_log(&stated) => None,
        _ => Some(Code::HistorySignature),
    };
    one
}

/// Sizes never fall, and one size has one root.
fn order(file: &str, stated: &Checkpoint, before: Option<(&str, &Checkpoint)>) -> Option<Code> {
    let (other_file, before) = before?;
    if stated.size < before.size {
        let same = other_file == file;
        return Some(if same {
            Code::HistoryRollback
        } else {
            Code::HistoryOrder
        });
    }
    let forked = stated.size == before.size && stated.root != before.root;
    forked.then_some(Code::HistoryFork)
}
