//! One logged-in session, opened again when it was lost. Modules are loaded once a process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::HsmSettings;
use crate::error::HsmError;
use crate::secret::Pin;

/// PKCS#11 is one state a process (v3.0 section 5.4: one `C_Initialize`), so this is one too.
static MODULES: Mutex<Vec<(PathBuf, Pkcs11)>> = Mutex::new(Vec::new());

pub(super) struct Sessions {
    module: PathBuf,
    label: String,
    pin: Pin,
    open: Mutex<Option<Session>>,
}

/// A session in use.
pub(super) struct Open<'a>(&'a Session);

impl Sessions {
    pub(super) fn open(settings: &HsmSettings) -> Result<Self, HsmError> {
        let sessions = Self {
            module: settings.module.clone(),
            label: settings.token_label.clone(),
            pin: Pin::new(settings.pin.expose().to_owned()),
            open: Mutex::new(None),
        };
        sessions.with(|_| Ok(()))?;
        Ok(sessions)
    }

    /// Runs `act` in the session. If that was lost, it is opened again and `act` runs once more.
    pub(super) fn with<T>(
        &self,
        mut act: impl FnMut(&Open<'_>) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let session = match open.take() {
            Some(session) => session,
            None => self.log_in()?,
        };
        match act(&Open(&session)) {
            Err(error) if is_lost(&error) => {
                drop(session);
                let again = self.log_in()?;
                let result = act(&Open(&again));
                *open = Some(again);
                result
            }
            result => {
                *open = Some(session);
                result
            }
        }
    }

    fn log_in(&self) -> Result<Session, HsmError> {
        let context = load(&self.module)?;
        let slot = find_token(&context, &self.label)?.ok_or_else(|| HsmError::NoToken {
            label: self.label.clone(),
            module: self.module.clone(),
        })?;
        let session = context
            .open_rw_session(slot)
            .map_err(|error| refused("C_OpenSession", &error))?;
        match session.login(UserType::User, Some(&auth(&self.pin))) {
            // Logging in is for all sessions of a process: another one may have done it.
            Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(refused("C_Login", &error)),
        }
    }
}

impl Open<'_> {
    pub(super) fn raw(&self) -> &Session {
        self.0
    }

    /// The one object that looks so; labels are not unique by standard, so two are an error.
    pub(super) fn find(
        &self,
        template: &[Attribute],
        label: &str,
    ) -> Result<Option<ObjectHandle>, HsmError> {
        let found = self
            .0
            .find_objects(template)
            .map_err(|error| refused("C_FindObjects", &error))?;
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(HsmError::AmbiguousKey {
                label: label.to_owned(),
            }),
        }
    }

    pub(super) fn known(
        &self,
        template: &[Attribute],
        label: &str,
    ) -> Result<ObjectHandle, HsmError> {
        self.find(template, label)?.ok_or_else(|| HsmError::NoKey {
            label: label.to_owned(),
        })
    }
}

pub(super) fn initialize_token(
    module: &Path,
    label: &str,
    so_pin: &Pin,
    pin: &Pin,
) -> Result<(), HsmError> {
    let context = load(module)?;
    if find_token(&context, label)?.is_some() {
        return Err(HsmError::TokenExists {
            label: label.to_owned(),
        });
    }
    let slot = free_slot(&context)?.ok_or(HsmError::NoFreeSlot)?;
    let so_pin = auth(so_pin);
    context
        .init_token(slot, &so_pin, label)
        .map_err(|error| refused("C_InitToken", &error))?;
    // Modules may give the new token another slot.
    let slot = find_token(&context, label)?.unwrap_or(slot);
    let session = context
        .open_rw_session(slot)
        .map_err(|error| refused("C_OpenSession", &error))?;
    session
        .login(UserType::So, Some(&so_pin))
        .map_err(|error| refused("C_Login", &error))?;
    session
        .init_pin(&auth(pin))
        .map_err(|error| refused("C_InitPIN", &error))?;
    session
        .logout()
        .map_err(|error| refused("C_Logout", &error))
}

fn load(module: &Path) -> Result<Pkcs11, HsmError> {
    let missing = || HsmError::Module {
        module: module.to_owned(),
    };
    let path = module.canonicalize().map_err(|_| missing())?;
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, context)) = modules.iter().find(|(known, _)| *known == path) {
        return Ok(context.clone());
    }
    let context = Pkcs11::new(&path).map_err(|_| missing())?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(refused("C_Initialize", &error)),
    }
    modules.push((path, context.clone()));
    Ok(context)
}

fn find_token(context: &Pkcs11, label: &str) -> Result<Option<Slot>, HsmError> {
    let slots = context
        .get_slots_with_initialized_token()
        .map_err(|error| refused("C_GetSlotList", &error))?;
    for slot in slots {
        let token = context
            .get_token_info(slot)
            .map_err(|error| refused("C_GetTokenInfo", &error))?;
        if token.label() == label {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

fn free_slot(context: &Pkcs11) -> Result<Option<Slot>, HsmError> {
    let slots = context
        .get_slots_with_token()
        .map_err(|error| refused("C_GetSlotList", &error))?;
    for slot in slots {
        let token = context
            .get_token_info(slot)
            .map_err(|error| refused("C_GetTokenInfo", &error))?;
        if !token.token_initialized() {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

fn auth(pin: &Pin) -> AuthPin {
    AuthPin::new(pin.expose().into())
}

/// The HSM's answer, in our words. `RvError`'s names hold nothing but the code.
pub(super) fn refused(function: &'static str, error: &Pkcs11Error) -> HsmError {
    match error {
        Pkcs11Error::Pkcs11(RvError::PinIncorrect, _) => HsmError::WrongPin,
        Pkcs11Error::Pkcs11(RvError::PinLocked, _) => HsmError::PinLocked,
        Pkcs11Error::Pkcs11(code, _) => HsmError::Refused {
            code: format!("{code:?}"),
            function,
        },
        _ => HsmError::Refused {
            code: "an answer that makes no sense".to_owned(),
            function,
        },
    }
}

/// Sessions, logins and handles come and go with the device: then everything is opened anew.
fn is_lost(error: &HsmError) -> bool {
    const LOST: [&str; 5] = [
        "SessionHandleInvalid",
        "SessionClosed",
        "UserNotLoggedIn",
        "DeviceRemoved",
        "ObjectHandleInvalid",
    ];
    matches!(error, HsmError::Refused { code, .. } if LOST.contains(&code.as_str()))
}

/// What HSMs answer to a wrong tag. `SoftHSM2` says `CKR_GENERAL_ERROR` or `CKR_ENCRYPTED_DATA_INVALID`.
pub(super) fn is_altered(error: &Pkcs11Error) -> bool {
    matches!(
        error,
        Pkcs11Error::Pkcs11(
            RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange | RvError::GeneralError,
            _
        )
    )
}
