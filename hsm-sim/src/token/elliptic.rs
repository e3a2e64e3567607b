//! Elliptic curves: Ed25519, P-256 and P-384. Private keys are scalars or seeds, public keys are points
//! as SEC 1 §2.3.3 writes them (uncompressed), or 32 bytes for Ed25519.

use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use zeroize::Zeroizing;

use super::crypto;
use crate::error::{Error, Result};

/// A curve that this token knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    Ed25519,
    P256,
    P384,
}

/// A private key and the point of its public key.
pub(crate) type Pair = (Zeroizing<Vec<u8>>, Vec<u8>);

/// PKCS #8 of an Ed25519 seed, without the seed (RFC 8410 §7).
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Evaluates an expression with the crate of a Weierstrass curve; Ed25519 has an arm of its own.
macro_rules! with_curve {
    ($curve:expr, $crate_name:ident => $act:expr, $edwards:expr) => {
        match $curve {
            Curve::Ed25519 => $edwards,
            Curve::P256 => {
                use p256 as $crate_name;
                $act
            }
            Curve::P384 => {
                use p384 as $crate_name;
                $act
            }
        }
    };
}

impl Curve {
    /// The curve of `CKA_EC_PARAMS`: a DER OID, or the name that PKCS#11 v3.0 §2.3.10 allows.
    pub(crate) fn of(params: &[u8]) -> Result<Self> {
        Ok(match params {
            [0x06, 0x03, 0x2b, 0x65, 0x70] | b"\x13\x0cedwards25519" => Self::Ed25519,
            [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Self::P256,
            [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22] => Self::P384,
            // An OID, or a name: well formed, but of another curve.
            [0x06 | 0x13, length, rest @ ..] if usize::from(*length) == rest.len() => {
                return Err(Error::CurveNotSupported);
            }
            _ => return Err(Error::DomainParams),
        })
    }

    /// The DER OID, as `CKA_EC_PARAMS`.
    pub(crate) const fn oid(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x06, 0x03, 0x2b, 0x65, 0x70],
            Self::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
        }
    }

    /// Bytes of a private key.
    pub(crate) const fn scalar_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Draws a key pair.
    pub(crate) fn generate(self) -> Result<Pair> {
        loop {
            let mut scalar = Zeroizing::new(vec![0; self.scalar_bytes()]);
            crypto::fill_random(&mut scalar)?;
            // A number beyond the group's order is no scalar: draw again (FIPS 186-5 §A.2.2).
            if let Ok(point) = self.point_of(&scalar) {
                return Ok((scalar, point));
            }
        }
    }

    /// The public key of a private one.
    pub(crate) fn point_of(self, scalar: &[u8]) -> Result<Vec<u8>> {
        if scalar.len() != self.scalar_bytes() {
            return Err(Error::AttributeValueInvalid);
        }
        with_curve!(self, curve => {
            let key = curve::SecretKey::from_slice(scalar).map_err(|_| Error::AttributeValueInvalid)?;
            Ok(key.public_key().to_sec1_bytes().to_vec())
        }, crypto::ed25519_point(scalar).map(|point| point.to_vec()))
    }

    /// Refuses bytes that are no point of the curve.
    pub(crate) fn check_point(self, point: &[u8]) -> Result<()> {
        with_curve!(self, curve => {
            let is_uncompressed = point.first() == Some(&4);
            curve::PublicKey::from_sec1_bytes(point)
                .ok()
                .filter(|_| is_uncompressed)
                .map(drop)
                .ok_or(Error::AttributeValueInvalid)
        }, crypto::check_point(point))
    }

    /// A signature over a digest (ECDSA, `r` and `s` side by side) or a message (Ed25519).
    pub(crate) fn sign(self, scalar: &[u8], message: &[u8]) -> Result<Vec<u8>> {
        with_curve!(self, curve => {
            use curve::ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner};
            let key = SigningKey::from_slice(scalar).map_err(|_| Error::KeySizeRange)?;
            let signature: Signature = key.sign_prehash(message).map_err(|_| Error::InputLength)?;
            Ok(signature.to_bytes().to_vec())
        }, crypto::ed25519_sign(scalar, message))
    }

    pub(crate) fn verify(self, point: &[u8], message: &[u8], signature: &[u8]) -> Result<()> {
        with_curve!(self, curve => {
            use curve::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
            let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| Error::KeySizeRange)?;
            let signature = Signature::from_slice(signature).map_err(|_| Error::SignatureInvalid)?;
            key.verify_prehash(message, &signature).map_err(|_| Error::SignatureInvalid)
        }, crypto::ed25519_verify(point, message, signature))
    }

    /// The shared secret of two keys: the x-coordinate (SP 800-56A §5.7.1.2).
    pub(crate) fn agree(self, scalar: &[u8], point: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        with_curve!(self, curve => {
            let key = curve::SecretKey::from_slice(scalar).map_err(|_| Error::KeySizeRange)?;
            let other = curve::PublicKey::from_sec1_bytes(point)
                .map_err(|_| Error::MechanismParamInvalid)?;
            let shared = key.diffie_hellman(&other);
            Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
        }, Err(Error::KeyTypeInconsistent))
    }

    /// The private key as PKCS #8.
    pub(crate) fn to_pkcs8(self, scalar: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        with_curve!(self, curve => {
            let key = curve::SecretKey::from_slice(scalar).map_err(|_| Error::KeySizeRange)?;
            let der = key.to_pkcs8_der().map_err(|_| Error::General)?;
            Ok(Zeroizing::new(der.as_bytes().to_vec()))
        }, Ok(Zeroizing::new([ED25519_PKCS8, scalar].concat())))
    }

    /// The curve and the private key of PKCS #8.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<(Self, Zeroizing<Vec<u8>>)> {
        if let Some(seed) = der.strip_prefix(ED25519_PKCS8) {
            let is_whole = seed.len() == Self::Ed25519.scalar_bytes();
            return is_whole.then(|| (Self::Ed25519, Zeroizing::new(seed.to_vec())));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
            return Some((Self::P256, Zeroizing::new(key.to_bytes().to_vec())));
        }
        let key = p384::SecretKey::from_pkcs8_der(der).ok()?;
        Some((Self::P384, Zeroizing::new(key.to_bytes().to_vec())))
    }
}

