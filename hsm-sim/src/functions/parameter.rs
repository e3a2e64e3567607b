//! The mechanisms' parameters: from the caller's structures to owned, safe values.
#![expect(unsafe_code, reason = "reads what PKCS#11 callers pass as pointers")]

use std::ptr;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_AES_CBC_ENCRYPT_DATA_PARAMS, CK_AES_CTR_PARAMS, CK_BYTE, CK_ECDH1_DERIVE_PARAMS,
    CK_GCM_PARAMS, CK_HKDF_PARAMS, CK_KEY_DERIVATION_STRING_DATA, CK_MECHANISM, CK_PRF_DATA_PARAM,
    CK_RSA_AES_KEY_WRAP_PARAMS, CK_RSA_PKCS_OAEP_PARAMS, CK_RSA_PKCS_PSS_PARAMS,
    CK_SP800_108_COUNTER_FORMAT, CK_SP800_108_DKM_LENGTH_FORMAT, CK_SP800_108_KDF_PARAMS, CK_ULONG,
};

use super::raw::bytes;
use crate::error::{Error, Result};
use crate::token::block::{BLOCK_BYTES, Feedback, Padding};
use crate::token::family;
use crate::token::hash::{Hash, Number, Order, Piece};
use crate::token::mechanism::{self, Agreement, Gcm, HkdfParams, Mechanism, Method, Salt};
use crate::token::modular::{OaepParams, PssParams};

/// A mechanism with its parameter.
///
/// # Safety
/// `mechanism` is null or points to a mechanism whose parameter is null or readable, with all that
/// it points to.
pub(super) unsafe fn mechanism(mechanism: *const CK_MECHANISM) -> Result<Mechanism> {
    if mechanism.is_null() {
        return Err(Error::ArgumentsBad);
    }
    // SAFETY: not null.
    let given = unsafe { mechanism.read_unaligned() };
    // SAFETY: the caller vouches for the parameter.
    let method = unsafe { method(&given) }?;
    match method {
        Some(method) => Ok(Mechanism {
            kind: given.mechanism,
            method,
        }),
        None => Mechanism::plain(given.mechanism),
    }
}

/// Puts the IV that the token made where the caller's parameter points.
///
/// # Safety
/// As [`mechanism`]; the parameter is one of AES-GCM whose IV has room for `iv`, as it had when the
/// operation began.
pub(super) unsafe fn return_iv(mechanism: *const CK_MECHANISM, iv: &[u8]) -> Result<()> {
    // SAFETY: the contract of this function.
    let given = unsafe { mechanism.read_unaligned() };
    // SAFETY: as above.
    let params: CK_GCM_PARAMS = unsafe { parameter(&given) }?;
    if params.pIv.is_null() || usize::try_from(params.ulIvLen) != Ok(iv.len()) {
        return Err(Error::MechanismParamInvalid);
    }
    // SAFETY: not null, with room for just these bytes; `iv` is our own memory.
    unsafe { ptr::copy_nonoverlapping(iv.as_ptr(), params.pIv, iv.len()) };
    Ok(())
}

