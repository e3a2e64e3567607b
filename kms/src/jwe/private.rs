//! A recipient's private key, from PKCS#8 (RFC 5958, 8410) or JWK.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::montgomery::MontgomeryPoint;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::DecodePrivateKey;
use zeroize::Zeroizing;

use super::agreement::Point;
use super::jwk::{bytes_32, read};
use super::{JwkError, KEY_TEXT_BYTES_MAX, RecipientKey};
use crate::equal::constant_time_eq;
use crate::error::Error;
use crate::scrub::{DEEP, scrubbed};

const PEM_HEAD: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_TAIL: &str = "-----END PRIVATE KEY-----";

/// `SEQUENCE { 0, SEQUENCE { 1.3.101.110 }, OCTET STRING { OCTET STRING` of 32 bytes (RFC 8410 section 7).
const X25519_PKCS8: [u8; 16] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x6E, 0x04, 0x22, 0x04, 0x20,
];

/// Who opens. No `Debug`, `Display` or `Clone`; wiped when it is dropped.
pub struct RecipientSecret {
    scalar: Scalar,
    public: RecipientKey,
}

enum Scalar {
    P256(p256::SecretKey),
    X25519(Zeroizing<[u8; 32]>),
}

impl RecipientSecret {
    /// Reads a private JWK, or PKCS#8 in PEM, of at most 4,096 bytes.
    pub fn from_text(text: &str) -> Result<Self, JwkError> {
        if text.trim_start().starts_with('{') {
            Self::from_jwk(text)
        } else {
            Self::from_pem(text)
        }
    }

    /// A private JWK: a public one with `d`. Its public half must be its own.
    pub fn from_jwk(text: &str) -> Result<Self, JwkError> {
        let members = read(text)?;
        let public = RecipientKey::from_members(&members)?;
        if !members.has("d") {
            return Err(JwkError::Public);
        }
        let bytes = Zeroizing::new(bytes_32(members.text("d")).ok_or(JwkError::Scalar)?);
        let scalar = match public.point {
            Point::P256(_) => {
                let scalar = p256::SecretKey::from_slice(bytes.as_slice());
                Scalar::P256(scalar.map_err(|_| JwkError::Scalar)?)
            }
            Point::X25519(_) => Scalar::X25519(bytes),
        };
        if scalar.public() == public.point {
            Ok(Self { scalar, public })
        } else {
            Err(JwkError::Scalar)
        }
    }

    /// PKCS#8, DER. The key is named by its thumbprint.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, JwkError> {
        let scalar = if let Some(bytes) = der.strip_prefix(&X25519_PKCS8) {
            let bytes = bytes.try_into().map_err(|_| JwkError::Pkcs8)?;
            Scalar::X25519(Zeroizing::new(bytes))
        } else {
            let scalar = p256::SecretKey::from_pkcs8_der(der);
            Scalar::P256(scalar.map_err(|_| JwkError::Pkcs8)?)
        };
        let public = RecipientKey::of_point(scalar.public());
        Ok(Self { scalar, public })
    }

    fn from_pem(text: &str) -> Result<Self, JwkError> {
        if text.contains("BEGIN PUBLIC KEY") {
            return Err(JwkError::Public);
        }
        let body = text.trim().strip_prefix(PEM_HEAD);
        let body = body.and_then(|body| body.strip_suffix(PEM_TAIL));
        let body = body.filter(|_| text.len() <= KEY_TEXT_BYTES_MAX);
        let body = body.ok_or(JwkError::Pkcs8)?;
        let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
        base64.extend(body.split_ascii_whitespace());
        let mut der = Zeroizing::new(vec![0; base64.len()]);
        let length = STANDARD.decode_slice(base64.as_bytes(), &mut der);
        let length = length.map_err(|_| JwkError::Pkcs8)?;
        Self::from_pkcs8(der.get(..length).unwrap_or_default())
    }

    /// Its public half.
    pub fn public(&self) -> &RecipientKey {
        &self.public
    }

    /// Hands the secret that it shares with a message's ephemeral key to `derive`.
    pub(super) fn agree<T>(
        &self,
        ephemeral: &Point,
        derive: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        // INVARIANT 12: the scalar's copies and the secret are on the stack only.
        scrubbed::<DEEP, _>(|| match (&self.scalar, ephemeral) {
            (Scalar::P256(scalar), Point::P256(point)) => {
                let public =
                    p256::PublicKey::from_sec1_bytes(point).map_err(|_| Error::Unopened)?;
                let secret = scalar.diffie_hellman(&public);
                Ok(derive(secret.raw_secret_bytes()))
            }
            (Scalar::X25519(scalar), Point::X25519(point)) => {
                let secret = Zeroizing::new(MontgomeryPoint(*point).mul_clamped(**scalar).0);
                // RFC 7748 section 6.1: a secret of zero comes of a point of small order.
                if constant_time_eq(secret.as_slice(), &[0; 32]) {
                    return Err(Error::Unopened);
                }
                Ok(derive(secret.as_slice()))
            }
            (Scalar::P256(_), Point::X25519(_)) | (Scalar::X25519(_), Point::P256(_)) => {
                Err(Error::Unopened)
            }
        })
    }
}

impl Scalar {
    fn public(&self) -> Point {
        scrubbed::<DEEP, _>(|| match self {
            Self::P256(scalar) => {
                let mut point = [0; 65];
                let encoded = scalar.public_key().to_sec1_point(false);
                // Uncompressed: exactly these 65 bytes.
                point.copy_from_slice(encoded.as_bytes());
                Point::P256(point)
            }
            Self::X25519(scalar) => Point::X25519(MontgomeryPoint::mul_base_clamped(**scalar).0),
        })
    }
}
