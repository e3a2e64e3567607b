//! What is known of all rows of units: that each is the vault's own, and that together they are as new as the
//! ledger. Old rows put back, or rows taken away, are found at the next start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use kms::constant_time_eq;
use ledger::Entry;
use ring::digest::{Context, SHA256};

use super::key::RegistryKey;
use super::{Registrar, UnitLimits, puts_in_force};
use crate::engine::Keys;
use crate::model::{
    Calendars, Catalogue, DocumentFault, ProposalId, RegistryError, Unit, UnitDocument, UnitName,
    Units,
};
use crate::store::{Database, Reader, RegistryRow, StoreError, UnitRow};

/// Entries read at once.
const PAGE: u32 = 1_024;

/// Why the registered units can't be taken over. The vault does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnitsError {
    /// A row was not written by the vault.
    #[error(
        "the row of registered unit `{0}` is not as the vault wrote it: the database was altered; restore it from a backup"
    )]
    Altered(UnitName),
    /// Rows are missing, or older than the ledger.
    #[error(
        "the registered units are not those that the ledger ends with: rows were taken away or put back; restore the database from a backup"
    )]
    Outdated,
    /// A row's document can't be read by this build.
    #[error(
        "the registration of unit `{unit}` can't be read: {cause}; use the build that wrote it"
    )]
    Document {
        /// Which unit.
        unit: UnitName,
        /// Why.
        cause: DocumentFault,
    },
    /// A unit does not fit the catalogue, or the units of the file.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tags of all registered units, and the change that came last.
#[derive(Clone, Default)]
pub(super) struct Books {
    tags: BTreeMap<UnitName, [u8; 32]>,
    latest: [u8; 32],
}

impl Books {
    /// With a row that is to be written.
    pub(super) fn with(&self, row: &UnitRow, id: ProposalId) -> Self {
        let mut books = self.clone();
        books.tags.insert(row.name.clone(), row.tag);
        books.latest = id.0;
        books
    }

    pub(super) fn enter(&mut self, row: &UnitRow) {
        self.tags.insert(row.name.clone(), row.tag);
    }

    pub(super) fn ending_with(self, latest: [u8; 32]) -> Self {
        Self { latest, ..self }
    }

    /// As of the entry of this index.
    pub(super) fn state(&self, seq: u64, key: &RegistryKey) -> RegistryRow {
        let mut state = RegistryRow {
            seq,
            digest: self.digest(),
            latest: self.latest,
            tag: [0; 32],
        };
        state.tag = key.state_tag(&state);
        state
    }

    fn digest(&self) -> [u8; 32] {
        let mut sum = Context::new(&SHA256);
        for tag in self.tags.values() {
            sum.update(tag);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(sum.finish().as_ref());
        digest
    }

    /// Whether these are the rows that the state speaks of, and no later entry says more of them.
    fn are_whole(&mut self, key: &RegistryKey, reader: &Reader) -> Result<u64, UnitsError> {
        let Some(state) = reader.unit_registry()? else {
            let none = self.tags.is_empty();
            return if none {
                Ok(0)
            } else {
                Err(UnitsError::Outdated)
            };
        };
        if !key.knows_state(&state) || state.digest != self.digest() {
            return Err(UnitsError::Outdated);
        }
        self.latest = state.latest;
        let mut seq = state.seq;
        loop {
            let page = reader.entries(seq, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(seq);
            };
            seq = last.seq + 1;
            for stored in &page {
                let entry = Entry::decode(&stored.bytes);
                let facts = entry
                    .map_err(|_| StoreError::Malformed { table: "entry" })?
                    .facts;
                // The one that was written with the state itself is no news.
                if puts_in_force(&facts) && facts.commitment != Some(state.latest) {
                    return Err(UnitsError::Outdated);
                }
            }
        }
    }
}

/// A unit's row, read: it must be the vault's own.
pub(super) fn read_row(
    row: &UnitRow,
    key: &RegistryKey,
    catalogue: &Catalogue,
) -> Result<Unit, UnitsError> {
    let id = ProposalId::of(&row.name, row.revision, &row.document, &row.salt);
    if !constant_time_eq(&key.unit_tag(id, row.changed), &row.tag) {
        return Err(UnitsError::Altered(row.name.clone()));
    }
    let document = UnitDocument::kept(&row.document);
    let document = document.map_err(|cause| UnitsError::Document {
        unit: row.name.clone(),
        cause,
    })?;
    let unit = Unit::registered(&document, row.revision, catalogue)?;
    if unit.name == row.name {
        Ok(unit)
    } else {
        Err(UnitsError::Altered(row.name.clone()))
    }
}

impl Registrar {
    /// Puts the registered units in force, beside those of the file that are in force already. Blocks.
    pub fn open(
        units: &Arc<Units>,
        keys: &Keys,
        database: &Database,
        catalogue: &Catalogue,
        limits: UnitLimits,
    ) -> Result<Self, UnitsError> {
        let (file, key, reader) = (units.now(), keys.registry(), database.reader());
        let mut books = Books::default();
        let mut registered = Vec::new();
        for row in reader.registered_units()? {
            registered.push(Arc::new(read_row(&row, key, catalogue)?));
            books.enter(&row);
        }
        let seq = books.are_whole(key, &reader)?;
        if seq > 0 {
            // The next start looks from here on.
            database.units_are_whole(&books.state(seq, key))?;
        }
        let registry = file.as_ref().clone().beside(registered)?;
        units.put_in_force(registry.into());
        Ok(Self {
            units: Arc::clone(units),
            file: Mutex::new(file),
            limits,
            calendars: Calendars::default(),
            turn: Arc::new(tokio::sync::Mutex::new(books)),
        })
    }
}
