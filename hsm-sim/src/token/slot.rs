//! One slot: its token as stored and as unlocked, kept in step with the file that other processes
//! may replace. Every change of the token goes through [`Slot::commit`].

use std::collections::BTreeMap;

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SLOT_ID};

use super::object::{Object, Objects};
use super::pin::{self, Master, Role};
use super::profile::SoLock;
use super::record::{Header, Record, TRIES_MAX, Tries};
use super::store::{Held, Stamp, Store};
use super::{counter, crypto, hex};
use crate::error::{Error, Result};

/// What stands in the place of a token whose keys were destroyed.
const TAMPERED: &[u8] = b"jinku-hsm tampered 1\n";

/// A slot, with an initialised token or with an empty one.
pub(crate) struct Slot {
    id: CK_SLOT_ID,
    store: Store,
    so_lock: SoLock,
    loaded: Option<(Stamp, Record)>,
    unlocked: Option<Unlocked>,
    was_tampered: bool,
    /// Objects that live no longer than the session that made them.
    pub(super) session_objects: BTreeMap<CK_OBJECT_HANDLE, (CK_SESSION_HANDLE, Object)>,
}

struct Unlocked {
    role: Role,
    master: Master,
    private: Objects,
}

/// A spent try of a PIN, to be looked at.
pub(crate) struct Attempt {
    role: Role,
    record: Record,
}

impl Attempt {
    /// The master key, or [`Error::PinIncorrect`]. Slow on purpose.
    pub(crate) fn open(&self, pin: &[u8]) -> Result<Master> {
        self.record.unlock(self.role, pin)
    }
}

/// A token's contents while they change.
pub(super) struct Contents {
    pub(super) header: Header,
    pub(super) public: Objects,
    pub(super) private: Objects,
}

impl Slot {
    pub(super) fn new(id: CK_SLOT_ID, store: Store, so_lock: SoLock) -> Self {
        Self {
            id,
            store,
            so_lock,
            loaded: None,
            unlocked: None,
            was_tampered: false,
            session_objects: BTreeMap::new(),
        }
    }

    /// Who is logged in.
    pub(super) fn role(&self) -> Option<Role> {
        self.unlocked.as_ref().map(|unlocked| unlocked.role)
    }

    /// The token as stored, re-read if its file changed; `None` if it is not initialised.
    pub(super) fn record(&mut self) -> Result<Option<&Record>> {
        let stamp = self.store.stamp(self.id)?;
        if stamp != self.loaded.as_ref().map(|(stamp, _)| *stamp) {
            self.reload(stamp)?;
        }
        Ok(self.loaded.as_ref().map(|(_, record)| record))
    }

    /// The token as stored, or [`Error::TokenNotRecognized`].
    pub(super) fn initialized(&mut self) -> Result<&Record> {
        self.record()?.ok_or(Error::TokenNotRecognized)
    }

    /// Makes the token anew. An initialised token asks for its SO PIN first.
    pub(super) fn initialize(&mut self, so_pin: &[u8], label: String) -> Result<()> {
        let held = self.store.hold()?;
        if !self.is_tampered() && self.record()?.is_some() {
            drop(self.check_pin(Role::SecurityOfficer, so_pin, &held)?);
        } else {
            pin::check_new(so_pin)?;
        }
        self.format(so_pin, label, &held)
    }

    /// Makes the token unless there is one already; true if this call made it.
    pub(super) fn initialize_if_empty(&mut self, so_pin: &[u8], label: String) -> Result<bool> {
        let held = self.store.hold()?;
        if !self.is_tampered() && self.record()?.is_some() {
            return Ok(false);
        }
        pin::check_new(so_pin)?;
        self.format(so_pin, label, &held)?;
        Ok(true)
    }

    fn format(&mut self, so_pin: &[u8], label: String, held: &Held) -> Result<()> {
        self.log_out();
        let master = Master::draw()?;
        let serial = hex::encode(&*crypto::random_bytes::<8>()?).to_string();
        let header = Header::new(self.id, serial, label, so_pin, &master)?;
        let (public, private) = (Objects::new(), Objects::new());
        let mut tries = Tries::FULL;
        tries.set(Role::User, TRIES_MAX);
        let record = Record::seal(header, public, &private, &master, tries)?;
        self.save_counted(record, held)
    }

    /// Spends a try. What it yields is opened without the slot, and thus outside the module's lock.
    pub(super) fn begin_attempt(&mut self, role: Role) -> Result<Attempt> {
        let held = self.store.hold()?;
        self.spend_try(role, &held)
    }

