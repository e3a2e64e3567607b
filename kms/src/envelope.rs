//! Key versions under the root key: made here, wrapped by the HSM, opened into locked memory.
//!
//! ```text
//! blob = magic "JKW1" | IV 12 (the HSM's random numbers) | AES-256-GCM ciphertext 32 | tag 16
//! AAD  = Binding("jinku/v1 wrapped key").field(root label).field(key id).number(version).field(usage)
//! ```

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::binding::Binding;
use crate::error::Error;
use crate::hsm::{Hsm, RootKey};
use crate::key::{KeyId, Usage, WrappedKey};
use crate::locked::KEY_BYTES;
use crate::mac::MacKey;
use crate::primitives;

const MAGIC: &[u8; 4] = b"JKW1";
const IV_BYTES: usize = 12;

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
    pub fn generate(&self, id: &KeyId, version: u32, usage: Usage) -> Result<WrappedKey, Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let mut mixed = Zeroizing::new([0; KEY_BYTES]);
        primitives::random(key.as_mut())?;
        self.hsm.random(mixed.as_mut())?;
        // Neither source alone decides: a weak one is no weaker than the other is strong.
        key.iter_mut()
            .zip(mixed.iter())
            .for_each(|(byte, other)| *byte ^= other);
        let mut iv = [0; IV_BYTES];
        self.hsm.random(&mut iv)?;
        let aad = self.aad(id, version, usage);
        let ciphertext = self
            .hsm
            .encrypt(&self.root, iv, aad.as_bytes(), key.as_ref())?;
        let blob = [MAGIC.as_slice(), &iv, &ciphertext].concat();
        Ok(WrappedKey::from_parts(id.clone(), version, usage, blob))
    }

    /// Opens a version that seals.
    pub fn open_aead(&self, key: &WrappedKey) -> Result<AeadKey, Error> {
        AeadKey::new(key.version(), &*self.open(key, Usage::Encrypt)?)
    }

    /// Opens a version that makes tags.
    pub fn open_mac(&self, key: &WrappedKey) -> Result<MacKey, Error> {
        MacKey::new(key.version(), &*self.open(key, Usage::Mac)?)
    }

    fn open(&self, key: &WrappedKey, usage: Usage) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
        if key.usage() != usage {
            return Err(Error::Usage);
        }
        let rest = key.blob().strip_prefix(MAGIC).ok_or(Error::Unopened)?;
        let (iv, ciphertext) = rest
            .split_first_chunk::<IV_BYTES>()
            .ok_or(Error::Unopened)?;
        let aad = self.aad(key.id(), key.version(), usage);
        let opened = self
            .hsm
            .decrypt(&self.root, *iv, aad.as_bytes(), ciphertext)?;
        let bytes: [u8; KEY_BYTES] = opened.expose().try_into().map_err(|_| Error::Unopened)?;
        Ok(Zeroizing::new(bytes))
    }

    // INVARIANT 6: a wrapped key opens in the HSM only, and only as the version and usage it is.
    fn aad(&self, id: &KeyId, version: u32, usage: Usage) -> Binding {
        Binding::new("jinku/v1 wrapped key")
            .field(self.root.label().as_bytes())
            .field(id.as_str().as_bytes())
            .number(version.into())
            .field(usage.as_str().as_bytes())
    }
}
