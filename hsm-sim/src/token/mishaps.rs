//! What a device goes through: sessions and logins are lost, keys are destroyed, it is unplugged.
//! The module's doors for that, and the news it applies to itself.

use cryptoki_sys::CK_SLOT_ID;

use super::module::Module;
use super::pin::Role;
use super::session::Session;
use crate::error::{Error, Result};
use crate::faults::{Event, Watch};

impl Module {
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Applies what happened to the device since the last call.
    pub(crate) fn suffer(&mut self) -> Result<()> {
        for event in self.watch.look()? {
            match event {
                Event::TokensTampered => self.notice_tampering(),
                Event::LoginsLost => self.lose_logins(),
                Event::SessionsLost => self.lose_sessions(),
                Event::PresenceChanged => self.slot_events = self.slots(),
            }
        }
        Ok(())
    }

    /// True from the loss of a login until somebody logs in again or nothing is open any more.
    pub(crate) fn is_login_lost(&mut self) -> bool {
        let is_over =
            self.sessions.is_empty() || self.slots.values().any(|slot| slot.role().is_some());
        self.login_lost &= !is_over;
        self.login_lost
    }

    /// A slot whose token came or went since the last question.
    pub(crate) fn next_slot_event(&mut self) -> Result<CK_SLOT_ID> {
        self.slot_events.pop().ok_or(Error::NoEvent)
    }

    pub(crate) fn is_tampered(&mut self, slot: CK_SLOT_ID) -> Result<bool> {
        Ok(self.slot(slot)?.is_tampered())
    }

    pub(crate) fn lock_pin(&mut self, slot: CK_SLOT_ID, role: Role) -> Result<()> {
        self.slot(slot)?.lock_pin(role)
    }

    /// Destroys the keys of one token, or of all. Yields their slots.
    pub(crate) fn tamper(&mut self, only: Option<CK_SLOT_ID>) -> Result<Vec<CK_SLOT_ID>> {
        let stored = self.store.slots()?;
        let named = match only {
            Some(slot) if stored.contains(&slot) => vec![slot],
            Some(_) => return Err(Error::TokenNotRecognized),
            None => stored,
        };
        for slot in &named {
            self.slot(*slot)?.tamper()?;
        }
        Ok(named)
    }

    fn lose_sessions(&mut self) {
        self.sessions.clear();
        for slot in self.slots.values_mut() {
            slot.session_objects.clear();
            slot.log_out();
        }
    }

    fn lose_logins(&mut self) {
        self.login_lost = self.slots.values().any(|slot| slot.role().is_some());
        for slot in self.slots.values_mut() {
            slot.log_out();
        }
        self.sessions.values_mut().for_each(Session::cancel_all);
    }

    /// Forgets all that memory holds of destroyed tokens.
    fn notice_tampering(&mut self) {
        for (number, slot) in &mut self.slots {
            if slot.is_tampered() {
                slot.session_objects.clear();
                slot.log_out();
                let sessions = self.sessions.values_mut();
                sessions
                    .filter(|session| session.slot == *number)
                    .for_each(Session::cancel_all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::mechanism::Mechanism;
    use crate::token::operation::Kind;
    use crate::token::session::Access;

    #[test]
    fn a_tampered_token_leaves_no_operation_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let slot = crate::install(directory.path(), "jinku", b"so-pin", b"user-pin").unwrap();
        let mut module = Module::open(directory.path()).unwrap();
        let session = module.open_session(slot, Access::ReadWrite).unwrap();
        module.log_in(session, Role::User, b"user-pin").unwrap();
        let digest = Mechanism::plain(cryptoki_sys::CKM_SHA256).unwrap();
        module.begin_digest(session, &digest).unwrap();
        crate::tamper(directory.path(), None).unwrap();
        module.suffer().unwrap();
        let left = module.sessions.get(&session).unwrap();
        assert_eq!(left.check_idle(Kind::Digest), Ok(()));
        assert!(module.slots.values().all(|slot| slot.role().is_none()));
    }
}
