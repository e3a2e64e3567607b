//! Message digests (PKCS#11 §5.12).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_MECHANISM, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

use super::raw;
use super::shell::{last, one_shot, silent_part};
use super::state::{call, with};
use crate::token::operation::Kind;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DigestInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
) -> CK_RV {
    call(|| {
        // SAFETY: the caller passes null or a mechanism.
        let mechanism = unsafe { raw::mechanism(mechanism) }?;
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
pub(super) unsafe extern "C" fn C_DigestFinal(
    session: CK_SESSION_HANDLE,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { last(session, Kind::Digest, buffer, length) }
}