/// The method of a mechanism that has a parameter; `None` for any other.
///
/// # Safety
/// As [`mechanism`].
unsafe fn method(given: &CK_MECHANISM) -> Result<Option<Method>> {
    let number = given.mechanism;
    if let Some(hash) = family::hash_by(|family| family.hmac_general, number) {
        // SAFETY: the contract of this function.
        return unsafe { hmac(given, hash) }.map(Some);
    }
    if let Some(hash) = family::hash_by(|family| family.pss, number) {
        // SAFETY: the contract of this function.
        return unsafe { pss(given, Some(hash)) }.map(Some);
    }
    // SAFETY: the contract of this function, in each arm.
    Ok(Some(unsafe {
        match number {
            ck::CKM_AES_GCM => gcm(given)?,
            ck::CKM_AES_CBC => Method::Cbc(block(given)?, Padding::None),
            ck::CKM_AES_CBC_PAD => Method::Cbc(block(given)?, Padding::Pkcs7),
            ck::CKM_AES_OFB => Method::Feedback(block(given)?, Feedback::Output),
            ck::CKM_AES_CFB8 => Method::Feedback(block(given)?, Feedback::Cipher(1)),
            ck::CKM_AES_CFB64 => Method::Feedback(block(given)?, Feedback::Cipher(8)),
            ck::CKM_AES_CFB128 => Method::Feedback(block(given)?, Feedback::Cipher(BLOCK_BYTES)),
            ck::CKM_AES_ECB_ENCRYPT_DATA => {
                let params: CK_KEY_DERIVATION_STRING_DATA = parameter(given)?;
                Method::Encrypted(None, pointed(params.pData, params.ulLen)?)
            }
            ck::CKM_AES_CBC_ENCRYPT_DATA => {
                let params: CK_AES_CBC_ENCRYPT_DATA_PARAMS = parameter(given)?;
                Method::Encrypted(Some(params.iv), pointed(params.pData, params.length)?)
            }
            ck::CKM_AES_CTR => counter(given)?,
            ck::CKM_AES_CMAC_GENERAL => Method::Cmac(tag(given, BLOCK_BYTES)?),
            ck::CKM_RSA_PKCS_PSS => pss(given, None)?,
            ck::CKM_RSA_PKCS_OAEP => Method::Oaep(oaep(&parameter(given)?)?),
            ck::CKM_RSA_AES_KEY_WRAP => rsa_aes_key_wrap(given)?,
            ck::CKM_ECDH1_DERIVE => agreement(given)?,
            ck::CKM_HKDF_DERIVE => hkdf(given)?,
            ck::CKM_SP800_108_COUNTER_KDF => counter_mode(given)?,
            ck::CKM_AES_KEY_WRAP | ck::CKM_AES_KEY_WRAP_PAD | ck::CKM_AES_KEY_WRAP_KWP => {
                wrapping_iv(given)?;
                return Ok(None);
            }
            // A parameter of CKM_EDDSA means Ed25519ctx or Ed25519ph, which are other algorithms.
            _ if given.ulParameterLen > 0 => {
                return Mechanism::plain(given.mechanism).and(Err(Error::MechanismParamInvalid));
            }
            _ => return Ok(None),
        }
    }))
}

/// # Safety
/// As [`mechanism`].
unsafe fn gcm(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_GCM_PARAMS = unsafe { parameter(given) }?;
    // SAFETY: the caller vouches for what the parameter points to.
    let (iv, aad) = unsafe {
        (
            pointed(params.pIv, params.ulIvLen)?,
            pointed(params.pAAD, params.ulAADLen)?,
        )
    };
    Ok(Method::Gcm(Gcm {
        iv,
        aad,
        tag_bits: params.ulTagBits,
    }))
}

/// # Safety
/// As [`mechanism`].
unsafe fn block(given: &CK_MECHANISM) -> Result<[u8; BLOCK_BYTES]> {
    // SAFETY: the caller vouches for the parameter.
    unsafe { parameter(given) }
}

/// # Safety
/// As [`mechanism`].
unsafe fn counter(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_AES_CTR_PARAMS = unsafe { parameter(given) }?;
    match u32::try_from(params.ulCounterBits) {
        Ok(bits @ 1..=128) => Ok(Method::Ctr(params.cb, bits)),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// The bytes of a shortened tag: from four up (PKCS#11 leaves the floor to the token).
///
/// # Safety
/// As [`mechanism`].
unsafe fn tag(given: &CK_MECHANISM, whole: usize) -> Result<usize> {
    // SAFETY: the caller vouches for the parameter.
    let asked: CK_ULONG = unsafe { parameter(given) }?;
    let asked = usize::try_from(asked).ok();
    asked
        .filter(|asked| (4..=whole).contains(asked))
        .ok_or(Error::MechanismParamInvalid)
}

/// # Safety
/// As [`mechanism`].
unsafe fn hmac(given: &CK_MECHANISM, hash: Hash) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let tag_bytes = unsafe { tag(given, hash.length_bytes()) }?;
    Ok(Method::Hmac(hash, tag_bytes))
}

/// PSS with the mask's hash as the message's, and a salt no longer than it (FIPS 186-5 §5.4).
///
/// # Safety
/// As [`mechanism`].
unsafe fn pss(given: &CK_MECHANISM, hash: Option<Hash>) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_RSA_PKCS_PSS_PARAMS = unsafe { parameter(given) }?;
    let named = mechanism::hash_of(params.hashAlg)?;
    let salt_bytes = usize::try_from(params.sLen).unwrap_or(usize::MAX);
    let is_right = hash.is_none_or(|hash| hash == named)
        && mechanism::mask_of(params.mgf)? == named
        && salt_bytes <= named.length_bytes();
    if !is_right {
        return Err(Error::MechanismParamInvalid);
    }
    let params = PssParams {
        hash: named,
        salt_bytes,
    };
    Ok(Method::Pss(hash, params))
}

