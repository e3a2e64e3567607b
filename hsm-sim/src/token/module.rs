//! The initialised module: slots, sessions and logins. Objects, keys and operations are beside it
//! (`objects.rs`, `keys.rs`, `work.rs`) as further doors of the same type.

use std::collections::BTreeMap;
use std::path::Path;

use cryptoki_sys::{CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SLOT_ID, CK_STATE};

use super::pin::{Master, Role};
use super::profile::Profile;
use super::record::{Record, Tries};
use super::session::{Access, Session};
use super::slot::{Attempt, Slot};
use super::store::Store;
use crate::error::{Error, Result};
use crate::faults::Watch;

/// Session objects' handles start here; token objects' handles are their numbers.
const SESSION_OBJECTS: CK_OBJECT_HANDLE = 1 << 40;

/// All state between `C_Initialize` and `C_Finalize`.
pub(crate) struct Module {
    pub(super) store: Store,
    pub(super) slots: BTreeMap<CK_SLOT_ID, Slot>,
    pub(super) sessions: BTreeMap<CK_SESSION_HANDLE, Session>,
    last_session: CK_SESSION_HANDLE,
    last_object: CK_OBJECT_HANDLE,
    process_id: u32,
    pub(crate) profile: Profile,
    pub(super) watch: Watch,
    pub(super) login_lost: bool,
    /// Slots whose token came or went, to be told.
    pub(super) slot_events: Vec<CK_SLOT_ID>,
}

/// What a PIN is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Token(Role),
    /// One operation, whose key asks for a login of its own (`CKA_ALWAYS_AUTHENTICATE`).
    Operation,
}

impl Login {
    fn role(self) -> Role {
        match self {
            Self::Token(role) => role,
            Self::Operation => Role::User,
        }
    }
}

/// What a caller learns of a token.
pub(crate) struct TokenReport {
    /// Label, serial number, whether the user has a PIN, tries; `None` before `C_InitToken`.
    pub(crate) token: Option<(String, String, bool, Tries)>,
    pub(crate) sessions: usize,
    pub(crate) sessions_max: usize,
    pub(crate) writing_sessions: usize,
}

