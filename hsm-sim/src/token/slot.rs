//! One slot: its token as stored and as unlocked, kept in step with the file that other processes
//! may replace. Every change of the token goes through [`Slot::commit`].

use std::collections::BTreeMap;

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SLOT_ID};

use super::object::{Object, Objects};
use super::pin::{self, Master, Role};
use super::record::{Header, Record, TRIES_MAX, Tries};
use super::store::{Held, Stamp, Store};
use super::{crypto, hex};
use crate::error::{Error, Result};

/// A slot, with an initialised token or with an empty one.
pub(crate) struct Slot {
    id: CK_SLOT_ID,
    store: Store,
    loaded: Option<(Stamp, Record)>,
    unlocked: Option<Unlocked>,
    /// Objects that live no longer than the session that made them.
    pub(super) session_objects: BTreeMap<CK_OBJECT_HANDLE, (CK_SESSION_HANDLE, Object)>,
}

struct Unlocked {
    role: Role,
    master: Master,
    private: Objects,
}

/// A token's contents while they change.
pub(super) struct Contents {
    pub(super) header: Header,
    pub(super) public: Objects,
    pub(super) private: Objects,
}

impl Slot {
    pub(super) fn new(id: CK_SLOT_ID, store: Store) -> Self {
        Self {
            id,
            store,
            loaded: None,
            unlocked: None,
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
        match self.record()? {
            Some(_) => drop(self.check_pin(Role::SecurityOfficer, so_pin, &held)?),
            None => pin::check_new(so_pin)?,
        }
        self.format(so_pin, label, &held)
    }

    /// Makes the token unless there is one already; true if this call made it.
    pub(super) fn initialize_if_empty(&mut self, so_pin: &[u8], label: String) -> Result<bool> {
        let held = self.store.hold()?;
        if self.record()?.is_some() {
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
        self.save(
            Record::seal(header, public, &private, &master, Tries::FULL)?,
            held,
        )
    }

    pub(super) fn log_in(&mut self, role: Role, pin: &[u8]) -> Result<()> {
        let held = self.store.hold()?;
        let master = self.check_pin(role, pin, &held)?;
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

    /// Opens the master key. The try is stored as spent before the PIN is looked at, so cutting
    /// the power gains none.
    fn check_pin(&mut self, role: Role, pin: &[u8], held: &Held) -> Result<Master> {
        let mut record = self.initialized()?.clone();
        if role == Role::User && !record.header.has_user_pin() {
            return Err(Error::UserPinNotInitialized);
        }
        let left = record
            .tries
            .left(role)
            .checked_sub(1)
            .ok_or(Error::PinLocked)?;
        record.tries.set(role, left);
        self.save(record.clone(), held)?;
        let master = record.unlock(role, pin)?;
        record.tries.set(role, TRIES_MAX);
        self.save(record, held)?;
        Ok(master)
    }

    fn replace_pin(&mut self, role: Role, pin: &[u8]) -> Result<()> {
        let held = self.store.hold()?;
        let record = self.initialized()?.clone();
        let unlocked = self.unlocked.as_ref().ok_or(Error::UserNotLoggedIn)?;
        let (mut header, mut tries) = (record.header, record.tries);
        header.set_pin(role, pin, &unlocked.master)?;
        tries.set(role, TRIES_MAX);
        let (private, master) = (&unlocked.private, &unlocked.master);
        self.save(
            Record::seal(header, record.public, private, master, tries)?,
            &held,
        )
    }

    fn save(&mut self, record: Record, held: &Held) -> Result<()> {
        let stamp = self.store.write(self.id, &record.to_bytes()?, held)?;
        self.loaded = Some((stamp, record));
        Ok(())
    }

    fn reload(&mut self, found: Option<Stamp>) -> Result<()> {
        let before = self.loaded.take().map(|(_, record)| record.header.serial);
        if found.is_none() {
            self.log_out();
            return Ok(());
        }
        let (stamp, bytes) = self.store.read(self.id)?;
        let record = Record::from_bytes(self.id, &bytes)?;
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
