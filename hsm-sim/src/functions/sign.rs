//! Signatures and message authentication codes (PKCS#11 §5.13, §5.15).
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

use super::raw;
use super::shell::{begin, last, one_shot, silent_part};
use super::state::{step, with};
use crate::token::operation::Kind;
use crate::token::work::Ending;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { begin(session, Kind::Sign, mechanism, key) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { one_shot(session, Kind::Sign, (input, input_length), (buffer, length)) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignUpdate(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { silent_part(session, Kind::Sign, input, input_length) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SignFinal(
    session: CK_SESSION_HANDLE,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { last(session, Kind::Sign, buffer, length) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { begin(session, Kind::Verify, mechanism, key) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Verify(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    signature: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    step("C_Verify", session, Kind::Verify, || {
        // SAFETY: the caller passes an input of this length.
        let input = unsafe { raw::bytes(input, input_length) }?;
        // SAFETY: the caller passes a signature of this length.
        let signature = unsafe { raw::bytes(signature, length) }?;
        let taken = with(|module| module.take(session, Kind::Verify, Ending::OneShot))?;
        taken.verify(&input, &signature)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyUpdate(
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe { silent_part(session, Kind::Verify, input, input_length) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_VerifyFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    step("C_VerifyFinal", session, Kind::Verify, || {
        // SAFETY: the caller passes a signature of this length.
        let signature = unsafe { raw::bytes(signature, length) }?;
        let taken = with(|module| module.take(session, Kind::Verify, Ending::Final))?;
        taken.verify(&[], &signature)
    })
}
