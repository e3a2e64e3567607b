//! Signatures: Ed25519 (RFC 8032), ECDSA over P-256 with SHA-256 (FIPS 186-5, nonces by RFC 6979).
//!
//! Signing stands on `RustCrypto` and dalek, which wipe what they prepare; `ring` verifies.

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use p256::NistP256;
use sha2::{Sha256, Sha512};

use crate::error::Error;
use crate::key::KeyKind;
use crate::locked::{LockState, Locked};
use crate::public::{self, PublicKey};
use crate::scrub::{DEEP, scrubbed};
use crate::{material, primitives};

/// One version of a key that signs and verifies.
pub struct SigningKey {
    /// The seed or the scalar, 32 bytes.
    secret: Locked,
    public: PublicKey,
}

impl SigningKey {
    pub(crate) fn new(kind: KeyKind, material: &[u8]) -> Result<Self, Error> {
        let public = match kind {
            KeyKind::Ed25519 => scrubbed::<DEEP, _>(|| ed25519_public(material)),
            KeyKind::EcdsaP256 => scrubbed::<DEEP, _>(|| p256_public(material)),
            KeyKind::Aes256
            | KeyKind::HmacSha256
            | KeyKind::HmacSha384
            | KeyKind::HmacSha512
            | KeyKind::JweDir
            | KeyKind::JweA256Kw => Err(Error::Usage),
        }?;
        Ok(Self {
            secret: Locked::new(material)?,
            public,
        })
    }

    pub(crate) fn lock_state(&self) -> LockState {
        self.secret.state()
    }

    /// Signs a message: 64 bytes, `R || S` (Ed25519) or `r || s` (ECDSA). See [`signature_to_der`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.public.point {
            public::Point::Ed25519(point) => self.sign_ed25519(point, message),
            public::Point::P256(_) => self.sign_digest(&primitives::sha256(message)),
        }
    }

    /// Signs a message of which only the SHA-256 is known. ECDSA only: Ed25519 reads a message twice
    /// ([`Error::Usage`]).
    pub fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Vec<u8>, Error> {
        if self.public.kind() != KeyKind::EcdsaP256 {
            return Err(Error::Usage);
        }
        scrubbed::<DEEP, _>(|| {
            let scalar = material::scalar(self.secret.bytes())?;
            let (signature, _) =
                ecdsa::hazmat::sign_prehashed_rfc6979::<NistP256, Sha256>(&scalar, sha256, &[]);
            Ok(signature.to_bytes().to_vec())
        })
    }

    /// Whether a signature is the message's. One error, [`Error::Unopened`], for every failure.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.public.verify(message, signature)
    }

    /// The same for a message of which only the SHA-256 is known. ECDSA only.
    pub fn verify_digest(&self, sha256: &[u8; 32], signature: &[u8]) -> Result<(), Error> {
        self.public.verify_digest(sha256, signature)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign_ed25519(&self, point: &[u8; 32], message: &[u8]) -> Result<Vec<u8>, Error> {
        let public = VerifyingKey::from_bytes(point).map_err(|_| Error::PublicKey)?;
        scrubbed::<DEEP, _>(|| {
            let seed = self.secret.part::<0, 32>();
            let expanded = ExpandedSecretKey::from(seed);
            Ok(raw_sign::<Sha512>(&expanded, message, &public)
                .to_bytes()
                .to_vec())
        })
    }
}

/// An ECDSA signature `r || s` as ASN.1 DER (RFC 3279 section 2.2.3), as X.509 and most libraries have it.
pub fn signature_to_der(fixed: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = p256::ecdsa::Signature::from_slice(fixed).map_err(|_| Error::SignatureForm)?;
    Ok(signature.to_der().as_bytes().to_vec())
}

/// An ECDSA signature in ASN.1 DER as `r || s`. BER's other spellings are refused.
pub fn signature_from_der(der: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = p256::ecdsa::Signature::from_der(der).map_err(|_| Error::SignatureForm)?;
    Ok(signature.to_bytes().to_vec())
}

fn ed25519_public(material: &[u8]) -> Result<PublicKey, Error> {
    let seed: &[u8; 32] = material.try_into().map_err(|_| Error::MaterialRange)?;
    let expanded = ExpandedSecretKey::from(seed);
    let public = VerifyingKey::from(&expanded);
    PublicKey::from_parts(KeyKind::Ed25519, public.as_bytes())
}

fn p256_public(material: &[u8]) -> Result<PublicKey, Error> {
    let scalar = material::scalar(material)?;
    let public = p256::PublicKey::from_secret_scalar(&scalar);
    PublicKey::from_parts(KeyKind::EcdsaP256, &public.to_sec1_bytes())
}
