//! Cosignatures (C2SP tlog-cosignature, types Ed25519 and ML-DSA-44): a witness's statement that at a time the largest
//! tree it had seen of a log, consistent with all it had seen before, had this root.

use std::fmt;
use std::ops::RangeInclusive;

use crate::checkpoint::Checkpoint;
use crate::error::NoteError;
use crate::note::Note;
use crate::second::SecondKey;
use crate::vkey::{NamedKey, Use, signature_line};

/// How far a witness's clock may be ahead of ours, in seconds, where a cosignature must be fresh.
pub const CLOCK_AHEAD_SECONDS_MAX: u64 = 30;

/// Every time that a cosignature may carry: not 0, which says nothing, and at most 2^63 - 1.
pub const ANY_TIME: RangeInclusive<u64> = 1..=i64::MAX.cast_unsigned();

/// The times, in seconds since 1970, that are fresh at `now_s`: no older than `age_s_max`.
pub fn fresh(now_s: u64, age_s_max: u64) -> RangeInclusive<u64> {
    let oldest = now_s.saturating_sub(age_s_max).max(*ANY_TIME.start());
    oldest..=now_s.saturating_add(CLOCK_AHEAD_SECONDS_MAX)
}

/// A witness's named key: Ed25519, whose text form is a `vkey` of type 4, or ML-DSA-44 (type 6).
///
/// What Ed25519 signs here does not hold the name, so one key under two names is one witness: policies refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519(NamedKey),
    MlDsa44(SecondKey),
}

impl WitnessKey {
    /// An Ed25519 key by its name and its 32 bytes. Refuses bytes that are no key, and weak keys.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        let key = NamedKey::new(Use::Cosignature, name, public)?;
        Ok(Self(Kind::Ed25519(key)))
    }

    /// Reads a key's text form; its id must be that of the name and the key. A log's key, whose type is
    /// another, is refused, and so is a key of an algorithm that is not built in.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        match SecondKey::parse(vkey) {
            Ok(key) => Ok(key.into()),
            Err(NoteError::KeyType) => {
                let key = NamedKey::parse(Use::Cosignature, vkey)?;
                Ok(Self(Kind::Ed25519(key)))
            }
            Err(error) => Err(error),
        }
    }

    /// The name in its signature lines.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Ed25519(key) => key.name(),
            Kind::MlDsa44(key) => key.name(),
        }
    }

    /// The key's bytes: 32, or 1312 of ML-DSA-44.
    pub fn public(&self) -> &[u8] {
        match &self.0 {
            Kind::Ed25519(key) => key.public(),
            Kind::MlDsa44(key) => key.public(),
        }
    }

    fn id(&self) -> [u8; 4] {
        match &self.0 {
            Kind::Ed25519(key) => *key.id(),
            Kind::MlDsa44(key) => key.id(),
        }
    }

    fn line(&self, bytes: &[u8]) -> String {
        signature_line(self.name(), self.id(), bytes)
    }

    /// Whether another key cannot be told from this one by its signature lines.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        self.name() == other.name() && self.id() == other.id()
    }
}

impl From<SecondKey> for WitnessKey {
    fn from(key: SecondKey) -> Self {
        Self(Kind::MlDsa44(key))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Ed25519(key) => key.fmt(f),
            Kind::MlDsa44(key) => key.fmt(f),
        }
    }
}

/// What a witness signs with Ed25519: a header, the time in seconds since 1970, and the checkpoint's whole text. With
/// ML-DSA-44 it signs [`SecondKey::message`].
pub fn cosigned_text(body: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{body}")
}

/// A cosignature's line without its line feed: `— name base64(key id || time || signature)`.
pub fn cosignature_line(key: &WitnessKey, time_s: u64, signature: &[u8]) -> String {
    let bytes = [time_s.to_be_bytes().as_slice(), signature].concat();
    key.line(&bytes)
}

/// What a note says of one witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cosigned {
    /// The witness cosigned it, at this time in seconds since 1970: the newest, if it did so more than once.
    At(u64),
    /// It did not.
    Missing,
    /// It did, at a time that does not count here.
    OutOfTime(u64),
    /// A line names the witness's key, and is not by it: forged, damaged, or of another checkpoint.
    Broken,
}

/// What a signed checkpoint says of a witness. The log's own signature is not looked at, see
/// [`crate::open_checkpoint`].
pub fn cosigned(
    note: &str,
    key: &WitnessKey,
    times: &RangeInclusive<u64>,
) -> Result<Cosigned, NoteError> {
    Ok(of_witness(&Note::parse(note)?, key, times))
}

/// One line that is not by the key spoils them all: nobody honest writes one.
pub(crate) fn of_witness(
    note: &Note<'_>,
    key: &WitnessKey,
    times: &RangeInclusive<u64>,
) -> Cosigned {
    let mut newest = None;
    for line in note.named(key.name(), key.id()) {
        let Some(seen_s) = time_of(note.text, key, line) else {
            return Cosigned::Broken;
        };
        newest = newest.max(Some(seen_s));
    }
    match newest {
        None => Cosigned::Missing,
        Some(seen_s) if times.contains(&seen_s) && ANY_TIME.contains(&seen_s) => {
            Cosigned::At(seen_s)
        }
        Some(seen_s) => Cosigned::OutOfTime(seen_s),
    }
}

fn time_of(body: &str, key: &WitnessKey, line: &[u8]) -> Option<u64> {
    let key = match &key.0 {
        Kind::Ed25519(key) => key,
        Kind::MlDsa44(key) => return key.time_of(&Checkpoint::parse(body).ok()?, line),
    };
    let (time, signature) = line.split_first_chunk::<8>()?;
    let time_s = u64::from_be_bytes(*time);
    let message = cosigned_text(body, time_s);
    key.verify(&message, signature.try_into().ok()?).ok()?;
    Some(time_s)
}

/// The lines of a witness's answer that are by its key and over this checkpoint. Others are left out, as
/// C2SP tlog-witness asks; what is no signature line makes the whole answer unusable.
pub fn cosignature_lines(
    body: &str,
    answer: &str,
    key: &WitnessKey,
) -> Result<Vec<String>, NoteError> {
    let note = format!("{body}\n{answer}");
    let parsed = Note::parse(&note)?;
    if parsed.text != body {
        return Err(NoteError::Malformed("more than signature lines"));
    }
    let by_key = parsed.named(key.name(), key.id());
    let holds = by_key.filter(|line| time_of(body, key, line).is_some());
    Ok(holds.map(|line| key.line(line)).collect())
}
