//! Sealing: XAES-256-GCM with a key commitment, under a header that is authenticated whole.
//!
//! ```text
//! sealed = magic "JKS1" | suite 0x01 | key version u32 BE | nonce 24 | commitment 32 | ciphertext | tag 16
//! AAD    = Binding("jinku/v1 sealed").field(header up to the commitment).field(context)
//! ```
//! GCM does not commit to its key: the commitment is checked first, so that no ciphertext opens under two.

use std::collections::BTreeMap;

use crate::binding::Binding;
use crate::error::Error;
use crate::locked::{KEY_BYTES, LockState, Locked};
use crate::primitives::TAG_BYTES;
use crate::secret::SecretBytes;
use crate::xaes::NONCE_BYTES;
use crate::{constant_time_eq, derive, primitives, xaes};

/// Longest plaintext of one message, in bytes.
const PLAINTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

const MAGIC: &[u8; 4] = b"JKS1";
const SUITE: u8 = 1;
const COMMITMENT_BYTES: usize = 32;
const FIXED_BYTES: usize = 4 + 1 + 4;
const HEADER_BYTES: usize = FIXED_BYTES + NONCE_BYTES + COMMITMENT_BYTES;

/// One version of a key that seals and opens.
pub struct AeadKey {
    version: u32,
    encryption: Locked,
    commitment: Locked,
}

impl AeadKey {
    pub(crate) fn new(version: u32, key: &[u8; KEY_BYTES]) -> Result<Self, Error> {
        let (encryption, commitment) = derive::encryption(key)?;
        Ok(Self {
            version,
            encryption,
            commitment,
        })
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether its memory is locked.
    pub fn lock_state(&self) -> LockState {
        self.encryption.state()
    }

    /// Seals `plaintext`; it opens in the same `context` only. At most 64 MiB.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(Error::TooLong {
                bytes_max: PLAINTEXT_BYTES_MAX,
            });
        }
        let mut nonce = [0; NONCE_BYTES];
        primitives::random(&mut nonce)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(MAGIC);
        sealed.push(SUITE);
        sealed.extend_from_slice(&self.version.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&self.commitment_to(&nonce));
        let aad = aad(&sealed, context);
        sealed.extend_from_slice(plaintext);
        xaes::seal(
            self.encryption.bytes(),
            &nonce,
            aad.as_bytes(),
            &mut sealed,
            HEADER_BYTES,
        )?;
        Ok(sealed)
    }

    /// Opens what [`AeadKey::seal`] made in the same context. One error for every failure.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let parts = Parts::of(sealed)?;
        if parts.version != self.version
            || !constant_time_eq(parts.commitment, &self.commitment_to(parts.nonce))
        {
            return Err(Error::Unopened);
        }
        let aad = aad(parts.header, context);
        let mut message = parts.message.to_vec();
        xaes::open(
            self.encryption.bytes(),
            parts.nonce,
            aad.as_bytes(),
            &mut message,
        )?;
        Ok(SecretBytes::new(message))
    }

    fn commitment_to(&self, nonce: &[u8; NONCE_BYTES]) -> [u8; COMMITMENT_BYTES] {
        primitives::hmac_sha256(self.commitment.bytes(), &[nonce])
    }
}

// INVARIANT 5: header (suite, key version, nonce, commitment) and context are authenticated as one.
fn aad(header: &[u8], context: &Binding) -> Binding {
    Binding::new("jinku/v1 sealed")
        .field(header)
        .field(context.as_bytes())
}

/// A sealed message, cut apart. There is one spelling: every other is refused.
struct Parts<'a> {
    header: &'a [u8],
    version: u32,
    nonce: &'a [u8; NONCE_BYTES],
    commitment: &'a [u8],
    message: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, Error> {
        let (header, message) = sealed
            .split_at_checked(HEADER_BYTES)
            .ok_or(Error::Unopened)?;
        let (fixed, rest) = header.split_at(FIXED_BYTES);
        let (nonce, commitment) = rest.split_first_chunk().ok_or(Error::Unopened)?;
        let [m0, m1, m2, m3, suite, v0, v1, v2, v3] = *fixed else {
            return Err(Error::Unopened);
        };
        if [m0, m1, m2, m3] != *MAGIC || suite != SUITE || message.len() < TAG_BYTES {
            return Err(Error::Unopened);
        }
        let version = u32::from_be_bytes([v0, v1, v2, v3]);
        Ok(Self {
            header,
            version,
            nonce,
            commitment,
            message,
        })
    }
}

