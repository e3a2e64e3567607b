//! A key that exists only while its bearer shows what it is derived from.
//!
//! ```text
//! sealed = magic "JKT1" | suite 0x01 | nonce 24 | commitment 32 | ciphertext | tag 16
//! ```
//! Everything up to the ciphertext is authenticated: see `sealing`.

use crate::binding::Binding;
use crate::derive::{self, Sealing};
use crate::error::Error;
use crate::sealing::{Head, SealingKey};
use crate::secret::SecretBytes;

/// Magic and suite.
const HEAD: &[u8; 5] = b"JKT1\x01";

/// Seals and opens what a bearer's secret is needed for. Nobody keeps it.
pub struct BearerKey(SealingKey);

impl BearerKey {
    /// From a secret of at least 128 random bits, in whatever spelling: a guess can be tried offline.
    pub fn derive(secret: &[u8]) -> Result<Self, Error> {
        let key = derive::bearer(secret)?;
        SealingKey::new(&key, Sealing::Bearer, Head::new(*HEAD)).map(Self)
    }

    /// Seals `plaintext`; it opens under the same secret and in the same `context` only. At most 64 MiB.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.seal(context, plaintext)
    }

    /// Opens what [`BearerKey::seal`] made. One error for every failure.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        self.0.open(context, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::BearerKey;
    use crate::Binding;

    #[test]
    fn what_is_sealed_opens_for_its_bearer_in_its_context_only() {
        let (here, there) = (Binding::new("here"), Binding::new("there"));
        let key = BearerKey::derive(b"ticket").unwrap();
        let sealed = key.seal(&here, b"tokens").unwrap();
        let again = BearerKey::derive(b"ticket").unwrap();
        assert_eq!(again.open(&here, &sealed).unwrap().expose(), b"tokens");
        assert!(again.open(&there, &sealed).is_err());
        let other = BearerKey::derive(b"ticket ").unwrap();
        assert!(other.open(&here, &sealed).is_err());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(key.open(&here, &altered).is_err(), "{place}");
        }
    }
}