    /// Settles a try whose outcome is known: a right PIN gives all tries back.
    pub(super) fn end_attempt(
        &mut self,
        attempt: &Attempt,
        outcome: Result<Master>,
    ) -> Result<Master> {
        let held = self.store.hold()?;
        self.settle(attempt, outcome, &held)
    }

    /// Logs in by the master key that an attempt opened.
    pub(super) fn log_in(&mut self, role: Role, master: Master) -> Result<()> {
        let private = self.initialized()?.open(&master)?;
        self.unlocked = Some(Unlocked {
            role,
            master,
            private,
        });
        Ok(())
    }

    /// Forgets the master key and every private object of sessions.
    pub(super) fn log_out(&mut self) {
        self.unlocked = None;
        self.session_objects
            .retain(|_, (_, object)| !object.is_private());
    }

    /// Whether the token's keys were destroyed, as its file says now. Such a token has no PIN any
    /// more: it is initialised like an empty one.
    pub(super) fn is_tampered(&mut self) -> bool {
        self.record().ok();
        self.was_tampered
    }

    /// The same, as of the last look at the file.
    pub(super) fn was_tampered(&self) -> bool {
        self.was_tampered
    }

    /// Spends all tries of a PIN.
    pub(super) fn lock_pin(&mut self, role: Role) -> Result<()> {
        let held = self.store.hold()?;
        let mut record = self.initialized()?.clone();
        record.tries = self.tries_of(&record)?;
        record.tries.set(role, 0);
        self.save_counted(record, &held)
    }

    /// Destroys the token's keys: overwrites its file, then leaves a mark in its place.
    pub(super) fn tamper(&mut self) -> Result<()> {
        let held = self.store.hold()?;
        self.log_out();
        self.store.destroy(self.id, &held)?;
        self.store.write(self.id, TAMPERED, &held).map(drop)
    }

    /// Gives the user a PIN and all tries again; the SO is logged in.
    pub(super) fn init_pin(&mut self, pin: &[u8]) -> Result<()> {
        pin::check_new(pin)?;
        self.replace_pin(Role::User, pin)
    }

    /// Replaces a PIN by one who knows the old one.
    pub(super) fn set_pin(&mut self, role: Role, old: &[u8], new: &[u8]) -> Result<()> {
        pin::check_new(new)?;
        let held = self.store.hold()?;
        let master = self.check_pin(role, old, &held)?;
        let record = self.initialized()?.clone();
        let private = record.open(&master)?;
        let mut header = record.header;
        header.set_pin(role, new, &master)?;
        self.save(
            Record::seal(header, record.public, &private, &master, record.tries)?,
            &held,
        )
    }

    /// A token object that the present login may see.
    pub(super) fn token_object(&mut self, number: u64) -> Result<Option<&Object>> {
        self.initialized()?;
        let public = self
            .loaded
            .as_ref()
            .and_then(|(_, record)| record.public.get(&number));
        Ok(public.or_else(|| self.private().and_then(|private| private.get(&number))))
    }

    /// All token objects that the present login may see.
    pub(super) fn token_objects(&mut self) -> Result<impl Iterator<Item = (u64, &Object)>> {
        self.initialized()?;
        let public = self
            .loaded
            .iter()
            .flat_map(|(_, record)| record.public.iter());
        let private = self.private().into_iter().flatten();
        Ok(public
            .chain(private)
            .map(|(number, object)| (*number, object)))
    }

    /// Changes the token: reads what other processes wrote, changes, seals, stores. Nothing
    /// changes in memory unless the store has it.
    pub(super) fn commit<T>(
        &mut self,
        change: impl FnOnce(&mut Contents) -> Result<T>,
    ) -> Result<T> {
        let held = self.store.hold()?;
        let record = self.initialized()?.clone();
        let unlocked = self.unlocked.as_ref().ok_or(Error::UserNotLoggedIn)?;
        let private = unlocked.private.clone();
        let mut contents = Contents {
            header: record.header,
            public: record.public,
            private,
        };
        let yielded = change(&mut contents)?;
        let Contents {
            header,
            public,
            private,
        } = contents;
        let sealed = Record::seal(header, public, &private, &unlocked.master, record.tries)?;
        self.save(sealed, &held)?;
        if let Some(unlocked) = &mut self.unlocked {
            unlocked.private = private;
        }
        Ok(yielded)
    }

