//! The vault's own messages: they name their key's version.
//!
//! ```text
//! sealed = magic "JKS1" | suite 0x01 | key version u32 BE | nonce 24 | commitment 32 | ciphertext | tag 16
//! ```
//! Everything up to the ciphertext is authenticated: see `sealing`.

use std::collections::BTreeMap;

use crate::binding::Binding;
use crate::derive::Sealing;
use crate::error::Error;
use crate::locked::{KEY_BYTES, LockState};
use crate::sealing::{Head, SealingKey};
use crate::secret::SecretBytes;

const MAGIC: &[u8; 4] = b"JKS1";
const SUITE: u8 = 1;
const HEAD_BYTES: usize = 4 + 1 + 4;

/// One version of a key that seals and opens.
pub struct AeadKey {
    version: u32,
    key: SealingKey,
}

impl AeadKey {
    pub(crate) fn new(version: u32, key: &[u8; KEY_BYTES]) -> Result<Self, Error> {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(MAGIC);
        head[4] = SUITE;
        head[5..].copy_from_slice(&version.to_be_bytes());
        Ok(Self {
            version,
            key: SealingKey::new(key, Sealing::Values, Head::new(head))?,
        })
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether its memory is locked.
    pub fn lock_state(&self) -> LockState {
        self.key.lock_state()
    }

    /// Seals `plaintext`; it opens in the same `context` only. At most 64 MiB.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.seal(context, plaintext)
    }

    /// Opens what [`AeadKey::seal`] made in the same context. One error for every failure.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        self.key.open(context, sealed)
    }
}

/// The key version that a sealed message names. It is not authenticated until the message is opened.
pub fn sealed_key_version(sealed: &[u8]) -> Result<u32, Error> {
    let version = || {
        let rest = sealed.strip_prefix(MAGIC)?.strip_prefix(&[SUITE])?;
        rest.first_chunk().copied().map(u32::from_be_bytes)
    };
    version().ok_or(Error::Unopened)
}

/// All versions of one key: the current one seals, each opens its own.
pub struct AeadKeyring {
    current: u32,
    versions: BTreeMap<u32, AeadKey>,
}

impl AeadKeyring {
    /// From the version that seals, and those that only open.
    pub fn new(current: AeadKey, older: Vec<AeadKey>) -> Self {
        let number = current.version;
        let versions = older.into_iter().chain([current]);
        Self {
            current: number,
            versions: versions.map(|key| (key.version, key)).collect(),
        }
    }

    /// The version that seals.
    pub fn current_version(&self) -> u32 {
        self.current
    }

    /// Whether every version's memory is locked.
    pub fn lock_state(&self) -> LockState {
        let open = |key: &AeadKey| key.lock_state() == LockState::NotLocked;
        if self.versions.values().any(open) {
            LockState::NotLocked
        } else {
            LockState::Locked
        }
    }

    /// Seals with the current version.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.versions
            .get(&self.current)
            .ok_or(Error::Usage)?
            .seal(context, plaintext)
    }

    /// Opens with the version that the message names.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let version = sealed_key_version(sealed)?;
        self.versions
            .get(&version)
            .ok_or(Error::Unopened)?
            .open(context, sealed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AeadKey, AeadKeyring, sealed_key_version};
    use crate::{Binding, Error};

    fn context() -> Binding {
        Binding::new("test").field(b"here")
    }

    #[test]
    fn every_flipped_bit_is_refused_with_the_same_error() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // One that knows the message's derived key by now, and one that does not.
            for key in [&key, &AeadKey::new(1, &[9; 32]).unwrap()] {
                let refused = key.open(&context(), &altered);
                assert!(matches!(refused, Err(Error::Unopened)), "bit {bit}");
            }
        }
        assert_eq!(key.open(&context(), &sealed).unwrap().expose(), b"value");
    }

    #[test]
    fn every_truncation_is_refused() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        for length in 0..sealed.len() {
            assert!(
                key.open(&context(), &sealed[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    // Invariant 5
    #[test]
    fn another_context_key_or_version_does_not_open() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        assert!(
            key.open(&Binding::new("test").field(b"there"), &sealed)
                .is_err()
        );
        assert!(
            AeadKey::new(1, &[8; 32])
                .unwrap()
                .open(&context(), &sealed)
                .is_err()
        );
        assert!(
            AeadKey::new(2, &[9; 32])
                .unwrap()
                .open(&context(), &sealed)
                .is_err()
        );
    }

    #[test]
    fn a_keyring_seals_with_the_current_version_and_opens_all() {
        let old = AeadKey::new(1, &[1; 32]).unwrap();
        let sealed = old.seal(&context(), b"old").unwrap();
        let ring = AeadKeyring::new(AeadKey::new(2, &[2; 32]).unwrap(), vec![old]);
        let fresh = ring.seal(&context(), b"new").unwrap();
        assert_eq!(sealed_key_version(&fresh).unwrap(), 2);
        assert_eq!(ring.open(&context(), &sealed).unwrap().expose(), b"old");
        assert_eq!(ring.open(&context(), &fresh).unwrap().expose(), b"new");
    }

    #[test]
    fn the_same_value_never_seals_alike() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let (a, b) = (
            key.seal(&context(), b"v").unwrap(),
            key.seal(&context(), b"v").unwrap(),
        );
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key: [u8; 32], plaintext: Vec<u8>, field: Vec<u8>) {
            let key = AeadKey::new(3, &key).unwrap();
            let context = Binding::new("test").field(&field);
            let sealed = key.seal(&context, &plaintext).unwrap();
            let opened = key.open(&context, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }
    }
}
