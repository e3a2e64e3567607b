//! Keys in the embedded store: records, aliases, versions, permissions to import.

use std::time::Duration;

use kms::{KeyId, KeyKind};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::tokens::{TOKEN_COLUMNS, token_row};
use super::{Reader, Writer, conflict};
use crate::model::{
    Description, DomainName, KeyAlias, KeyOrigin, KeyRecord, KeyRef, KeyState, KeyVersion, Tags,
    Timestamp, VAULT, VersionState,
};
use crate::store::row::{Due, ImportRow, KeyWrite, Material, Resealed, TokenRow, VersionRow};
use crate::store::{Fingerprint, StoreError};

const SELECT_KEY: &str = "SELECT id, kind, state, owner, origin, description, tags, current, open_from, \
    rotation_seconds, rotate_at_us, delete_at_us, created_us, revision, \
    (SELECT m.state FROM key_material AS m WHERE m.key = key.id AND m.version = key.current) FROM key";
const INSERT_KEY: &str = "INSERT INTO key (id, kind, state, owner, origin, description, tags, current, \
    open_from, rotation_seconds, rotate_at_us, delete_at_us, created_us, revision) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
const UPDATE_KEY: &str = "UPDATE key SET state = ?2, description = ?3, tags = ?4, current = ?5, \
    open_from = ?6, rotation_seconds = ?7, rotate_at_us = ?8, delete_at_us = ?9, revision = ?10 \
    WHERE id = ?1 AND revision = ?11";
const MALFORMED: StoreError = StoreError::Malformed { table: "key" };

/// First byte of the key version in a sealed value (`kms`, sealed header), counted from 1.
pub(super) const VERSION_AT: u32 = 6;

impl Reader {
    /// The key of this id or alias.
    pub fn key(&self, key: &KeyRef) -> Result<Option<KeyRecord>, StoreError> {
        self.query(|connection| {
            let (filter, name) = match key {
                KeyRef::Id(id) => ("WHERE id = ?1", id.as_str()),
                KeyRef::Alias(alias) => (
                    "WHERE id = (SELECT key FROM key_alias WHERE alias = ?1)",
                    alias.as_str(),
                ),
            };
            let mut statement = connection.prepare_cached(&format!("{SELECT_KEY} {filter}"))?;
            let found = statement
                .query_row([name], |row| Ok(record(row)))
                .optional()?;
            found
                .map(|record| with_aliases(connection, record?))
                .transpose()
        })
    }

    /// Up to `limit` keys after an id, in the order of their ids.
    pub fn keys_after(
        &self,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let after = after.map_or("", KeyId::as_str);
        let sql = format!("{SELECT_KEY} WHERE id > ?1 ORDER BY id LIMIT ?2");
        self.query(|connection| records(connection, &sql, params![after, limit]))
    }

