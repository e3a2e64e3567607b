//! One session: the slot it talks to, what it may write, and what it is in the middle of.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cryptoki_sys as ck;
use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SLOT_ID, CK_STATE};

use super::message::{MessageKey, Messages};
use super::operation::{Kind, Operation};
use super::pin::Role;
use crate::error::{Error, Result};

/// What a session may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// An open session.
pub(crate) struct Session {
    pub(super) slot: CK_SLOT_ID,
    pub(super) access: Access,
    operations: BTreeMap<Kind, Operation>,
    /// Messages that are being encrypted or decrypted.
    messages: BTreeMap<Kind, Messages>,
    /// Handles still to be given out by the search, last first.
    found: Option<Vec<CK_OBJECT_HANDLE>>,
}

impl Session {
    pub(super) fn new(slot: CK_SLOT_ID, access: Access) -> Self {
        Self {
            slot,
            access,
            operations: BTreeMap::new(),
            messages: BTreeMap::new(),
            found: None,
        }
    }

    /// The session's state (PKCS#11 §4.2).
    pub(super) fn state(&self, role: Option<Role>) -> CK_STATE {
        match (self.access, role) {
            (_, Some(Role::SecurityOfficer)) => ck::CKS_RW_SO_FUNCTIONS,
            (Access::ReadOnly, None) => ck::CKS_RO_PUBLIC_SESSION,
            (Access::ReadOnly, Some(Role::User)) => ck::CKS_RO_USER_FUNCTIONS,
            (Access::ReadWrite, None) => ck::CKS_RW_PUBLIC_SESSION,
            (Access::ReadWrite, Some(Role::User)) => ck::CKS_RW_USER_FUNCTIONS,
        }
    }

    pub(super) fn check_idle(&self, kind: Kind) -> Result<()> {
        if self.operations.contains_key(&kind) {
            Err(Error::OperationActive)
        } else {
            Ok(())
        }
    }

    pub(super) fn begin(&mut self, operation: Operation) -> Result<()> {
        match self.operations.entry(operation.kind()) {
            Entry::Occupied(_) => Err(Error::OperationActive),
            Entry::Vacant(place) => {
                place.insert(operation);
                Ok(())
            }
        }
    }

    pub(super) fn running(&mut self, kind: Kind) -> Result<&mut Operation> {
        self.operations
            .get_mut(&kind)
            .ok_or(Error::OperationNotInitialized)
    }

    /// Whether an operation waits for a login of its own.
    pub(super) fn awaits_login(&self) -> bool {
        self.operations.values().any(Operation::awaits_login)
    }

    /// The login that operations waited for has come.
    pub(super) fn log_in_operations(&mut self) {
        self.operations.values_mut().for_each(Operation::log_in);
    }

    pub(super) fn take(&mut self, kind: Kind) -> Result<Operation> {
        self.operations
            .remove(&kind)
            .ok_or(Error::OperationNotInitialized)
    }

    pub(super) fn cancel(&mut self, kind: Kind) {
        self.operations.remove(&kind);
    }

    /// Ends everything that may hold a key or a private handle.
    pub(super) fn cancel_all(&mut self) {
        self.operations.clear();
        self.messages.clear();
        self.found = None;
    }

    pub(super) fn begin_messages(&mut self, kind: Kind, key: MessageKey) -> Result<()> {
        match self.messages.entry(kind) {
            Entry::Occupied(_) => Err(Error::OperationActive),
            Entry::Vacant(place) => {
                place.insert(Messages::new(key));
                Ok(())
            }
        }
    }

    pub(super) fn messages(&mut self, kind: Kind) -> Result<&mut Messages> {
        let found = self.messages.get_mut(&kind);
        found.ok_or(Error::OperationNotInitialized)
    }

    pub(super) fn end_messages(&mut self, kind: Kind) -> Result<()> {
        let ended = self.messages.remove(&kind);
        ended.map(drop).ok_or(Error::OperationNotInitialized)
    }

    pub(super) fn begin_search(&mut self, mut found: Vec<CK_OBJECT_HANDLE>) -> Result<()> {
        if self.found.is_some() {
            return Err(Error::OperationActive);
        }
        found.reverse();
        self.found = Some(found);
        Ok(())
    }

    pub(super) fn search(&mut self, limit: usize) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let found = self.found.as_mut().ok_or(Error::OperationNotInitialized)?;
        let rest = found.len().saturating_sub(limit);
        let mut next = found.split_off(rest);
        next.reverse();
        Ok(next)
    }

    pub(super) fn end_search(&mut self) -> Result<()> {
        self.found
            .take()
            .map(drop)
            .ok_or(Error::OperationNotInitialized)
    }
}
