//! The mechanisms: their parameters as safe types, and the catalogue that callers may list.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_FLAGS, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_ULONG};

use super::crypto::{Hash, IV_BYTES};
use crate::error::{Error, Result};

/// A mechanism with its parameter, already checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Mechanism {
    AesKeyGen,
    GenericKeyGen,
    EdwardsPairGen,
    Gcm(Gcm),
    Hmac(Hash),
    Eddsa,
    Digest(Hash),
}

/// The parameter of AES-GCM; the tag has 128 bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Gcm {
    pub(crate) iv: [u8; IV_BYTES],
    pub(crate) aad: Vec<u8>,
}

impl Gcm {
    pub(crate) fn new(iv: &[u8], aad: &[u8], tag_bits: CK_ULONG) -> Result<Self> {
        let iv = iv.try_into().map_err(|_| Error::MechanismParamInvalid)?;
        if tag_bits != 128 {
            return Err(Error::MechanismParamInvalid);
        }
        Ok(Self {
            iv,
            aad: aad.to_vec(),
        })
    }
}

impl Mechanism {
    /// The number by which PKCS#11 knows it.
    pub(crate) fn kind(&self) -> CK_MECHANISM_TYPE {
        match self {
            Self::AesKeyGen => ck::CKM_AES_KEY_GEN,
            Self::GenericKeyGen => ck::CKM_GENERIC_SECRET_KEY_GEN,
            Self::EdwardsPairGen => ck::CKM_EC_EDWARDS_KEY_PAIR_GEN,
            Self::Gcm(_) => ck::CKM_AES_GCM,
            Self::Eddsa => ck::CKM_EDDSA,
            Self::Hmac(Hash::Sha256) => ck::CKM_SHA256_HMAC,
            Self::Hmac(Hash::Sha384) => ck::CKM_SHA384_HMAC,
            Self::Hmac(Hash::Sha512) => ck::CKM_SHA512_HMAC,
            Self::Digest(Hash::Sha256) => ck::CKM_SHA256,
            Self::Digest(Hash::Sha384) => ck::CKM_SHA384,
            Self::Digest(Hash::Sha512) => ck::CKM_SHA512,
        }
    }

    /// A mechanism that takes no parameter.
    pub(crate) fn plain(kind: CK_MECHANISM_TYPE) -> Result<Self> {
        Ok(match kind {
            ck::CKM_AES_KEY_GEN => Self::AesKeyGen,
            ck::CKM_GENERIC_SECRET_KEY_GEN => Self::GenericKeyGen,
            ck::CKM_EC_EDWARDS_KEY_PAIR_GEN => Self::EdwardsPairGen,
            ck::CKM_EDDSA => Self::Eddsa,
            ck::CKM_SHA256_HMAC => Self::Hmac(Hash::Sha256),
            ck::CKM_SHA384_HMAC => Self::Hmac(Hash::Sha384),
            ck::CKM_SHA512_HMAC => Self::Hmac(Hash::Sha512),
            ck::CKM_SHA256 => Self::Digest(Hash::Sha256),
            ck::CKM_SHA384 => Self::Digest(Hash::Sha384),
            ck::CKM_SHA512 => Self::Digest(Hash::Sha512),
            ck::CKM_AES_GCM => return Err(Error::MechanismParamInvalid),
            _ => return Err(Error::MechanismInvalid),
        })
    }
}

const SEAL: CK_FLAGS = ck::CKF_ENCRYPT | ck::CKF_DECRYPT;
const SIGN: CK_FLAGS = ck::CKF_SIGN | ck::CKF_VERIFY;
const PAIR: CK_FLAGS = ck::CKF_GENERATE_KEY_PAIR | CURVE;
const CURVE: CK_FLAGS = ck::CKF_EC_F_P | ck::CKF_EC_OID | ck::CKF_EC_CURVENAME;

/// All mechanisms: kind, smallest and largest key (bytes; bits where PKCS#11 says so), uses.
const CATALOGUE: [(CK_MECHANISM_TYPE, CK_ULONG, CK_ULONG, CK_FLAGS); 11] = [
    (ck::CKM_AES_KEY_GEN, 16, 32, ck::CKF_GENERATE),
    (ck::CKM_AES_GCM, 16, 32, SEAL),
    (ck::CKM_GENERIC_SECRET_KEY_GEN, 128, 4096, ck::CKF_GENERATE),
    (ck::CKM_SHA256_HMAC, 16, 512, SIGN),
    (ck::CKM_SHA384_HMAC, 16, 512, SIGN),
    (ck::CKM_SHA512_HMAC, 16, 512, SIGN),
    (ck::CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, 256, PAIR),
    (ck::CKM_EDDSA, 255, 256, SIGN | CURVE),
    (ck::CKM_SHA256, 0, 0, ck::CKF_DIGEST),
    (ck::CKM_SHA384, 0, 0, ck::CKF_DIGEST),
    (ck::CKM_SHA512, 0, 0, ck::CKF_DIGEST),
];

/// The kinds of all mechanisms.
pub(crate) fn all() -> Vec<CK_MECHANISM_TYPE> {
    CATALOGUE.iter().map(|(kind, ..)| *kind).collect()
}

/// What a caller learns of one mechanism.
pub(crate) fn describe(kind: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
    let entry = CATALOGUE.iter().find(|(listed, ..)| *listed == kind);
    let (_, smallest, largest, flags) = entry.ok_or(Error::MechanismInvalid)?;
    Ok(CK_MECHANISM_INFO {
        ulMinKeySize: *smallest,
        ulMaxKeySize: *largest,
        flags: *flags,
    })
}
