//! Making keys, wrapping, unwrapping and deriving them (PKCS#11 §5.18).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG,
};

use super::output::{Output, Place};
use super::state::{call, with};
use super::{parameter, raw};
use crate::token::keys;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_GenerateKey", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        place.write(with(|module| {
            module.generate_key(session, &mechanism, &template)
        })?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public: *mut CK_ATTRIBUTE,
    public_length: CK_ULONG,
    private: *mut CK_ATTRIBUTE,
    private_length: CK_ULONG,
    public_place: *mut CK_OBJECT_HANDLE,
    private_place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_GenerateKeyPair", || {
        // SAFETY: the caller passes null or room for a handle, twice.
        let places = unsafe { (Place::new(public_place)?, Place::new(private_place)?) };
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        // SAFETY: the caller passes templates of these lengths.
        let public = unsafe { raw::template(public, public_length) }?;
        // SAFETY: as above.
        let private = unsafe { raw::template(private, private_length) }?;
        with(|module| module.check_pair_generation(session, &mechanism))?;
        // Drawing a pair takes long: other threads work meanwhile.
        let pair = keys::draw_pair(&mechanism, &public, &private)?;
        let (public, private) = with(|module| module.keep_pair(session, pair))?;
        places.0.write(public);
        places.1.write(private);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_WrapKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    call("C_WrapKey", || {
        // SAFETY: the caller passes a buffer or null, and its length.
        let output = unsafe { Output::new(buffer, length) }?;
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        output.write(&with(|module| {
            module.wrap_key(session, &mechanism, wrapping, key)
        })?)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_UnwrapKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    unwrapping: CK_OBJECT_HANDLE,
    wrapped: *mut CK_BYTE,
    wrapped_length: CK_ULONG,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_UnwrapKey", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        // SAFETY: the caller passes a wrapped key of this length.
        let wrapped = unsafe { raw::bytes(wrapped, wrapped_length) }?;
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        place.write(with(|module| {
            module.unwrap_key(session, &mechanism, unwrapping, &wrapped, &template)
        })?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DeriveKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call("C_DeriveKey", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        // SAFETY: the caller passes a template of this length.
        let template = unsafe { raw::template(template, length) }?;
        place.write(with(|module| {
            module.derive_key(session, &mechanism, key, &template)
        })?);
        Ok(())
    })
}
