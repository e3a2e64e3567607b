//! General-purpose functions (PKCS#11 §5.4): starting, stopping, and who we are.
#![expect(unsafe_code, reason = "exported C functions")]

use std::ffi::c_void;

use cryptoki_sys as ck;
use cryptoki_sys::{CK_C_INITIALIZE_ARGS, CK_INFO, CK_RV, CK_ULONG, CK_VERSION};

use super::output::Place;
use super::state::{self, call, guard};
use crate::error::{Error, Result};

pub(super) const MANUFACTURER: &str = "Jinku";
pub(super) const VERSION: CK_VERSION = CK_VERSION { major: 0, minor: 1 };

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Initialize(arguments: *mut c_void) -> CK_RV {
    guard(|| {
        state::check_not_initialized()?;
        let arguments = arguments.cast::<CK_C_INITIALIZE_ARGS>();
        // SAFETY: the caller passes null or a CK_C_INITIALIZE_ARGS.
        unsafe { arguments.as_ref() }.map_or(Ok(()), check_arguments)?;
        state::initialize()
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    call("C_Finalize", || {
        if reserved.is_null() {
            state::finalize()
        } else {
            Err(Error::ArgumentsBad)
        }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetInfo(place: *mut CK_INFO) -> CK_RV {
    call("C_GetInfo", || {
        // SAFETY: the caller passes null or room for a CK_INFO.
        let place = unsafe { Place::new(place) }?;
        place.write(CK_INFO {
            cryptokiVersion: CK_VERSION { major: 3, minor: 0 },
            manufacturerID: padded(MANUFACTURER),
            flags: 0,
            libraryDescription: padded("Jinku HSM simulator"),
            libraryVersion: VERSION,
        });
        Ok(())
    })
}

/// Text in a fixed field, padded by blanks, cut between characters.
pub(super) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    let end = (0..=N.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
    field
}

/// A count in the width of PKCS#11.
pub(super) fn count(count: usize) -> CK_ULONG {
    count as CK_ULONG
}

/// We lock by the operating system's means; callbacks alone cannot be served.
fn check_arguments(arguments: &CK_C_INITIALIZE_ARGS) -> Result<()> {
    let given = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    let is_mixed = given.contains(&true) && given.contains(&false);
    if is_mixed || !arguments.pReserved.is_null() {
        return Err(Error::ArgumentsBad);
    }
    if given.contains(&true) && arguments.flags & ck::CKF_OS_LOCKING_OK == 0 {
        return Err(Error::CannotLock);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_label_is_cut_between_characters() {
        assert_eq!(&padded::<4>("金庫"), "金 ".as_bytes());
        assert_eq!(&padded::<4>("ab"), b"ab  ");
    }
}
