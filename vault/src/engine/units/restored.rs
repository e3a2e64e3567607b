//! Units in a database that came from a backup: what the ledger says of them since can't be done again, for it
//! has no documents. So whoever was changed, suspended or approved since does not act until two people look.

use std::collections::BTreeMap;

use kms::Envelope;
use ledger::{Facts, Operation};

use super::books::Books;
use super::key::RegistryKey;
use super::puts_in_force;
use crate::engine::own_keys::KeyError;
use crate::model::{ProposalId, Standing, Timestamp, UnitDocument, UnitName};
use crate::store::{Database, Reader, RegistryRow, StoreError, UnitRow, UnitWrite};

/// The rows that came back, as they become.
pub(in crate::engine) struct Restored {
    key: RegistryKey,
    rows: BTreeMap<UnitName, UnitRow>,
    latest: [u8; 32],
}

impl Restored {
    /// Reads what came back; none where the database knows of no registered units yet.
    pub(in crate::engine) fn open(
        envelope: &Envelope,
        reader: &Reader,
    ) -> Result<Option<Self>, KeyError> {
        let rows = reader.registered_units()?;
        let Some(key) = RegistryKey::open(envelope, reader)? else {
            return Ok(None);
        };
        // A row that is not the vault's own is not made one here: it keeps its tag, and the start finds it.
        let own = |row: &UnitRow| {
            let id = ProposalId::of(&row.name, row.revision, &row.document, &row.salt);
            kms::constant_time_eq(&key.unit_tag(id, row.changed), &row.tag)
        };
        let rows = rows.into_iter().filter(own);
        let rows = rows.map(|row| (row.name.clone(), row)).collect();
        let latest = reader
            .unit_registry()?
            .map_or([0; 32], |state| state.latest);
        Ok(Some(Self { key, rows, latest }))
    }

    /// What a later entry does to the unit that it names.
    pub(in crate::engine) fn change(&mut self, facts: &Facts, at: Timestamp) -> Option<UnitWrite> {
        if !puts_in_force(facts) {
            return None;
        }
        let name = UnitName::parse(facts.reason.as_deref()?).ok()?;
        let row = self.rows.get_mut(&name)?;
        let standing = if facts.operation == Operation::UnitRetire {
            Standing::Retired
        } else {
            Standing::Suspended
        };
        let document = UnitDocument::kept(&row.document).ok()?;
        let document = document.standing(standing);
        document.as_str().clone_into(&mut row.document);
        row.revision += 1;
        row.changed = at;
        let id = ProposalId::of(&row.name, row.revision, &row.document, &row.salt);
        row.tag = self.key.unit_tag(id, at);
        self.latest = id.0;
        Some(UnitWrite::Put(Box::new(row.clone())))
    }

    /// From here on, the registry is what it became: no entry before `seq` says more of it. Nothing that was
    /// proposed before the backup waits any longer.
    pub(in crate::engine) fn close(
        &self,
        database: &Database,
        reader: &Reader,
        seq: u64,
    ) -> Result<(), StoreError> {
        let mut books = Books::default();
        for row in reader.registered_units()? {
            books.enter(&row);
        }
        let state: RegistryRow = books.ending_with(self.latest).state(seq, &self.key);
        database.forget_unit_proposals()?;
        database.units_are_whole(&state)
    }
}
