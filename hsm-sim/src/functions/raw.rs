//! From the caller's pointers to owned, safe values. Inputs are copied: a caller may write the
//! output over the input, or change it from another thread.
#![expect(unsafe_code, reason = "reads what PKCS#11 callers pass as pointers")]

use std::slice;

use cryptoki_sys::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_BYTE, CK_ULONG};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::token::attributes::{self, Attributes};

/// Attributes in one template.
pub(super) const TEMPLATE_LENGTH_MAX: usize = 256;

/// Bytes in one input. A length beyond it is a mistake, and following it would end the program.
const INPUT_BYTES_MAX: usize = 64 << 20;

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
    if length > INPUT_BYTES_MAX {
        return Err(Error::InputLength);
    }
    // SAFETY: not null, and the caller vouches for `length` bytes, which are bounded.
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
            let value = unsafe { value(&attribute) }?;
            Ok((attribute.type_, value))
        })
        .collect()
}

/// An attribute's value; a template within becomes the form in which objects keep it.
///
/// # Safety
/// The value is null or readable, and so are the values within.
unsafe fn value(attribute: &CK_ATTRIBUTE) -> Result<Vec<u8>> {
    if !attributes::is_nested(attribute.type_) {
        // SAFETY: the contract of this function.
        let copied = unsafe { bytes(attribute.pValue.cast(), attribute.ulValueLen) }?;
        return Ok(copied.to_vec());
    }
    let length = length_of(attribute.ulValueLen)?;
    let start = attribute.pValue.cast::<CK_ATTRIBUTE>();
    let is_whole = length.is_multiple_of(size_of::<CK_ATTRIBUTE>());
    let count = length / size_of::<CK_ATTRIBUTE>();
    if !is_whole || count > TEMPLATE_LENGTH_MAX || (start.is_null() && count > 0) {
        return Err(Error::AttributeValueInvalid);
    }
    let mut inner = Vec::new();
    for place in 0..count {
        // SAFETY: the caller vouches for `count` attributes.
        let one = unsafe { start.add(place).read_unaligned() };
        // One level is all there is: no template holds templates with templates.
        if attributes::is_nested(one.type_) {
            return Err(Error::AttributeValueInvalid);
        }
        // SAFETY: the caller vouches for each value.
        let copied = unsafe { bytes(one.pValue.cast(), one.ulValueLen) }?;
        inner.push((one.type_, copied.to_vec()));
    }
    Attributes::from_template(inner)?.to_nested()
}

/// A checked template.
///
/// # Safety
/// As [`pairs`].
pub(super) unsafe fn template(start: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Attributes> {
    // SAFETY: the same contract.
    Attributes::from_template(unsafe { pairs(start, count) }?)
}

fn length_of(length: CK_ULONG) -> Result<usize> {
    let length = isize::try_from(length).map_err(|_| Error::ArgumentsBad)?;
    usize::try_from(length).map_err(|_| Error::ArgumentsBad)
}