/// # Safety
/// The label is null or readable for its length.
unsafe fn oaep(params: &CK_RSA_PKCS_OAEP_PARAMS) -> Result<OaepParams> {
    let is_source = params.source == ck::CKZ_DATA_SPECIFIED
        || (params.source == 0 && params.ulSourceDataLen == 0);
    if !is_source {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(OaepParams {
        hash: mechanism::hash_of(params.hashAlg)?,
        mask: mechanism::mask_of(params.mgf)?,
        // SAFETY: the contract of this function.
        label: unsafe { pointed(params.pSourceData.cast(), params.ulSourceDataLen) }?,
    })
}

/// # Safety
/// As [`mechanism`].
unsafe fn rsa_aes_key_wrap(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_RSA_AES_KEY_WRAP_PARAMS = unsafe { parameter(given) }?;
    let aes_bytes = match params.ulAESKeyBits {
        128 => 16,
        192 => 24,
        256 => 32,
        _ => return Err(Error::MechanismParamInvalid),
    };
    if params.pOAEPParams.is_null() {
        return Err(Error::MechanismParamInvalid);
    }
    // SAFETY: not null, and the caller vouches for it and its label.
    let oaep = unsafe { oaep(&params.pOAEPParams.read_unaligned()) }?;
    Ok(Method::RsaAesKeyWrap { aes_bytes, oaep })
}

/// # Safety
/// As [`mechanism`].
unsafe fn agreement(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_ECDH1_DERIVE_PARAMS = unsafe { parameter(given) }?;
    let hash = match params.kdf {
        ck::CKD_NULL => None,
        ck::CKD_SHA1_KDF => Some(Hash::Sha1),
        ck::CKD_SHA224_KDF => Some(Hash::Sha224),
        ck::CKD_SHA256_KDF => Some(Hash::Sha256),
        ck::CKD_SHA384_KDF => Some(Hash::Sha384),
        ck::CKD_SHA512_KDF => Some(Hash::Sha512),
        _ => return Err(Error::MechanismParamInvalid),
    };
    // SAFETY: the caller vouches for what the parameter points to.
    let (shared, point) = unsafe {
        (
            pointed(params.pSharedData, params.ulSharedDataLen)?,
            pointed(params.pPublicData, params.ulPublicDataLen)?,
        )
    };
    if hash.is_none() && !shared.is_empty() {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(Method::Agree(Agreement {
        hash,
        shared,
        point,
    }))
}

/// # Safety
/// As [`mechanism`].
unsafe fn hkdf(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_HKDF_PARAMS = unsafe { parameter(given) }?;
    // SAFETY: the caller vouches for what the parameter points to.
    let (salt, label) = unsafe {
        (
            pointed(params.pSalt, params.ulSaltLen)?,
            pointed(params.pInfo, params.ulInfoLen)?,
        )
    };
    let salt = match params.ulSaltType {
        ck::CKF_HKDF_SALT_NULL => Salt::None,
        ck::CKF_HKDF_SALT_DATA => Salt::Bytes(salt),
        ck::CKF_HKDF_SALT_KEY => Salt::Key(params.hSaltKey),
        _ => return Err(Error::MechanismParamInvalid),
    };
    let (extracts, expands) = (params.bExtract != 0, params.bExpand != 0);
    if !extracts && !expands {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(Method::Hkdf(HkdfParams {
        extracts: extracts.then_some(salt),
        expands: expands.then_some(label),
        hash: mechanism::hash_of(params.prfHashMechanism)?,
    }))
}

/// Pieces of the input of SP 800-108.
const PIECES_MAX: usize = 16;

/// Counter mode: exactly one counter, and no further keys.
///
/// # Safety
/// As [`mechanism`].
unsafe fn counter_mode(given: &CK_MECHANISM) -> Result<Method> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_SP800_108_KDF_PARAMS = unsafe { parameter(given) }?;
    let hash = match params.prfType {
        ck::CKM_AES_CMAC => None,
        hmac => {
            Some(family::hash_by(|family| family.hmac, hmac).ok_or(Error::MechanismParamInvalid)?)
        }
    };
    let count = usize::try_from(params.ulNumberOfDataParams).unwrap_or(usize::MAX);
    if count > PIECES_MAX || params.pDataParams.is_null() || params.ulAdditionalDerivedKeys > 0 {
        return Err(Error::MechanismParamInvalid);
    }
    let mut pieces = Vec::new();
    for place in 0..count {
        // SAFETY: the caller vouches for `count` pieces and what they point to.
        pieces.push(unsafe { piece(&params.pDataParams.add(place).read_unaligned()) }?);
    }
    let counters = pieces
        .iter()
        .filter(|piece| matches!(piece, Piece::Round(_)));
    if counters.count() != 1 {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(Method::Counter(hash, pieces))
}

/// # Safety
/// The value is null or readable for its length.
unsafe fn piece(given: &CK_PRF_DATA_PARAM) -> Result<Piece> {
    let format = |length: usize| {
        let fits = usize::try_from(given.ulValueLen) == Ok(length);
        if fits && !given.pValue.is_null() {
            Ok(())
        } else {
            Err(Error::MechanismParamInvalid)
        }
    };
    match given.type_ {
        ck::CK_SP800_108_ITERATION_VARIABLE => {
            format(size_of::<CK_SP800_108_COUNTER_FORMAT>())?;
            // SAFETY: not null, of the right size.
            let shape = unsafe {
                given
                    .pValue
                    .cast::<CK_SP800_108_COUNTER_FORMAT>()
                    .read_unaligned()
            };
            Ok(Piece::Round(number(
                shape.ulWidthInBits,
                shape.bLittleEndian,
                32,
            )?))
        }
        ck::CK_SP800_108_DKM_LENGTH => {
            format(size_of::<CK_SP800_108_DKM_LENGTH_FORMAT>())?;
            // SAFETY: as above.
            let shape = unsafe {
                given
                    .pValue
                    .cast::<CK_SP800_108_DKM_LENGTH_FORMAT>()
                    .read_unaligned()
            };
            Ok(Piece::Length(number(
                shape.ulWidthInBits,
                shape.bLittleEndian,
                64,
            )?))
        }
        ck::CK_SP800_108_BYTE_ARRAY => {
            // SAFETY: the contract of this function.
            Ok(Piece::Bytes(unsafe {
                pointed(given.pValue.cast(), given.ulValueLen)
            }?))
        }
        _ => Err(Error::MechanismParamInvalid),
    }
}

fn number(bits: CK_ULONG, little: ck::CK_BBOOL, bits_max: usize) -> Result<Number> {
    let bits = usize::try_from(bits).unwrap_or(usize::MAX);
    if bits == 0 || !bits.is_multiple_of(8) || bits > bits_max {
        return Err(Error::MechanismParamInvalid);
    }
    let order = if little == ck::CK_FALSE {
        Order::Big
    } else {
        Order::Little
    };
    Ok(Number {
        bytes: bits / 8,
        order,
    })
}

/// Key wrapping takes the standard IV: none is given, or just that one.
///
/// # Safety
/// As [`mechanism`].
unsafe fn wrapping_iv(given: &CK_MECHANISM) -> Result<()> {
    if given.ulParameterLen == 0 {
        return Ok(());
    }
    // SAFETY: the caller vouches for the parameter.
    let iv = unsafe { pointed(given.pParameter.cast(), given.ulParameterLen) }?;
    let is_standard = match given.mechanism {
        ck::CKM_AES_KEY_WRAP => iv == [0xa6; 8],
        _ => iv == [0xa6, 0x59, 0x59, 0xa6],
    };
    if is_standard {
        Ok(())
    } else {
        Err(Error::MechanismParamInvalid)
    }
}

/// # Safety
/// `start` is null or points to `length` readable bytes.
unsafe fn pointed(start: *const CK_BYTE, length: CK_ULONG) -> Result<Vec<u8>> {
    // SAFETY: the contract of this function.
    let copied = unsafe { bytes(start, length) };
    copied
        .map(|copied| copied.to_vec())
        .map_err(|_| Error::MechanismParamInvalid)
}

/// # Safety
/// The mechanism's parameter is null or readable for its length.
unsafe fn parameter<T: Copy>(given: &CK_MECHANISM) -> Result<T> {
    let fits = usize::try_from(given.ulParameterLen) == Ok(size_of::<T>());
    if given.pParameter.is_null() || !fits {
        return Err(Error::MechanismParamInvalid);
    }
    // SAFETY: not null, of the right size; read without a claim on alignment.
    Ok(unsafe { given.pParameter.cast::<T>().read_unaligned() })
}
