//! HMAC (RFC 2104, FIPS 198-1): over the vault's injective messages, and over what users bring.

use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Tag};

use crate::binding::Binding;
use crate::error::Error;
use crate::key::KeyKind;
use crate::locked::{LockState, Prepared};
use crate::primitives::HmacState;
use crate::scrub::{SHALLOW, scrubbed};
use crate::shred::ShredKey;
use crate::{constant_time_eq, derive, primitives};

/// One version of a key that makes and verifies the vault's own tags: HMAC-SHA-256 with a derived key.
pub struct MacKey {
    version: u32,
    state: Prepared<HmacState>,
}

impl MacKey {
    pub(crate) fn new(version: u32, key: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            version,
            state: HmacState::new(HMAC_SHA256, &*derive::mac(key)?)?,
        })
    }

    /// A key of its own for a context, of which this one and a shred key are halves: once that is destroyed,
    /// nobody makes its tags again, whoever has this one.
    pub fn joined(&self, shred: &ShredKey, context: &Binding) -> Result<Self, Error> {
        scrubbed::<SHALLOW, _>(|| Self::new(self.version, &*shred.halves(self, context)))
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The tag of a message. In a child of `fork`, which has no keys, it is of no use: random.
    pub fn tag(&self, message: &Binding) -> [u8; 32] {
        let mut tag = [0; 32];
        match self.state.value() {
            // A SHA-256 tag has exactly these 32 bytes.
            Ok(state) => tag.copy_from_slice(state.tag(message.as_bytes()).as_ref()),
            // Where nothing random is to be had either, zeros are as little a tag.
            Err(_) => drop(primitives::random(&mut tag)),
        }
        tag
    }

    /// Whether a tag is the message's, in constant time.
    pub fn verify(&self, message: &Binding, tag: &[u8]) -> Result<(), Error> {
        // INVARIANT 12: secret comparisons take the same time whatever differs.
        if constant_time_eq(&self.tag(message), tag) {
            Ok(())
        } else {
            Err(Error::Unopened)
        }
    }
}

/// One version of a key that makes and verifies tags for users of the key service, with the material
/// itself: a key imported from elsewhere makes the tags it made there.
pub struct HmacKey {
    state: Prepared<HmacState>,
}

impl HmacKey {
    /// Bytes of locked memory that one holds.
    pub(crate) const BYTES: usize = Prepared::<HmacState>::BYTES;

    pub(crate) fn new(kind: KeyKind, material: &[u8]) -> Result<Self, Error> {
        let algorithm = match kind {
            KeyKind::HmacSha256 => HMAC_SHA256,
            KeyKind::HmacSha384 => HMAC_SHA384,
            KeyKind::HmacSha512 => HMAC_SHA512,
            KeyKind::Aes256
            | KeyKind::Ed25519
            | KeyKind::EcdsaP256
            | KeyKind::JweDir
            | KeyKind::JweA256Kw => return Err(Error::Usage),
        };
        Ok(Self {
            state: HmacState::new(algorithm, material)?,
        })
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.state.state()
    }

    /// The tag of a message: 32, 48 or 64 bytes.
    pub fn tag(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.made(message)?.as_ref().to_vec())
    }

    /// Whether a tag is the message's, in constant time. A shortened tag is none.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> Result<(), Error> {
        // INVARIANT 12: secret comparisons take the same time whatever differs.
        if constant_time_eq(self.made(message)?.as_ref(), tag) {
            Ok(())
        } else {
            Err(Error::Unopened)
        }
    }

    fn made(&self, message: &[u8]) -> Result<Tag, Error> {
        Ok(self.state.value()?.tag(message))
    }
}

#[cfg(test)]
mod tests {
    use super::{HmacKey, MacKey};
    use crate::shred::ShredKey;
    use crate::{Binding, KeyKind};
    use zeroize::Zeroizing;

    #[test]
    fn a_joined_key_needs_both_halves_and_its_context() {
        let shred = |byte| ShredKey::new(Zeroizing::new([byte; 32])).unwrap();
        let base = |byte| MacKey::new(1, &[byte; 32]).unwrap();
        let context = |n| Binding::new("test").number(n);
        let tag = |base: &MacKey, shred: &ShredKey, n| {
            let joined = base.joined(shred, &context(n)).unwrap();
            joined.tag(&context(0))
        };
        let first = tag(&base(1), &shred(2), 3);
        assert_eq!(tag(&base(1), &shred(2), 3), first);
        for other in [
            tag(&base(9), &shred(2), 3),
            tag(&base(1), &shred(9), 3),
            tag(&base(1), &shred(2), 9),
            tag(&base(2), &shred(1), 3),
            base(1).tag(&context(0)),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn a_tag_of_each_hash_verifies_whole_for_its_message_and_key_only() {
        for (kind, bytes) in [
            (KeyKind::HmacSha256, 32),
            (KeyKind::HmacSha384, 48),
            (KeyKind::HmacSha512, 64),
        ] {
            let key = HmacKey::new(kind, &vec![5; bytes]).unwrap();
            let tag = key.tag(b"message").unwrap();
            assert_eq!(tag.len(), bytes);
            key.verify(b"message", &tag).unwrap();
            assert!(key.verify(b"other", &tag).is_err());
            assert!(key.verify(b"message", &tag[..bytes - 1]).is_err());
            let other = HmacKey::new(kind, &vec![6; bytes]).unwrap();
            assert!(other.verify(b"message", &tag).is_err());
        }
    }

    // Invariant 12
    #[test]
    fn a_tag_verifies_for_its_message_and_key_only() {
        let key = MacKey::new(1, &[5; 32]).unwrap();
        let message = Binding::new("test").field(b"message");
        let tag = key.tag(&message);
        key.verify(&message, &tag).unwrap();
        assert!(
            key.verify(&Binding::new("test").field(b"other"), &tag)
                .is_err()
        );
        assert!(
            MacKey::new(1, &[6; 32])
                .unwrap()
                .verify(&message, &tag)
                .is_err()
        );
        assert!(key.verify(&message, &tag[..31]).is_err());
    }
}
