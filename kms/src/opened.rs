//! One opened version of a key: what it does is its type, and it does one thing.

use crate::cipher::Cipher;
use crate::error::Error;
use crate::jwe::SharedKey;
use crate::key::{KeyId, KeyKind, WrappedKey};
use crate::locked::{LockState, SLOT_BYTES};
use crate::mac::HmacKey;
use crate::signing::SigningKey;

/// A version of a key of the service, in locked memory. It is wiped when it is dropped.
pub struct OpenKey {
    id: KeyId,
    version: u32,
    kind: KeyKind,
    material: Material,
}

enum Material {
    Cipher(Cipher),
    Mac(HmacKey),
    Signer(SigningKey),
    Jwe(SharedKey),
}

impl OpenKey {
    pub(crate) fn new(key: &WrappedKey, material: &[u8]) -> Result<Self, Error> {
        let kind = key.kind();
        // What the root key opens was checked when it was wrapped; a length is checked all the same.
        if !kind.material_bytes().contains(&material.len()) {
            return Err(Error::Unopened);
        }
        let material = match kind {
            KeyKind::Aes256 => {
                let bytes = material.try_into().map_err(|_| Error::Unopened)?;
                Material::Cipher(Cipher::new(key.id(), key.version(), bytes)?)
            }
            KeyKind::HmacSha256 | KeyKind::HmacSha384 | KeyKind::HmacSha512 => {
                Material::Mac(HmacKey::new(kind, material)?)
            }
            KeyKind::Ed25519 | KeyKind::EcdsaP256 => {
                Material::Signer(SigningKey::new(kind, material)?)
            }
            KeyKind::JweDir | KeyKind::JweA256Kw => {
                let material = material.try_into().map_err(|_| Error::Unopened)?;
                let name = (key.id(), key.version());
                Material::Jwe(SharedKey::new(kind, name, material)?)
            }
        };
        Ok(Self {
            id: key.id().clone(),
            version: key.version(),
            kind,
            material,
        })
    }

    /// Which key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// How much memory it holds, in bytes: its locked slot, itself, and its name. What it derives for messages
    /// is in memory that all keys share, half a mebibyte.
    pub fn bytes_held(&self) -> usize {
        let slot = match &self.material {
            Material::Cipher(_) | Material::Signer(_) | Material::Jwe(_) => SLOT_BYTES,
            Material::Mac(_) => HmacKey::BYTES,
        };
        slot + size_of::<Self>() + self.id.as_str().len()
    }

    /// Whether its memory is locked.
    pub fn lock_state(&self) -> LockState {
        match &self.material {
            Material::Cipher(cipher) => cipher.lock_state(),
            Material::Mac(mac) => mac.lock_state(),
            Material::Signer(signer) => signer.lock_state(),
            Material::Jwe(jwe) => jwe.lock_state(),
        }
    }

    /// To seal and open; [`Error::Usage`] if the key is for another thing.
    pub fn cipher(&self) -> Result<&Cipher, Error> {
        match &self.material {
            Material::Cipher(cipher) => Ok(cipher),
            Material::Mac(_) | Material::Signer(_) | Material::Jwe(_) => Err(Error::Usage),
        }
    }

    /// To make and verify tags; [`Error::Usage`] if the key is for another thing.
    pub fn mac(&self) -> Result<&HmacKey, Error> {
        match &self.material {
            Material::Mac(mac) => Ok(mac),
            Material::Cipher(_) | Material::Signer(_) | Material::Jwe(_) => Err(Error::Usage),
        }
    }

    /// To sign and verify; [`Error::Usage`] if the key is for another thing.
    pub fn signer(&self) -> Result<&SigningKey, Error> {
        match &self.material {
            Material::Signer(signer) => Ok(signer),
            Material::Cipher(_) | Material::Mac(_) | Material::Jwe(_) => Err(Error::Usage),
        }
    }

    /// To make and open JWEs; [`Error::Usage`] if the key is for another thing.
    pub fn jwe(&self) -> Result<&SharedKey, Error> {
        match &self.material {
            Material::Jwe(jwe) => Ok(jwe),
            Material::Cipher(_) | Material::Mac(_) | Material::Signer(_) => Err(Error::Usage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OpenKey;
    use crate::{Error, KeyId, KeyKind, Usage, WrappedKey};

    #[test]
    fn a_key_does_the_one_thing_it_is_for() {
        for kind in KeyKind::ALL {
            let wrapped = WrappedKey::from_parts(KeyId::random().unwrap(), 1, kind, Vec::new());
            let material: Vec<u8> = (1..).take(*kind.material_bytes().start()).collect();
            let key = OpenKey::new(&wrapped, &material).unwrap();
            let answers = [
                (Usage::Encrypt, key.cipher().map(drop)),
                (Usage::Mac, key.mac().map(drop)),
                (Usage::Sign, key.signer().map(drop)),
                (Usage::Jwe, key.jwe().map(drop)),
            ];
            for (usage, answer) in answers {
                if usage == kind.usage() {
                    answer.unwrap();
                } else {
                    assert!(matches!(answer, Err(Error::Usage)), "{kind}: {usage:?}");
                }
            }
        }
    }
}
