//! Entries from the newest back, one at a time: as much memory as one of them, however many there are.

use std::ops::ControlFlow;

use rusqlite::{Connection, params};

use super::Reader;
use crate::store::StoreError;

/// One entry of the past.
pub struct Past<'a> {
    connection: &'a Connection,
    seq: u64,
    bytes: &'a [u8],
}

impl Past<'_> {
    /// Deterministic CBOR.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The items beside it, length-prefixed. They may be a thousand times the entry, and are read only here.
    pub fn items(&self) -> Result<Vec<u8>, StoreError> {
        let sql = "SELECT items FROM entry WHERE seq = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![self.seq], |row| row.get(0))?)
    }
}

impl Reader {
    /// Walks the entries from the newest back, until `visit` breaks off or there are no more.
    pub fn newest_first(
        &self,
        mut visit: impl FnMut(&Past<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.query(|connection| {
            let mut statement =
                connection.prepare("SELECT seq, bytes FROM entry ORDER BY seq DESC")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let malformed = |_| StoreError::Malformed { table: "entry" };
                let past = Past {
                    connection,
                    seq: row.get(0)?,
                    bytes: row.get_ref(1)?.as_blob().map_err(malformed)?,
                };
                if visit(&past)?.is_break() {
                    return Ok(());
                }
            }
            Ok(())
        })
    }
}
