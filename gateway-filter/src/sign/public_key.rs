//! Owns partners' public keys: a PEM file (`SubjectPublicKeyInfo`, RFC 5280 section 4.1) or a JWK of one algorithm.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use super::jwk;
use super::key::Algorithm;

/// A public key that signatures are checked with.
pub(crate) struct PublicKey {
    algorithm: &'static dyn VerificationAlgorithm,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey")
    }
}

/// Why a public key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyFault {
    /// Neither one PEM section of a public key nor a JWK.
    #[error("it is neither one `BEGIN PUBLIC KEY` in PEM nor a JWK")]
    Pem,
    /// JSON that is no JWK.
    #[error(
        "it is not one public JWK: `kty`, `crv` and its coordinates; of a set, take the one key"
    )]
    Jwk,
    /// A JWK with its secret half.
    #[error("the JWK holds a secret key: give its public members alone")]
    Secret,
    /// A JWK that says it is for something else.
    #[error("the JWK's `use` or `key_ops` do not let it verify signatures")]
    Use,
    /// Another kind of key than `alg` says.
    #[error("it is not a public key of the kind that `alg` says (RSA keys come in PEM)")]
    Kind,
    /// A secret both sides hold has no public half.
    #[error(
        "a shared secret has no public half: bring it into the vault (`jinku key import`) and name it as `vault_key`"
    )]
    Shared,
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const EDWARDS: &[u8] = &[0x2b, 0x65, 0x70];

const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

impl PublicKey {
    /// From a file's bytes, PEM or JSON.
    pub(crate) fn read(algorithm: Algorithm, text: &[u8]) -> Result<Self, PublicKeyFault> {
        let (checks, kind, curve): (&'static dyn VerificationAlgorithm, _, _) = match algorithm {
            Algorithm::Ed25519 => (&ED25519, EDWARDS, None),
            Algorithm::EcdsaP256Sha256 => (&ECDSA_P256_SHA256_FIXED, EC, Some(P256)),
            Algorithm::EcdsaP384Sha384 => (&ECDSA_P384_SHA384_FIXED, EC, Some(P384)),
            Algorithm::RsaPssSha512 => (&RSA_PSS_2048_8192_SHA512, RSA, None),
            Algorithm::RsaV15Sha256 => (&RSA_PKCS1_2048_8192_SHA256, RSA, None),
            Algorithm::HmacSha256 | Algorithm::HmacSha384 | Algorithm::HmacSha512 => {
                return Err(PublicKeyFault::Shared);
            }
        };
        let bytes = if jwk::is_meant(text) {
            jwk::read(algorithm, text)?
        } else {
            let mut sections = SubjectPublicKeyInfoDer::pem_slice_iter(text);
            let (Some(Ok(der)), None) = (sections.next(), sections.next()) else {
                return Err(PublicKeyFault::Pem);
            };
            let bits = key_bits(&der, kind, curve);
            bits.ok_or(PublicKeyFault::Kind)?.to_vec()
        };
        Ok(Self {
            algorithm: checks,
            bytes,
        })
    }

    /// Whether the signature is this message's.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm, &self.bytes)
            .verify(message, signature)
            .is_ok()
    }
}

/// The key's own bytes, where it is of this kind and on this curve.
fn key_bits<'a>(der: &'a [u8], kind: &[u8], curve: Option<&[u8]>) -> Option<&'a [u8]> {
    let (whole, rest) = element(der, SEQUENCE)?;
    let (algorithm, bits) = element(whole, SEQUENCE)?;
    let (found, parameters) = element(algorithm, OBJECT)?;
    let on_curve = match curve {
        Some(curve) => element(parameters, OBJECT) == Some((curve, &[])),
        // None for Ed25519 (RFC 8410 section 3), NULL for RSA (RFC 3279 section 2.3.1).
        None => parameters.is_empty() || parameters == [0x05, 0x00],
    };
    let (bits, after) = element(bits, BIT_STRING)?;
    let (unused, key) = bits.split_first()?;
    let plain = rest.is_empty() && after.is_empty() && *unused == 0;
    (plain && found == kind && on_curve).then_some(key)
}

/// The content of the first element, which must have this tag, and what follows it (X.690, DER).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first >= 0x80 {
        let bytes = usize::from(*first & 0x7f);
        if !(1..=2).contains(&bytes) || rest.len() < bytes {
            return None;
        }
        let (digits, after) = rest.split_at(bytes);
        length = digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    (*found == tag && rest.len() >= length).then(|| rest.split_at(length))
}
