//! What an operator does without a PKCS#11 client: make a token, and look at the tokens there are.

use std::path::Path;

use crate::error::{Error, Result};
use crate::token::module::Module;
use crate::token::pin::Role;
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
/// if the directory cannot be used.
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

fn report(module: &mut Module, slot: u64) -> Result<SlotReport> {
    let report = module.token_report(slot)?;
    let Some((label, serial, has_user_pin, tries)) = report.token else {
        let (so_pin, user_pin) = (PinState::Unset, PinState::Unset);
        let serial = String::new();
        return Ok(SlotReport {
            slot,
            label: None,
            serial,
            public_objects: 0,
            so_pin,
            user_pin,
        });
    };
    Ok(SlotReport {
        slot,
        label: Some(label),
        serial,
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
