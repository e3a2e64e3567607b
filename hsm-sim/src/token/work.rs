//! The module's doors to operations: begin, feed, take. What is taken works outside the lock.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE};

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
    pub(crate) fn begin(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        mechanism: Mechanism,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.session(session)?.check_idle(kind)?;
        let key = match self.object(session, key) {
            Err(Error::ObjectHandleInvalid) => return Err(Error::KeyHandleInvalid),
            found => found?,
        };
        let operation = Operation::keyed(kind, mechanism, key)?;
        self.session(session)?.begin(operation)
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

    pub(crate) fn check_running(&mut self, session: CK_SESSION_HANDLE, kind: Kind) -> Result<()> {
        self.session(session)?.running(kind).map(drop)
    }

    /// Feeds a part; a part that does not fit ends the operation.
    pub(crate) fn update(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        part: &[u8],
    ) -> Result<()> {
        let session = self.session(session)?;
        let fed = session.running(kind)?.update(part);
        if fed.is_err() {
            session.cancel(kind);
        }
        fed
    }

    /// Bytes of the result; an impossible input ends the operation.
    pub(crate) fn result_bytes(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        more: usize,
    ) -> Result<usize> {
        let session = self.session(session)?;
        let expected = session.running(kind)?.result_bytes(more);
        if expected.is_err() {
            session.cancel(kind);
        }
        expected
    }

    /// Takes the operation out of its session, to finish it.
    pub(crate) fn take(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: Kind,
        ending: Ending,
    ) -> Result<Operation> {
        let session = self.session(session)?;
        if ending == Ending::OneShot && session.running(kind)?.is_multipart() {
            return Err(Error::OperationActive);
        }
        session.take(kind)
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
