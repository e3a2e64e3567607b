//! `ring`, behind one small door, so that it can be replaced.
//!
//! `ring` does not wipe its prepared keys (a decision of its authors): they are made on the stack, which
//! `scrub` wipes, and what is kept of them is moved into `locked`, which wipes it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;
use crate::locked::Prepared;
use crate::scrub::{HASHED, SHALLOW, scrubbed};

/// Bytes of a GCM tag (NIST SP 800-38D: 128 bits).
pub(crate) const TAG_BYTES: usize = 16;

/// Fills `out` from the operating system.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new().fill(out).map_err(|_| Error::Random)
}

/// A key of AES-256-GCM (NIST SP 800-38D), prepared: round keys and the hash's table.
pub(crate) struct GcmKey(LessSafeKey);

impl GcmKey {
    /// The caller scrubs the stack, and keeps it in `locked` if at all.
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Memory)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// `message` becomes ciphertext and tag, from `start` on.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        message: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plaintext = message.get_mut(start..).unwrap_or_default();
        // Fails on messages beyond GCM's 64 GiB only, which the caller's limit excludes.
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext)
            .map_err(|_| Error::Unopened)?;
        message.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what stands in `sealed` from `start` on, and moves it to the front: nothing else is left
    /// there. On failure the buffer holds nothing of the plaintext.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        sealed: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self
            .0
            .open_within(nonce, Aad::from(aad), sealed, start..)
            .map_err(|_| Error::Unopened)?;
        let length = opened.len();
        sealed.truncate(length);
        Ok(())
    }
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    // A SHA-256 hash has exactly these 32 bytes.
    hash.copy_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    hash
}

/// A key of HMAC (RFC 2104) with one of the three hashes, prepared: both hashes' states after it.
pub(crate) struct HmacState(hmac::Key);

impl HmacState {
    pub(crate) fn new(algorithm: hmac::Algorithm, key: &[u8]) -> Result<Prepared<Self>, Error> {
        scrubbed::<SHALLOW, _>(|| Prepared::new(Self(hmac::Key::new(algorithm, key))))
    }

    pub(crate) fn tag(&self, message: &[u8]) -> hmac::Tag {
        scrubbed::<HASHED, _>(|| hmac::sign(&self.0, message))
    }
}

/// HMAC-SHA-256 with a key that is used once. The caller scrubs the stack, [`SHALLOW`].
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    let made = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), message);
    // A SHA-256 tag has exactly these 32 bytes.
    tag.copy_from_slice(made.as_ref());
    tag
}

/// HKDF-SHA-256 (RFC 5869) with an empty salt.
pub(crate) fn hkdf_sha256(key: &[u8], info: &[u8], out: &mut [u8; 32]) -> Result<(), Error> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let info = [info];
    scrubbed::<SHALLOW, _>(|| {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(key);
        let expanded = extracted.expand(&info, Length).map_err(|_| Error::Memory)?;
        expanded.fill(out).map_err(|_| Error::Memory)
    })
}
