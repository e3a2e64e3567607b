//! Sessions and logins (PKCS#11 §5.6).
#![expect(unsafe_code, reason = "exported C functions")]

use std::ffi::c_void;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_FLAGS, CK_NOTIFY, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID, CK_ULONG,
    CK_USER_TYPE, CK_UTF8CHAR,
};

use super::output::Place;
use super::raw;
use super::state::{call, with};
use crate::error::Error;
use crate::token::module::Login;
use crate::token::operation::Kind;
use crate::token::pin::Role;
use crate::token::session::Access;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: *mut c_void,
    _notify: CK_NOTIFY,
    place: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    call("C_OpenSession", || {
        // SAFETY: the caller passes null or room for a handle.
        let place = unsafe { Place::new(place) }?;
        if flags & ck::CKF_SERIAL_SESSION == 0 {
            return Err(Error::SessionParallel);
        }
        let writes = flags & ck::CKF_RW_SESSION != 0;
        let access = if writes {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        };
        place.write(with(|module| module.open_session(slot, access))?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    call("C_CloseSession", || {
        with(|module| module.close_session(session))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    call("C_CloseAllSessions", || {
        with(|module| module.close_all_sessions(slot))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSessionInfo(
    session: CK_SESSION_HANDLE,
    place: *mut CK_SESSION_INFO,
) -> CK_RV {
    call("C_GetSessionInfo", || {
        // SAFETY: the caller passes null or room for a CK_SESSION_INFO.
        let place = unsafe { Place::new(place) }?;
        let (slot, state, access) = with(|module| module.session_state(session))?;
        let writes = if access == Access::ReadWrite {
            ck::CKF_RW_SESSION
        } else {
            0
        };
        let flags = ck::CKF_SERIAL_SESSION | writes;
        place.write(CK_SESSION_INFO {
            slotID: slot,
            state,
            flags,
            ulDeviceError: 0,
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    call("C_Login", || {
        // SAFETY: the caller passes a PIN of this length.
        let pin = unsafe { raw::pin(pin, length) }?;
        let login = match user {
            ck::CKU_SO => Login::Token(Role::SecurityOfficer),
            ck::CKU_USER => Login::Token(Role::User),
            ck::CKU_CONTEXT_SPECIFIC => Login::Operation,
            _ => return Err(Error::UserTypeInvalid),
        };
        let attempt = with(|module| module.begin_login(session, login))?;
        // Looking at a PIN is slow on purpose: other threads work meanwhile.
        let outcome = attempt.open(&pin);
        with(|module| module.end_login(session, login, &attempt, outcome))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    call("C_Logout", || with(|module| module.log_out(session)))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SessionCancel(
    session: CK_SESSION_HANDLE,
    flags: CK_FLAGS,
) -> CK_RV {
    let kinds = [
        (ck::CKF_ENCRYPT, Kind::Encrypt),
        (ck::CKF_DECRYPT, Kind::Decrypt),
        (ck::CKF_SIGN, Kind::Sign),
        (ck::CKF_VERIFY, Kind::Verify),
        (ck::CKF_DIGEST, Kind::Digest),
    ];
    call("C_SessionCancel", || {
        let named: Vec<Kind> = kinds
            .iter()
            .filter(|(flag, _)| flags & flag != 0)
            .map(|(_, kind)| *kind)
            .collect();
        with(|module| {
            module.cancel(session, &named)?;
            for (flag, kind) in [
                (ck::CKF_MESSAGE_ENCRYPT, Kind::Encrypt),
                (ck::CKF_MESSAGE_DECRYPT, Kind::Decrypt),
            ] {
                if flags & flag != 0 {
                    module.end_messages(session, kind).ok();
                }
            }
            if flags & ck::CKF_FIND_OBJECTS != 0 {
                module.end_search(session).ok();
            }
            Ok(())
        })
    })
}
