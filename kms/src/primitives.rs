//! `ring`, behind one small door, so that it can be replaced.
//!
//! `ring` does not wipe its prepared keys (a decision of its authors): they are made anew for each
//! call and live on the stack for that long, which `scrub` wipes. What lasts is in `locked`.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;
use crate::scrub::{SHALLOW, scrubbed};

/// Bytes of a GCM tag (NIST SP 800-38D: 128 bits).
pub(crate) const TAG_BYTES: usize = 16;

/// Fills `out` from the operating system.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new().fill(out).map_err(|_| Error::Random)
}

/// AES-256-GCM (NIST SP 800-38D): `message` becomes ciphertext and tag, from `start` on.
pub(crate) fn gcm_seal(
    key: &[u8; 32],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    message: &mut Vec<u8>,
    start: usize,
) -> Result<(), Error> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Memory)?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plaintext = message.get_mut(start..).unwrap_or_default();
    // Fails on messages beyond GCM's 64 GiB only, which the caller's limit excludes.
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext)
        .map_err(|_| Error::Unopened)?;
    message.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Opens what [`gcm_seal`] made. On failure the buffer holds nothing of the plaintext.
pub(crate) fn gcm_open(
    key: &[u8; 32],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    sealed: &mut Vec<u8>,
) -> Result<(), Error> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Memory)?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key
        .open_in_place(nonce, Aad::from(aad), sealed)
        .map_err(|_| Error::Unopened)?;
    let length = opened.len();
    sealed.truncate(length);
    Ok(())
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    // A SHA-256 hash has exactly these 32 bytes.
    hash.copy_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    hash
}

/// HMAC (RFC 2104) with one of the three hashes.
pub(crate) fn hmac(algorithm: hmac::Algorithm, key: &[u8], message: &[u8]) -> hmac::Tag {
    scrubbed::<SHALLOW, _>(|| hmac::sign(&hmac::Key::new(algorithm, key), message))
}

/// HMAC-SHA-256.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    // A SHA-256 tag has exactly these 32 bytes.
    tag.copy_from_slice(hmac(HMAC_SHA256, key, message).as_ref());
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
