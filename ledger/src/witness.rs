//! A witness's judgement (C2SP tlog-witness): whether a log's new checkpoint continues the one that was
//! cosigned last. Pure: who keeps what was seen, and makes it durable before answering, calls it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, unauthenticated};
use crate::error::NoteError;
use crate::hash::Hash;
use crate::note::{NOTE_BYTES_MAX, Note, VerifierKey, signed_note};
use crate::origin::Origin;
use crate::proof::verify_consistency;

/// The most hashes of a consistency proof that may be sent.
pub const PROOF_HASHES_MAX: usize = 63;

/// The most bytes of a request: its first line, 63 hashes of 44 characters, and a note.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX + 32 + PROOF_HASHES_MAX * 45;

/// The body of `POST <prefix>/add-checkpoint`, in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of what the witness cosigned last; 0 where it cosigned nothing.
    pub old_size: u64,
    /// The consistency proof from that size (RFC 6962 §2.1.2); empty from 0.
    pub proof: Vec<Hash>,
    /// The checkpoint, as its log signed it.
    pub note: String,
}

/// A log that a witness watches, and the keys whose signature counts: more than one while it changes its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedLog {
    /// Its name.
    pub origin: Origin,
    /// Its keys, oldest first.
    pub keys: Vec<VerifierKey>,
}

/// Why a witness does not cosign. Each has its status in HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The request, or its checkpoint, is not in its one spelling.
    #[error("the request can't be read: {0}")]
    Malformed(&'static str),
    /// The checkpoint in it can't be read.
    #[error("the checkpoint can't be read: {0}")]
    Checkpoint(NoteError),
    /// The old size is above the checkpoint's.
    #[error("the old size is above the checkpoint's")]
    Backward,
    /// No log of this name is watched here.
    #[error("no log of this name is watched here")]
    UnknownLog,
    /// No key of the log signed it.
    #[error("no known key of the log signed the checkpoint")]
    Unsigned,
    /// Another size was cosigned last.
    #[error("the checkpoint that was cosigned last has the size {0}: prove consistency from there")]
    Stale(u64),
    /// The same size was cosigned with another root: the log has two histories.
    #[error("the size {0} was cosigned with another root: the log has two histories")]
    Fork(u64),
    /// The proof does not lead from what was cosigned last to this.
    #[error(
        "the consistency proof does not hold: the log has another history, or the proof is wrong"
    )]
    Inconsistent,
}

impl Refused {
    /// The status that C2SP tlog-witness 1.1.0 gives it. (Up to 1.0.0 another root of the same size was 409.)
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Checkpoint(_) | Self::Backward => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Stale(_) => 409,
            Self::Fork(_) | Self::Inconsistent => 422,
        }
    }

    /// The size that was cosigned last, where the answer says it.
    pub const fn size(self) -> Option<u64> {
        match self {
            Self::Stale(size) => Some(size),
            _ => None,
        }
    }

    /// Whether the request, signed by the log, may show that it has two histories.
    pub const fn is_evidence(self) -> bool {
        matches!(self, Self::Fork(_) | Self::Inconsistent)
    }
}

