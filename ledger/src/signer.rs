//! The keys that sign a log's checkpoints, one after another: each hands over to the next in a statement
//! that both sign and that stands in the log. Who pinned the first key needs no other.

use thiserror::Error;

use crate::checkpoint::{Checkpoint, open_checkpoint, unauthenticated};
use crate::error::NoteError;
use crate::history::read_frames;
use crate::note::{Note, VerifierKey};
use crate::origin::Origin;

/// The most bytes of the file that holds a log's statements: a thousand have about a megabyte.
pub const SIGNERS_BYTES_MAX: u64 = 16 * 1024 * 1024;

const HEADER: &str = "jinku/signer-rotate/v1";

/// That a log's checkpoints are signed by another key from an entry on.
///
/// It takes effect behind the entry that carries it: checkpoints that cover it and no more (size `seq + 1`)
/// are still signed by the old key, so the old key's last checkpoint covers the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The log.
    pub origin: Origin,
    /// The index of the entry that carries the statement.
    pub seq: u64,
    /// The key up to there.
    pub old: VerifierKey,
    /// The key from there on.
    pub new: VerifierKey,
}

/// A statement that changes nothing, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RotationError {
    /// Not the statement's one spelling.
    #[error("not a statement of a new signer: {0}")]
    Malformed(&'static str),
    /// It is no signed note, or a key in it can't be read.
    #[error("the statement: {0}")]
    Note(NoteError),
    /// The old key did not sign it.
    #[error("the old key did not sign the statement: {0}")]
    Old(NoteError),
    /// The new key did not sign it.
    #[error("the new key did not sign the statement: {0}")]
    New(NoteError),
    /// It is of another log.
    #[error("the statement is of another log")]
    Origin,
    /// It does not hand over from the key that signs now.
    #[error("the statement hands over from another key than the one that signs there")]
    Chain,
    /// The new key has signed before.
    #[error("the new key has signed this log before: a key that was retired does not come back")]
    Again,
    /// It stands at or before the statement before it.
    #[error("the statement stands at or before the one before it")]
    Order,
    /// The statements are of other keys than the pinned one.
    #[error("the statements neither begin with the pinned key nor lead to it")]
    Stranger,
}

impl Rotation {
    /// The text that both keys sign.
    pub fn text(&self) -> String {
        let Self {
            origin,
            seq,
            old,
            new,
        } = self;
        format!("{HEADER}\norigin {origin}\nentry {seq}\nold {old}\nnew {new}\n")
    }

    /// Reads a signed statement, if both keys that it names signed it. Whether the old one is the log's is for
    /// [`Signers::extend`] to say.
    pub fn open(note: &str) -> Result<Self, RotationError> {
        let note = Note::parse(note).map_err(RotationError::Note)?;
        let rotation = Self::parse(note.text)?;
        note.verify(&rotation.old).map_err(RotationError::Old)?;
        note.verify(&rotation.new).map_err(RotationError::New)?;
        Ok(rotation)
    }

    fn parse(text: &str) -> Result<Self, RotationError> {
        let mut lines = text.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(RotationError::Malformed("another header"));
        }
        let mut field = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name));
            value.ok_or(RotationError::Malformed("a line is missing"))
        };
        let (origin, seq) = (field("origin ")?, field("entry ")?);
        let (old, new) = (field("old ")?, field("new ")?);
        let key = |text| VerifierKey::parse(text).map_err(RotationError::Note);
        let seq = seq.parse().ok();
        let rotation = Self {
            origin: Origin::parse(origin).map_err(RotationError::Note)?,
            seq: seq.ok_or(RotationError::Malformed("the entry is no decimal number"))?,
            old: key(old)?,
            new: key(new)?,
        };
        if rotation.text() == text {
            Ok(rotation)
        } else {
            Err(RotationError::Malformed("a second spelling"))
        }
    }
}

/// Which key signs a log's checkpoints at which size, from one that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    first: VerifierKey,
    rotations: Vec<Rotation>,
}

impl Signers {
    /// From a key that is trusted.
    pub fn pinned(first: VerifierKey) -> Self {
        let rotations = Vec::new();
        Self { first, rotations }
    }

    /// From a trusted key along statements as an archive's file `signers` has them, each framed as
    /// [`crate::framed_note`] does it. Both its keys signed each, so the text may come from anyone, and the chain
    /// holds from the trusted key forward and back. One that does not hold spoils them all. Whether the log itself
    /// carries them only its archive tells: see [`crate::verify_archive`].
    pub fn followed(pinned: &VerifierKey, text: &str) -> Result<Self, RotationError> {
        let mut signers: Option<Self> = None;
        for note in read_frames(text).map_err(RotationError::Note)? {
            let rotation = Rotation::open(note)?;
            let chain = signers.get_or_insert_with(|| Self::pinned(rotation.old.clone()));
            chain.extend(rotation)?;
        }
        match signers {
            None => Ok(Self::pinned(pinned.clone())),
            Some(signers) if signers.has(pinned) => Ok(signers),
            Some(_) => Err(RotationError::Stranger),
        }
    }

    /// The name that all these keys have: the log's.
    pub fn name(&self) -> &str {
        self.first.name()
    }

    /// The same with statements that were followed before; the first of them names the log's first key.
    pub(crate) fn of(pinned: VerifierKey, rotations: Vec<Rotation>) -> Self {
        let first = rotations
            .first()
            .map_or(pinned, |rotation| rotation.old.clone());
        Self { first, rotations }
    }

    /// Whether this key signs the log, or signed it.
    pub fn has(&self, key: &VerifierKey) -> bool {
        self.keys().any(|known| known == key)
    }

    /// Follows a statement that [`Rotation::open`] gave, if it hands over from the key that signs now.
    pub fn extend(&mut self, rotation: Rotation) -> Result<(), RotationError> {
        if rotation.old != *self.newest() {
            return Err(RotationError::Chain);
        }
        if rotation.origin.as_str() != self.first.name() || rotation.new.name() != self.first.name()
        {
            return Err(RotationError::Origin);
        }
        let public = rotation.new.public();
        if self.keys().any(|key| key.public() == public) {
            return Err(RotationError::Again);
        }
        if (self.rotations.last()).is_some_and(|last| rotation.seq <= last.seq) {
            return Err(RotationError::Order);
        }
        self.rotations.push(rotation);
        Ok(())
    }

    /// The key that signs a checkpoint of this size.
    pub fn at(&self, size: u64) -> &VerifierKey {
        let mut latest_first = self.rotations.iter().rev();
        let found = latest_first.find(|rotation| size > rotation.seq.saturating_add(1));
        found.map_or(&self.first, |rotation| &rotation.new)
    }

    /// The key that signs from now on.
    pub fn newest(&self) -> &VerifierKey {
        self.rotations
            .last()
            .map_or(&self.first, |rotation| &rotation.new)
    }

    /// The statements that were followed, in order.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// Reads a signed checkpoint, if the key of its size signed it: a key that was retired signs nothing more.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let size = unauthenticated(note)?.size;
        open_checkpoint(note, self.at(size))
    }

    fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let later = self.rotations.iter().map(|rotation| &rotation.new);
        std::iter::once(&self.first).chain(later)
    }
}
