//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines by named keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::NoteError;
use crate::hash::digest;
use crate::origin::{is_name, is_signer};

/// The most bytes a note may have: room for a checkpoint and many cosignatures.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Signature type of a plain Ed25519 signature over the note's text.
const ED25519: u8 = 1;

/// A named Ed25519 public key that signs notes. Its text form (`vkey`) is
/// `name+8 hex digits+base64`, as Go's `sumdb` and C2SP write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: VerifyingKey,
}

impl VerifierKey {
    /// A key by its name and its 32 bytes. Refuses bytes that are no key, and weak keys.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        let id = key_id(name, &public);
        let public = VerifyingKey::from_bytes(&public).map_err(|_| NoteError::Key)?;
        if public.is_weak() {
            return Err(NoteError::Key);
        }
        Ok(Self {
            name: name.to_owned(),
            id,
            public,
        })
    }

    /// Reads a key's text form; its id must be that of the name and the key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, public)) = bytes.split_first() else {
            return Err(NoteError::Key);
        };
        let key = Self::new(name, public.try_into().map_err(|_| NoteError::Key)?)?;
        // One spelling: the text must be the one that this key shows.
        if key.to_string() == vkey {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }

    /// The name in its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks a signature over a note's text.
    pub fn verify(&self, text: &str, signature: &[u8; 64]) -> Result<(), NoteError> {
        let signature = Signature::from_bytes(signature);
        let holds = self.public.verify_strict(text.as_bytes(), &signature);
        holds.map_err(|_| NoteError::Signature)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.public.as_bytes().as_slice()].concat();
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

/// A signature line without its line feed: `— name base64(key id || signature)`.
pub fn signature_line(key: &VerifierKey, signature: &[u8; 64]) -> String {
    let bytes = [key.id.as_slice(), signature].concat();
    format!("— {} {}", key.name, STANDARD.encode(bytes))
}

/// A note: its text (which ends with a line feed), a blank line, and the signature lines.
pub fn signed_note(body: &str, lines: &[String]) -> String {
    let mut note = format!("{body}\n");
    for line in lines {
        note.push_str(line);
        note.push('\n');
    }
    note
}

/// A note taken apart; nothing in it is believed yet.
pub(crate) struct Note<'a> {
    pub(crate) text: &'a str,
    signatures: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> Note<'a> {
    pub(crate) fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("too long"));
        }
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::Malformed("a control character"));
        }
        let split = note
            .rfind("\n\n")
            .ok_or(NoteError::Malformed("no blank line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("no signature line"))?;
        let signatures = lines
            .split('\n')
            .map(signature_of)
            .collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// Checks the line by this key; lines by other keys are witnesses' and are not looked at.
    pub(crate) fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let by_key =
            |(name, bytes): &&(&str, Vec<u8>)| *name == key.name && bytes.starts_with(&key.id);
        let mut found = false;
        for (_, bytes) in self.signatures.iter().filter(by_key) {
            let signature = bytes[4..].try_into().map_err(|_| NoteError::Signature)?;
            key.verify(self.text, signature)?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::Unsigned)
        }
    }
}

fn signature_of(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let broken = NoteError::Malformed("a signature line that is not '— name base64'");
    let (name, signature) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(broken)?;
    let bytes = STANDARD.decode(signature).map_err(|_| broken)?;
    if is_signer(name) && bytes.len() > 4 {
        Ok((name, bytes))
    } else {
        Err(broken)
    }
}

/// SHA-256(name || LF || type || key), its first four bytes.
fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let hash = digest(&[name.as_bytes(), b"\n", &[ED25519], public]);
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}
