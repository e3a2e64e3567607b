//! HMAC-SHA-256 over injective messages (RFC 2104, FIPS 198-1).

use crate::binding::Binding;
use crate::error::Error;
use crate::locked::{KEY_BYTES, Locked};
use crate::{constant_time_eq, derive, primitives};

/// One version of a key that makes and verifies tags.
pub struct MacKey {
    version: u32,
    key: Locked,
}

impl MacKey {
    pub(crate) fn new(version: u32, key: &[u8; KEY_BYTES]) -> Result<Self, Error> {
        Ok(Self {
            version,
            key: derive::mac(key)?,
        })
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The tag of a message.
    pub fn tag(&self, message: &Binding) -> [u8; 32] {
        primitives::hmac_sha256(self.key.bytes(), &[message.as_bytes()])
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

#[cfg(test)]
mod tests {
    use super::MacKey;
    use crate::Binding;

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
