//! Slots and tokens (PKCS#11 §5.5).
#![expect(unsafe_code, reason = "exported C functions")]

use std::ffi::c_void;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_BBOOL, CK_FLAGS, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID,
    CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_UTF8CHAR, CK_VERSION,
};

use super::general::{MANUFACTURER, VERSION, count, padded};
use super::output::{Output, Place};
use super::raw;
use super::state::{call, with};
use crate::error::Error;
use crate::token::mechanism;
use crate::token::module::{Module, TokenReport};
use crate::token::pin::{PIN_BYTES_MAX, PIN_BYTES_MIN};
use crate::token::record::{TRIES_MAX, Tries};

/// Bytes of a label's field.
const LABEL_BYTES: CK_ULONG = 32;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSlotList(
    token_present: CK_BBOOL,
    slots: *mut CK_SLOT_ID,
    length: *mut CK_ULONG,
) -> CK_RV {
    call("C_GetSlotList", || {
        // SAFETY: the caller passes a buffer or null, and its length.
        let output = unsafe { Output::new(slots, length) }?;
        // The list may change only when its length is asked for (PKCS#11 §5.5.1).
        let slots = with(|module| {
            if output.is_question() {
                module.find_slots()?;
            }
            let is_bare = token_present != 0 && module.watch().is_removed();
            Ok(if is_bare { Vec::new() } else { module.slots() })
        })?;
        output.write(&slots)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, place: *mut CK_SLOT_INFO) -> CK_RV {
    call("C_GetSlotInfo", || {
        // SAFETY: the caller passes null or room for a CK_SLOT_INFO.
        let place = unsafe { Place::new(place) }?;
        let is_removed = with(|module| {
            module.slot(slot)?;
            Ok(module.watch().is_removed())
        })?;
        let present = if is_removed { 0 } else { ck::CKF_TOKEN_PRESENT };
        place.write(CK_SLOT_INFO {
            slotDescription: padded(&format!("Jinku HSM simulator slot {slot}")),
            manufacturerID: padded(MANUFACTURER),
            flags: present | ck::CKF_REMOVABLE_DEVICE,
            hardwareVersion: VERSION,
            firmwareVersion: VERSION,
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetTokenInfo(
    slot: CK_SLOT_ID,
    place: *mut CK_TOKEN_INFO,
) -> CK_RV {
    call("C_GetTokenInfo", || {
        // SAFETY: the caller passes null or room for a CK_TOKEN_INFO.
        let place = unsafe { Place::new(place) }?;
        place.write(describe(&with(|module| module.token_report(slot))?));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    mechanisms: *mut CK_MECHANISM_TYPE,
    length: *mut CK_ULONG,
) -> CK_RV {
    call("C_GetMechanismList", || {
        let listed = with(|module| {
            module.slot(slot)?;
            Ok(mechanism::all(&module.profile))
        })?;
        // SAFETY: the caller passes a buffer or null, and its length.
        unsafe { Output::new(mechanisms, length) }?.write(&listed)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    kind: CK_MECHANISM_TYPE,
    place: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    call("C_GetMechanismInfo", || {
        // SAFETY: the caller passes null or room for a CK_MECHANISM_INFO.
        let place = unsafe { Place::new(place) }?;
        place.write(with(|module| {
            module.slot(slot)?;
            mechanism::describe(&module.profile, kind)
        })?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_InitToken(
    slot: CK_SLOT_ID,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
    label: *mut CK_UTF8CHAR,
) -> CK_RV {
    call("C_InitToken", || {
        // SAFETY: the caller passes a PIN of this length.
        let pin = unsafe { raw::pin(pin, pin_length) }?;
        // SAFETY: the caller passes a label of 32 bytes, padded by blanks.
        let label = unsafe { raw::pin(label, LABEL_BYTES) }?;
        let label = std::str::from_utf8(&label).map_err(|_| Error::ArgumentsBad)?;
        let label = label.trim_end_matches([' ', '\0']).to_owned();
        with(|module| module.init_token(slot, &pin, label))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_InitPIN(
    session: CK_SESSION_HANDLE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    call("C_InitPIN", || {
        // SAFETY: the caller passes a PIN of this length.
        let pin = unsafe { raw::pin(pin, length) }?;
        with(|module| module.init_pin(session, &pin))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_SetPIN(
    session: CK_SESSION_HANDLE,
    old: *mut CK_UTF8CHAR,
    old_length: CK_ULONG,
    new: *mut CK_UTF8CHAR,
    new_length: CK_ULONG,
) -> CK_RV {
    call("C_SetPIN", || {
        // SAFETY: the caller passes PINs of these lengths.
        let old = unsafe { raw::pin(old, old_length) }?;
        // SAFETY: as above.
        let new = unsafe { raw::pin(new, new_length) }?;
        with(|module| module.set_pin(session, &old, &new))
    })
}

/// A slot changes when its token is removed or inserted; nobody waits for it here.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_WaitForSlotEvent(
    flags: CK_FLAGS,
    place: *mut CK_SLOT_ID,
    _reserved: *mut c_void,
) -> CK_RV {
    call("C_WaitForSlotEvent", || {
        if flags & ck::CKF_DONT_BLOCK == 0 {
            return Err(Error::FunctionNotSupported);
        }
        // SAFETY: the caller passes null or room for a slot's number.
        let place = unsafe { Place::new(place) }?;
        place.write(with(Module::next_slot_event)?);
        Ok(())
    })
}

fn describe(report: &TokenReport) -> CK_TOKEN_INFO {
    let (label, serial) = match &report.token {
        Some((label, serial, ..)) => (label.as_str(), serial.as_str()),
        None => ("", ""),
    };
    CK_TOKEN_INFO {
        label: padded(label),
        manufacturerID: padded(MANUFACTURER),
        model: padded("hsm-sim"),
        serialNumber: padded(serial),
        flags: flags(report),
        ulMaxSessionCount: count(report.sessions_max),
        ulSessionCount: count(report.sessions),
        ulMaxRwSessionCount: count(report.sessions_max),
        ulRwSessionCount: count(report.writing_sessions),
        ulMaxPinLen: count(PIN_BYTES_MAX),
        ulMinPinLen: count(PIN_BYTES_MIN),
        ulTotalPublicMemory: ck::CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: ck::CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: ck::CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: ck::CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: VERSION,
        firmwareVersion: CK_VERSION { major: 0, minor: 1 },
        utcTime: [b' '; 16],
    }
}

fn flags(report: &TokenReport) -> CK_FLAGS {
    let always = ck::CKF_RNG | ck::CKF_LOGIN_REQUIRED;
    let Some((_, _, has_user_pin, Tries { so, user, .. })) = &report.token else {
        return always;
    };
    let low = [
        ck::CKF_SO_PIN_COUNT_LOW,
        ck::CKF_SO_PIN_FINAL_TRY,
        ck::CKF_SO_PIN_LOCKED,
    ];
    let user_low = [
        ck::CKF_USER_PIN_COUNT_LOW,
        ck::CKF_USER_PIN_FINAL_TRY,
        ck::CKF_USER_PIN_LOCKED,
    ];
    let user_pin = if *has_user_pin {
        ck::CKF_USER_PIN_INITIALIZED
    } else {
        0
    };
    let tries = tries_flag(*so, low) | tries_flag(*user, user_low);
    always | ck::CKF_TOKEN_INITIALIZED | user_pin | tries
}

fn tries_flag(left: u8, [low, last, locked]: [CK_FLAGS; 3]) -> CK_FLAGS {
    match left {
        0 => locked,
        1 => last | low,
        TRIES_MAX.. => 0,
        _ => low,
    }
}
