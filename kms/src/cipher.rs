//! The key service's messages: they name their key and version, and open under no other.
//!
//! ```text
//! sealed = magic "JKC1" | suite 0x01 | key id 16 (the UUID) | key version u32 BE | nonce 24 | commitment 32 | ciphertext | tag 16
//! ```
//! Everything up to the ciphertext is authenticated: see `sealing`.

use crate::binding::Binding;
use crate::derive::Sealing;
use crate::error::Error;
use crate::key::KeyId;
use crate::locked::{KEY_BYTES, LockState};
use crate::primitives::TAG_BYTES;
use crate::sealer::Sealer;
use crate::sealing::{DRAWN_BYTES, Head, SealingKey};
use crate::secret::{ROOM_BEFORE, ROOM_BEHIND, SecretBytes};

const MAGIC: &[u8; 4] = b"JKC1";
const SUITE: u8 = 1;
const ID_BYTES: usize = 16;
const HEAD_BYTES: usize = 4 + 1 + ID_BYTES + 4;
/// Roomy bytes are sealed where they stand.
const _: () = assert!(ROOM_BEFORE == HEAD_BYTES + DRAWN_BYTES && ROOM_BEHIND == TAG_BYTES);

/// One version of a key that seals and opens messages for users of the key service.
pub struct Cipher(SealingKey);

impl Cipher {
    pub(crate) fn new(id: &KeyId, version: u32, key: &[u8; KEY_BYTES]) -> Result<Self, Error> {
        let id = id.uuid().ok_or(Error::NotUuid)?;
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(MAGIC);
        head[4] = SUITE;
        head[5..21].copy_from_slice(&id);
        head[21..].copy_from_slice(&version.to_be_bytes());
        SealingKey::new(key, Sealing::Ciphertexts, Head::new(head)).map(Self)
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.0.lock_state()
    }

    /// Seals `plaintext`; it opens in the same `context` only. At most 64 MiB; 97 bytes are added.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.seal(context, plaintext)
    }

    /// Opens what [`Cipher::seal`] made with this version in the same context. Whatever is wrong, the
    /// error is [`Error::Unopened`].
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        self.0.open(context, sealed)
    }

    /// As [`Cipher::open`], in the message's own memory.
    pub fn open_in_place(&self, context: &Binding, sealed: Vec<u8>) -> Result<SecretBytes, Error> {
        self.0.open_in_place(context, sealed)
    }

    /// To seal a batch: random numbers are drawn once for up to `messages` messages, not for each.
    pub fn sealer(&self, messages: usize) -> Sealer<'_> {
        Sealer::new(&self.0, messages)
    }
}

/// The key and version that a message of [`Cipher::seal`] names. Not authenticated until it is opened.
pub fn ciphertext_key(sealed: &[u8]) -> Result<(KeyId, u32), Error> {
    let (id, version) = named(sealed).ok_or(Error::Unopened)?;
    Ok((KeyId::from_uuid(id), version))
}

/// A key that many messages may name: its id is read once.
pub struct NamedKey(Option<[u8; ID_BYTES]>);

impl NamedKey {
    /// The key of this id.
    pub fn new(id: &KeyId) -> Self {
        Self(id.uuid())
    }

    /// The version of it that a message names. Not authenticated until the message is opened.
    pub fn version(&self, sealed: &[u8]) -> Result<u32, Error> {
        match named(sealed) {
            Some((id, version)) if self.0 == Some(id) => Ok(version),
            _ => Err(Error::Unopened),
        }
    }
}

fn named(sealed: &[u8]) -> Option<([u8; ID_BYTES], u32)> {
    let rest = sealed.strip_prefix(MAGIC)?.strip_prefix(&[SUITE])?;
    let (id, rest) = rest.split_first_chunk()?;
    Some((*id, u32::from_be_bytes(*rest.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cipher, NamedKey, ciphertext_key};
    use crate::{Binding, Error, KeyId};

    const ID: [u8; 16] = [0xA5; 16];

    fn cipher(id: [u8; 16], version: u32) -> Cipher {
        Cipher::new(&KeyId::from_uuid(id), version, &[9; 32]).unwrap()
    }

    fn context() -> Binding {
        Binding::new("test").field(b"here")
    }

    #[test]
    fn every_flipped_bit_is_refused_with_the_same_error() {
        let key = cipher(ID, 7);
        let sealed = key.seal(&context(), b"value").unwrap();
        assert_eq!(sealed.len(), 97 + 5);
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // One that knows the message's derived key by now, and one that does not.
            for key in [&key, &cipher(ID, 7)] {
                let refused = key.open(&context(), &altered);
                assert!(matches!(refused, Err(Error::Unopened)), "bit {bit}");
            }
        }
        assert_eq!(key.open(&context(), &sealed).unwrap().expose(), b"value");
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let key = cipher(ID, 7);
        let mut sealed = key.seal(&context(), b"value").unwrap();
        for length in 0..sealed.len() {
            let refused = key.open(&context(), &sealed[..length]);
            assert!(matches!(refused, Err(Error::Unopened)), "{length} bytes");
        }
        sealed.push(0);
        assert!(matches!(
            key.open(&context(), &sealed),
            Err(Error::Unopened)
        ));
    }

    // Invariant 5
    #[test]
    fn the_same_material_under_another_id_version_or_context_does_not_open() {
        let sealed = cipher(ID, 7).seal(&context(), b"value").unwrap();
        for other in [cipher([0xA6; 16], 7), cipher(ID, 8)] {
            assert!(matches!(
                other.open(&context(), &sealed),
                Err(Error::Unopened)
            ));
        }
        let elsewhere = Binding::new("test").field(b"there");
        assert!(matches!(
            cipher(ID, 7).open(&elsewhere, &sealed),
            Err(Error::Unopened)
        ));
    }

    #[test]
    fn a_message_names_its_key_and_version() {
        let sealed = cipher(ID, 7).seal(&context(), b"").unwrap();
        assert_eq!(ciphertext_key(&sealed).unwrap(), (KeyId::from_uuid(ID), 7));
        let version = |id: &KeyId| NamedKey::new(id).version(&sealed).ok();
        assert_eq!(version(&KeyId::from_uuid(ID)), Some(7));
        assert_eq!(version(&KeyId::from_uuid([0xA6; 16])), None);
        assert_eq!(version(&KeyId::parse("value.city").unwrap()), None);
        for (place, name) in [(0, "magic"), (4, "suite")] {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(ciphertext_key(&altered).is_err(), "{name}");
        }
        assert!(ciphertext_key(&sealed[..24]).is_err());
    }

    #[test]
    fn a_key_whose_id_is_no_uuid_is_no_cipher() {
        let id = KeyId::parse("value.city").unwrap();
        assert!(matches!(Cipher::new(&id, 1, &[9; 32]), Err(Error::NotUuid)));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key: [u8; 32], id: [u8; 16], version: u32, plaintext: Vec<u8>) {
            let key = Cipher::new(&KeyId::from_uuid(id), version, &key).unwrap();
            let sealed = key.seal(&context(), &plaintext).unwrap();
            let opened = key.open(&context(), &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }
    }
}
