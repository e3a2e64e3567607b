//! The wall between callers and the device: every call passes it, and every fault strikes here.
//! Behind it nobody knows of faults.

use std::thread;

use super::state::with;
use crate::error::{Error, Result};
use crate::token::module::Module;

/// What a function needs of the device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: the library answers by itself.
    Nothing,
    /// The token in a slot.
    Token,
    /// An open session, and no login.
    Session,
    /// An open session to work in.
    Work,
    /// Room for a new object.
    Room,
}

/// Lets a call pass, late or not at all. It waits outside the module's lock: a slow call holds up
/// nobody else.
pub(super) fn pass(function: &str) -> Result<()> {
    let need = need(function);
    let (suffered, delay) = with(|module| Ok((module.suffer(), module.watch().delay(function))))?;
    if need == Need::Nothing {
        return Ok(());
    }
    suffered?;
    if !delay.is_zero() {
        thread::sleep(delay);
        with(Module::suffer)?;
    }
    with(|module| {
        module.watch().crash();
        check(module, need)?;
        module.watch().failure(function).map_or(Ok(()), Err)
    })
}

/// What the device's state refuses whatever the call is about.
fn check(module: &mut Module, need: Need) -> Result<()> {
    if module.watch().is_removed() {
        return Err(match need {
            Need::Nothing | Need::Token => Error::TokenNotPresent,
            Need::Session | Need::Work | Need::Room => Error::DeviceRemoved,
        });
    }
    if matches!(need, Need::Work | Need::Room) && module.is_login_lost() {
        return Err(Error::UserNotLoggedIn);
    }
    if need == Need::Room && module.watch().is_full() {
        return Err(Error::DeviceMemory);
    }
    Ok(())
}

fn need(function: &str) -> Need {
    match function {
        "C_Initialize" | "C_Finalize" | "C_GetInfo" | "C_GetSlotList" | "C_GetSlotInfo"
        | "C_WaitForSlotEvent" => Need::Nothing,
        "C_GetTokenInfo" | "C_GetMechanismList" | "C_GetMechanismInfo" | "C_InitToken"
        | "C_OpenSession" | "C_CloseAllSessions" => Need::Token,
        "C_CloseSession" | "C_GetSessionInfo" | "C_Login" | "C_LoginUser" | "C_Logout"
        | "C_SessionCancel" => Need::Session,
        "C_CreateObject" | "C_CopyObject" | "C_GenerateKey" | "C_GenerateKeyPair"
        | "C_UnwrapKey" | "C_DeriveKey" => Need::Room,
        _ => Need::Work,
    }
}
