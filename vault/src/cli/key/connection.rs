//! A key officer's session: a client of the key service with its proof, and how answers are shown.

use api::{KeysClient, UnitProof};

pub(super) use crate::cli::connection::{Connection, code, refused};
use crate::cli::reason::Because;

/// Whom answers are for.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::cli) enum Form {
    /// People.
    Text,
    /// Scripts.
    Json,
}

/// A client with its proof, and how its answers are shown.
pub(super) struct Session {
    pub(super) client: KeysClient,
    proof: Option<UnitProof>,
    pub(super) form: Form,
    /// Why the act is done, in words.
    pub(super) reason: Option<String>,
}

impl Session {
    /// Prepares the client; it connects with its first call.
    pub(super) fn open(
        connection: &Connection,
        because: &Because,
        form: Form,
    ) -> anyhow::Result<Self> {
        let (settings, proof) = connection.settings()?;
        let client = KeysClient::new(&settings)?;
        Ok(Self {
            client,
            proof,
            form,
            reason: because.read()?,
        })
    }

    pub(super) fn proof(&self) -> Option<&UnitProof> {
        self.proof.as_ref()
    }
}