    /// The vault's own keys.
    pub fn own_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.query(|connection| records(connection, &own_keys(), []))
    }

    /// Up to `limit` keys whose rotation or destruction is due, the longest first, after a place in that order.
    pub fn keys_due(
        &self,
        now: Timestamp,
        after: Option<&Due>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        // As `KeyRecord::due_at`.
        let due = "min(coalesce(rotate_at_us, delete_at_us), coalesce(delete_at_us, rotate_at_us))";
        let sql = format!(
            "{SELECT_KEY} WHERE (rotate_at_us <= ?1 OR delete_at_us <= ?1) AND ({due}, id) > (?2, ?3) \
             ORDER BY {due}, id LIMIT ?4"
        );
        let (at, id) = after.map_or((0, ""), |due| (due.at.0, due.key.as_str()));
        self.query(|connection| records(connection, &sql, params![now.0, at, id, limit]))
    }

    /// A key's versions, by number.
    pub fn key_versions(&self, key: &KeyId) -> Result<Vec<KeyVersion>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT version, state, created_us FROM key_material WHERE key = ?1 ORDER BY version",
            )?;
            let rows = statement.query_map([key.as_str()], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
            })?;
            rows.map(|row| {
                let (number, state, created_us) = row?;
                let state = VersionState::parse(&state).ok_or(MALFORMED)?;
                let created = Timestamp(created_us);
                Ok(KeyVersion { number, state, created })
            })
            .collect()
        })
    }

    /// One version of a key with its wrapped material.
    pub fn key_version(&self, key: &KeyId, number: u32) -> Result<Option<VersionRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT state, wrapped, created_us FROM key_material WHERE key = ?1 AND version = ?2",
            )?;
            let found = statement
                .query_row(params![key.as_str(), number], |row| {
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            found
                .map(|(state, wrapped, created_us)| {
                    Ok(VersionRow {
                        key: key.clone(),
                        number,
                        state: VersionState::parse(&state).ok_or(MALFORMED)?,
                        wrapped,
                        created: Timestamp(created_us),
                    })
                })
                .transpose()
        })
    }

    /// Up to `limit` versions that have material, after a place in the order of keys and numbers.
    pub fn materials_after(
        &self,
        after: Option<&(KeyId, u32)>,
        limit: u32,
    ) -> Result<Vec<Material>, StoreError> {
        let (key, number) = after.map_or(("", 0), |(key, number)| (key.as_str(), *number));
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT m.key, m.version, k.kind, m.wrapped FROM key_material AS m JOIN key AS k ON k.id = m.key \
                 WHERE (m.key, m.version) > (?1, ?2) AND m.wrapped IS NOT NULL ORDER BY m.key, m.version LIMIT ?3",
            )?;
            let rows = statement.query_map(params![key, number, limit], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?))
            })?;
            rows.map(|row| {
                let (key, number, kind, wrapped) = row?;
                let key = KeyId::parse(&key).map_err(|_| MALFORMED)?;
                let kind = KeyKind::parse(&kind).map_err(|_| MALFORMED)?;
                Ok(Material { key, number, kind, wrapped })
            })
            .collect()
        })
    }

    /// A permission to import that is known by this hash.
    pub fn import(&self, ticket: &[u8; 32]) -> Result<Option<ImportRow>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT key, wrapping, expires_us FROM key_import WHERE ticket = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement
                .query_row([ticket], |row| {
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            found
                .map(|(key, wrapping, expires_us)| {
                    let key = KeyId::parse(&key).map_err(|_| MALFORMED)?;
                    let expires = Timestamp(expires_us);
                    Ok(ImportRow {
                        ticket: *ticket,
                        key,
                        wrapping,
                        expires,
                    })
                })
                .transpose()
        })
    }

    /// How many rows of a domain are sealed under each version of its key.
    pub fn rows_by_version(&self, domain: &DomainName) -> Result<Vec<(u32, u64)>, StoreError> {
        self.query(|connection| {
            let sql = format!(
                "SELECT substr(sealed, {VERSION_AT}, 4), count(*) FROM token WHERE domain = ?1 \
                 GROUP BY 1 ORDER BY 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([domain.as_str()], |row| {
                Ok((u32::from_be_bytes(row.get(0)?), row.get(1)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Up to `limit` rows of a domain that are not sealed under `version`, after a place in the table.
    pub fn rows_to_reseal(
        &self,
        domain: &DomainName,
        version: u32,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, TokenRow)>, StoreError> {
        self.query(|connection| {
            let sql = format!(
                "SELECT {TOKEN_COLUMNS}, rowid AS place FROM token WHERE rowid > ?1 AND domain = ?2 AND substr(sealed, {VERSION_AT}, 4) <> ?3 \
                 ORDER BY rowid LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = params![after, domain.as_str(), version.to_be_bytes(), limit];
            let rows = statement.query_map(found, |row| Ok((row.get("place")?, token_row(row))))?;
            rows.map(|row| {
                let (place, row) = row?;
                Ok((place, row?))
            })
            .collect()
        })
    }
}

fn records(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<KeyRecord>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| Ok(record(row)))?;
    rows.map(|row| with_aliases(connection, row??)).collect()
}

/// A record without its aliases.
fn record(row: &Row<'_>) -> Result<KeyRecord, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let tags = serde_json::from_str(&text(6)?).map_err(|_| MALFORMED)?;
    let time = |column| {
        row.get::<_, Option<u64>>(column)
            .map(|us| us.map(Timestamp))
    };
    Ok(KeyRecord {
        id: KeyId::parse(&text(0)?).map_err(|_| MALFORMED)?,
        kind: KeyKind::parse(&text(1)?).map_err(|_| MALFORMED)?,
        state: KeyState::parse(&text(2)?).ok_or(MALFORMED)?,
        owner: text(3)?,
        origin: KeyOrigin::parse(&text(4)?).ok_or(MALFORMED)?,
        aliases: std::collections::BTreeSet::new(),
        description: Description::parse(text(5)?).map_err(|_| MALFORMED)?,
        tags: Tags::parse(tags).map_err(|_| MALFORMED)?,
        current: row.get(7)?,
        open_from: row.get(8)?,
        rotation: row.get::<_, Option<u64>>(9)?.map(Duration::from_secs),
        rotate_at: time(10)?,
        delete_at: time(11)?,
        created: Timestamp(row.get(12)?),
        revision: row.get(13)?,
        current_state: row
            .get::<_, Option<String>>(14)?
            .map(|word| VersionState::parse(&word).ok_or(MALFORMED))
            .transpose()?,
    })
}

fn with_aliases(connection: &Connection, mut record: KeyRecord) -> Result<KeyRecord, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT alias FROM key_alias WHERE key = ?1 ORDER BY alias")?;
    let rows = statement.query_map([record.id.as_str()], |row| row.get::<_, String>(0))?;
    for alias in rows {
        let alias = KeyAlias::parse(&alias?).map_err(|_| MALFORMED)?;
        record.aliases.insert(alias);
    }
    Ok(record)
}

impl Writer {
    pub(super) fn write_key(&self, write: &KeyWrite) -> rusqlite::Result<()> {
        match write {
            KeyWrite::Add(record) => self.add_key(record),
            KeyWrite::Set(record) => self.set_key(record),
            KeyWrite::AddVersion(row) => self.execute(
                "INSERT INTO key_material (key, version, state, wrapped, created_us) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![row.key.as_str(), row.number, row.state.as_str(), row.wrapped, row.created.0],
            ),
            KeyWrite::SetVersion(key, number, state) => self.execute(
                "UPDATE key_material SET state = ?3 WHERE key = ?1 AND version = ?2",
                params![key.as_str(), number, state.as_str()],
            ),
            KeyWrite::DestroyVersion(key, number) => {
                self.shreds.set(true);
                self.execute(
                    "UPDATE key_material SET state = 'destroyed', wrapped = NULL WHERE key = ?1 AND version = ?2",
                    params![key.as_str(), number],
                )
            }
            KeyWrite::DestroyUnneeded(key, number, domain) => {
                // INVARIANT 15: a key version is never lost while a row still needs it. The writer is
                // the one that adds rows, so what it counts here can't change before the commit.
                let sql = format!(
                    "SELECT EXISTS (SELECT 1 FROM token WHERE domain = ?1 AND substr(sealed, {VERSION_AT}, 4) = ?2) \
                     OR EXISTS (SELECT 1 FROM idempotency WHERE domain = ?1 AND substr(sealed, {VERSION_AT}, 4) = ?2) \
                     OR EXISTS (SELECT 1 FROM ticket WHERE domain = ?1 AND substr(sealed, {VERSION_AT}, 4) = ?2)"
                );
                let parameters = params![domain.as_str(), number.to_be_bytes()];
                let mut statement = self.connection.prepare_cached(&sql)?;
                if statement.query_row(parameters, |row| row.get(0))? {
                    return Err(conflict());
                }
                self.write_key(&KeyWrite::DestroyVersion(key.clone(), *number))
            }
            KeyWrite::Rewrap { key, number, seen, wrapped } => {
                // What the old root opens is not to stay behind.
                self.shreds.set(true);
                self.execute(
                    "UPDATE key_material SET wrapped = ?4 WHERE key = ?1 AND version = ?2 AND wrapped = ?3",
                    params![key.as_str(), number, seen, wrapped],
                )
            }
            KeyWrite::AddImport(row) => self.execute(
                "INSERT INTO key_import (ticket, key, wrapping, expires_us) VALUES (?1, ?2, ?3, ?4)",
                params![row.ticket, row.key.as_str(), row.wrapping, row.expires.0],
            ),
            KeyWrite::TakeImport(ticket, now) => {
                self.execute("DELETE FROM key_import WHERE ticket = ?1", [ticket])?;
                let sql = "DELETE FROM key_import WHERE expires_us <= ?1";
                self.connection.prepare_cached(sql)?.execute([now.0])?;
                Ok(())
            }
            KeyWrite::CountMessages { key, number, messages, messages_max } => {
                self.count_messages((key, *number), *messages, *messages_max)
            }
        }
    }

    fn count_messages(
        &self,
        (key, number): (&KeyId, u32),
        messages: u64,
        messages_max: u64,
    ) -> rusqlite::Result<()> {
        if messages > messages_max {
            return Err(conflict());
        }
        self.execute(
            "INSERT INTO key_messages (key, version, messages) VALUES (?1, ?2, ?3) ON CONFLICT (key, version) \
             DO UPDATE SET messages = messages + excluded.messages WHERE messages + excluded.messages <= ?4",
            params![key.as_str(), number, messages, messages_max],
        )
    }

    pub(super) fn reseal(&self, row: &Resealed) -> rusqlite::Result<()> {
        let Resealed {
            fingerprint: Fingerprint(fingerprint),
            seen,
            sealed,
            token,
        } = row;
        self.execute(
            "UPDATE token SET sealed = ?3, sealed_token = ?4 WHERE fingerprint = ?1 AND sealed = ?2",
            params![fingerprint, seen.0, sealed.0, token.as_ref().map(|token| &token.0)],
        )
    }

    fn add_key(&self, record: &KeyRecord) -> rusqlite::Result<()> {
        self.execute(
            INSERT_KEY,
            params![
                record.id.as_str(),
                record.kind.as_str(),
                record.state.as_str(),
                record.owner,
                record.origin.as_str(),
                record.description.as_str(),
                tags(record),
                record.current,
                record.open_from,
                record.rotation.map(|period| period.as_secs()),
                record.rotate_at.map(|time| time.0),
                record.delete_at.map(|time| time.0),
                record.created.0,
                record.revision,
            ],
        )?;
        self.set_aliases(record)
    }

    fn set_key(&self, record: &KeyRecord) -> rusqlite::Result<()> {
        self.execute(
            UPDATE_KEY,
            params![
                record.id.as_str(),
                record.state.as_str(),
                record.description.as_str(),
                tags(record),
                record.current,
                record.open_from,
                record.rotation.map(|period| period.as_secs()),
                record.rotate_at.map(|time| time.0),
                record.delete_at.map(|time| time.0),
                record.revision + 1,
                record.revision,
            ],
        )?;
        let sql = "DELETE FROM key_alias WHERE key = ?1";
        self.connection
            .prepare_cached(sql)?
            .execute([record.id.as_str()])?;
        self.set_aliases(record)
    }

    fn set_aliases(&self, record: &KeyRecord) -> rusqlite::Result<()> {
        for alias in &record.aliases {
            self.execute(
                "INSERT INTO key_alias (alias, key) VALUES (?1, ?2)",
                [alias.as_str(), record.id.as_str()],
            )?;
        }
        Ok(())
    }
}

fn tags(record: &KeyRecord) -> String {
    // A map of strings always has a JSON text.
    serde_json::to_string(record.tags.pairs()).unwrap_or_default()
}

/// The index is of this owner alone: it serves no value that is bound.
fn own_keys() -> String {
    format!("{SELECT_KEY} WHERE owner = '{VAULT}' ORDER BY id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;

    // Beside a million keys of units.
    #[test]
    fn own_keys_are_found_by_their_index() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Database::open(&folder.path().join("vault.db"))
            .unwrap()
            .reader();
        let plan = reader.query(|connection| {
            let sql = format!("EXPLAIN QUERY PLAN {}", own_keys());
            Ok(connection.query_row(&sql, [], |row| row.get::<_, String>(3))?)
        });
        let plan = plan.unwrap();
        assert!(plan.contains("USING INDEX key_own"), "{plan}");
    }
}
