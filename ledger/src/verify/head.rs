//! Opens the archive's checkpoint with the auditor's key, never with a key from inside the archive.

use std::path::Path;

use super::Trust;
use super::archive::Archive;
use super::code::Code;
use super::finding::{Finding, Findings};
use crate::checkpoint::{Checkpoint, unauthenticated};
use crate::error::NoteError;
use crate::note::NOTE_BYTES_MAX;
use crate::origin::Origin;
use crate::signer::Signers;

const FILE: &str = "checkpoint";

/// What the checkpoint states, and whether the pinned key says so.
#[derive(Default)]
pub(super) struct Head {
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) authentic: bool,
    pub(super) note: Option<String>,
}

impl Head {
    pub(super) fn open(archive: &Archive, trust: &Trust, findings: &mut Findings) -> Self {
        let bytes = match archive.read(FILE, NOTE_BYTES_MAX as u64) {
            Ok(bytes) => bytes,
            Err(error) => {
                findings.push(error.finding(FILE));
                return Self::default();
            }
        };
        let Ok(note) = String::from_utf8(bytes) else {
            findings.push(Finding::new(Code::CheckpointMalformed, "not UTF-8").file(FILE));
            return Self::default();
        };
        let opened = trust.open(&note);
        if let Err(error) = &opened {
            let finding = Finding::new(code_of(*error), error.to_string());
            findings.push(finding.file(FILE));
        }
        let signed = opened.is_ok() && trust.key.is_some();
        let checkpoint = opened.or_else(|_| unauthenticated(&note)).ok();
        let same_log = checkpoint
            .as_ref()
            .is_some_and(|found| trust.same_log(found));
        if let Some(found) = checkpoint.as_ref().filter(|_| !same_log) {
            let message = format!("it is of {}", found.origin);
            findings.push(Finding::new(Code::OriginOther, message).file(FILE));
        }
        Self {
            checkpoint,
            authentic: signed && same_log,
            note: Some(note),
        }
    }
}

/// The name that the archive's checkpoint gives its log. Nothing vouches for it: it may choose among
/// the auditor's own keys, and no more.
#[must_use]
pub fn stated_origin(dir: &Path) -> Option<Origin> {
    let archive = Archive::open(dir).ok()?;
    let note = archive.read(FILE, NOTE_BYTES_MAX as u64).ok()?;
    let note = String::from_utf8(note).ok()?;
    Some(unauthenticated(&note).ok()?.origin)
}

impl Trust {
    /// A checkpoint signed by the pinned key, or by the one that it handed over to at that size; without a key,
    /// what the note says.
    pub(super) fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        match &self.key {
            None => unauthenticated(note),
            Some(key) => Signers::of(key.clone(), self.rotations.clone()).open(note),
        }
    }

    /// The log that is expected: the named one, or the one that the key is named after.
    pub(super) fn expected_origin(&self) -> Option<Origin> {
        let by_key = || {
            self.key
                .as_ref()
                .and_then(|key| Origin::parse(key.name()).ok())
        };
        self.origin.clone().or_else(by_key)
    }

    pub(super) fn same_log(&self, checkpoint: &Checkpoint) -> bool {
        self.expected_origin()
            .is_none_or(|expected| expected == checkpoint.origin)
    }
}

fn code_of(error: NoteError) -> Code {
    match error {
        NoteError::Unsigned => Code::SignatureMissing,
        NoteError::Signature => Code::SignatureBad,
        _ => Code::CheckpointMalformed,
    }
}
