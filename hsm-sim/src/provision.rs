//! What an operator does without a PKCS#11 client: make a token, and look at the tokens there are.

use std::path::Path;

use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::token::module::Module;
pub use crate::token::pin::Role;
use crate::token::record::TRIES_MAX;
use crate::token::session::Access;

/// Bytes of the longest label.
const LABEL_BYTES_MAX: usize = 32;

/// What stands between a PIN and its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// Nobody set it yet.
    Unset,
    /// It can be used; so many wrong tries are left.
    Ready {
        /// Wrong tries until it locks.
        tries_left: u8,
    },
    /// Too many wrong tries.
    Locked,
}

/// One slot as anybody may see it, without a PIN.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlotReport {
    /// The slot's number, as in PKCS#11.
    pub slot: u64,
    /// The token's label; `None` if the slot's token is not initialised.
    pub label: Option<String>,
    /// The token's serial number; empty if it is not initialised.
    pub serial: String,
    /// True if its keys were destroyed; it waits to be initialised again.
    pub is_tampered: bool,
    /// Public objects. Private ones cannot be counted without the PIN.
    pub public_objects: usize,
    /// The SO's PIN.
    pub so_pin: PinState,
    /// The user's PIN.
    pub user_pin: PinState,
}

/// Initialises the first empty slot of the directory with both PINs, and yields the slot.
///
/// # Errors
/// [`Error::ArgumentsBad`] for a label that is empty or longer than 32 bytes,
/// [`Error::PinLength`] for a PIN of fewer than 4 or more than 255 bytes, [`Error::DeviceError`]
/// if the directory cannot be used, [`Error::ProfileUnknown`] if the environment names none.
pub fn install(directory: &Path, label: &str, so_pin: &[u8], user_pin: &[u8]) -> Result<u64> {
    if label.is_empty() || label.len() > LABEL_BYTES_MAX {
        return Err(Error::ArgumentsBad);
    }
    crate::token::pin::check_new(user_pin)?;
    let mut module = Module::open(directory)?;
    let slot = module.init_empty_slot(so_pin, label)?;
    let session = module.open_session(slot, Access::ReadWrite)?;
    module.log_in(session, Role::SecurityOfficer, so_pin)?;
    module.init_pin(session, user_pin)?;
    module.close_session(session)?;
    Ok(slot)
}

/// All slots of the directory, in order; the last is the empty one.
///
/// # Errors
/// [`Error::DeviceError`] if the directory or one of its token files cannot be used.
pub fn survey(directory: &Path) -> Result<Vec<SlotReport>> {
    let mut module = Module::open(directory)?;
    module
        .slots()
        .into_iter()
        .map(|slot| report(&mut module, slot))
        .collect()
}

/// Spends all tries of a PIN of a token.
///
/// # Errors
/// [`Error::SlotIdInvalid`], [`Error::TokenNotRecognized`] if no token is there,
/// [`Error::DeviceError`] if its file cannot be used.
pub fn lock_pin(directory: &Path, slot: u64, role: Role) -> Result<()> {
    Module::open(directory)?.lock_pin(slot, role)
}

/// Destroys the keys of a token, or of all tokens: on disk now, in running modules at their next
/// call. Yields the slots. Initialising makes a new, empty token.
///
/// # Errors
/// [`Error::SlotIdInvalid`], [`Error::TokenNotRecognized`] if no token is there,
/// [`Error::DeviceError`] if its file cannot be used.
pub fn tamper(directory: &Path, slot: Option<u64>) -> Result<Vec<u64>> {
    let destroyed = Module::open(directory)?.tamper(slot)?;
    Faults::change(directory, |faults| faults.happened.tamperings += 1)?;
    Ok(destroyed)
}

fn report(module: &mut Module, slot: u64) -> Result<SlotReport> {
    let is_tampered = module.is_tampered(slot)?;
    let token = if is_tampered {
        None
    } else {
        module.token_report(slot)?.token
    };
    let Some((label, serial, has_user_pin, tries)) = token else {
        let (so_pin, user_pin) = (PinState::Unset, PinState::Unset);
        let serial = String::new();
        return Ok(SlotReport {
            slot,
            label: None,
            serial,
            is_tampered,
            public_objects: 0,
            so_pin,
            user_pin,
        });
    };
    Ok(SlotReport {
        slot,
        label: Some(label),
        serial,
        is_tampered,
        public_objects: module.count_public(slot)?,
        so_pin: PinState::of(tries.left(Role::SecurityOfficer)),
        user_pin: if has_user_pin {
            PinState::of(tries.left(Role::User))
        } else {
            PinState::Unset
        },
    })
}

impl PinState {
    fn of(left: u8) -> Self {
        match left {
            0 => Self::Locked,
            left => Self::Ready {
                tries_left: left.min(TRIES_MAX),
            },
        }
    }
}
