//! Opening with a recipient's private key, strictly: one suite, no member twice, one error.

use super::agreement::{Point, concat_kdf};
use super::compact::{Compact, decoded, unwrap};
use super::jwk::point;
use super::members::Members;
use super::seal::WRAPPING_BITS;
use super::{ALGORITHM, PLAINTEXT_BYTES_MAX, RecipientSecret};
use crate::error::Error;
use crate::secret::SecretBytes;

/// What a message held.
pub struct Opened {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// The protected header as JSON, authenticated. Look at it before the plaintext is taken for an answer.
    pub header: String,
}

impl RecipientSecret {
    /// Opens a message to this key. One error, [`Error::Unopened`], for every failure: of its form, its
    /// suite, its key or its tag.
    pub fn open(&self, message: &str) -> Result<Opened, Error> {
        let parsed = Compact::parse(message, ALGORITHM, PLAINTEXT_BYTES_MAX);
        let message = parsed.ok_or(Error::Unopened)?;
        let (ephemeral, party_u, party_v) = told(&message.members).ok_or(Error::Unopened)?;
        let wrapping = self.agree(&ephemeral, |secret| {
            concat_kdf(secret, ALGORITHM, (&party_u, &party_v), WRAPPING_BITS)
        })?;
        let content_key = unwrap(&wrapping, &message.key)?;
        let (plaintext, header) = message.open(&content_key)?;
        Ok(Opened { plaintext, header })
    }
}

/// What the agreement needs of a header: the ephemeral key, `apu`, `apv`.
fn told(header: &Members) -> Option<(Point, Vec<u8>, Vec<u8>)> {
    let party = |name: &str| {
        if header.has(name) {
            decoded(header.text(name)?)
        } else {
            Some(Vec::new())
        }
    };
    Some((ephemeral(header)?, party("apu")?, party("apv")?))
}

fn ephemeral(header: &Members) -> Option<Point> {
    let key = header.object("epk")?;
    // A public key only (RFC 7518 section 4.6.1.1).
    if key.has("d") {
        return None;
    }
    point(key).ok()
}
