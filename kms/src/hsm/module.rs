//! PKCS#11 modules: loaded once a process, started again as the last step of a recovery.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::codes::refused;
use super::gate::{Gate, Inside};
use super::session::Pool;
use crate::error::HsmError;
use crate::secret::Pin;

/// PKCS#11 is one state a process (v3.0 section 5.4: one `C_Initialize`), so this is one too.
static MODULES: Mutex<Vec<Arc<Module>>> = Mutex::new(Vec::new());

/// How long calls under way may take to end before a restart is given up.
const RESTART_PATIENCE: Duration = Duration::from_secs(2);
/// Modules are not restarted more often: some take seconds.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Module {
    path: PathBuf,
    context: Pkcs11,
    gate: Gate,
    /// Whose sessions end when the module is restarted.
    pools: Mutex<Vec<Weak<Pool>>>,
    restarted: Mutex<Option<Instant>>,
    is_started: AtomicBool,
}

impl Module {
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, HsmError> {
        let missing = || HsmError::Module {
            module: path.to_owned(),
        };
        let path = path.canonicalize().map_err(|_| missing())?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.iter().find(|known| known.path == path) {
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(&path).map_err(|_| missing())?;
        let module = Arc::new(Self {
            path,
            context,
            gate: Gate::default(),
            pools: Mutex::default(),
            restarted: Mutex::default(),
            is_started: AtomicBool::new(true),
        });
        module.initialize()?;
        modules.push(Arc::clone(&module));
        Ok(module)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be held as long as the module is used.
    pub(super) fn enter(&self) -> Inside<'_> {
        self.gate.enter()
    }

    pub(super) fn register(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Ends all sessions and starts the module anew; some notice a returned token in no other way.
    /// Whether that was done: not while calls are under way, nor twice in a second.
    pub(super) fn restart(&self) -> bool {
        let Some(_closed) = self.gate.close(RESTART_PATIENCE) else {
            return false;
        };
        let mut restarted = self
            .restarted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if restarted.is_some_and(|at| at.elapsed() < RESTART_PAUSE) {
            // A module that did not start the last time is not running: nothing is ended by another try.
            return !self.is_started.load(Ordering::Relaxed) && self.started();
        }
        *restarted = Some(Instant::now());
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|pool| pool.drain());
        // A module that was finalized by its own trouble answers with an error, which says no more.
        let _ = self.context.clone().finalize();
        self.started()
    }

    fn started(&self) -> bool {
        let is_started = self.initialize().is_ok();
        self.is_started.store(is_started, Ordering::Relaxed);
        is_started
    }

    pub(super) fn open_session(&self, slot: Slot) -> Result<Session, HsmError> {
        self.context
            .open_rw_session(slot)
            .map_err(|error| refused("C_OpenSession", &error))
    }

    pub(super) fn find_token(&self, label: &str) -> Result<Option<Slot>, HsmError> {
        let slots = self
            .context
            .get_slots_with_initialized_token()
            .map_err(|error| refused("C_GetSlotList", &error))?;
        for slot in slots {
            let token = self
                .context
                .get_token_info(slot)
                .map_err(|error| refused("C_GetTokenInfo", &error))?;
            if token.label() == label {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    pub(super) fn initialize_token(
        &self,
        label: &str,
        so_pin: &Pin,
        pin: &Pin,
    ) -> Result<(), HsmError> {
        let _inside = self.enter();
        if self.find_token(label)?.is_some() {
            return Err(HsmError::TokenExists {
                label: label.to_owned(),
            });
        }
        let slot = self.free_slot()?.ok_or(HsmError::NoFreeSlot)?;
        let so_pin = auth(so_pin);
        self.context
            .init_token(slot, &so_pin, label)
            .map_err(|error| refused("C_InitToken", &error))?;
        // Modules may give the new token another slot.
        let slot = self.find_token(label)?.unwrap_or(slot);
        let session = self.open_session(slot)?;
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

    fn free_slot(&self) -> Result<Option<Slot>, HsmError> {
        let slots = self
            .context
            .get_slots_with_token()
            .map_err(|error| refused("C_GetSlotList", &error))?;
        for slot in slots {
            let token = self
                .context
                .get_token_info(slot)
                .map_err(|error| refused("C_GetTokenInfo", &error))?;
            if !token.token_initialized() {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn initialize(&self) -> Result<(), HsmError> {
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match self.context.initialize(arguments) {
            Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(error) => Err(refused("C_Initialize", &error)),
        }
    }
}

pub(super) fn auth(pin: &Pin) -> AuthPin {
    AuthPin::new(pin.expose().into())
}
