//! A log's signed statement about itself (C2SP tlog-checkpoint): origin, size, root.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::NoteError;
use crate::hash::Hash;
use crate::note::{Note, VerifierKey};
use crate::origin::Origin;

/// What a log says it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: Origin,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines, no extension lines.
    #[must_use]
    pub fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.0)
        )
    }

    /// Reads a body in its one spelling. This checks no signature: see [`open_checkpoint`].
    pub fn parse(body: &str) -> Result<Self, NoteError> {
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(NoteError::Checkpoint("expected three lines"));
        };
        let size = size
            .parse::<u64>()
            .ok()
            .filter(|size| i64::try_from(*size).is_ok());
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok());
        let checkpoint = Self {
            origin: Origin::parse(origin)?,
            size: size.ok_or(NoteError::Checkpoint("the size is no decimal number"))?,
            root: Hash(root.ok_or(NoteError::Checkpoint("the root is not 32 bytes in base64"))?),
        };
        if checkpoint.body() != body {
            return Err(NoteError::Checkpoint("a second spelling"));
        }
        if checkpoint.size == 0 && checkpoint.root != Hash::of_empty_tree() {
            return Err(NoteError::Checkpoint("an empty log with another root"));
        }
        Ok(checkpoint)
    }
}

/// Reads a signed checkpoint, if this key signed it. The caller compares the origin.
pub fn open_checkpoint(note: &str, key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let note = Note::parse(note)?;
    note.verify(key)?;
    Checkpoint::parse(note.text)
}

/// Reads a checkpoint without believing it: no signature is checked.
pub(crate) fn unauthenticated(note: &str) -> Result<Checkpoint, NoteError> {
    Checkpoint::parse(Note::parse(note)?.text)
}
