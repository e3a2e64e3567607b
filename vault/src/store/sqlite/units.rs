//! Registered units, proposals, and the registry's state in the embedded store.

use rusqlite::{OptionalExtension, Row, params};

use super::{Database, Reader, Writer, connect};
use crate::model::{Timestamp, UnitName};
use crate::store::StoreError;
use crate::store::units::{ProposalRow, RegistryRow, UnitRow, UnitWrite};

const PROPOSAL: &str = "SELECT id, unit, body, made_us, tag FROM unit_proposal";

const SET_REGISTRY: &str = "INSERT INTO unit_registry (one, seq, digest, latest, tag) \
    VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (one) DO UPDATE SET \
    seq = excluded.seq, digest = excluded.digest, latest = excluded.latest, tag = excluded.tag";

/// The one row of a name is made at revision 1, and replaced at the one that follows its own.
const PUT_FIRST: &str = "INSERT INTO registered_unit \
    (name, revision, document, salt, changed_us, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const PUT_NEXT: &str = "UPDATE registered_unit \
    SET revision = ?2, document = ?3, salt = ?4, changed_us = ?5, tag = ?6 \
    WHERE name = ?1 AND revision = ?2 - 1";

impl Reader {
    /// All registered units, by name.
    pub fn registered_units(&self) -> Result<Vec<UnitRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare(
                "SELECT name, revision, document, salt, changed_us, tag FROM registered_unit \
                 ORDER BY name",
            )?;
            let rows = statement.query_map([], |row| Ok(unit(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Whether there is any registered unit.
    pub fn any_registered_unit(&self) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM registered_unit)";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
    }

    /// Up to `limit` proposals that wait, the oldest first.
    pub fn unit_proposals(&self, limit: u32) -> Result<Vec<ProposalRow>, StoreError> {
        self.query(|connection| {
            let sql = format!("{PROPOSAL} ORDER BY made_us, unit LIMIT ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([limit], |row| Ok(proposal(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// The proposal of this id.
    pub fn unit_proposal(&self, id: [u8; 32]) -> Result<Option<ProposalRow>, StoreError> {
        self.query(|connection| {
            let sql = format!("{PROPOSAL} WHERE id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_row([id], |row| Ok(proposal(row)));
            found.optional()?.transpose()
        })
    }

    /// The proposal that waits of this unit.
    pub fn unit_proposal_of(&self, unit: &UnitName) -> Result<Option<ProposalRow>, StoreError> {
        self.query(|connection| {
            let sql = format!("{PROPOSAL} WHERE unit = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_row([unit.as_str()], |row| Ok(proposal(row)));
            found.optional()?.transpose()
        })
    }

    /// How many proposals wait that were made at this instant or later.
    pub fn unit_proposals_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        self.query(|connection| {
            let sql = "SELECT count(*) FROM unit_proposal WHERE made_us >= ?1";
            Ok(connection.query_row(sql, [since.0], |row| row.get(0))?)
        })
    }

    /// As of which entry the registry is known to be whole; none where no unit was ever registered.
    pub fn unit_registry(&self) -> Result<Option<RegistryRow>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT seq, digest, latest, tag FROM unit_registry WHERE one = 1";
            let found = connection.query_row(sql, [], |row| {
                Ok(RegistryRow {
                    seq: row.get(0)?,
                    digest: row.get(1)?,
                    latest: row.get(2)?,
                    tag: row.get(3)?,
                })
            });
            Ok(found.optional()?)
        })
    }
}

impl Database {
    /// Nothing is proposed any more: for a database that came from a backup, where decided ones are back.
    pub fn forget_unit_proposals(&self) -> Result<(), StoreError> {
        connect(&self.path)?.execute("DELETE FROM unit_proposal", [])?;
        Ok(())
    }

    /// Notes as of which entry the registry was found whole. Nothing of it changes: no entry says so.
    pub fn units_are_whole(&self, state: &RegistryRow) -> Result<(), StoreError> {
        set_registry(&connect(&self.path)?, state)?;
        Ok(())
    }
}

fn set_registry(connection: &rusqlite::Connection, state: &RegistryRow) -> rusqlite::Result<()> {
    let RegistryRow {
        seq,
        digest,
        latest,
        tag,
    } = state;
    connection
        .prepare_cached(SET_REGISTRY)?
        .execute(params![seq, digest, latest, tag])
        .map(drop)
}

fn unit(row: &Row<'_>) -> Result<UnitRow, StoreError> {
    const MALFORMED: StoreError = StoreError::Malformed {
        table: "registered_unit",
    };
    let name: String = row.get(0)?;
    Ok(UnitRow {
        name: UnitName::parse(&name).map_err(|_| MALFORMED)?,
        revision: row.get(1)?,
        document: row.get(2)?,
        salt: row.get(3)?,
        changed: Timestamp(row.get(4)?),
        tag: row.get(5)?,
    })
}

fn proposal(row: &Row<'_>) -> Result<ProposalRow, StoreError> {
    const MALFORMED: StoreError = StoreError::Malformed {
        table: "unit_proposal",
    };
    let unit: String = row.get(1)?;
    Ok(ProposalRow {
        id: row.get(0)?,
        unit: UnitName::parse(&unit).map_err(|_| MALFORMED)?,
        body: row.get(2)?,
        made: Timestamp(row.get(3)?),
        tag: row.get(4)?,
    })
}

impl Writer {
    pub(super) fn write_unit(&self, write: &UnitWrite) -> rusqlite::Result<()> {
        match write {
            UnitWrite::Put(row) => {
                let sql = if row.revision == 1 {
                    PUT_FIRST
                } else {
                    PUT_NEXT
                };
                let name = row.name.as_str();
                let values = params![
                    name,
                    row.revision,
                    row.document,
                    row.salt,
                    row.changed.0,
                    row.tag
                ];
                self.execute(sql, values)
            }
            UnitWrite::AddProposal(row) => {
                let sql = "INSERT INTO unit_proposal (id, unit, body, made_us, tag) \
                    VALUES (?1, ?2, ?3, ?4, ?5)";
                let values = params![row.id, row.unit.as_str(), row.body, row.made.0, row.tag];
                self.execute(sql, values)
            }
            UnitWrite::SetProposal(row, seen) => {
                let sql = "UPDATE unit_proposal SET body = ?2, tag = ?3 WHERE id = ?1 AND tag = ?4";
                self.execute(sql, params![row.id, row.body, row.tag, seen])
            }
            UnitWrite::EndProposal(id) => {
                self.execute("DELETE FROM unit_proposal WHERE id = ?1", params![id])
            }
            UnitWrite::EndProposalsOf(unit) => self
                .connection
                .prepare_cached("DELETE FROM unit_proposal WHERE unit = ?1")?
                .execute([unit.as_str()])
                .map(drop),
            UnitWrite::Expire(before) => self
                .connection
                .prepare_cached("DELETE FROM unit_proposal WHERE made_us < ?1")?
                .execute([before.0])
                .map(drop),
            UnitWrite::Whole(state) => set_registry(&self.connection, state),
        }
    }
}
