//! The bodies that the shells of encryption, signatures and digests share.
#![expect(unsafe_code, reason = "takes pointers from the exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};

use super::output::{self, Output};
use super::raw;
use super::state::{call, with};
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
    call(|| {
        // SAFETY: the contract of this function.
        let mechanism = unsafe { raw::mechanism(mechanism) }?;
        with(|module| module.begin(session, kind, mechanism, key))
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
    call(|| {
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
    call(|| {
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
    call(|| {
        // SAFETY: the contract of this function.
        let input = unsafe { raw::bytes(input, length) }?;
        with(|module| module.update(session, kind, &input))
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
    call(|| {
        // SAFETY: the contract of this function.
        let output = unsafe { Output::new(buffer, length) }?;
        output::finish(session, kind, Ending::Final, &[], &output)
    })
}
