//! Public keys, and their faces: `SubjectPublicKeyInfo` in DER and PEM, JWK.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

use crate::error::Error;
use crate::key::KeyKind;
use crate::primitives;

/// `SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING` of 32 bytes (RFC 8410 section 4).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// `SEQUENCE { SEQUENCE { 1.2.840.10045.2.1, 1.2.840.10045.3.1.7 }, BIT STRING` of 65 bytes (RFC 5480 section 2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const PEM_LINE_CHARS: usize = 64;

/// The public half of a key that signs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    pub(crate) point: Point,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Point {
    /// RFC 8032 section 5.1.5.
    Ed25519([u8; 32]),
    /// Uncompressed: `04 || x || y` (SEC 1 section 2.3.3).
    P256([u8; 65]),
}

impl PublicKey {
    /// From what [`PublicKey::bytes`] gave. A point that is not on its curve is refused.
    pub fn from_parts(kind: KeyKind, bytes: &[u8]) -> Result<Self, Error> {
        let point = match kind {
            KeyKind::Ed25519 => {
                let point = bytes.try_into().map_err(|_| Error::PublicKey)?;
                ed25519_dalek::VerifyingKey::from_bytes(&point).map_err(|_| Error::PublicKey)?;
                Point::Ed25519(point)
            }
            KeyKind::EcdsaP256 => {
                let point = bytes.try_into().map_err(|_| Error::PublicKey)?;
                p256::PublicKey::from_sec1_bytes(bytes).map_err(|_| Error::PublicKey)?;
                Point::P256(point)
            }
            KeyKind::Aes256
            | KeyKind::HmacSha256
            | KeyKind::HmacSha384
            | KeyKind::HmacSha512
            | KeyKind::JweDir
            | KeyKind::JweA256Kw => return Err(Error::Usage),
        };
        Ok(Self { point })
    }

    /// Of which kind of key.
    pub fn kind(&self) -> KeyKind {
        match self.point {
            Point::Ed25519(_) => KeyKind::Ed25519,
            Point::P256(_) => KeyKind::EcdsaP256,
        }
    }

    /// The point: 32 bytes (RFC 8032), or 65, `04 || x || y` (SEC 1).
    pub fn bytes(&self) -> &[u8] {
        match &self.point {
            Point::Ed25519(point) => point,
            Point::P256(point) => point,
        }
    }

    /// Whether a signature of 64 bytes is the message's. One error, [`Error::Unopened`], for every failure.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match &self.point {
            Point::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            Point::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        }
        .map_err(|_| Error::Unopened)
    }

    /// The same for a message of which only the SHA-256 is known. ECDSA only ([`Error::Usage`]).
    pub fn verify_digest(&self, sha256: &[u8; 32], signature: &[u8]) -> Result<(), Error> {
        let Point::P256(point) = &self.point else {
            return Err(Error::Usage);
        };
        let key =
            p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| Error::PublicKey)?;
        let signature =
            p256::ecdsa::Signature::from_slice(signature).map_err(|_| Error::Unopened)?;
        key.verify_prehash(sha256, &signature)
            .map_err(|_| Error::Unopened)
    }

    /// `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7).
    pub fn spki_der(&self) -> Vec<u8> {
        let head = match self.point {
            Point::Ed25519(_) => ED25519_SPKI.as_slice(),
            Point::P256(_) => P256_SPKI.as_slice(),
        };
        [head, self.bytes()].concat()
    }

    /// The same in PEM (RFC 7468 section 13).
    pub fn pem(&self) -> String {
        pem(&self.spki_der())
    }

    /// A JSON Web Key (RFC 7517, 8037, 7518), on one line. Its `kid` is [`PublicKey::thumbprint`].
    pub fn jwk(&self) -> String {
        self.jwk_named(&self.thumbprint())
    }

    /// The same with this `kid`. Characters that JSON would escape are left out of it.
    pub fn jwk_named(&self, kid: &str) -> String {
        let kid: String = kid
            .chars()
            .filter(|char| !char.is_control() && !matches!(char, '"' | '\\'))
            .collect();
        let algorithm = match self.point {
            Point::Ed25519(_) => "EdDSA",
            Point::P256(_) => "ES256",
        };
        let members = self.jwk_members();
        format!(r#"{{{members},"alg":"{algorithm}","use":"sig","kid":"{kid}"}}"#)
    }

    /// The key's SHA-256 thumbprint in base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let members = format!("{{{}}}", self.jwk_members());
        URL_SAFE_NO_PAD.encode(primitives::sha256(members.as_bytes()))
    }

    /// What makes the key, in the order of RFC 7638 section 3.2: that of the alphabet.
    fn jwk_members(&self) -> String {
        match &self.point {
            Point::Ed25519(point) => {
                let x = URL_SAFE_NO_PAD.encode(point);
                format!(r#""crv":"Ed25519","kty":"OKP","x":"{x}""#)
            }
            Point::P256(point) => {
                let (x, y) = point.split_at(1).1.split_at(32);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                format!(r#""crv":"P-256","kty":"EC","x":"{x}","y":"{y}""#)
            }
        }
    }
}

/// A public key's DER in PEM, 64 characters a line.
pub(crate) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for (place, char) in text.chars().enumerate() {
        if place > 0 && place % PEM_LINE_CHARS == 0 {
            pem.push('\n');
        }
        pem.push(char);
    }
    pem.push_str("\n-----END PUBLIC KEY-----\n");
    pem
}
