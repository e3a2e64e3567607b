//! The bodies that the shells of encryption, signatures and digests share.
#![expect(unsafe_code, reason = "takes pointers from the exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

use super::output::{self, Output};
use super::state::{call, step, with};
use super::{parameter, raw};
use crate::error::{Error, Result};
use crate::token::operation::Kind;
use crate::token::work::Ending;

/// An input and its length, as the caller passes them.
type Input = (*mut CK_BYTE, CK_ULONG);
/// A buffer and the place of its length, as the caller passes them.
type Room = (*mut CK_BYTE, *mut CK_ULONG);

/// # Safety
/// `mechanism` is null or a mechanism.
pub(super) unsafe fn begin(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    call(named(kind, Step::Begin), || {
        if mechanism.is_null() {
            return end_early(session, kind);
        }
        // SAFETY: the contract of this function.
        let read = unsafe { parameter::mechanism(mechanism) }?;
        let iv = with(|module| module.begin(session, kind, read, key))?;
        match iv {
            // SAFETY: as above; the IV has the length that the parameter said.
            Some(iv) => unsafe { parameter::return_iv(mechanism, &iv) },
            None => Ok(()),
        }
    })
}

/// # Safety
/// The input is null or readable, the room null or writable, for their lengths.
pub(super) unsafe fn one_shot(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    input: Input,
    room: Room,
) -> CK_RV {
    step(named(kind, Step::Whole), session, kind, || {
        // SAFETY: the contract of this function.
        let (input, output) =
            unsafe { (raw::bytes(input.0, input.1)?, Output::new(room.0, room.1)?) };
        output::finish(session, kind, Ending::OneShot, &input, &output)
    })
}

/// # Safety
/// As [`one_shot`].
pub(super) unsafe fn part(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    input: Input,
    room: Room,
) -> CK_RV {
    step(named(kind, Step::Part), session, kind, || {
        // SAFETY: the contract of this function.
        let (input, output) =
            unsafe { (raw::bytes(input.0, input.1)?, Output::new(room.0, room.1)?) };
        output::update(session, kind, &input, &output)
    })
}

/// A part of an operation that yields nothing before its end.
///
/// # Safety
/// The input is null or readable for its length.
pub(super) unsafe fn silent_part(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    input: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    step(named(kind, Step::Part), session, kind, || {
        // SAFETY: the contract of this function.
        let input = unsafe { raw::bytes(input, length) }?;
        with(|module| module.update(session, kind, &input).map(drop))
    })
}

/// # Safety
/// The room is null or writable for its length.
pub(super) unsafe fn last(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    step(named(kind, Step::Last), session, kind, || {
        // SAFETY: the contract of this function.
        let output = unsafe { Output::new(buffer, length) }?;
        output::finish(session, kind, Ending::Final, &[], &output)
    })
}

/// No mechanism at the beginning means to end what runs (PKCS#11 v3.0 §5.8.1 and its like).
pub(super) fn end_early(session: CK_SESSION_HANDLE, kind: Kind) -> Result<()> {
    with(|module| {
        if module.is_running(session, kind)? {
            module.cancel(session, &[kind])
        } else {
            Err(Error::ArgumentsBad)
        }
    })
}

/// A call's place in an operation.
#[derive(Clone, Copy)]
enum Step {
    Begin,
    Whole,
    Part,
    Last,
}

/// The function that takes this step, for the wall.
fn named(kind: Kind, step: Step) -> &'static str {
    let names = match kind {
        Kind::Encrypt => [
            "C_EncryptInit",
            "C_Encrypt",
            "C_EncryptUpdate",
            "C_EncryptFinal",
        ],
        Kind::Decrypt => [
            "C_DecryptInit",
            "C_Decrypt",
            "C_DecryptUpdate",
            "C_DecryptFinal",
        ],
        Kind::Sign => ["C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal"],
        Kind::Verify => [
            "C_VerifyInit",
            "C_Verify",
            "C_VerifyUpdate",
            "C_VerifyFinal",
        ],
        Kind::Digest => [
            "C_DigestInit",
            "C_Digest",
            "C_DigestUpdate",
            "C_DigestFinal",
        ],
    };
    let [begin, whole, part, last] = names;
    match step {
        Step::Begin => begin,
        Step::Whole => whole,
        Step::Part => part,
        Step::Last => last,
    }
}
