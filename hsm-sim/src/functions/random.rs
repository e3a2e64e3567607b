//! Randomness (PKCS#11 §5.21), straight from the operating system.
#![expect(unsafe_code, reason = "exported C functions")]

use cryptoki_sys::{CK_BYTE, CK_RV, CK_SESSION_HANDLE, CK_ULONG};
use zeroize::Zeroizing;

use super::output::Output;
use super::raw;
use super::state::{call, with};
use crate::error::Error;
use crate::token::crypto;

/// Bytes that one call draws.
const RANDOM_BYTES_MAX: usize = 16 << 20;

/// The system's source takes no seed of ours, and needs none.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SeedRandom(
    session: CK_SESSION_HANDLE,
    seed: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    call("C_SeedRandom", || {
        // SAFETY: the caller passes a seed of this length.
        unsafe { raw::bytes(seed, length) }?;
        with(|module| module.session(session).map(drop))?;
        Err(Error::RandomSeedNotSupported)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GenerateRandom(
    session: CK_SESSION_HANDLE,
    buffer: *mut CK_BYTE,
    length: CK_ULONG,
) -> CK_RV {
    call("C_GenerateRandom", || {
        with(|module| module.session(session).map(drop))?;
        let count = usize::try_from(length).map_err(|_| Error::ArgumentsBad)?;
        if count > RANDOM_BYTES_MAX || (buffer.is_null() && count > 0) {
            return Err(Error::ArgumentsBad);
        }
        let mut bytes = Zeroizing::new(vec![0; count]);
        crypto::fill_random(&mut bytes)?;
        let mut room = length;
        // SAFETY: the caller passes room for `length` bytes.
        unsafe { Output::new(buffer, &raw mut room) }?.write(&bytes)
    })
}
