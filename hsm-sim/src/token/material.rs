//! A key's bytes in the form that its algorithm reads, and the attributes that keep them: values of
//! secrets, scalars and points of curves, PKCS #1 of RSA, and PKCS #8 for the way out and in.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE};
use zeroize::Zeroizing;

use super::attributes::Attributes;
use super::block;
use super::elliptic::{self, Curve};
use super::hash::{self, Hash};
use super::modular::{self, Numbers};
use super::object::Object;
use crate::error::{Error, Result};

/// The secret numbers of an RSA key.
pub(super) const RSA_SECRETS: [CK_ATTRIBUTE_TYPE; 6] = [
    ck::CKA_PRIVATE_EXPONENT,
    ck::CKA_PRIME_1,
    ck::CKA_PRIME_2,
    ck::CKA_EXPONENT_1,
    ck::CKA_EXPONENT_2,
    ck::CKA_COEFFICIENT,
];

/// The key for its algorithm.
pub(super) fn of(key: &Object) -> Result<Zeroizing<Vec<u8>>> {
    let part = |kind| key.inner(kind).ok_or(Error::KeyHandleInvalid);
    match (key.class(), key.key_type()) {
        (Some(ck::CKO_PUBLIC_KEY), Some(ck::CKK_RSA)) => {
            modular::public_der(part(ck::CKA_MODULUS)?, part(ck::CKA_PUBLIC_EXPONENT)?)
                .map(Zeroizing::new)
        }
        (Some(ck::CKO_PRIVATE_KEY), Some(ck::CKK_RSA)) => {
            let secret = |kind| part(kind).map(|bytes| Zeroizing::new(bytes.to_vec()));
            let numbers = Numbers {
                modulus: part(ck::CKA_MODULUS)?.to_vec(),
                public_exponent: part(ck::CKA_PUBLIC_EXPONENT)?.to_vec(),
                private_exponent: secret(ck::CKA_PRIVATE_EXPONENT)?,
                primes: [secret(ck::CKA_PRIME_1)?, secret(ck::CKA_PRIME_2)?],
                exponents: [secret(ck::CKA_EXPONENT_1)?, secret(ck::CKA_EXPONENT_2)?],
                coefficient: secret(ck::CKA_COEFFICIENT)?,
            };
            modular::private_der(&numbers).ok_or(Error::KeyHandleInvalid)
        }
        (Some(ck::CKO_PUBLIC_KEY), _) => {
            let point = elliptic::bare_point(part(ck::CKA_EC_POINT)?);
            Ok(Zeroizing::new(point.to_vec()))
        }
        _ => Ok(Zeroizing::new(part(ck::CKA_VALUE)?.to_vec())),
    }
}

/// Bytes of an RSA key's modulus, else 0.
pub(super) fn modulus_bytes(key: &Object) -> usize {
    key.inner(ck::CKA_MODULUS).map_or(0, <[u8]>::len)
}

/// The curve of a key.
pub(super) fn curve(key: &Object) -> Result<Curve> {
    Curve::of(key.inner(ck::CKA_EC_PARAMS).unwrap_or_default())
}

/// The check value of a secret key: three bytes that tell keys apart (PKCS#11 §4.10.2).
pub(super) fn check_value(key_type: CK_KEY_TYPE, value: &[u8]) -> Result<[u8; 3]> {
    if key_type == ck::CKK_AES {
        return block::check_value(value);
    }
    let digest = hash::digest(Hash::Sha1, value);
    Ok([digest[0], digest[1], digest[2]])
}

/// What goes into a wrapping: a secret's value, a private key's PKCS #8.
pub(super) fn to_wrap(key: &Object) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = of(key)?;
    match (key.class(), key.key_type()) {
        (Some(ck::CKO_SECRET_KEY), _) => Ok(bytes),
        (Some(ck::CKO_PRIVATE_KEY), Some(ck::CKK_RSA)) => modular::to_pkcs8(&bytes),
        (Some(ck::CKO_PRIVATE_KEY), _) => curve(key)?.to_pkcs8(&bytes),
        _ => Err(Error::KeyNotWrappable),
    }
}

/// The attributes of a private key that came as PKCS #8.
pub(super) fn from_pkcs8(key_type: CK_KEY_TYPE, der: &[u8]) -> Result<Attributes> {
    match key_type {
        ck::CKK_RSA => modular::from_pkcs8(der)
            .map(|numbers| rsa_private(&numbers))
            .ok_or(Error::WrappedKeyInvalid),
        ck::CKK_EC | ck::CKK_EC_EDWARDS => {
            let (curve, scalar) = Curve::from_pkcs8(der).ok_or(Error::WrappedKeyInvalid)?;
            if key_type_of(curve) != key_type {
                return Err(Error::WrappedKeyInvalid);
            }
            Ok(curve_private(curve.oid(), &scalar))
        }
        _ => Err(Error::TemplateInconsistent),
    }
}

/// The key type of a curve's keys.
pub(super) fn key_type_of(curve: Curve) -> CK_KEY_TYPE {
    match curve {
        Curve::Ed25519 => ck::CKK_EC_EDWARDS,
        Curve::P256 | Curve::P384 => ck::CKK_EC,
    }
}

pub(super) fn curve_private(params: &[u8], scalar: &[u8]) -> Attributes {
    let mut parts = Attributes::default();
    parts.put(ck::CKA_EC_PARAMS, params);
    parts.put(ck::CKA_VALUE, scalar);
    parts
}

pub(super) fn curve_public(params: &[u8], point: &[u8]) -> Attributes {
    let mut parts = Attributes::default();
    parts.put(ck::CKA_EC_PARAMS, params);
    parts.put(ck::CKA_EC_POINT, &elliptic::wrap_point(point));
    parts
}

pub(super) fn rsa_private(numbers: &Numbers) -> Attributes {
    let mut parts = Attributes::default();
    parts.put(ck::CKA_MODULUS, &numbers.modulus);
    parts.put(ck::CKA_PUBLIC_EXPONENT, &numbers.public_exponent);
    let [p, q] = &numbers.primes;
    let [dp, dq] = &numbers.exponents;
    let secrets = [
        &numbers.private_exponent,
        p,
        q,
        dp,
        dq,
        &numbers.coefficient,
    ];
    for (kind, bytes) in RSA_SECRETS.into_iter().zip(secrets) {
        parts.put(kind, bytes);
    }
    parts
}

pub(super) fn rsa_public(modulus: &[u8], exponent: &[u8]) -> Attributes {
    let mut parts = Attributes::default();
    parts.put(ck::CKA_MODULUS, modulus);
    parts.put(ck::CKA_PUBLIC_EXPONENT, exponent);
    let bits = ck::CK_ULONG::try_from(modular::bits(modulus)).unwrap_or_default();
    parts.put_number(ck::CKA_MODULUS_BITS, bits);
    parts
}
