//! The one piece of global state, which PKCS#11 asks for: the module between `C_Initialize` and
//! `C_Finalize`. Here is also the wall that no panic and no untyped error passes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

use cryptoki_sys::{CK_RV, CK_SESSION_HANDLE, CKR_GENERAL_ERROR, CKR_OK};

use super::wall;
use crate::error::{Error, Result};

use crate::token::module::Module;
use crate::token::operation::Kind;

static STATE: Mutex<Option<Module>> = Mutex::new(None);

/// Runs a call that needs no initialised module.
pub(super) fn guard(call: impl FnOnce() -> Result<()>) -> CK_RV {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(error)) => error.code(),
        Err(_) => CKR_GENERAL_ERROR,
    }
}

/// Runs a call that needs an initialised module.
pub(super) fn call(function: &'static str, call: impl FnOnce() -> Result<()>) -> CK_RV {
    guard(|| wall::pass(function).and_then(|()| call()))
}

/// Runs a call that goes on with an operation. Whatever strikes or refuses it ends the operation, but
/// for too little room (PKCS#11 §5.2, §5.8.2 and its like).
pub(super) fn step(
    function: &'static str,
    session: CK_SESSION_HANDLE,
    kind: Kind,
    call: impl FnOnce() -> Result<()>,
) -> CK_RV {
    guard(|| {
        let passed = wall::pass(function);
        let outcome = passed.and_then(|()| call());
        let goes_on = passed.is_ok() && matches!(outcome, Ok(()) | Err(Error::BufferTooSmall));
        if !goes_on {
            with(|module| module.cancel(session, &[kind])).ok();
        }
        outcome
    })
}

/// Works on the module under its lock.
pub(super) fn with<T>(act: impl FnOnce(&mut Module) -> Result<T>) -> Result<T> {
    match lock()?
        .as_mut()
        .filter(|module| module.is_of_this_process())
    {
        Some(module) => act(module),
        None => Err(Error::NotInitialized),
    }
}

pub(super) fn initialize() -> Result<()> {
    let mut state = lock()?;
    if state.as_ref().is_some_and(Module::is_of_this_process) {
        return Err(Error::AlreadyInitialized);
    }
    let directory = hsm_wire::token_directory().ok_or(Error::General)?;
    *state = Some(Module::open(&directory)?);
    Ok(())
}

pub(super) fn check_not_initialized() -> Result<()> {
    match with(|_| Ok(())) {
        Err(Error::NotInitialized) => Ok(()),
        Ok(()) => Err(Error::AlreadyInitialized),
        Err(error) => Err(error),
    }
}

pub(super) fn finalize() -> Result<()> {
    *lock()? = None;
    Ok(())
}

/// A poisoned lock stays an error: after a panic nobody knows what the state is.
fn lock() -> Result<MutexGuard<'static, Option<Module>>> {
    STATE.lock().map_err(|_| Error::General)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_general_error() {
        assert_eq!(guard(|| panic!("a defect")), CKR_GENERAL_ERROR);
    }
}
