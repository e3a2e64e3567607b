//! Shred keys: what is sealed under one is gone when it is overwritten (crypto-shredding; NIST SP 800-88
//! rev. 1, section 2.6, cryptographic erase).
//!
//! ```text
//! sealed = ciphertext | tag 16       AES-256-GCM, key = HMAC-SHA-256(shred key, context), nonce 0
//! ```
//! A context is sealed once in its life, so each derived key has one message and the nonce is a constant.
//! It is the inner layer of two: the outer one names the key version, commits to it, and can be renewed
//! without the shred key.

use zeroize::Zeroizing;

use crate::binding::Binding;
use crate::error::Error;
use crate::mac::MacKey;
use crate::primitives::{self, GcmKey, TAG_BYTES};
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

/// The only message of a derived key.
const NONCE: [u8; 12] = [0; 12];

/// A random key that lives outside of the database, so that it can be destroyed for good.
pub struct ShredKey(Zeroizing<[u8; Self::BYTES]>);

impl ShredKey {
    /// Its length, in bytes.
    pub const BYTES: usize = 32;

    /// Takes a key over. One of zeros only is what destroyed keys leave behind: none.
    pub fn new(bytes: Zeroizing<[u8; Self::BYTES]>) -> Option<Self> {
        // Not secret-dependent in effect: which keys are destroyed is no secret.
        bytes.iter().any(|byte| *byte != 0).then_some(Self(bytes))
    }

    /// Seals `plaintext` for a context, which must never be sealed again with another plaintext.
    pub fn seal_once(&self, context: &Binding, plaintext: &[u8]) -> Result<SecretBytes, Error> {
        let mut message = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        message.extend_from_slice(plaintext);
        // Wiped on failure: it may still be the plaintext.
        let sealed =
            scrubbed::<SHALLOW, _>(|| self.derived(context)?.seal(NONCE, &[], &mut message, 0));
        let message = SecretBytes::new(message);
        sealed.map(|()| message)
    }

    /// Opens what [`ShredKey::seal_once`] made for the same context. One error for every failure.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let mut message = sealed.to_vec();
        scrubbed::<SHALLOW, _>(|| self.derived(context)?.open(NONCE, &[], &mut message, 0))?;
        Ok(SecretBytes::new(message))
    }

    /// The same kind of key, of which this one and a key of the vault's own are halves: without either, nobody
    /// has it. A context names one such key.
    pub fn joined(&self, other: &MacKey, context: &Binding) -> Option<Self> {
        Self::new(self.halves(other, context))
    }

    /// HMAC-SHA-256 under what this key makes of the context, over what the other makes of it: whoever lacks
    /// one of the two has a random function's output (RFC 2104; both are 32 bytes).
    pub(crate) fn halves(&self, other: &MacKey, context: &Binding) -> Zeroizing<[u8; Self::BYTES]> {
        let ours = Zeroizing::new(primitives::hmac_sha256(&*self.0, context.as_bytes()));
        let theirs = Zeroizing::new(other.tag(context));
        Zeroizing::new(primitives::hmac_sha256(&*ours, &*theirs))
    }

    /// The context's key, prepared. The caller scrubs the stack.
    fn derived(&self, context: &Binding) -> Result<GcmKey, Error> {
        let key = Zeroizing::new(primitives::hmac_sha256(&*self.0, context.as_bytes()));
        GcmKey::new(&key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::ShredKey;
    use crate::{Binding, Error};

    fn key(byte: u8) -> ShredKey {
        ShredKey::new(Zeroizing::new([byte; 32])).unwrap()
    }

    fn context(field: &[u8]) -> Binding {
        Binding::new("test").field(field)
    }

    #[test]
    fn what_a_destroyed_key_leaves_is_no_key() {
        assert!(ShredKey::new(Zeroizing::new([0; 32])).is_none());
        let mut last = [0; 32];
        last[31] = 1;
        assert!(ShredKey::new(Zeroizing::new(last)).is_some());
    }

    #[test]
    fn a_joined_key_opens_with_both_halves_only() {
        let base = |byte| crate::MacKey::new(1, &[byte; 32]).unwrap();
        let joined = |a: u8, b: u8| key(a).joined(&base(b), &context(b"x")).unwrap();
        let sealed = joined(1, 2).seal_once(&context(b"a"), b"value").unwrap();
        let opened = |key: ShredKey| key.open(&context(b"a"), sealed.expose()).is_ok();
        assert!(opened(joined(1, 2)));
        assert!(!opened(joined(1, 3)) && !opened(joined(3, 2)) && !opened(key(1)));
    }

    #[test]
    fn another_key_context_or_bit_does_not_open() {
        let sealed = key(1).seal_once(&context(b"a"), b"value").unwrap();
        let sealed = sealed.expose();
        assert_eq!(
            key(1).open(&context(b"a"), sealed).unwrap().expose(),
            b"value"
        );
        assert!(matches!(
            key(2).open(&context(b"a"), sealed),
            Err(Error::Unopened)
        ));
        assert!(matches!(
            key(1).open(&context(b"b"), sealed),
            Err(Error::Unopened)
        ));
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(key(1).open(&context(b"a"), &altered).is_err(), "bit {bit}");
        }
    }

    // The two implementations check each other: what `ring` seals, RustCrypto opens.
    #[test]
    fn it_is_gcm_under_an_hmac_of_the_context() {
        use aes_gcm::aead::{Aead, KeyInit};
        let sealed = key(7).seal_once(&context(b"row"), b"value").unwrap();
        let mac = crate::HmacKey::new(crate::KeyKind::HmacSha256, &[7; 32]).unwrap();
        let derived: [u8; 32] = mac
            .tag(context(b"row").as_bytes())
            .unwrap()
            .try_into()
            .unwrap();
        let cipher = aes_gcm::Aes256Gcm::new(&derived.into());
        let opened = cipher.decrypt(&[0; 12].into(), sealed.expose()).unwrap();
        assert_eq!(opened, b"value");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(bytes in proptest::array::uniform32(1_u8..), plaintext: Vec<u8>) {
            let key = ShredKey::new(Zeroizing::new(bytes)).unwrap();
            let sealed = key.seal_once(&context(b"x"), &plaintext).unwrap();
            let opened = key.open(&context(b"x"), sealed.expose()).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }
    }
}
