//! The module's doors to objects: create, find, read, change, destroy, each under the login's eyes.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};

use super::attributes::Attributes;
use super::module::Module;
use super::object::{Object, Objects};
use super::pin::Role;
use super::session::Access;
use super::slot::{Contents, Slot};
use super::{crypto, hex};
use crate::error::{Error, Result};

/// Bytes that one object may have in all its attributes.
const OBJECT_BYTES_MAX: usize = 2 << 20;

const SO: Option<Role> = Some(Role::SecurityOfficer);

impl Module {
    /// Keeps new objects, all or none, where their `CKA_TOKEN` says. Yields their handles.
    pub(super) fn keep(
        &mut self,
        handle: CK_SESSION_HANDLE,
        objects: Vec<Object>,
    ) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let mut objects = objects;
        let role = self.slot_of(handle)?.role();
        for object in &mut objects {
            check_trust(object, role)?;
            self.check_write(handle, object)?;
            if object.size_bytes() > OBJECT_BYTES_MAX {
                return Err(Error::AttributeValueInvalid);
            }
            object.name(&hex::encode(&*crypto::random_bytes::<16>()?));
        }
        let (stored, passing): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .enumerate()
            .partition(|(_, object)| object.is_token());
        let mut kept = Vec::new();
        if !stored.is_empty() {
            kept = self
                .slot_of(handle)?
                .commit(|contents| Ok(store_all(contents, stored)))?;
        }
        for (place, object) in passing {
            let number = self.next_session_object();
            self.slot_of(handle)?
                .session_objects
                .insert(number, (handle, object));
            kept.push((place, number));
        }
        kept.sort_unstable();
        Ok(kept.into_iter().map(|(_, number)| number).collect())
    }

    /// An object that the session's login may see.
    pub(crate) fn object(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
    ) -> Result<&Object> {
        visible(self.slot_of(session)?, object)
    }

    /// Begins a search over everything visible.
    pub(crate) fn begin_search(
        &mut self,
        session: CK_SESSION_HANDLE,
        template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
    ) -> Result<()> {
        let slot = self.slot_of(session)?;
        let may_see_private = slot.role() == Some(Role::User);
        let matching = |(number, object): (u64, &Object)| {
            let is_visible = may_see_private || !object.is_private();
            (is_visible && object.matches(template)).then_some(number)
        };
        let mut found: Vec<_> = slot.token_objects()?.filter_map(matching).collect();
        let passing = slot.session_objects.iter();
        found.extend(passing.filter_map(|(number, (_, object))| matching((*number, object))));
        self.session(session)?.begin_search(found)
    }

    pub(crate) fn search(
        &mut self,
        session: CK_SESSION_HANDLE,
        limit: usize,
    ) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let limit = limit.min(self.profile.find_batch);
        self.session(session)?.search(limit)
    }

    pub(crate) fn end_search(&mut self, session: CK_SESSION_HANDLE) -> Result<()> {
        self.session(session)?.end_search()
    }

    pub(crate) fn change_object(
        &mut self,
        session: CK_SESSION_HANDLE,
        number: CK_OBJECT_HANDLE,
        template: &Attributes,
    ) -> Result<()> {
        let present = self.object(session, number)?.clone();
        self.check_write(session, &present)?;
        let slot = self.slot_of(session)?;
        let role = slot.role();
        if let Some((_, object)) = slot.session_objects.get_mut(&number) {
            *object = object.changed(template, role)?;
            return Ok(());
        }
        slot.commit(|contents| {
            let object = shelf(contents, &present).get_mut(&number);
            let object = object.ok_or(Error::ObjectHandleInvalid)?;
            *object = object.changed(template, role)?;
            if object.size_bytes() > OBJECT_BYTES_MAX {
                return Err(Error::AttributeValueInvalid);
            }
            Ok(())
        })
    }

    /// A copy with some attributes of its own, none of them weaker.
    pub(crate) fn copy_object(
        &mut self,
        session: CK_SESSION_HANDLE,
        number: CK_OBJECT_HANDLE,
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        let mut copy = self.object(session, number)?.copied(template)?;
        if copy.is_set(ck::CKA_TRUSTED) && self.slot_of(session)?.role() != SO {
            copy.distrust();
        }
        self.keep_one(session, copy)
    }

    /// Keeps one new object.
    pub(super) fn keep_one(
        &mut self,
        session: CK_SESSION_HANDLE,
        object: Object,
    ) -> Result<CK_OBJECT_HANDLE> {
        let kept = self.keep(session, vec![object])?;
        kept.first().copied().ok_or(Error::General)
    }

    pub(crate) fn destroy_object(
        &mut self,
        session: CK_SESSION_HANDLE,
        number: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let present = self.object(session, number)?.clone();
        self.check_write(session, &present)?;
        if !present.is_set(ck::CKA_DESTROYABLE) {
            return Err(Error::ActionProhibited);
        }
        let slot = self.slot_of(session)?;
        if slot.session_objects.remove(&number).is_some() {
            return Ok(());
        }
        slot.commit(|contents| {
            shelf(contents, &present)
                .remove(&number)
                .map(drop)
                .ok_or(Error::ObjectHandleInvalid)
        })
    }

    /// Private objects need the user; token objects need a writing session and some login, since
    /// the store is sealed under the master key.
    fn check_write(&mut self, session: CK_SESSION_HANDLE, object: &Object) -> Result<()> {
        let access = self.session(session)?.access;
        let role = self.slot_of(session)?.role();
        if object.is_token() && access == Access::ReadOnly {
            return Err(Error::SessionReadOnly);
        }
        // The SO brings in the keys that it trusts; it can neither see nor use them afterwards.
        let is_trusted = object.is_set(ck::CKA_TRUSTED);
        let is_entrusted = is_trusted && role == SO;
        let is_short_of_user = object.is_private() && role != Some(Role::User) && !is_entrusted;
        if is_short_of_user || (object.is_token() && role.is_none()) {
            return Err(Error::UserNotLoggedIn);
        }
        Ok(())
    }
}

/// Refuses a new key that calls itself trusted, unless the SO makes it.
fn check_trust(object: &Object, role: Option<Role>) -> Result<()> {
    if object.is_set(ck::CKA_TRUSTED) && role != SO {
        return Err(Error::AttributeReadOnly);
    }
    Ok(())
}

fn visible(slot: &mut Slot, number: CK_OBJECT_HANDLE) -> Result<&Object> {
    let may_see_private = slot.role() == Some(Role::User);
    if slot.session_objects.contains_key(&number) {
        let passing = slot.session_objects.get(&number).map(|(_, object)| object);
        return passing
            .filter(|object| may_see_private || !object.is_private())
            .ok_or(Error::ObjectHandleInvalid);
    }
    slot.token_object(number)?.ok_or(Error::ObjectHandleInvalid)
}

fn shelf<'a>(contents: &'a mut Contents, object: &Object) -> &'a mut Objects {
    if object.is_private() {
        &mut contents.private
    } else {
        &mut contents.public
    }
}

fn store_all(contents: &mut Contents, objects: Vec<(usize, Object)>) -> Vec<(usize, u64)> {
    let mut kept = Vec::new();
    for (place, object) in objects {
        let number = contents.header.next_object;
        contents.header.next_object += 1;
        shelf(contents, &object).insert(number, object);
        kept.push((place, number));
    }
    kept
}
