//! Key agreement on both curves, and the Concat KDF (RFC 7518 section 4.6, NIST SP 800-56A section 5.8.1).

use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::digest;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::scrub::{DEEP, HASHED, scrubbed};

/// A public point.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Point {
    /// Uncompressed: `04 || x || y` (SEC 1 section 2.3.3).
    P256([u8; 65]),
    /// RFC 7748 section 5.
    X25519([u8; 32]),
}

impl Point {
    fn parts(&self) -> (&'static agreement::Algorithm, &[u8]) {
        match self {
            Self::P256(point) => (&agreement::ECDH_P256, point),
            Self::X25519(point) => (&agreement::X25519, point),
        }
    }

    fn like(&self, bytes: &[u8]) -> Option<Self> {
        match self {
            Self::P256(_) => bytes.try_into().ok().map(Self::P256),
            Self::X25519(_) => bytes.try_into().ok().map(Self::X25519),
        }
    }
}

/// Draws an ephemeral key, agrees with `recipient`, and hands the secret to `derive`. Yields the ephemeral
/// key's public half too. The secret is gone when it returns.
pub(super) fn agree_anew<T>(
    recipient: &Point,
    derive: impl FnOnce(&[u8]) -> T,
) -> Result<(Point, T), Error> {
    let (algorithm, bytes) = recipient.parts();
    // INVARIANT 12: `ring` leaves the ephemeral key and the secret on the stack.
    scrubbed::<DEEP, _>(|| {
        let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())
            .map_err(|_| Error::Random)?;
        let public = private.compute_public_key().map_err(|_| Error::Random)?;
        let public = recipient.like(public.as_ref()).ok_or(Error::PublicKey)?;
        let recipient = UnparsedPublicKey::new(algorithm, bytes);
        // Refuses what is not on the curve, and X25519's secret of zero.
        agree_ephemeral(private, &recipient, derive)
            .map(|derived| (public, derived))
            .map_err(|_| Error::PublicKey)
    })
}

/// The first 32 bytes that the Concat KDF derives: one round of SHA-256. `bits` is the length that the
/// algorithm asks for, and is part of what is hashed.
pub(super) fn concat_kdf(
    secret: &[u8],
    algorithm: &str,
    (party_u, party_v): (&[u8], &[u8]),
    bits: u32,
) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    scrubbed::<HASHED, _>(|| {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&1_u32.to_be_bytes());
        hash.update(secret);
        for field in [algorithm.as_bytes(), party_u, party_v] {
            // Each is at most a header long.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            hash.update(&length.to_be_bytes());
            hash.update(field);
        }
        hash.update(&bits.to_be_bytes());
        key.copy_from_slice(hash.finish().as_ref());
    });
    key
}
