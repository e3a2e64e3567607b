//! Sealing: a plaintext becomes `header.wrapped-key.iv.ciphertext.tag`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::agreement::{agree_anew, concat_kdf};
use super::compact::{drawn, sealed};
use super::jwk::members_of;
use super::{ALGORITHM, ENCRYPTION, PLAINTEXT_BYTES_MAX, RecipientKey};
use crate::error::Error;

/// Bits of the key that wraps.
pub(super) const WRAPPING_BITS: u32 = 256;

/// What a protected header says beside what the suite needs. All of it is authenticated, none of it secret.
#[derive(Clone, Copy, Default)]
pub struct Labels<'a> {
    /// Media type of the whole message.
    pub typ: Option<&'a str>,
    /// Media type of the plaintext.
    pub cty: Option<&'a str>,
    /// Who seals (RFC 7518 section 4.6.1.2): part of the key's derivation too.
    pub apu: Option<&'a [u8]>,
    /// Who opens (section 4.6.1.3): part of the key's derivation too.
    pub apv: Option<&'a [u8]>,
    /// A private member (RFC 7516 section 4.3): its name, and the texts of the object that it holds.
    /// It must not be a registered one's name.
    pub context: Option<(&'a str, &'a [(&'a str, &'a str)])>,
}

impl RecipientKey {
    /// Seals at most 1 MiB ([`Error::TooLong`]); header and labels together have at most 8,192 bytes.
    ///
    /// Ephemeral key, content key and IV are drawn for this message, and used for no other.
    pub fn seal(&self, plaintext: &[u8], labels: &Labels<'_>) -> Result<String, Error> {
        let parties = (
            labels.apu.unwrap_or_default(),
            labels.apv.unwrap_or_default(),
        );
        let (ephemeral, wrapping) = agree_anew(&self.point, |secret| {
            concat_kdf(secret, ALGORITHM, parties, WRAPPING_BITS)
        })?;
        let header = self.header(&members_of(&ephemeral), labels);
        let (content_key, wrapped) = drawn(&wrapping)?;
        let keys = (&*content_key, wrapped.as_slice());
        sealed(&header, keys, plaintext, PLAINTEXT_BYTES_MAX)
    }

    fn header(&self, ephemeral: &str, labels: &Labels<'_>) -> String {
        // Values are written by `serde_json`, so that no text can end its member early.
        let text = |text: &str| Value::from(text).to_string();
        let bytes = |bytes: &[u8]| text(&URL_SAFE_NO_PAD.encode(bytes));
        let mut header = format!(
            r#"{{"alg":"{ALGORITHM}","enc":"{ENCRYPTION}","kid":{},"epk":{{{ephemeral}}}"#,
            text(&self.kid)
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                header.extend([",", &text(name), ":", &value]);
            }
        };
        add("typ", labels.typ.map(text));
        add("cty", labels.cty.map(text));
        add("apu", labels.apu.map(bytes));
        add("apv", labels.apv.map(bytes));
        if let Some((name, texts)) = labels.context {
            let member = |(name, value): &(&str, &str)| format!("{}:{}", text(name), text(value));
            let members: Vec<_> = texts.iter().map(member).collect();
            add(name, Some(format!("{{{}}}", members.join(","))));
        }
        header.push('}');
        header
    }
}