/// The key version that a sealed message names. It is not authenticated until the message is opened.
pub fn sealed_key_version(sealed: &[u8]) -> Result<u32, Error> {
    Parts::of(sealed).map(|parts| parts.version)
}

/// All versions of one key: the current one seals, each opens its own.
pub struct AeadKeyring {
    current: u32,
    versions: BTreeMap<u32, AeadKey>,
}

impl AeadKeyring {
    /// From the version that seals, and those that only open.
    pub fn new(current: AeadKey, older: Vec<AeadKey>) -> Self {
        let number = current.version;
        let versions = older.into_iter().chain([current]);
        Self {
            current: number,
            versions: versions.map(|key| (key.version, key)).collect(),
        }
    }

    /// The version that seals.
    pub fn current_version(&self) -> u32 {
        self.current
    }

    /// Whether every version's memory is locked.
    pub fn lock_state(&self) -> LockState {
        let open = |key: &AeadKey| key.lock_state() == LockState::NotLocked;
        if self.versions.values().any(open) {
            LockState::NotLocked
        } else {
            LockState::Locked
        }
    }

    /// Seals with the current version.
    pub fn seal(&self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.versions
            .get(&self.current)
            .ok_or(Error::Usage)?
            .seal(context, plaintext)
    }

    /// Opens with the version that the message names.
    pub fn open(&self, context: &Binding, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let version = sealed_key_version(sealed)?;
        self.versions
            .get(&version)
            .ok_or(Error::Unopened)?
            .open(context, sealed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AeadKey, AeadKeyring, HEADER_BYTES, sealed_key_version};
    use crate::{Binding, Error};

    fn context() -> Binding {
        Binding::new("test").field(b"here")
    }

    #[test]
    fn every_flipped_bit_is_refused_with_the_same_error() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let refused = key.open(&context(), &altered);
            assert!(matches!(refused, Err(Error::Unopened)), "bit {bit}");
        }
        assert_eq!(key.open(&context(), &sealed).unwrap().expose(), b"value");
    }

    #[test]
    fn every_truncation_is_refused() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        for length in 0..sealed.len() {
            assert!(
                key.open(&context(), &sealed[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    // Invariant 5
    #[test]
    fn another_context_key_or_version_does_not_open() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let sealed = key.seal(&context(), b"value").unwrap();
        assert!(
            key.open(&Binding::new("test").field(b"there"), &sealed)
                .is_err()
        );
        assert!(
            AeadKey::new(1, &[8; 32])
                .unwrap()
                .open(&context(), &sealed)
                .is_err()
        );
        assert!(
            AeadKey::new(2, &[9; 32])
                .unwrap()
                .open(&context(), &sealed)
                .is_err()
        );
    }

    #[test]
    fn a_wrong_commitment_is_refused_although_the_ciphertext_would_open() {
        // Sealed by hand over an altered commitment, so that GCM itself would accept it.
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let mut sealed = key.seal(&context(), b"").unwrap()[..HEADER_BYTES].to_vec();
        sealed[HEADER_BYTES - 1] ^= 1;
        let aad = super::aad(&sealed, &context());
        let nonce: [u8; 24] = sealed[9..33].try_into().unwrap();
        sealed.extend_from_slice(b"value");
        let bytes = key.encryption.bytes();
        crate::xaes::seal(bytes, &nonce, aad.as_bytes(), &mut sealed, HEADER_BYTES).unwrap();
        assert!(key.open(&context(), &sealed).is_err());
    }

    #[test]
    fn a_keyring_seals_with_the_current_version_and_opens_all() {
        let old = AeadKey::new(1, &[1; 32]).unwrap();
        let sealed = old.seal(&context(), b"old").unwrap();
        let ring = AeadKeyring::new(AeadKey::new(2, &[2; 32]).unwrap(), vec![old]);
        let fresh = ring.seal(&context(), b"new").unwrap();
        assert_eq!(sealed_key_version(&fresh).unwrap(), 2);
        assert_eq!(ring.open(&context(), &sealed).unwrap().expose(), b"old");
        assert_eq!(ring.open(&context(), &fresh).unwrap().expose(), b"new");
    }

    #[test]
    fn the_same_value_never_seals_alike() {
        let key = AeadKey::new(1, &[9; 32]).unwrap();
        let (a, b) = (
            key.seal(&context(), b"v").unwrap(),
            key.seal(&context(), b"v").unwrap(),
        );
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key: [u8; 32], plaintext: Vec<u8>, field: Vec<u8>) {
            let key = AeadKey::new(3, &key).unwrap();
            let context = Binding::new("test").field(&field);
            let sealed = key.seal(&context, &plaintext).unwrap();
            let opened = key.open(&context, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }
    }
}