    fn private(&self) -> Option<&Objects> {
        let unlocked = self.unlocked.as_ref()?;
        (unlocked.role == Role::User).then_some(&unlocked.private)
    }

    /// Opens the master key, counting the try.
    fn check_pin(&mut self, role: Role, pin: &[u8], held: &Held) -> Result<Master> {
        let attempt = self.spend_try(role, held)?;
        let outcome = attempt.open(pin);
        self.settle(&attempt, outcome, held)
    }

    /// The try is stored as spent before the PIN is looked at, so cutting the power gains none.
    fn spend_try(&mut self, role: Role, held: &Held) -> Result<Attempt> {
        let mut record = self.initialized()?.clone();
        if role == Role::User && !record.header.has_user_pin() {
            return Err(Error::UserPinNotInitialized);
        }
        // The counter is read anew: an older one may lie there since the token was loaded.
        record.tries = self.tries_of(&record)?;
        let left = record.tries.left(role).checked_sub(1);
        record.tries.set(role, left.ok_or(Error::PinLocked)?);
        self.save_counted(record.clone(), held)?;
        Ok(Attempt { role, record })
    }

    fn settle(
        &mut self,
        attempt: &Attempt,
        outcome: Result<Master>,
        held: &Held,
    ) -> Result<Master> {
        let mut record = self.initialized()?.clone();
        // Another token, or another PIN, may be there by now: that try was for nothing.
        if !record.header.is_same(&attempt.record.header, attempt.role) {
            return Err(Error::PinIncorrect);
        }
        match outcome {
            Ok(master) => {
                record.tries.set(attempt.role, TRIES_MAX);
                self.save_counted(record, held)?;
                Ok(master)
            }
            Err(error) => {
                self.punish(attempt.role, record.tries.left(attempt.role), held)?;
                Err(error)
            }
        }
    }

    /// Destroys the token after the SO's last wrong PIN, if the profile does so.
    fn punish(&mut self, role: Role, left: u8, held: &Held) -> Result<()> {
        let is_last = left == 0 && role == Role::SecurityOfficer;
        if is_last && self.so_lock == SoLock::Destroys {
            self.log_out();
            self.loaded = None;
            self.store.remove(self.id, held)?;
        }
        Ok(())
    }

    fn replace_pin(&mut self, role: Role, pin: &[u8]) -> Result<()> {
        let held = self.store.hold()?;
        let record = self.initialized()?.clone();
        let unlocked = self.unlocked.as_ref().ok_or(Error::UserNotLoggedIn)?;
        let (mut header, mut tries) = (record.header, record.tries);
        header.set_pin(role, pin, &unlocked.master)?;
        tries.set(role, TRIES_MAX);
        let (private, master) = (&unlocked.private, &unlocked.master);
        let record = Record::seal(header, record.public, private, master, tries)?;
        self.save_counted(record, &held)
    }

    /// Stores a record whose tries changed: the counter goes first, so that a power cut between
    /// the two leaves the try spent.
    fn save_counted(&mut self, record: Record, held: &Held) -> Result<()> {
        let counter = counter::to_bytes(&record.header, record.tries)?;
        self.store.write_counter(self.id, &counter, held)?;
        self.save(record, held)
    }

    /// The tries left after the counter's word.
    fn tries_of(&self, record: &Record) -> Result<Tries> {
        let counter = self.store.read_counter(self.id)?;
        Ok(counter::left(
            counter.as_deref(),
            &record.header,
            record.tries,
        ))
    }

    fn save(&mut self, record: Record, held: &Held) -> Result<()> {
        let stamp = self.store.write(self.id, &record.to_bytes()?, held)?;
        self.was_tampered = false;
        self.loaded = Some((stamp, record));
        Ok(())
    }

    fn reload(&mut self, found: Option<Stamp>) -> Result<()> {
        let before = self.loaded.take().map(|(_, record)| record.header.serial);
        self.was_tampered = false;
        if found.is_none() {
            self.log_out();
            return Ok(());
        }
        let (stamp, bytes) = self.store.read(self.id)?;
        if bytes == TAMPERED {
            self.was_tampered = true;
            self.log_out();
            return Err(Error::DeviceError);
        }
        let mut record = Record::from_bytes(self.id, &bytes)?;
        record.tries = self.tries_of(&record)?;
        if before.is_some_and(|serial| serial != record.header.serial) {
            self.log_out();
        }
        if let Some(unlocked) = &mut self.unlocked {
            unlocked.private = record.open(&unlocked.master)?;
        }
        self.loaded = Some((stamp, record));
        Ok(())
    }
}
