//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines by named keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::NoteError;
use crate::origin::is_signer;
use crate::vkey::{NamedKey, Use};

/// The most bytes a note may have: room for a checkpoint and many cosignatures.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// A named Ed25519 public key that signs notes. Its text form (`vkey`) is
/// `name+8 hex digits+base64`, as Go's `sumdb` and C2SP write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey(NamedKey);

impl VerifierKey {
    /// A key by its name and its 32 bytes. Refuses bytes that are no key, and weak keys.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        NamedKey::new(Use::Note, name, public).map(Self)
    }

    /// Reads a key's text form; its id must be that of the name and the key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        NamedKey::parse(Use::Note, vkey).map(Self)
    }

    /// The name in its signature lines.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Checks a signature over a note's text.
    pub fn verify(&self, text: &str, signature: &[u8; 64]) -> Result<(), NoteError> {
        self.0.verify(text, signature)
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        self.0.public()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A signature line without its line feed: `— name base64(key id || signature)`.
#[must_use]
pub fn signature_line(key: &VerifierKey, signature: &[u8; 64]) -> String {
    key.0.line(signature)
}

/// A note: its text (which ends with a line feed), a blank line, and the signature lines.
#[must_use]
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
        let mut found = false;
        for signature in self.by(&key.0) {
            let signature = signature.try_into().map_err(|_| NoteError::Signature)?;
            key.verify(self.text, signature)?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::Unsigned)
        }
    }

    /// The lines that name this key, as they are written.
    pub(crate) fn lines_of(&self, key: &VerifierKey) -> Vec<String> {
        self.by(&key.0).map(|line| key.0.line(line)).collect()
    }

    /// What stands in the lines that name this key, behind the key's id. Nothing of it was checked.
    pub(crate) fn by<'n>(&'n self, key: &'n NamedKey) -> impl Iterator<Item = &'n [u8]> {
        self.named(key.name(), *key.id())
    }

    /// The same by a key's name and id, whatever kind it is of.
    pub(crate) fn named<'n>(
        &'n self,
        name: &'n str,
        id: [u8; 4],
    ) -> impl Iterator<Item = &'n [u8]> {
        let named = self.signatures.iter().filter(move |(of, _)| *of == name);
        named.filter_map(move |(_, bytes)| bytes.strip_prefix(&id))
    }
}

/// The names in a note's signature lines; nothing says that they signed.
pub(crate) fn signers(note: &str) -> Vec<String> {
    let signatures = Note::parse(note)
        .map(|note| note.signatures)
        .unwrap_or_default();
    signatures
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect()
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
