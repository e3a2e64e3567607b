//! A pool of logged-in sessions: a slow call holds one, and the others go on. What is lost is opened again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};

use super::HsmSettings;
use super::codes::{Lost, lost_by, refused};
use super::module::{Module, auth};
use crate::error::HsmError;
use crate::secret::KeptPin;

/// How long a call waits for a free session.
const SESSION_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long an HSM without more sessions is not asked for one.
const SCARCE_FOR: Duration = Duration::from_secs(10);

pub(super) struct Sessions {
    module: Arc<Module>,
    label: String,
    pin: KeptPin,
    /// The HSM's last word on our PIN, if it was no. One at a time asks: tries are limited.
    refused: Mutex<Option<PinRefused>>,
    pool: Arc<Pool>,
}

#[derive(Clone, Copy)]
enum PinRefused {
    Wrong,
    Locked,
}

pub(super) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    idle: Vec<Session>,
    /// Idle ones and those in use.
    open: usize,
    open_max: usize,
    /// The HSM had no more sessions than these; it is asked again at that time.
    scarce: Option<(usize, Instant)>,
}

impl State {
    fn has_room(&self) -> bool {
        let open_max = match self.scarce {
            Some((open_max, until)) if Instant::now() < until => open_max,
            _ => self.open_max,
        };
        self.open < open_max
    }
}

/// A session in use. Dropped, it is idle again, unless it was lost.
pub(super) struct Open<'a> {
    pool: &'a Pool,
    session: Option<Session>,
}

impl Sessions {
    pub(super) fn open(settings: &HsmSettings) -> Result<Self, HsmError> {
        let module = Module::load(&settings.module)?;
        let pool = Arc::new(Pool::new(settings.sessions_max.max(1)));
        module.register(&pool);
        let sessions = Self {
            module,
            label: settings.token_label.clone(),
            pin: KeptPin::new(&settings.pin).map_err(|_| HsmError::Memory)?,
            refused: Mutex::new(None),
            pool,
        };
        sessions.attempt(&mut |_| Ok(()))?;
        Ok(sessions)
    }

