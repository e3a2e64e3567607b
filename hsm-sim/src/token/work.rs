//! The module's doors to operations: begin, feed, take. What is taken works outside the lock.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::mechanism::Mechanism;
use super::module::Module;
use super::operation::{Kind, Operation};
use crate::error::{Error, Result};

/// Whether a call gives the whole input or ends what updates began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    OneShot,
    Final,
}

impl Module {
    /// Begins; yields the IV that the token made, if the caller learns it through its parameter.
    pub(crate) fn begin(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        mechanism: Mechanism,
        key: CK_OBJECT_HANDLE,
    ) -> Result<Option<Vec<u8>>> {
        self.session(session)?.check_idle(kind)?;
        self.check_listed(mechanism.kind)?;
        let profile = self.profile;
        let key = match self.object(session, key) {
            Err(Error::ObjectHandleInvalid) => return Err(Error::KeyHandleInvalid),
            found => found?,
        };
        let operation = Operation::keyed(kind, mechanism, key, &profile)?;
        let iv = operation.made_iv();
        self.session(session)?.begin(operation)?;
        Ok(iv)
    }

    pub(crate) fn begin_digest(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
    ) -> Result<()> {
        let session = self.session(session)?;
        session.check_idle(Kind::Digest)?;
        session.begin(Operation::digest(mechanism)?)
    }

    /// Hashes a secret key's value, if the key may be read.
    pub(crate) fn digest_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.session(session)?.running(Kind::Digest)?;
        let key = self.key(session, key, Error::KeyHandleInvalid)?;
        if key.class() != Some(ck::CKO_SECRET_KEY) {
            return Err(Error::KeyIndigestible);
        }
        let value = key
            .read(ck::CKA_VALUE)
            .map_err(|_| Error::KeyIndigestible)?;
        let value = Zeroizing::new(value.to_vec());
        self.update(session, Kind::Digest, &value).map(drop)
    }

    /// Bytes that a part of this length yields at once.
    pub(crate) fn early_bytes(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        more: usize,
    ) -> Result<usize> {
        Ok(self.session(session)?.running(kind)?.early_bytes(more))
    }

    /// Feeds a part; a part that does not fit ends the operation.
    pub(crate) fn update(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        part: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let session = self.session(session)?;
        check_login(session.running(kind)?)?;
        let fed = session.running(kind)?.update(part);
        if fed.is_err() {
            session.cancel(kind);
        }
        fed
    }

    /// Bytes of the result, and whether that is only their bound; an impossible input ends the
    /// operation.
    pub(crate) fn result_bytes(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        more: usize,
    ) -> Result<(usize, bool)> {
        let session = self.session(session)?;
        let operation = session.running(kind)?;
        check_login(operation)?;
        let hides_length = operation.hides_length();
        let expected = operation.result_bytes(more);
        if expected.is_err() {
            session.cancel(kind);
        }
        Ok((expected?, hides_length))
    }

    /// Puts an operation back whose result did not fit.
    pub(crate) fn put_back(
        &mut self,
        session: CK_SESSION_HANDLE,
        operation: Operation,
    ) -> Result<()> {
        self.session(session)?.begin(operation)
    }

    /// Takes the operation out of its session, to finish it.
    pub(crate) fn take(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        ending: Ending,
    ) -> Result<Operation> {
        let session = self.session(session)?;
        check_login(session.running(kind)?)?;
        if ending == Ending::OneShot && session.running(kind)?.is_multipart() {
            return Err(Error::OperationActive);
        }
        session.take(kind)
    }

    pub(crate) fn is_running(&mut self, session: CK_SESSION_HANDLE, kind: Kind) -> Result<bool> {
        Ok(self.session(session)?.running(kind).is_ok())
    }

    /// Ends operations without a result.
    pub(crate) fn cancel(&mut self, session: CK_SESSION_HANDLE, kinds: &[Kind]) -> Result<()> {
        let session = self.session(session)?;
        for kind in kinds {
            session.cancel(*kind);
        }
        Ok(())
    }
}

/// A key that always asks for a login waits for it after the operation has begun.
fn check_login(operation: &Operation) -> Result<()> {
    if operation.awaits_login() {
        Err(Error::UserNotLoggedIn)
    } else {
        Ok(())
    }
}
