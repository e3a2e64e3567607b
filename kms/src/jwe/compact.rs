//! The compact serialization (RFC 7516 section 7.1): `header.key.iv.ciphertext.tag`, read strictly, and what is
//! the same for all messages: RFC 3394's wrapping, and `A256GCM` over the header's text.

use aes_kw::{AesKw, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::members::Members;
use super::{ENCRYPTION, HEADER_BYTES_MAX, IV_BYTES, WRAPPED_BYTES};
use crate::error::Error;
use crate::primitives::{self, GcmKey, TAG_BYTES};
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

/// A message's parts.
pub(super) struct Compact<'a> {
    /// As it was sent: the additional data.
    header_text: &'a str,
    pub(super) header: String,
    pub(super) members: Members,
    /// The encrypted key, as it was sent.
    pub(super) key: Vec<u8>,
    iv: [u8; IV_BYTES],
    /// Ciphertext and tag.
    sealed: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Five parts in their one spelling, no member twice, this algorithm and `A256GCM`.
    pub(super) fn parse(text: &'a str, algorithm: &str, bytes_max: usize) -> Option<Self> {
        // base64url has four characters for three bytes.
        if text.len() > (HEADER_BYTES_MAX + bytes_max + 256) / 3 * 4 {
            return None;
        }
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (header_text, key, iv) = (next()?, next()?, next()?);
        let (ciphertext, tag) = (next()?, next()?);
        if next().is_some() {
            return None;
        }
        let (header, members) = header(header_text)?;
        let named = |name| members.text(name);
        if named("alg") != Some(algorithm) || named("enc") != Some(ENCRYPTION) {
            return None;
        }
        // What `crit` names must be understood, and nothing is (RFC 7516 section 4.1.13); `zip` makes lengths
        // tell of contents.
        if members.has("crit") || members.has("zip") {
            return None;
        }
        let tag = decoded(tag).filter(|tag| tag.len() == TAG_BYTES)?;
        let mut sealed = decoded(ciphertext)?;
        sealed.extend_from_slice(&tag);
        Some(Self {
            header_text,
            header,
            key: decoded(key)?,
            iv: decoded(iv)?.try_into().ok()?,
            sealed,
            members,
        })
    }

    /// The plaintext, and the header that stood beside it.
    pub(super) fn open(mut self, content_key: &[u8; 32]) -> Result<(SecretBytes, String), Error> {
        let aad = self.header_text.as_bytes();
        scrubbed::<SHALLOW, _>(|| {
            GcmKey::new(content_key)?.open(self.iv, aad, &mut self.sealed, 0)
        })?;
        Ok((SecretBytes::new(self.sealed), self.header))
    }
}

/// A message of these parts. Its IV is drawn for it. The header has at most 8,192 bytes, the plaintext
/// `bytes_max` ([`Error::TooLong`]).
pub(super) fn sealed(
    header: &str,
    (content_key, encrypted_key): (&[u8; 32], &[u8]),
    plaintext: &[u8],
    bytes_max: usize,
) -> Result<String, Error> {
    if plaintext.len() > bytes_max {
        return Err(Error::TooLong { bytes_max });
    }
    if header.len() > HEADER_BYTES_MAX {
        let bytes_max = HEADER_BYTES_MAX;
        return Err(Error::TooLong { bytes_max });
    }
    let header = URL_SAFE_NO_PAD.encode(header);
    let mut iv = [0; IV_BYTES];
    primitives::random(&mut iv)?;
    let mut message = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_BYTES));
    message.extend_from_slice(plaintext);
    // RFC 7516 section 5.1: the header's ASCII text is the additional data.
    scrubbed::<SHALLOW, _>(|| {
        GcmKey::new(content_key)?.seal(iv, header.as_bytes(), &mut message, 0)
    })?;
    let (ciphertext, tag) = message.split_at(plaintext.len());
    let parts = [encrypted_key, &iv, ciphertext, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Ok([&[header], parts.as_slice()].concat().join("."))
}

/// A header of at most 8,192 bytes, and its members.
pub(super) fn header(text: &str) -> Option<(String, Members)> {
    if text.len() > HEADER_BYTES_MAX.div_ceil(3) * 4 {
        return None;
    }
    let header = String::from_utf8(decoded(text)?).ok()?;
    let members = Members::parse(header.as_bytes())?;
    (header.len() <= HEADER_BYTES_MAX).then_some((header, members))
}

/// Base64url without padding, in its one spelling.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A content key of a message's own, and it wrapped (RFC 3394).
pub(super) fn drawn(
    wrapping: &[u8; 32],
) -> Result<(Zeroizing<[u8; 32]>, [u8; WRAPPED_BYTES]), Error> {
    let mut key = Zeroizing::new([0; 32]);
    primitives::random(&mut *key)?;
    let mut wrapped = [0; WRAPPED_BYTES];
    scrubbed::<SHALLOW, _>(|| {
        AesKw::<aes::Aes256>::new(wrapping.into())
            .wrap_key(&*key, &mut wrapped)
            .map(drop)
            .map_err(|_| Error::Memory)
    })?;
    Ok((key, wrapped))
}

/// RFC 3394.
pub(super) fn unwrap(wrapping: &[u8; 32], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    let wrapped: &[u8; WRAPPED_BYTES] = wrapped.try_into().map_err(|_| Error::Unopened)?;
    let mut key = Zeroizing::new([0; 32]);
    scrubbed::<SHALLOW, _>(|| {
        AesKw::<aes::Aes256>::new(wrapping.into())
            .unwrap_key(wrapped, &mut *key)
            .map(drop)
            .map_err(|_| Error::Unopened)
    })?;
    Ok(key)
}
