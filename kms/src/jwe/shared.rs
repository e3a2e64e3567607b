//! Messages under a key that both sides have: `dir` (RFC 7518 section 4.5) or `A256KW` (section 4.4), and
//! `A256GCM` (section 5.3).
//!
//! `kid` names key and version, as `ID:vVERSION`, so that what an older version made still opens: it is
//! required, and compared. With `dir` the key itself encrypts under a random IV of 96 bits, so one version may
//! make 2^32 messages (NIST SP 800-38D section 8.3): whoever seals counts them. With `A256KW` each message has
//! a content key of its own, which RFC 3394 wraps: nothing is to be counted.

use serde_json::Value;

use super::compact::{Compact, drawn, header, sealed, unwrap};
use super::{ENCRYPTION, KID_BYTES_MAX};
use crate::error::Error;
use crate::key::{KeyId, KeyKind};
use crate::locked::{KEY_BYTES, LockState, Locked};
use crate::secret::SecretBytes;

/// Longest plaintext, in bytes.
const PLAINTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One version of a key of kind [`KeyKind::JweDir`] or [`KeyKind::JweA256Kw`].
pub struct SharedKey {
    algorithm: Algorithm,
    kid: String,
    key: Locked,
}

/// `alg`. A key has one.
#[derive(Clone, Copy)]
enum Algorithm {
    Dir,
    A256Kw,
}

impl Algorithm {
    fn as_str(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::A256Kw => "A256KW",
        }
    }
}

/// What a message held.
pub struct OpenedShared {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// Its media type (`cty`), authenticated.
    pub cty: Option<String>,
}

impl SharedKey {
    pub(crate) fn new(
        kind: KeyKind,
        (id, version): (&KeyId, u32),
        key: &[u8; KEY_BYTES],
    ) -> Result<Self, Error> {
        let algorithm = match kind {
            KeyKind::JweDir => Algorithm::Dir,
            KeyKind::JweA256Kw => Algorithm::A256Kw,
            KeyKind::Aes256
            | KeyKind::HmacSha256
            | KeyKind::HmacSha384
            | KeyKind::HmacSha512
            | KeyKind::Ed25519
            | KeyKind::EcdsaP256 => return Err(Error::Usage),
        };
        Ok(Self {
            algorithm,
            kid: key_id(id, version),
            key: Locked::new(key)?,
        })
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.key.state()
    }

    /// Seals at most 64 MiB; the header with `cty`, the plaintext's media type, has at most 8,192 bytes
    /// ([`Error::TooLong`]).
    pub fn seal(&self, plaintext: &[u8], cty: Option<&str>) -> Result<String, Error> {
        let header = self.header(cty);
        let key = self.key.part::<0, KEY_BYTES>();
        match self.algorithm {
            Algorithm::Dir => sealed(&header, (key, &[]), plaintext, PLAINTEXT_BYTES_MAX),
            Algorithm::A256Kw => {
                let (content_key, wrapped) = drawn(key)?;
                let keys = (&*content_key, wrapped.as_slice());
                sealed(&header, keys, plaintext, PLAINTEXT_BYTES_MAX)
            }
        }
    }

    /// Opens a message that names this key and version. One error, [`Error::Unopened`], for every failure: of
    /// its form, its suite, its name, its key or its tag.
    pub fn open(&self, message: &str) -> Result<OpenedShared, Error> {
        let parsed = Compact::parse(message, self.algorithm.as_str(), PLAINTEXT_BYTES_MAX);
        let message = parsed.ok_or(Error::Unopened)?;
        if message.members.text("kid") != Some(self.kid.as_str()) {
            return Err(Error::Unopened);
        }
        let cty = message.members.text("cty").map(ToOwned::to_owned);
        if cty.is_none() && message.members.has("cty") {
            return Err(Error::Unopened);
        }
        let key = self.key.part::<0, KEY_BYTES>();
        let (plaintext, _) = match self.algorithm {
            // RFC 7516 section 5.2, step 10: there is no encrypted key.
            Algorithm::Dir if !message.key.is_empty() => return Err(Error::Unopened),
            Algorithm::Dir => message.open(key)?,
            Algorithm::A256Kw => {
                let content_key = unwrap(key, &message.key)?;
                message.open(&content_key)?
            }
        };
        Ok(OpenedShared { plaintext, cty })
    }

    fn header(&self, cty: Option<&str>) -> String {
        // Values are written by `serde_json`, so that no text can end its member early.
        let text = |text: &str| Value::from(text).to_string();
        let cty = cty.map_or_else(String::new, |cty| format!(r#","cty":{}"#, text(cty)));
        let (alg, kid) = (self.algorithm.as_str(), text(&self.kid));
        format!(r#"{{"alg":"{alg}","enc":"{ENCRYPTION}","kid":{kid}{cty}}}"#)
    }
}

/// The name of a key's version in messages, and in its JWK: `ID:vVERSION`.
pub fn key_id(id: &KeyId, version: u32) -> String {
    format!("{id}:v{version}")
}

/// The key and version that a message names. Not authenticated until it is opened.
pub fn named_key(message: &str) -> Result<(KeyId, u32), Error> {
    let named = || {
        let (first, _) = message.split_once('.')?;
        let (_, members) = header(first)?;
        let kid = members
            .text("kid")
            .filter(|kid| kid.len() <= KID_BYTES_MAX)?;
        let (id, version) = kid.rsplit_once(":v")?;
        let (id, number) = (KeyId::parse(id).ok()?, version.parse().ok()?);
        // In its one spelling: `v01` and `v+1` name nothing.
        (key_id(&id, number) == kid).then_some((id, number))
    };
    named().ok_or(Error::Unopened)
}

#[cfg(test)]
mod tests;