    /// Runs `act` in a session. If that, its login or the token was lost, all is opened again and `act`
    /// runs once more; if the token is still away, the module is started anew, and `act` runs a last time.
    pub(super) fn with<T>(
        &self,
        mut act: impl FnMut(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let act = &mut act;
        match self.attempt(act) {
            Err(error) if lost_by(&error).is_some() => {}
            done => return done,
        }
        {
            // Before others are opened: handles may be given out again.
            let _inside = self.module.enter();
            self.pool.drain();
        }
        let lost = match self.attempt(act) {
            Err(error) if lost_by(&error) == Some(Lost::Token) => error,
            done => return done,
        };
        if self.module.restart() {
            self.attempt(act)
        } else {
            Err(lost)
        }
        .map_err(|error| match error {
            // It was there when the HSM was opened.
            HsmError::NoToken { .. } => HsmError::Unavailable {
                code: "TokenNotPresent".to_owned(),
                function: "C_GetSlotList",
            },
            error => error,
        })
    }

    fn attempt<T>(
        &self,
        act: &mut impl FnMut(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let _inside = self.module.enter();
        let mut open = self.take()?;
        let Some(session) = open.session.as_ref() else {
            return Err(busy());
        };
        let result = act(session);
        if let Err(error) = &result
            && lost_by(error).is_some()
        {
            open.session = None;
        }
        result
    }

    fn take(&self) -> Result<Open<'_>, HsmError> {
        let deadline = Instant::now() + SESSION_WAIT_MAX;
        let mut state = self.pool.lock();
        loop {
            if let Some(session) = state.idle.pop() {
                return Ok(self.pool.taken(Some(session)));
            }
            if state.has_room() {
                state.open += 1;
                drop(state);
                // Counted; whatever happens now, dropping it counts it off again.
                let mut open = self.pool.taken(None);
                match self.log_in() {
                    Ok(session) => {
                        open.session = Some(session);
                        return Ok(open);
                    }
                    Err(error) if is_too_many(&error) && self.pool.shrink() => {}
                    Err(error) => return Err(error),
                }
                drop(open);
                state = self.pool.lock();
                continue;
            }
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Err(busy());
            }
            state = self
                .pool
                .freed
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn log_in(&self) -> Result<Session, HsmError> {
        drop(self.not_refused()?);
        let slot = self
            .module
            .find_token(&self.label)?
            .ok_or_else(|| HsmError::NoToken {
                label: self.label.clone(),
                module: self.module.path().to_owned(),
            })?;
        let session = self.module.open_session(slot)?;
        let mut refusal = self.not_refused()?;
        match session.login(UserType::User, Some(&auth(&self.pin.reveal()))) {
            // Logging in is for all sessions of a process: another one may have done it.
            Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                let error = refused("C_Login", &error);
                *refusal = match error {
                    HsmError::WrongPin => Some(PinRefused::Wrong),
                    HsmError::PinLocked => Some(PinRefused::Locked),
                    _ => None,
                };
                Err(error)
            }
        }
    }
}

impl Sessions {
    /// A PIN that was refused is never sent again by itself: each try is one less. As long as this is
    /// held, nobody else sends it.
    fn not_refused(&self) -> Result<MutexGuard<'_, Option<PinRefused>>, HsmError> {
        let refusal = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match *refusal {
            Some(PinRefused::Wrong) => Err(HsmError::WrongPin),
            Some(PinRefused::Locked) => Err(HsmError::PinLocked),
            None => Ok(refusal),
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let _inside = self.module.enter();
        self.pool.drain();
    }
}

impl Pool {
    fn new(open_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                idle: Vec::new(),
                open: 0,
                open_max,
                scarce: None,
            }),
            freed: Condvar::new(),
        }
    }

    /// Closes the idle sessions. Whoever calls it is inside the module's gate, or has closed it.
    pub(super) fn drain(&self) {
        let mut state = self.lock();
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        drop(state);
        drop(idle);
        self.freed.notify_all();
    }

    /// The HSM has no more sessions: for a while, no more than are open are asked for. `false` if there is
    /// none at all.
    fn shrink(&self) -> bool {
        let mut state = self.lock();
        // The one that was just refused is counted too.
        let others = state.open.saturating_sub(1);
        if others > 0 {
            state.scarce = Some((others, Instant::now() + SCARCE_FOR));
        }
        others > 0
    }

    fn taken(&self, session: Option<Session>) -> Open<'_> {
        Open {
            pool: self,
            session,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let session = self.session.take();
        let mut state = self.pool.lock();
        match session {
            Some(session) => state.idle.push(session),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

/// The one object that looks so; labels are not unique by standard, so two are an error.
pub(super) fn find(
    session: &Session,
    template: &[Attribute],
    label: &str,
) -> Result<Option<ObjectHandle>, HsmError> {
    let found = session
        .find_objects(template)
        .map_err(|error| refused("C_FindObjects", &error))?;
    match found.as_slice() {
        // Who is not logged in sees no private object: an absent key may be a lost login.
        [] if !is_logged_in(session)? => Err(HsmError::Unavailable {
            code: "UserNotLoggedIn".to_owned(),
            function: "C_FindObjects",
        }),
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(HsmError::AmbiguousKey {
            label: label.to_owned(),
        }),
    }
}

fn is_logged_in(session: &Session) -> Result<bool, HsmError> {
    let facts = session
        .get_session_info()
        .map_err(|error| refused("C_GetSessionInfo", &error))?;
    Ok(matches!(
        facts.session_state(),
        SessionState::RoUser | SessionState::RwUser
    ))
}

pub(super) fn known(
    session: &Session,
    template: &[Attribute],
    label: &str,
) -> Result<ObjectHandle, HsmError> {
    find(session, template, label)?.ok_or_else(|| HsmError::NoKey {
        label: label.to_owned(),
    })
}

fn is_too_many(error: &HsmError) -> bool {
    matches!(error, HsmError::Unavailable { code, .. } if code == "SessionCount")
}

fn busy() -> HsmError {
    HsmError::Unavailable {
        code: "nothing: all sessions are busy".to_owned(),
        function: "a call",
    }
}
