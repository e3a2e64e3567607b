//! A log's second signature (C2SP tlog-cosignature, type ML-DSA-44; FIPS 204): over the same checkpoint, by a key
//! that no quantum computer forges. The text that is followed is C2SP's of 2026 (v1.1.0-rc.1, commit 01194db).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ml_dsa::{EncodedVerifyingKey, MlDsa44, Signature, VerifyingKey};

use crate::checkpoint::Checkpoint;
use crate::cosignature::Cosigned;
use crate::error::NoteError;
use crate::note::{Note, signed_note};
use crate::origin::is_name;
use crate::vkey::{Use, key_id, shown, signature_line};

/// Bytes of a public key (FIPS 204 table 2).
pub const SECOND_PUBLIC_BYTES: usize = 1312;
/// Bytes of a signature.
pub const SECOND_SIGNATURE_BYTES: usize = 2420;

/// The first bytes of everything that is signed: nothing else is mistaken for it.
const LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// A named ML-DSA-44 public key. Its text form is a `vkey` of type 6.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondKey {
    name: String,
    id: [u8; 4],
    public: Vec<u8>,
}

impl SecondKey {
    /// A key by its name and its 1312 bytes.
    pub fn new(name: &str, public: &[u8]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        if public.len() != SECOND_PUBLIC_BYTES {
            return Err(NoteError::Key);
        }
        Ok(Self {
            name: name.to_owned(),
            id: key_id(name, Use::MlDsa44, public),
            public: public.to_vec(),
        })
    }

    /// Reads a key's text form; its id must be that of the name and the key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, public) = bytes.split_first().ok_or(NoteError::Key)?;
        if *kind != Use::MlDsa44 as u8 {
            return Err(NoteError::KeyType);
        }
        let key = Self::new(name, public)?;
        // One spelling: the text must be the one that this key shows.
        if key.to_string() == vkey {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }

    /// The key's 1312 bytes.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The name in its signature lines, which is signed too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and id: what fits on a line, and tells this key from others.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}+{:08x}", self.name, u32::from_be_bytes(self.id))
    }

    /// What is signed: `cosigned_message`, for the whole tree.
    #[must_use]
    pub fn message(&self, checkpoint: &Checkpoint, time_s: u64) -> Vec<u8> {
        // Names have at most 255 bytes.
        let length = |name: &str| u8::try_from(name.len()).unwrap_or(u8::MAX);
        let named = |name: &str| [&[length(name)], name.as_bytes()].concat();
        [
            LABEL.as_slice(),
            &named(&self.name),
            &time_s.to_be_bytes(),
            &named(checkpoint.origin.as_str()),
            &0_u64.to_be_bytes(),
            &checkpoint.size.to_be_bytes(),
            checkpoint.root.as_bytes(),
        ]
        .concat()
    }

    /// A signature's line without its line feed: `— name base64(key id || time || signature)`.
    #[must_use]
    pub fn line(&self, time_s: u64, signature: &[u8]) -> String {
        let bytes = [time_s.to_be_bytes().as_slice(), signature].concat();
        signature_line(&self.name, self.id, &bytes)
    }

    /// What a signed checkpoint says of this key. Its time may be 0, which says nothing. The first signature is not
    /// looked at, see [`crate::open_checkpoint`].
    pub fn signed(&self, note: &str) -> Result<Cosigned, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text)?;
        let mut newest = None;
        // One line that is not by the key spoils them all: nobody honest writes one.
        for line in note.named(&self.name, self.id) {
            match self.time_of(&checkpoint, line) {
                Some(time_s) => newest = newest.max(Some(time_s)),
                None => return Ok(Cosigned::Broken),
            }
        }
        Ok(newest.map_or(Cosigned::Missing, Cosigned::At))
    }

    /// A note without this key's lines.
    pub fn without(&self, note: &str) -> Result<String, NoteError> {
        let parsed = Note::parse(note)?;
        let lines = note
            .get(parsed.text.len() + 1..)
            .unwrap_or_default()
            .lines();
        let others = lines.filter(|line| {
            parsed
                .named(&self.name, self.id)
                .all(|own| *line != signature_line(&self.name, self.id, own))
        });
        let others: Vec<String> = others.map(str::to_owned).collect();
        Ok(signed_note(parsed.text, &others))
    }

    /// When what stands behind the key's id in a line was signed, if it is by the key and over this checkpoint.
    pub(crate) fn time_of(&self, checkpoint: &Checkpoint, line: &[u8]) -> Option<u64> {
        let (time, signature) = line.split_first_chunk::<8>()?;
        let time_s = u64::from_be_bytes(*time);
        let public = EncodedVerifyingKey::<MlDsa44>::try_from(self.public.as_slice()).ok()?;
        let key = VerifyingKey::<MlDsa44>::decode(&public);
        let signature = Signature::<MlDsa44>::try_from(signature).ok()?;
        let holds = key.verify_with_context(&self.message(checkpoint, time_s), &[], &signature);
        (holds && i64::try_from(time_s).is_ok()).then_some(time_s)
    }
}

impl fmt::Display for SecondKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.name, self.id, Use::MlDsa44, &self.public))
    }
}

impl fmt::Debug for SecondKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecondKey({})", self.short())
    }
}
