//! What rows of units are authenticated with: whoever writes the database alone has no key to it.

use kms::{Binding, Envelope, MacKey};

use crate::engine::own_keys::{KeyError, opened_mac};
use crate::model::{ProposalId, Timestamp};
use crate::store::{ProposalRow, Reader, RegistryRow};

/// The vault's own key of the registry, in its first version.
pub(in crate::engine) const REGISTRY_KEY: &str = "registry.1";

/// Makes and checks the tags of rows.
pub(in crate::engine) struct RegistryKey(MacKey);

impl RegistryKey {
    pub(in crate::engine) fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// Opens the key of a database that stands; none where it has none.
    pub(in crate::engine) fn open(
        envelope: &Envelope,
        reader: &Reader,
    ) -> Result<Option<Self>, KeyError> {
        let key = opened_mac(envelope, reader, REGISTRY_KEY)?;
        Ok(key.map(Self))
    }

    /// Of a unit's row: the commitment covers name, revision, document and salt.
    // INVARIANT 6: a row of a unit that the vault did not write has no tag, and is not heard.
    pub(super) fn unit_tag(&self, id: ProposalId, changed: Timestamp) -> [u8; 32] {
        let message = Binding::new("jinku/v1 registered unit")
            .field(&id.0)
            .number(changed.0);
        self.0.tag(&message)
    }

    /// Of a proposal's row.
    pub(super) fn proposal_tag(&self, id: ProposalId, body: &str) -> [u8; 32] {
        self.0.tag(&proposal(id, body))
    }

    /// Whether a proposal's row is as the vault wrote it.
    pub(super) fn knows_proposal(&self, row: &ProposalRow) -> bool {
        let message = proposal(ProposalId(row.id), &row.body);
        self.0.verify(&message, &row.tag).is_ok()
    }

    /// Of the registry's state.
    pub(super) fn state_tag(&self, state: &RegistryRow) -> [u8; 32] {
        self.0.tag(&of_state(state))
    }

    /// Whether the registry's state is as the vault wrote it.
    pub(super) fn knows_state(&self, state: &RegistryRow) -> bool {
        self.0.verify(&of_state(state), &state.tag).is_ok()
    }
}

fn proposal(id: ProposalId, body: &str) -> Binding {
    Binding::new("jinku/v1 unit proposal")
        .field(&id.0)
        .field(body.as_bytes())
}

fn of_state(state: &RegistryRow) -> Binding {
    Binding::new("jinku/v1 unit registry")
        .number(state.seq)
        .field(&state.digest)
        .field(&state.latest)
}
