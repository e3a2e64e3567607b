//! The mechanisms: their parameters as safe types, and the catalogue that callers may list.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_FLAGS, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_ULONG};

use super::block::{BLOCK_BYTES, Feedback, Padding, Wrapping};
use super::family::{self, FAMILIES};
use super::hash::{Hash, Piece};
use super::modular::{OaepParams, PssParams};
use super::profile::Profile;
use crate::error::{Error, Result};

/// A mechanism with its parameter.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Mechanism {
    /// The number by which PKCS#11 knows it.
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) method: Method,
}

/// What a mechanism does, its parameter already read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Method {
    AesKeyGen,
    GenericKeyGen,
    /// A key of the HMAC of this hash, as long as it if the template names no length.
    HmacKeyGen(Hash),
    HkdfKeyGen,
    EdwardsPairGen,
    CurvePairGen,
    RsaPairGen,
    Gcm(Gcm),
    Ecb,
    Cbc([u8; BLOCK_BYTES], Padding),
    /// The first counter block, and how many of its last bits count.
    Ctr([u8; BLOCK_BYTES], u32),
    Feedback([u8; BLOCK_BYTES], Feedback),
    Oaep(OaepParams),
    /// The hash, and the bytes of the tag.
    Hmac(Hash, usize),
    /// The bytes of the tag.
    Cmac(usize),
    Eddsa,
    /// Without a hash the input is the digest.
    Ecdsa(Option<Hash>),
    /// Without a hash the input is the digest.
    Pss(Option<Hash>, PssParams),
    /// Without a hash the input is a `DigestInfo`.
    Pkcs1(Option<Hash>),
    Digest(Hash),
    KeyWrap(Wrapping),
    /// A fresh AES key under OAEP, the target under that key.
    RsaAesKeyWrap {
        aes_bytes: usize,
        oaep: OaepParams,
    },
    Agree(Agreement),
    Hkdf(HkdfParams),
    /// Under an HMAC of the hash, or CMAC if there is none.
    Counter(Option<Hash>, Vec<Piece>),
    /// The leading bytes of what the key makes of these: under CBC with an IV, else under ECB.
    Encrypted(Option<[u8; BLOCK_BYTES]>, Vec<u8>),
}

/// The parameter of AES-GCM as the caller gave it; the profile says what of it is right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Gcm {
    pub(crate) iv: Vec<u8>,
    pub(crate) aad: Vec<u8>,
    pub(crate) tag_bits: CK_ULONG,
}

/// The parameter of `CKM_ECDH1_DERIVE`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The hash of the derivation after ANSI X9.63; none yields the bare secret.
    pub(crate) hash: Option<Hash>,
    pub(crate) shared: Vec<u8>,
    pub(crate) point: Vec<u8>,
}

/// The parameter of `CKM_HKDF_DERIVE`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HkdfParams {
    pub(crate) extracts: Option<Salt>,
    pub(crate) expands: Option<Vec<u8>>,
    pub(crate) hash: Hash,
}

/// The salt of HKDF's first half.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Salt {
    None,
    Bytes(Vec<u8>),
    Key(CK_OBJECT_HANDLE),
}

impl Mechanism {
    /// A mechanism that takes no parameter.
    pub(crate) fn plain(kind: CK_MECHANISM_TYPE) -> Result<Self> {
        let method = Method::plain(kind)?;
        Ok(Self { kind, method })
    }
}

