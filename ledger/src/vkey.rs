//! A named Ed25519 public key in C2SP's text form (`vkey`), whatever it signs: notes, or cosignatures.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::NoteError;
use crate::hash::digest;
use crate::origin::is_name;

/// What a key signs, by the byte that its id and its text form carry (C2SP signed-note, "Signature types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A note's text as it stands.
    Note = 1,
    /// A checkpoint with the time at which it was seen (C2SP tlog-cosignature).
    Cosignature = 4,
    /// The same with ML-DSA-44, which signs a structure of its own.
    MlDsa44 = 6,
}

/// A key, its name, and the id that both make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedKey {
    name: String,
    signs: Use,
    id: [u8; 4],
    public: VerifyingKey,
}

impl NamedKey {
    /// Refuses bytes that are no key, and weak keys.
    pub(crate) fn new(signs: Use, name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        let id = key_id(name, signs, &public);
        let public = VerifyingKey::from_bytes(&public).map_err(|_| NoteError::Key)?;
        if public.is_weak() {
            return Err(NoteError::Key);
        }
        let name = name.to_owned();
        Ok(Self {
            name,
            signs,
            id,
            public,
        })
    }

    /// Reads a key's text form; its id must be that of the name and the key.
    pub(crate) fn parse(signs: Use, vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, public) = bytes.split_first().ok_or(NoteError::Key)?;
        if *kind != signs as u8 {
            return Err(NoteError::KeyType);
        }
        let public = public.try_into().map_err(|_| NoteError::Key)?;
        let key = Self::new(signs, name, public)?;
        // One spelling: the text must be the one that this key shows.
        if key.to_string() == vkey {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> &[u8; 4] {
        &self.id
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    pub(crate) fn verify(&self, message: &str, signature: &[u8; 64]) -> Result<(), NoteError> {
        let signature = Signature::from_bytes(signature);
        let holds = self.public.verify_strict(message.as_bytes(), &signature);
        holds.map_err(|_| NoteError::Signature)
    }

    /// A signature line without its line feed: `— name base64(key id || signature)`.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        signature_line(&self.name, self.id, signature)
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.name, self.id, self.signs, self.public()))
    }
}

/// A signature line without its line feed.
pub(crate) fn signature_line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    let bytes = [id.as_slice(), signature].concat();
    format!("— {name} {}", STANDARD.encode(bytes))
}

/// A key's text form.
pub(crate) fn shown(name: &str, id: [u8; 4], signs: Use, public: &[u8]) -> String {
    let key = [&[signs as u8], public].concat();
    let id = u32::from_be_bytes(id);
    format!("{name}+{id:08x}+{}", STANDARD.encode(key))
}

/// SHA-256(name || LF || type || key), its first four bytes.
pub(crate) fn key_id(name: &str, signs: Use, public: &[u8]) -> [u8; 4] {
    let hash = digest(&[name.as_bytes(), b"\n", &[signs as u8], public]);
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}