impl Module {
    /// Opens the directory and finds its slots.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let mut module = Self {
            store: Store::open(directory, hsm_wire::counter_directory().as_deref())?,
            watch: Watch::open(directory)?,
            login_lost: false,
            slot_events: Vec::new(),
            slots: BTreeMap::new(),
            sessions: BTreeMap::new(),
            last_session: 0,
            last_object: SESSION_OBJECTS,
            process_id: std::process::id(),
            profile: Profile::chosen()?,
        };
        module.find_slots()?;
        Ok(module)
    }

    /// Refuses a mechanism that the profile does not list.
    pub(super) fn check_listed(&self, mechanism: CK_MECHANISM_TYPE) -> Result<()> {
        if self.profile.lists(mechanism) {
            Ok(())
        } else {
            Err(Error::MechanismInvalid)
        }
    }

    /// False in a child of `fork`, which must initialise for itself (PKCS#11 §5.4).
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process_id == std::process::id()
    }

    /// Looks for new token files. Beside the known slots there is always one empty slot.
    pub(crate) fn find_slots(&mut self) -> Result<()> {
        let stored = self.store.slots()?;
        let empty = (0..=CK_SLOT_ID::MAX).find(|slot| !stored.contains(slot));
        for slot in stored.into_iter().chain(empty) {
            let (store, so_lock) = (self.store.clone(), self.profile.so_lock);
            self.slots
                .entry(slot)
                .or_insert_with(|| Slot::new(slot, store, so_lock));
        }
        Ok(())
    }

    /// Makes a token in the first slot that is empty, also when other processes do the same.
    pub(crate) fn init_empty_slot(&mut self, pin: &[u8], label: &str) -> Result<CK_SLOT_ID> {
        loop {
            self.find_slots()?;
            let stored = self.store.slots()?;
            let mut slots = self.slots.iter_mut();
            let empty = slots.find_map(|(number, slot)| {
                let is_free = !stored.contains(number) || slot.is_tampered();
                is_free.then_some(*number)
            });
            if let Some(slot) = empty
                && self
                    .slot(slot)?
                    .initialize_if_empty(pin, label.to_owned())?
            {
                return Ok(slot);
            }
        }
    }

    /// Public token objects of a slot.
    pub(crate) fn count_public(&mut self, slot: CK_SLOT_ID) -> Result<usize> {
        Ok(self.slot(slot)?.initialized()?.public.len())
    }

    /// The known slots, in order.
    pub(crate) fn slots(&self) -> Vec<CK_SLOT_ID> {
        self.slots.keys().copied().collect()
    }

    pub(crate) fn slot(&mut self, slot: CK_SLOT_ID) -> Result<&mut Slot> {
        self.slots.get_mut(&slot).ok_or(Error::SlotIdInvalid)
    }

    pub(crate) fn token_report(&mut self, slot: CK_SLOT_ID) -> Result<TokenReport> {
        let token = self
            .slot(slot)?
            .record()?
            .map(|Record { header, tries, .. }| {
                let (label, serial) = (header.label.clone(), header.serial.clone());
                (label, serial, header.has_user_pin(), *tries)
            });
        let open = || {
            self.sessions
                .values()
                .filter(|session| session.slot == slot)
        };
        let writing = open()
            .filter(|session| session.access == Access::ReadWrite)
            .count();
        Ok(TokenReport {
            token,
            sessions: open().count(),
            sessions_max: self.profile.sessions_max,
            writing_sessions: writing,
        })
    }

    pub(crate) fn init_token(&mut self, slot: CK_SLOT_ID, pin: &[u8], label: String) -> Result<()> {
        if self.sessions.values().any(|session| session.slot == slot) {
            return Err(Error::SessionExists);
        }
        self.slot(slot)?.initialize(pin, label)?;
        self.find_slots()
    }

    pub(crate) fn open_session(
        &mut self,
        slot: CK_SLOT_ID,
        access: Access,
    ) -> Result<CK_SESSION_HANDLE> {
        self.slot(slot)?.initialized()?;
        let is_so = self.slot(slot)?.role() == Some(Role::SecurityOfficer);
        if access == Access::ReadOnly && is_so {
            return Err(Error::SessionReadWriteSo);
        }
        if self
            .sessions
            .values()
            .filter(|open| open.slot == slot)
            .count()
            >= self.profile.sessions_max
        {
            return Err(Error::SessionCount);
        }
        self.last_session += 1;
        self.sessions
            .insert(self.last_session, Session::new(slot, access));
        Ok(self.last_session)
    }

    /// Closes a session with its objects; the token's last one logs out.
    pub(crate) fn close_session(&mut self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let closed = self
            .sessions
            .remove(&handle)
            .ok_or(Error::SessionHandleInvalid)?;
        let is_last = !self.sessions.values().any(|open| open.slot == closed.slot);
        let slot = self.slot(closed.slot)?;
        slot.session_objects
            .retain(|_, (owner, _)| *owner != handle);
        if is_last {
            slot.log_out();
        }
        Ok(())
    }

    pub(crate) fn close_all_sessions(&mut self, slot: CK_SLOT_ID) -> Result<()> {
        self.sessions.retain(|_, session| session.slot != slot);
        let slot = self.slot(slot)?;
        slot.session_objects.clear();
        slot.log_out();
        Ok(())
    }

    pub(crate) fn session(&mut self, handle: CK_SESSION_HANDLE) -> Result<&mut Session> {
        let session = self
            .sessions
            .get_mut(&handle)
            .ok_or(Error::SessionHandleInvalid)?;
        match self.slots.get(&session.slot) {
            Some(slot) if slot.was_tampered() => Err(Error::DeviceError),
            _ => Ok(session),
        }
    }

    /// The session's slot, state and access.
    pub(crate) fn session_state(
        &mut self,
        handle: CK_SESSION_HANDLE,
    ) -> Result<(CK_SLOT_ID, CK_STATE, Access)> {
        let role = self.slot_of(handle)?.role();
        let session = self.session(handle)?;
        Ok((session.slot, session.state(role), session.access))
    }

    /// Begins a login: checks what needs no PIN, and spends a try.
    pub(crate) fn begin_login(
        &mut self,
        handle: CK_SESSION_HANDLE,
        login: Login,
    ) -> Result<Attempt> {
        self.check_login(handle, login)?;
        self.slot_of(handle)?.begin_attempt(login.role())
    }

    /// Ends a login whose PIN was looked at.
    pub(crate) fn end_login(
        &mut self,
        handle: CK_SESSION_HANDLE,
        login: Login,
        attempt: &Attempt,
        outcome: Result<Master>,
    ) -> Result<()> {
        let master = self.slot_of(handle)?.end_attempt(attempt, outcome)?;
        // Another thread may have been faster.
        self.check_login(handle, login)?;
        match login {
            Login::Token(role) => self.slot_of(handle)?.log_in(role, master),
            Login::Operation => {
                self.session(handle)?.log_in_operations();
                Ok(())
            }
        }
    }

    /// Logs in at once, lock and all.
    pub(crate) fn log_in(
        &mut self,
        handle: CK_SESSION_HANDLE,
        role: Role,
        pin: &[u8],
    ) -> Result<()> {
        let login = Login::Token(role);
        let attempt = self.begin_login(handle, login)?;
        let outcome = attempt.open(pin);
        self.end_login(handle, login, &attempt, outcome)
    }

    fn check_login(&mut self, handle: CK_SESSION_HANDLE, login: Login) -> Result<()> {
        let slot = self.session(handle)?.slot;
        let present = self.slot(slot)?.role();
        let Login::Token(role) = login else {
            return match present {
                _ if !self.session(handle)?.awaits_login() => Err(Error::OperationNotInitialized),
                Some(Role::User) => Ok(()),
                _ => Err(Error::UserNotLoggedIn),
            };
        };
        match present {
            Some(present) if present == role => return Err(Error::UserAlreadyLoggedIn),
            Some(_) => return Err(Error::UserAnotherLoggedIn),
            None => {}
        }
        let reads_only = |open: &Session| open.slot == slot && open.access == Access::ReadOnly;
        if role == Role::SecurityOfficer && self.sessions.values().any(reads_only) {
            return Err(Error::SessionReadOnlyExists);
        }
        Ok(())
    }

    pub(crate) fn log_out(&mut self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let slot_id = self.session(handle)?.slot;
        let slot = self.slot(slot_id)?;
        slot.role().ok_or(Error::UserNotLoggedIn)?;
        slot.log_out();
        let sessions = self.sessions.values_mut();
        sessions
            .filter(|open| open.slot == slot_id)
            .for_each(Session::cancel_all);
        Ok(())
    }

    pub(crate) fn init_pin(&mut self, handle: CK_SESSION_HANDLE, pin: &[u8]) -> Result<()> {
        let slot = self.slot_of(handle)?;
        if slot.role() != Some(Role::SecurityOfficer) {
            return Err(Error::UserNotLoggedIn);
        }
        slot.init_pin(pin)
    }

    /// Replaces the SO's PIN if the SO is logged in, else the user's.
    pub(crate) fn set_pin(
        &mut self,
        handle: CK_SESSION_HANDLE,
        old: &[u8],
        new: &[u8],
    ) -> Result<()> {
        if self.session(handle)?.access == Access::ReadOnly {
            return Err(Error::SessionReadOnly);
        }
        let slot = self.slot_of(handle)?;
        slot.set_pin(slot.role().unwrap_or(Role::User), old, new)
    }

    pub(super) fn slot_of(&mut self, handle: CK_SESSION_HANDLE) -> Result<&mut Slot> {
        let slot = self.session(handle)?.slot;
        self.slot(slot)
    }

    pub(super) fn next_session_object(&mut self) -> CK_OBJECT_HANDLE {
        self.last_object += 1;
        self.last_object
    }
}
