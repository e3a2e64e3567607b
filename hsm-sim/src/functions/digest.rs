//! Message digests (PKCS#11 §5.12).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

use super::parameter;
use super::shell::{end_early, last, one_shot, silent_part};
use super::state::{call, step, with};
use crate::token::operation::Kind;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
) -> CK_RV {
    call("C_DigestInit", || {
        if mechanism.is_null() {
            return end_early(session, Kind::Digest);
        }
        // SAFETY: the caller passes a mechanism.
        let mechanism = unsafe { parameter::mechanism(mechanism) }?;
        with(|module| module.begin_digest(session, &mechanism))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Digest(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe {
        one_shot(
            session,
            Kind::Digest,
            (input, input_length),
            (buffer, length),
        )
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestUpdate(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { silent_part(session, Kind::Digest, input, input_length) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestKey(
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    step("C_DigestKey", session, Kind::Digest, || {
        with(|module| module.digest_key(session, key))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestFinal(
    session: CK_SESSION_HANDLE,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { last(session, Kind::Digest, buffer, length) }
}