impl AddCheckpoint {
    /// The body as it is sent.
    pub fn encode(&self) -> String {
        let mut body = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            body.push_str(&STANDARD.encode(hash.0));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&self.note);
        body
    }

    /// Reads a body. Nothing in it is believed yet.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        if body.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(Refused::Malformed("too long"));
        }
        let (head, note) = body
            .split_once("\n\n")
            .ok_or(Refused::Malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = old.and_then(|size| size.parse().ok());
        let proof = lines.map(hash).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(Refused::Malformed("more than 63 hashes"));
        }
        let request = Self {
            old_size: old_size.ok_or(Refused::Malformed("no line with the old size"))?,
            proof,
            note: note.to_owned(),
        };
        // One spelling: `old 05` and `old +5` are numbers too.
        if request.encode() == body {
            Ok(request)
        } else {
            Err(Refused::Malformed("a second spelling"))
        }
    }

    /// The log that it names. No signature is checked.
    pub fn origin(&self) -> Result<Origin, Refused> {
        Ok(self.stated()?.origin)
    }

    /// The checkpoint in it. No signature is checked.
    pub fn stated(&self) -> Result<Checkpoint, Refused> {
        unauthenticated(&self.note).map_err(Refused::Checkpoint)
    }

    /// Whether it has the size of what was cosigned last, and another root: signed by the log, that is proof of two
    /// histories, whatever else is wrong with the request.
    pub fn contradicts(&self, seen: &Checkpoint) -> bool {
        let stated = unauthenticated(&self.note);
        stated.is_ok_and(|new| new.size == seen.size && new.root != seen.root)
    }

    /// Judges it for a log of which `seen` was cosigned last. What comes back may be cosigned once it is
    /// durable as seen; until then no other request of that log may be judged.
    ///
    /// Checkpoints with extension lines are not read (C2SP tlog-checkpoint advises against them): they may
    /// differ between two copies of one checkpoint, and nothing says what a cosignature over them means.
    pub fn judge(
        &self,
        log: &WatchedLog,
        seen: Option<&Checkpoint>,
    ) -> Result<Checkpoint, Refused> {
        let (new, _) = signed_by_log(&self.note, log)?;
        if self.old_size > new.size {
            return Err(Refused::Backward);
        }
        let seen_size = seen.map_or(0, |seen| seen.size);
        if self.old_size != seen_size {
            return Err(Refused::Stale(seen_size));
        }
        match seen.filter(|seen| seen.size > 0) {
            // From nothing, everything is a continuation, and there is nothing to prove.
            None if self.proof.is_empty() => Ok(new),
            None => Err(Refused::Inconsistent),
            Some(seen) if seen.size == new.size && seen.root != new.root => {
                Err(Refused::Fork(seen.size))
            }
            Some(seen) => {
                let (from, to) = ((seen.size, &seen.root), (new.size, &new.root));
                let continues = verify_consistency(from, to, &self.proof);
                continues.map_err(|_| Refused::Inconsistent)?;
                Ok(new)
            }
        }
    }
}

/// The checkpoint of a note that one of the log's keys signed, and the note with one line of each of those alone.
/// A line that names a key of the log and is not by it spoils the note.
pub fn signed_by_log(note: &str, log: &WatchedLog) -> Result<(Checkpoint, String), Refused> {
    let parsed = Note::parse(note).map_err(Refused::Checkpoint)?;
    let stated = Checkpoint::parse(parsed.text).map_err(Refused::Checkpoint)?;
    if stated.origin != log.origin {
        return Err(Refused::UnknownLog);
    }
    let mut lines = Vec::new();
    for key in &log.keys {
        match parsed.verify(key) {
            // One line a key: the same line many times over would make a note too long to be read again.
            Ok(()) => lines.extend(parsed.lines_of(key).into_iter().take(1)),
            Err(NoteError::Unsigned) => {}
            Err(_) => return Err(Refused::Unsigned),
        }
    }
    if lines.is_empty() {
        return Err(Refused::Unsigned);
    }
    Ok((stated, signed_note(parsed.text, &lines)))
}

/// Whether a key of the log signed `last` that is newer than all that signed `note`: it took over, and the older one
/// signs no more.
pub fn signed_by_retired(note: &str, last: &str, log: &WatchedLog) -> bool {
    newest_signer(note, log) < newest_signer(last, log)
}

fn newest_signer(note: &str, log: &WatchedLog) -> Option<usize> {
    let note = Note::parse(note).ok()?;
    log.keys.iter().rposition(|key| note.verify(key).is_ok())
}

fn hash(line: &str) -> Result<Hash, Refused> {
    let bytes = STANDARD.decode(line).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let broken = Refused::Malformed("a proof line that is not 32 bytes in base64");
    bytes.map(Hash).ok_or(broken)
}
