//! From the caller's pointers to owned, safe values. Inputs are copied: a caller may write the
//! output over the input, or change it from another thread.
#![expect(unsafe_code, reason = "reads what PKCS#11 callers pass as pointers")]

use std::slice;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_BYTE, CK_GCM_PARAMS, CK_MECHANISM, CK_ULONG,
};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::token::attributes::Attributes;
use crate::token::mechanism::{Gcm, Mechanism};

/// Attributes in one template.
pub(super) const TEMPLATE_LENGTH_MAX: usize = 256;

/// A copy of `length` bytes. Null is right only for no bytes.
///
/// # Safety
/// `start` is null or points to `length` readable bytes.
pub(super) unsafe fn bytes(start: *const CK_BYTE, length: CK_ULONG) -> Result<Zeroizing<Vec<u8>>> {
    let length = length_of(length)?;
    if start.is_null() {
        let is_empty = length == 0;
        return if is_empty {
            Ok(Zeroizing::default())
        } else {
            Err(Error::ArgumentsBad)
        };
    }
    // SAFETY: not null, and the caller vouches for `length` bytes; `length_of` bounds them.
    Ok(Zeroizing::new(
        unsafe { slice::from_raw_parts(start, length) }.to_vec(),
    ))
}

/// A copy of a PIN, which is never null: this token has no keypad of its own.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn pin(start: *const CK_BYTE, length: CK_ULONG) -> Result<Zeroizing<Vec<u8>>> {
    if start.is_null() {
        return Err(Error::ArgumentsBad);
    }
    // SAFETY: the same contract.
    unsafe { bytes(start, length) }
}

/// The attributes of a template as they are, for a search.
///
/// # Safety
/// `start` is null or points to `count` attributes, each with a null or readable value.
pub(super) unsafe fn pairs(
    start: *const CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Result<Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>> {
    let count = length_of(count)?;
    if count > TEMPLATE_LENGTH_MAX || (start.is_null() && count > 0) {
        return Err(Error::ArgumentsBad);
    }
    (0..count)
        .map(|place| {
            // SAFETY: `place` is below the count that the caller vouches for.
            let attribute = unsafe { start.add(place).read() };
            // SAFETY: the caller vouches for each attribute's value.
            let value = unsafe { bytes(attribute.pValue.cast(), attribute.ulValueLen) }?;
            Ok((attribute.type_, value.to_vec()))
        })
        .collect()
}

/// A checked template.
///
/// # Safety
/// As [`pairs`].
pub(super) unsafe fn template(start: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Attributes> {
    // SAFETY: the same contract.
    Attributes::from_template(unsafe { pairs(start, count) }?)
}

/// A mechanism with its parameter.
///
/// # Safety
/// `mechanism` is null or points to a mechanism whose parameter is null or readable.
pub(super) unsafe fn mechanism(mechanism: *const CK_MECHANISM) -> Result<Mechanism> {
    if mechanism.is_null() {
        return Err(Error::ArgumentsBad);
    }
    // SAFETY: not null.
    let given = unsafe { mechanism.read() };
    match given.mechanism {
        // SAFETY: the caller vouches for the parameter.
        ck::CKM_AES_GCM => unsafe { gcm(&given) },
        // A parameter of CKM_EDDSA means Ed25519ctx or Ed25519ph, which are other algorithms.
        kind => {
            let plain = Mechanism::plain(kind)?;
            if given.ulParameterLen == 0 {
                Ok(plain)
            } else {
                Err(Error::MechanismParamInvalid)
            }
        }
    }
}

/// # Safety
/// The mechanism's parameter is null or readable.
unsafe fn gcm(given: &CK_MECHANISM) -> Result<Mechanism> {
    // SAFETY: the caller vouches for the parameter.
    let params: CK_GCM_PARAMS = unsafe { parameter(given) }?.ok_or(Error::MechanismParamInvalid)?;
    // SAFETY: the caller vouches for what the parameter points to.
    let iv = unsafe { bytes(params.pIv, params.ulIvLen) };
    // SAFETY: as above.
    let aad = unsafe { bytes(params.pAAD, params.ulAADLen) };
    let iv = iv.map_err(|_| Error::MechanismParamInvalid)?;
    let aad = aad.map_err(|_| Error::MechanismParamInvalid)?;
    Ok(Mechanism::Gcm(Gcm::new(&iv, &aad, params.ulTagBits)?))
}

/// # Safety
/// The mechanism's parameter is null or readable for its length.
unsafe fn parameter<T: Copy>(given: &CK_MECHANISM) -> Result<Option<T>> {
    if given.ulParameterLen == 0 {
        return Ok(None);
    }
    let fits = usize::try_from(given.ulParameterLen) == Ok(size_of::<T>());
    if given.pParameter.is_null() || !fits {
        return Err(Error::MechanismParamInvalid);
    }
    // SAFETY: not null, of the right size; read without a claim on alignment.
    Ok(Some(unsafe {
        given.pParameter.cast::<T>().read_unaligned()
    }))
}

fn length_of(length: CK_ULONG) -> Result<usize> {
    let length = isize::try_from(length).map_err(|_| Error::ArgumentsBad)?;
    usize::try_from(length).map_err(|_| Error::ArgumentsBad)
}
