//! Key versions under the root key: made here, wrapped by the HSM, opened into locked memory.
//!
//! ```text
//! blob  = magic "JKW2" | IV length u8 | IV | AES-256-GCM ciphertext | tag 16
//! AAD   = Binding("jinku/v1 wrapped key").field(root label).field(key id).number(version).field(kind)
//! proof = magic "JKP1" | IV length u8 | IV | AES-256-GCM ciphertext 32 of SHA-256(message) | tag 16
//! AAD   = Binding("jinku/v1 proof").field(root label).field(SHA-256(message))
//! ```

use std::sync::Arc;

use crate::aead::AeadKey;
use crate::binding::Binding;
use crate::equal::{constant_time_eq, same_secret};
use crate::error::{Error, HsmError};
use crate::hsm::{Hsm, RootKey};
use crate::key::{KeyId, KeyKind, WrappedKey};
use crate::mac::MacKey;
use crate::material;
use crate::opened::OpenKey;
use crate::primitives::{self, GcmKey};
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

const KEY_MAGIC: &[u8; 4] = b"JKW2";
const PROOF_MAGIC: &[u8; 4] = b"JKP1";

/// Wraps and opens key versions. The root key stays in the HSM.
pub struct Envelope {
    hsm: Arc<Hsm>,
    root: RootKey,
}

impl Envelope {
    /// Under this root key.
    pub fn new(hsm: Arc<Hsm>, root: RootKey) -> Self {
        Self { hsm, root }
    }

    /// Makes a new version from the system's random numbers mixed with the HSM's, and wraps it.
    pub fn generate(&self, id: &KeyId, version: u32, kind: KeyKind) -> Result<WrappedKey, Error> {
        let fresh = material::draw(kind, |out| Ok(self.hsm.random(out)?))?;
        self.wrap(id, version, kind, &fresh)
    }

    /// Wraps material from elsewhere as a version. It must be a key of that kind: length, range, not
    /// one byte repeated ([`Error::MaterialLength`], [`Error::MaterialRange`], [`Error::MaterialWeak`]).
    pub fn wrap(
        &self,
        id: &KeyId,
        version: u32,
        kind: KeyKind,
        material: &SecretBytes,
    ) -> Result<WrappedKey, Error> {
        material::check(kind, material.expose())?;
        let aad = self.aad(id, version, kind);
        let sealed = self
            .hsm
            .seal(&self.root, aad.as_bytes(), material.expose())?;
        let blob = [KEY_MAGIC.as_slice(), &sealed].concat();
        let wrapped = WrappedKey::from_parts(id.clone(), version, kind, blob);
        // What does not open is a lost key: it is seen now, not when it is needed.
        let is_same = |again: SecretBytes| same_secret(again.expose(), material.expose());
        match self.unwrapped(&wrapped).map(is_same) {
            Ok(true) => Ok(wrapped),
            Ok(false) | Err(Error::Unopened) => Err(Error::Hsm(HsmError::GcmIv)),
            Err(error) => Err(error),
        }
    }

    /// Opens a version of the key service, whatever its kind.
    pub fn open(&self, key: &WrappedKey) -> Result<OpenKey, Error> {
        OpenKey::new(key, self.unwrapped(key)?.expose())
    }

    /// Opens one of the vault's own versions that seals ([`KeyKind::Aes256`]).
    pub fn open_aead(&self, key: &WrappedKey) -> Result<AeadKey, Error> {
        let material = self.own(key, KeyKind::Aes256)?;
        let bytes = material.expose().try_into().map_err(|_| Error::Unopened)?;
        AeadKey::new(key.version(), bytes)
    }

    /// Opens one of the vault's own versions that makes tags ([`KeyKind::HmacSha256`]).
    pub fn open_mac(&self, key: &WrappedKey) -> Result<MacKey, Error> {
        let material = self.own(key, KeyKind::HmacSha256)?;
        MacKey::new(key.version(), material.expose())
    }

    /// Wraps a version again, under another root key. What it is stays the same.
    pub fn rewrap(&self, key: &WrappedKey, to: &Self) -> Result<WrappedKey, Error> {
        to.wrap(key.id(), key.version(), key.kind(), &self.unwrapped(key)?)
    }

    /// A proof that whoever had this root key's HSM saw `message`: for the manifest of a backup.
    pub fn authenticate(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let digest = primitives::sha256(message);
        let aad = self.proof_aad(&digest);
        let sealed = self.hsm.seal(&self.root, aad.as_bytes(), &digest)?;
        Ok([PROOF_MAGIC.as_slice(), &sealed].concat())
    }

    /// Whether a proof of [`Envelope::authenticate`] is `message`'s under this root key.
    pub fn verify(&self, message: &[u8], proof: &[u8]) -> Result<(), Error> {
        let sealed = proof.strip_prefix(PROOF_MAGIC).ok_or(Error::Unopened)?;
        let digest = primitives::sha256(message);
        let aad = self.proof_aad(&digest);
        let opened = self.hsm.unseal(&self.root, aad.as_bytes(), sealed)?;
        if constant_time_eq(opened.expose(), &digest) {
            Ok(())
        } else {
            Err(Error::Unopened)
        }
    }

    /// Whether a root key that recovery shares gave back is the one in the HSM: the HSM opens what it sealed
    /// here. [`Error::Unopened`] if it is another.
    pub fn is_root(&self, candidate: &SecretBytes) -> Result<(), Error> {
        let key = candidate.expose().try_into().map_err(|_| Error::Unopened)?;
        let mut iv = [0; 12];
        let mut probe = [0; 32];
        primitives::random(&mut iv)?;
        primitives::random(&mut probe)?;
        let aad = Binding::new("jinku/v1 recovery drill").field(&iv);
        let mut sealed = probe.to_vec();
        scrubbed::<SHALLOW, _>(|| GcmKey::new(key)?.seal(iv, aad.as_bytes(), &mut sealed, 0))?;
        let sealed = [&[12], iv.as_slice(), &sealed].concat();
        let opened = self.hsm.unseal(&self.root, aad.as_bytes(), &sealed)?;
        if constant_time_eq(opened.expose(), &probe) {
            Ok(())
        } else {
            Err(Error::Unopened)
        }
    }

    fn own(&self, key: &WrappedKey, kind: KeyKind) -> Result<SecretBytes, Error> {
        if key.kind() == kind {
            self.unwrapped(key)
        } else {
            Err(Error::Usage)
        }
    }

    fn unwrapped(&self, key: &WrappedKey) -> Result<SecretBytes, Error> {
        let sealed = key.blob().strip_prefix(KEY_MAGIC).ok_or(Error::Unopened)?;
        let aad = self.aad(key.id(), key.version(), key.kind());
        self.hsm.unseal(&self.root, aad.as_bytes(), sealed)
    }

    // INVARIANT 6: a wrapped key opens in the HSM only, and only as the version and kind it is.
    fn aad(&self, id: &KeyId, version: u32, kind: KeyKind) -> Binding {
        Binding::new("jinku/v1 wrapped key")
            .field(self.root.label().as_bytes())
            .field(id.as_str().as_bytes())
            .number(version.into())
            .field(kind.as_str().as_bytes())
    }

    fn proof_aad(&self, digest: &[u8; 32]) -> Binding {
        Binding::new("jinku/v1 proof")
            .field(self.root.label().as_bytes())
            .field(digest)
    }
}
