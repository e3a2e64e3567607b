//! A log whose checkpoints another key signs from an entry on: the last checkpoint of the old key, signed by
//! both; and the file `signers`, in which archives carry the statements.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ledger::{
    Entry, Origin, Rotation, RotationError, Signers, VerifierKey, framed_note, open_checkpoint,
    read_frames,
};

use super::files::write_durably;
use super::publish::PublishError;
use super::receipt::Standing;
use crate::store::Reader;

/// Where the statements stand, each framed as archived checkpoints are.
const FILE: &str = "signers";

/// Adds the new key's line to the checkpoint that covers the statement's entry and no more, and the statement
/// to `signers`. Done twice, it is done once.
pub fn hand_over(
    directory: &Path,
    origin: &Origin,
    old: &VerifierKey,
    statement: &str,
    sign: impl Fn(&str) -> Result<String, String>,
) -> Result<(), PublishError> {
    let rotation = Rotation::open(statement).map_err(|_| PublishError::HandOver)?;
    let standing = Standing {
        directory: directory.to_owned(),
        origin: origin.clone(),
        key: old.clone(),
    };
    let (note, checkpoint) = standing.checkpoint()?.ok_or(PublishError::Missing)?;
    if checkpoint.size != rotation.seq + 1 {
        return Err(PublishError::HandOver);
    }
    if open_checkpoint(&note, &rotation.new).is_err() {
        let line = sign(&checkpoint.body()).map_err(PublishError::Signer)?;
        let note = format!("{note}{line}\n");
        // Held to the key before it counts: a vault that can't open it would not start.
        open_checkpoint(&note, &rotation.new).map_err(|_| PublishError::HandOver)?;
        write_durably(&directory.join("checkpoint"), note.as_bytes())?;
    }
    let stated = framed_note(statement);
    let mut text = signers(directory)?;
    if !text.ends_with(&stated) {
        text.push_str(&stated);
        write_durably(&directory.join(FILE), text.as_bytes())?;
    }
    Ok(())
}

/// Refuses a key that has handed over, and a log whose handing over was broken off: what either would sign
/// next, auditors would hold against it.
pub fn signer_settled(
    directory: &Path,
    key: &VerifierKey,
    reader: &Reader,
) -> Result<(), PublishError> {
    let text = signers(directory)?;
    let frames = read_frames(&text).map_err(|_| PublishError::HandOver)?;
    let last = frames.last().map(|note| Rotation::open(note));
    let last = last.transpose().map_err(|_| PublishError::HandOver)?;
    if last.as_ref().is_some_and(|rotation| rotation.new != *key) {
        return Err(PublishError::RetiredSigner);
    }
    let entry = reader.last_entry()?;
    let entry = entry.and_then(|last| Entry::decode(&last.bytes).ok());
    let stated = entry.and_then(|entry| Some((entry.seq, entry.facts.statement?)));
    match stated {
        Some((seq, _)) if last.is_none_or(|rotation| rotation.seq != seq) => {
            Err(PublishError::HandOver)
        }
        _ => Ok(()),
    }
}

/// Refuses a handover that auditors would not follow, before an entry says it for good: one to a key that has
/// signed this log before, above all.
pub fn can_hand_over(directory: &Path, rotation: &Rotation) -> Result<(), PublishError> {
    let text = signers(directory)?;
    let known = Signers::followed(&rotation.old, &text);
    let mut known = known.map_err(|_| PublishError::HandOver)?;
    known.extend(rotation.clone()).map_err(|error| match error {
        RotationError::Again => PublishError::SpentSigner,
        _ => PublishError::HandOver,
    })
}

fn signers(directory: &Path) -> Result<String, PublishError> {
    match fs::read_to_string(directory.join(FILE)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}