impl Method {
    fn plain(kind: CK_MECHANISM_TYPE) -> Result<Self> {
        for family in &FAMILIES {
            let hash = family.hash;
            if kind == family.digest {
                return Ok(Self::Digest(hash));
            } else if kind == family.hmac {
                return Ok(Self::Hmac(hash, hash.length_bytes()));
            } else if kind == family.key_gen {
                return Ok(Self::HmacKeyGen(hash));
            } else if kind == family.pkcs1 {
                return Ok(Self::Pkcs1(Some(hash)));
            } else if kind == family.ecdsa {
                return Ok(Self::Ecdsa(Some(hash)));
            } else if kind == family.pss || kind == family.hmac_general {
                return Err(Error::MechanismParamInvalid);
            }
        }
        Ok(match kind {
            ck::CKM_AES_KEY_GEN => Self::AesKeyGen,
            ck::CKM_GENERIC_SECRET_KEY_GEN => Self::GenericKeyGen,
            ck::CKM_HKDF_KEY_GEN => Self::HkdfKeyGen,
            ck::CKM_EC_EDWARDS_KEY_PAIR_GEN => Self::EdwardsPairGen,
            ck::CKM_EC_KEY_PAIR_GEN => Self::CurvePairGen,
            ck::CKM_RSA_PKCS_KEY_PAIR_GEN => Self::RsaPairGen,
            ck::CKM_AES_ECB => Self::Ecb,
            ck::CKM_AES_CMAC => Self::Cmac(BLOCK_BYTES),
            ck::CKM_EDDSA => Self::Eddsa,
            ck::CKM_ECDSA => Self::Ecdsa(None),
            ck::CKM_RSA_PKCS => Self::Pkcs1(None),
            ck::CKM_AES_KEY_WRAP => Self::KeyWrap(Wrapping::Plain),
            ck::CKM_AES_KEY_WRAP_PAD | ck::CKM_AES_KEY_WRAP_KWP => Self::KeyWrap(Wrapping::Padded),
            // These are known, but not without their parameter.
            ck::CKM_AES_GCM
            | ck::CKM_AES_CBC
            | ck::CKM_AES_CBC_PAD
            | ck::CKM_AES_CTR
            | ck::CKM_AES_OFB
            | ck::CKM_AES_CFB8
            | ck::CKM_AES_CFB64
            | ck::CKM_AES_CFB128
            | ck::CKM_AES_ECB_ENCRYPT_DATA
            | ck::CKM_AES_CBC_ENCRYPT_DATA
            | ck::CKM_AES_CMAC_GENERAL
            | ck::CKM_RSA_PKCS_OAEP
            | ck::CKM_RSA_PKCS_PSS
            | ck::CKM_RSA_AES_KEY_WRAP
            | ck::CKM_ECDH1_DERIVE
            | ck::CKM_SP800_108_COUNTER_KDF
            | ck::CKM_HKDF_DERIVE => return Err(Error::MechanismParamInvalid),
            _ => return Err(Error::MechanismInvalid),
        })
    }
}

/// The hash that a parameter names.
pub(crate) fn hash_of(digest: CK_MECHANISM_TYPE) -> Result<Hash> {
    family::hash_by(|family| family.digest, digest).ok_or(Error::MechanismParamInvalid)
}

/// The hash of a mask generation function.
pub(crate) fn mask_of(mask: ck::CK_RSA_PKCS_MGF_TYPE) -> Result<Hash> {
    family::hash_by(|family| family.mask, mask).ok_or(Error::MechanismParamInvalid)
}

const SEAL: CK_FLAGS = ck::CKF_ENCRYPT | ck::CKF_DECRYPT;
const MESSAGES: CK_FLAGS = ck::CKF_MESSAGE_ENCRYPT | ck::CKF_MESSAGE_DECRYPT;
const SIGN: CK_FLAGS = ck::CKF_SIGN | ck::CKF_VERIFY;
const WRAP: CK_FLAGS = ck::CKF_WRAP | ck::CKF_UNWRAP;
const PAIR: CK_FLAGS = ck::CKF_GENERATE_KEY_PAIR;
const CURVE: CK_FLAGS =
    ck::CKF_EC_F_P | ck::CKF_EC_OID | ck::CKF_EC_CURVENAME | ck::CKF_EC_UNCOMPRESS;

/// A mechanism, its smallest and largest key (bytes; bits where PKCS#11 says so), its uses.
type Entry = (CK_MECHANISM_TYPE, CK_ULONG, CK_ULONG, CK_FLAGS);

