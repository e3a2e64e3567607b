//! Making keys (PKCS#11 §5.18).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG,
};

use super::output::Place;
use super::raw;
use super::state::{call, with};

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    template: *mut CK_ATTRIBUTE,
    length: CK_ULONG,
    place: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    call(|| {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { raw::mechanism(mechanism) }?;
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
    call(|| {
        // SAFETY: the caller passes null or room for a handle, twice.
        let places = unsafe { (Place::new(public_place)?, Place::new(private_place)?) };
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { raw::mechanism(mechanism) }?;
        // SAFETY: the caller passes templates of these lengths.
        let public = unsafe { raw::template(public, public_length) }?;
        // SAFETY: as above.
        let private = unsafe { raw::template(private, private_length) }?;
        let (public, private) =
            with(|module| module.generate_key_pair(session, &mechanism, &public, &private))?;
        places.0.write(public);
        places.1.write(private);
        Ok(())
    })
}