/// A point in a DER OCTET STRING, as `CKA_EC_POINT`.
pub(crate) fn wrap_point(point: &[u8]) -> Vec<u8> {
    let length = u8::try_from(point.len()).unwrap_or(u8::MAX);
    let head: &[u8] = if length < 0x80 {
        &[0x04, length]
    } else {
        &[0x04, 0x81, length]
    };
    [head, point].concat()
}

/// Lengths of points: Ed25519's, and uncompressed ones of P-256 and P-384.
const POINT_BYTES: [usize; 3] = [32, 65, 97];

/// The point inside. Both spellings are in use: the bare point, and the point in a DER OCTET STRING. A bare one
/// may begin as such a string would, but what is inside would be no point.
pub(crate) fn bare_point(encoded: &[u8]) -> &[u8] {
    let inner = match encoded {
        [0x04, 0x81, length, point @ ..] if usize::from(*length) == point.len() => Some(point),
        [0x04, length, point @ ..] if usize::from(*length) == point.len() => Some(point),
        _ => None,
    };
    inner
        .filter(|point| POINT_BYTES.contains(&point.len()))
        .unwrap_or(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::hash::{Hash, digest};
    use crate::token::hex;

    /// RFC 6979 §A.2.5 and §A.2.6, "sample".
    #[test]
    fn ecdsa_agrees_with_rfc_6979() {
        let cases = [
            (
                Curve::P256,
                Hash::Sha256,
                "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
                "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            ),
            (
                Curve::P384,
                Hash::Sha384,
                "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8\
                 96d5724e4c70a825f872c9ea60d2edf5",
                "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c\
                 81a648152e44acf96e36dd1e80fabe46",
            ),
        ];
        for (curve, hash, scalar, r) in cases {
            let scalar = hex::decode(scalar).unwrap();
            let digest = digest(hash, b"sample");
            let signature = curve.sign(&scalar, &digest).unwrap();
            assert!(hex::encode(&signature).starts_with(r));
            let point = curve.point_of(&scalar).unwrap();
            curve.verify(&point, &digest, &signature).unwrap();
            let refused = curve.verify(&point, b"other", &signature);
            assert_eq!(refused, Err(Error::SignatureInvalid));
        }
    }

    #[test]
    fn both_sides_agree_on_a_secret_and_pkcs8_keeps_the_key() {
        for curve in [Curve::P256, Curve::P384] {
            let (one, two) = (curve.generate().unwrap(), curve.generate().unwrap());
            assert_eq!(
                curve.agree(&one.0, &two.1).unwrap(),
                curve.agree(&two.0, &one.1).unwrap()
            );
            let der = curve.to_pkcs8(&one.0).unwrap();
            assert_eq!(Curve::from_pkcs8(&der), Some((curve, one.0)));
        }
        let (seed, _) = Curve::Ed25519.generate().unwrap();
        let der = Curve::Ed25519.to_pkcs8(&seed).unwrap();
        assert_eq!(Curve::from_pkcs8(&der), Some((Curve::Ed25519, seed)));
    }

    #[test]
    fn another_curve_is_told_from_no_curve() {
        let secp256k1 = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
        assert_eq!(Curve::of(&secp256k1), Err(Error::CurveNotSupported));
        assert_eq!(Curve::of(&secp256k1[..5]), Err(Error::DomainParams));
        assert_eq!(Curve::of(&[]), Err(Error::DomainParams));
        assert_eq!(Curve::of(Curve::P384.oid()), Ok(Curve::P384));
    }

    #[test]
    fn both_spellings_of_a_point_are_read() {
        let (_, point) = Curve::P256.generate().unwrap();
        assert_eq!(bare_point(&wrap_point(&point)), point);
        assert_eq!(bare_point(&point), point);
        // One bare point in 256 begins as a DER OCTET STRING of the rest.
        for (length, like_der) in [(65, 63), (97, 95), (32, 30)] {
            let mut bare = vec![7; length];
            bare[..2].copy_from_slice(&[0x04, like_der]);
            assert_eq!(bare_point(&bare), bare);
            assert_eq!(bare_point(&wrap_point(&bare)), bare);
        }
        let (_, point) = Curve::P384.generate().unwrap();
        assert_eq!(bare_point(&wrap_point(&point)), point);
        assert_eq!(
            Curve::P256.check_point(&point),
            Err(Error::AttributeValueInvalid)
        );
    }
}
