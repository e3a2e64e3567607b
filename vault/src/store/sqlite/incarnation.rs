//! Incarnations of the database, in itself.

use rusqlite::{OptionalExtension, params};

use super::{Reader, Writer};
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::incarnation::IncarnationRow;

impl Reader {
    /// The newest incarnation; none in a database that is new, or from before there were any.
    pub fn incarnation(&self) -> Result<Option<IncarnationRow>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT number, id, opened_us FROM incarnation ORDER BY number DESC LIMIT 1";
            let row = connection.query_row(sql, [], |row| {
                Ok(IncarnationRow {
                    number: row.get(0)?,
                    id: row.get(1)?,
                    opened: Timestamp(row.get(2)?),
                })
            });
            Ok(row.optional()?)
        })
    }
}

impl Writer {
    /// Any number but the next one is a conflict; the first one may have any.
    pub(super) fn open_incarnation(
        &self,
        opened: &IncarnationRow,
        entry: u64,
    ) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO incarnation (number, id, opened_us, entry) SELECT ?1, ?2, ?3, ?4 \
             WHERE coalesce((SELECT max(number) FROM incarnation), ?1 - 1) = ?1 - 1",
            params![opened.number, opened.id, opened.opened.0, entry],
        )
    }
}