/// The mechanisms that are not named after a hash.
const CATALOGUE: [Entry; 31] = [
    (ck::CKM_AES_KEY_GEN, 16, 32, ck::CKF_GENERATE),
    (ck::CKM_AES_GCM, 16, 32, SEAL | MESSAGES),
    (ck::CKM_AES_ECB, 16, 32, SEAL),
    (ck::CKM_AES_CBC, 16, 32, SEAL),
    (ck::CKM_AES_CBC_PAD, 16, 32, SEAL),
    (ck::CKM_AES_CTR, 16, 32, SEAL),
    (ck::CKM_AES_OFB, 16, 32, SEAL),
    (ck::CKM_AES_CFB8, 16, 32, SEAL),
    (ck::CKM_AES_CFB64, 16, 32, SEAL),
    (ck::CKM_AES_CFB128, 16, 32, SEAL),
    (ck::CKM_AES_ECB_ENCRYPT_DATA, 16, 32, ck::CKF_DERIVE),
    (ck::CKM_AES_CBC_ENCRYPT_DATA, 16, 32, ck::CKF_DERIVE),
    (ck::CKM_AES_CMAC, 16, 32, SIGN),
    (ck::CKM_AES_CMAC_GENERAL, 16, 32, SIGN),
    (ck::CKM_AES_KEY_WRAP, 16, 32, WRAP),
    (ck::CKM_AES_KEY_WRAP_PAD, 16, 32, WRAP),
    (ck::CKM_AES_KEY_WRAP_KWP, 16, 32, WRAP),
    (ck::CKM_GENERIC_SECRET_KEY_GEN, 128, 4096, ck::CKF_GENERATE),
    (ck::CKM_HKDF_KEY_GEN, 16, 512, ck::CKF_GENERATE),
    (ck::CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, 256, PAIR | CURVE),
    (ck::CKM_EDDSA, 255, 256, SIGN | CURVE),
    (ck::CKM_EC_KEY_PAIR_GEN, 256, 384, PAIR | CURVE),
    (ck::CKM_ECDSA, 256, 384, SIGN | CURVE),
    (ck::CKM_ECDH1_DERIVE, 256, 384, ck::CKF_DERIVE | CURVE),
    (ck::CKM_HKDF_DERIVE, 16, 512, ck::CKF_DERIVE),
    (ck::CKM_SP800_108_COUNTER_KDF, 16, 512, ck::CKF_DERIVE),
    (ck::CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, 4096, PAIR),
    (ck::CKM_RSA_PKCS, 2048, 4096, SIGN | SEAL | WRAP),
    (ck::CKM_RSA_PKCS_PSS, 2048, 4096, SIGN),
    (ck::CKM_RSA_PKCS_OAEP, 2048, 4096, SEAL | WRAP),
    (ck::CKM_RSA_AES_KEY_WRAP, 2048, 4096, WRAP),
];

fn catalogue() -> impl Iterator<Item = Entry> {
    let named = FAMILIES.iter().flat_map(|family| {
        [
            (family.digest, 0, 0, ck::CKF_DIGEST),
            (family.hmac, 16, 512, SIGN),
            (family.hmac_general, 16, 512, SIGN),
            (family.key_gen, 16, 512, ck::CKF_GENERATE),
            (family.ecdsa, 256, 384, SIGN | CURVE),
            (family.pkcs1, 2048, 4096, SIGN),
            (family.pss, 2048, 4096, SIGN),
        ]
    });
    CATALOGUE.into_iter().chain(named)
}

/// The kinds of all mechanisms that a profile lists.
pub(crate) fn all(profile: &Profile) -> Vec<CK_MECHANISM_TYPE> {
    let kinds = catalogue().map(|(kind, ..)| kind);
    kinds.filter(|kind| profile.lists(*kind)).collect()
}

/// What a caller learns of one mechanism.
pub(crate) fn describe(profile: &Profile, kind: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
    let entry = catalogue().find(|(listed, ..)| *listed == kind && profile.lists(kind));
    let (_, smallest, largest, flags) = entry.ok_or(Error::MechanismInvalid)?;
    Ok(CK_MECHANISM_INFO {
        ulMinKeySize: smallest,
        ulMaxKeySize: largest,
        flags,
    })
}
