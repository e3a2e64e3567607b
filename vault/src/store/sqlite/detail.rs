//! Details that entries commit to, in the embedded store.

use rusqlite::{OptionalExtension, params};

use super::{Reader, Writer, conflict};
use crate::model::DomainName;
use crate::store::StoreError;
use crate::store::detail::{DetailRow, DetailWrite};
use crate::store::row::{SealedValue, ShredSlot};

impl Reader {
    /// The detail that an entry commits to, if it is kept.
    pub fn detail(&self, entry: u64) -> Result<Option<DetailRow>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT domain, slot, sealed FROM detail WHERE entry = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let row = statement.query_row([entry], |row| {
                let domain: Option<String> = row.get(0)?;
                Ok((domain, row.get(1)?, row.get(2)?))
            });
            let Some((domain, slot, sealed)) = row.optional()? else {
                return Ok(None);
            };
            let malformed = |_| StoreError::Malformed { table: "detail" };
            let domain = domain.as_deref().map(DomainName::parse);
            Ok(Some(DetailRow {
                domain: domain.transpose().map_err(malformed)?,
                slot: ShredSlot(slot),
                sealed: SealedValue(sealed),
            }))
        })
    }
}

impl Writer {
    pub(super) fn write_detail(&self, write: &DetailWrite, entry: u64) -> rusqlite::Result<()> {
        match write {
            DetailWrite::Keep(row) => self.execute(
                "INSERT INTO detail (entry, domain, slot, sealed) VALUES (?1, ?2, ?3, ?4)",
                params![
                    entry,
                    row.domain.as_ref().map(DomainName::as_str),
                    row.slot.0,
                    row.sealed.0
                ],
            ),
            DetailWrite::Erase(of) => match self.forget_detail(*of)? {
                1 => Ok(()),
                _ => Err(conflict()),
            },
            DetailWrite::Forget(of) => self.forget_detail(*of).map(drop),
        }
    }

    fn forget_detail(&self, of: u64) -> rusqlite::Result<usize> {
        self.shreds.set(true);
        let due = "INSERT INTO shred_due (slot) SELECT slot FROM detail WHERE entry = ?1";
        self.connection.prepare_cached(due)?.execute([of])?;
        let sql = "DELETE FROM detail WHERE entry = ?1";
        self.connection.prepare_cached(sql)?.execute([of])
    }
}
