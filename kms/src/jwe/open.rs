//! Opening, strictly: five parts in their one spelling, one suite, no member twice, one error.

use aes_kw::{AesKw, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::agreement::{Point, concat_kdf};
use super::jwk::point;
use super::members::Members;
use super::seal::WRAPPING_BITS;
use super::{
    ALGORITHM, ENCRYPTION, HEADER_BYTES_MAX, IV_BYTES, PLAINTEXT_BYTES_MAX, RecipientSecret,
    WRAPPED_BYTES,
};
use crate::error::Error;
use crate::primitives::{GcmKey, TAG_BYTES};
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

/// Most characters of a message: base64url has four for three bytes.
const MESSAGE_CHARS_MAX: usize = (HEADER_BYTES_MAX + PLAINTEXT_BYTES_MAX + 256) / 3 * 4;

/// What a message held.
pub struct Opened {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// The protected header as JSON, authenticated. Look at it before the plaintext is taken for an answer.
    pub header: String,
}

/// A message's parts.
struct Message<'a> {
    /// As it was sent: the additional data.
    header_text: &'a str,
    header: String,
    ephemeral: Point,
    parties: (Vec<u8>, Vec<u8>),
    wrapped: [u8; WRAPPED_BYTES],
    iv: [u8; IV_BYTES],
    /// Ciphertext and tag.
    sealed: Vec<u8>,
}

impl RecipientSecret {
    /// Opens a message to this key. One error, [`Error::Unopened`], for every failure: of its form, its
    /// suite, its key or its tag.
    pub fn open(&self, message: &str) -> Result<Opened, Error> {
        let mut message = Message::parse(message).ok_or(Error::Unopened)?;
        let (party_u, party_v) = (&message.parties.0, &message.parties.1);
        let wrapping = self.agree(&message.ephemeral, |secret| {
            concat_kdf(secret, ALGORITHM, (party_u, party_v), WRAPPING_BITS)
        })?;
        let content_key = unwrap(&wrapping, &message.wrapped)?;
        let aad = message.header_text.as_bytes();
        scrubbed::<SHALLOW, _>(|| {
            GcmKey::new(&content_key)?.open(message.iv, aad, &mut message.sealed, 0)
        })?;
        Ok(Opened {
            plaintext: SecretBytes::new(message.sealed),
            header: message.header,
        })
    }
}

impl<'a> Message<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MESSAGE_CHARS_MAX {
            return None;
        }
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (header_text, wrapped, iv) = (next()?, next()?, next()?);
        let (ciphertext, tag) = (next()?, next()?);
        if next().is_some() {
            return None;
        }
        let header = String::from_utf8(decoded(header_text)?).ok()?;
        let members = Members::parse(header.as_bytes())?;
        let sealed = {
            let (ciphertext, tag) = (decoded(ciphertext)?, decoded(tag)?);
            if tag.len() != TAG_BYTES {
                return None;
            }
            [ciphertext, tag].concat()
        };
        if header.len() > HEADER_BYTES_MAX || !is_ours(&members) {
            return None;
        }
        let named = |name: &str| {
            if members.has(name) {
                decoded(members.text(name)?)
            } else {
                Some(Vec::new())
            }
        };
        Some(Self {
            header_text,
            ephemeral: ephemeral(&members)?,
            parties: (named("apu")?, named("apv")?),
            wrapped: decoded(wrapped)?.try_into().ok()?,
            iv: decoded(iv)?.try_into().ok()?,
            sealed,
            header,
        })
    }
}

/// The one suite. What `crit` names must be understood, and nothing is (RFC 7516 section 4.1.13); `zip`
/// makes lengths tell of contents.
fn is_ours(header: &Members) -> bool {
    header.text("alg") == Some(ALGORITHM)
        && header.text("enc") == Some(ENCRYPTION)
        && !header.has("crit")
        && !header.has("zip")
}

fn ephemeral(header: &Members) -> Option<Point> {
    let key = header.object("epk")?;
    // A public key only (RFC 7518 section 4.6.1.1).
    if key.has("d") {
        return None;
    }
    point(key).ok()
}

/// Base64url without padding, in its one spelling.
fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// RFC 3394.
fn unwrap(
    wrapping: &[u8; 32],
    wrapped: &[u8; WRAPPED_BYTES],
) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut key = Zeroizing::new([0; 32]);
    scrubbed::<SHALLOW, _>(|| {
        AesKw::<aes::Aes256>::new(wrapping.into())
            .unwrap_key(wrapped, &mut *key)
            .map(drop)
            .map_err(|_| Error::Unopened)
    })?;
    Ok(key)
}
