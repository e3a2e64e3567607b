//! Epochs of the ledger's pseudonyms in the embedded store.

use rusqlite::params;

use super::{Reader, Writer, conflict};
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::epoch::{EpochRow, EpochWrite};
use crate::store::row::{Fingerprint, ShredSlot};

impl Reader {
    /// All epochs, by number.
    pub fn epochs(&self) -> Result<Vec<EpochRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, slot, opened_us, entry, erased_us FROM pseudonym_epoch ORDER BY number",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(EpochRow {
                    number: row.get(0)?,
                    slot: row.get::<_, Option<u64>>(1)?.map(ShredSlot),
                    opened: Timestamp(row.get(2)?),
                    entry: row.get(3)?,
                    erased: row.get::<_, Option<u64>>(4)?.map(Timestamp),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many legal holds stand.
    pub fn hold_count(&self) -> Result<u64, StoreError> {
        self.query(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM hold", [], |row| row.get(0))?)
        })
    }

    /// Up to `limit` rows behind a place in the table, with the places of their shred keys.
    pub fn shreds_after(
        &self,
        place: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Fingerprint, ShredSlot)>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT rowid, fingerprint, shred FROM token \
                WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![place, limit], |row| {
                Ok((
                    row.get(0)?,
                    Fingerprint(row.get(1)?),
                    ShredSlot(row.get(2)?),
                ))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    pub(super) fn write_epoch(&self, write: &EpochWrite, entry: u64) -> rusqlite::Result<()> {
        match *write {
            EpochWrite::Open { number, slot, at } => {
                let newest: u32 = self.connection.query_row(
                    "SELECT coalesce(max(number), 0) FROM pseudonym_epoch",
                    [],
                    |row| row.get(0),
                )?;
                if (newest, number) == (0, 2) {
                    self.execute(
                        "INSERT INTO pseudonym_epoch (number, opened_us, entry) VALUES (1, 0, 0)",
                        [],
                    )?;
                } else if number != newest + 1 {
                    return Err(conflict());
                }
                self.execute(
                    "INSERT INTO pseudonym_epoch (number, slot, opened_us, entry) \
                     VALUES (?1, ?2, ?3, ?4)",
                    params![number, slot.0, at.0, entry],
                )
            }
            EpochWrite::Erase { number, at } => {
                self.execute(
                    "UPDATE pseudonym_epoch SET erased_us = ?2 WHERE number = ?1 \
                     AND erased_us IS NULL AND slot IS NOT NULL \
                     AND number < (SELECT max(number) FROM pseudonym_epoch)",
                    params![number, at.0],
                )?;
                self.execute(
                    "INSERT INTO shred_due (slot) \
                     SELECT slot FROM pseudonym_epoch WHERE number = ?1",
                    [number],
                )
            }
        }
    }
}
