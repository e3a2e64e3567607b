//! Objects (PKCS#11 §5.7).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CK_UNAVAILABLE_INFORMATION,
};

use super::general::count;
use super::output::{Output, Place};
use super::raw;
use super::state::{call, with};
use crate::error::{Error, Result};
use crate::token::attributes::{self, Attributes};

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CreateObject(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_CreateObject", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        place.write(with(|module| module.create_object(session, &template))?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CopyObject(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_CopyObject", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        place.write(with(|module| {
            module.copy_object(session, object, &template)
        })?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DestroyObject(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_DestroyObject", || {
        with(|module| module.destroy_object(session, object))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetObjectSize(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    place: *mut CK_ULONG,
) -> CK_RV {
    call("C_GetObjectSize", || {
        // SAFETY: the caller passes null or room for a number.
        let place = unsafe { Place::new(place) }?;
        place.write(count(with(|module| {
            Ok(module.object(session, object)?.size_bytes())
        })?));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
) -> CK_RV {
    call("C_GetAttributeValue", || {
        let length = usize::try_from(length).map_err(|_| Error::ArgumentsBad)?;
        if template.is_null() || length > raw::TEMPLATE_LENGTH_MAX {
            return Err(Error::ArgumentsBad);
        }
        with(|module| {
            let object = module.object(session, object)?;
            // All attributes are answered, even after one was refused (PKCS#11 §5.7.5).
            let mut outcome = Ok(());
            for place in 0..length {
                // SAFETY: the caller passes `length` attributes.
                let attribute = unsafe { &mut *template.add(place) };
                let value = object.read(attribute.type_);
                // SAFETY: each comes with null or a buffer of its stated length.
                outcome = outcome.and(unsafe { answer(attribute, value) });
            }
            outcome
        })
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
) -> CK_RV {
    call("C_SetAttributeValue", || {
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        with(|module| module.change_object(session, object, &template))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjectsInit(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
) -> CK_RV {
    call("C_FindObjectsInit", || {
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::pairs(template, length) }?;
        with(|module| module.begin_search(session, &template))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    limit: CK_ULONG,
    place: *mut CK_ULONG,
) -> CK_RV {
    call("C_FindObjects", || {
        // SAFETY: the caller passes null or room for a number.
        let place = unsafe { Place::new(place) }?;
        if objects.is_null() {
            return Err(Error::ArgumentsBad);
        }
        let limit_length = usize::try_from(limit).map_err(|_| Error::ArgumentsBad)?;
        let found = with(|module| module.search(session, limit_length))?;
        let mut room = limit;
        // SAFETY: the caller passes room for `limit` handles.
        unsafe { Output::new(objects, &raw mut room) }?.write(&found)?;
        place.write(count(found.len()));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_FindObjectsFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    call("C_FindObjectsFinal", || {
        with(|module| module.end_search(session))
    })
}

/// Fills one attribute of a template, or marks it as unavailable.
///
/// # Safety
/// The attribute's value is null or a buffer of its stated length.
unsafe fn answer(attribute: &mut CK_ATTRIBUTE, value: Result<&[u8]>) -> Result<()> {
    let length = &raw mut attribute.ulValueLen;
    let written = value.and_then(|value| {
        if attributes::is_nested(attribute.type_) {
            // SAFETY: the contract of this function.
            return unsafe { answer_nested(attribute, value) };
        }
        // SAFETY: the contract of this function.
        unsafe { Output::new(attribute.pValue.cast::<u8>(), length) }?.write(value)
    });
    if written.is_err() {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    }
    written
}

/// Fills a template within a template: first its types and lengths, then its values, as the caller
/// leads on (PKCS#11 §5.7.5).
///
/// # Safety
/// The attribute's value is null or a buffer of attributes of its stated length, each with null or
/// a buffer of its own stated length.
unsafe fn answer_nested(attribute: &mut CK_ATTRIBUTE, value: &[u8]) -> Result<()> {
    let inner = Attributes::from_nested(value).ok_or(Error::General)?;
    let width = size_of::<CK_ATTRIBUTE>();
    let needed = inner.iter().count() * width;
    let room = usize::try_from(attribute.ulValueLen).unwrap_or(0);
    attribute.ulValueLen = count(needed);
    if attribute.pValue.is_null() {
        return Ok(());
    }
    if room < needed {
        return Err(Error::BufferTooSmall);
    }
    let start = attribute.pValue.cast::<CK_ATTRIBUTE>();
    for (place, (kind, bytes)) in inner.iter().enumerate() {
        // SAFETY: the room was compared, and the caller vouches for what each attribute points to.
        unsafe {
            let one = &mut *start.add(place);
            one.type_ = kind;
            Output::new(one.pValue.cast::<u8>(), &raw mut one.ulValueLen)?.write(bytes)?;
        }
    }
    Ok(())
}
