//! Tickets: found by their hash for the unit that they name, taken once.

use rusqlite::{OptionalExtension, params};

use super::keys::VERSION_AT;
use super::{Reader, Writer, conflict};
use crate::model::{DomainName, Purpose, Timestamp, UnitName};
use crate::store::StoreError;
use crate::store::row::SealedValue;
use crate::store::ticket::{TicketHash, TicketRow, TicketWrite};

const MALFORMED: StoreError = StoreError::Malformed { table: "ticket" };

impl Reader {
    /// The ticket of this hash, where it names this unit and counts at this time.
    pub fn ticket(
        &self,
        hash: TicketHash,
        unit: &UnitName,
        now: Timestamp,
    ) -> Result<Option<TicketRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT domain, purpose, expires_us, sealed FROM ticket \
                 WHERE hash = ?1 AND unit = ?2 AND expires_us > ?3",
            )?;
            let found = statement
                .query_row(params![hash.0, unit.as_str(), now.0], |row| {
                    let (domain, purpose) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                    Ok((domain, purpose, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            found
                .map(|(domain, purpose, expires_us, sealed)| {
                    Ok(TicketRow {
                        hash,
                        unit: unit.clone(),
                        domain: DomainName::parse(&domain).map_err(|_| MALFORMED)?,
                        purpose: Purpose::parse(&purpose).map_err(|_| MALFORMED)?,
                        expires: Timestamp(expires_us),
                        sealed: SealedValue(sealed),
                    })
                })
                .transpose()
        })
    }

    /// Whether a ticket stands that counts no longer at this time.
    pub fn has_expired_ticket(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM ticket WHERE expires_us <= ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([now.0], |row| row.get(0))?)
        })
    }

    /// How many of a domain's tickets are sealed under a version of its key.
    pub fn tickets_under(&self, domain: &DomainName, version: u32) -> Result<u64, StoreError> {
        self.query(|connection| {
            let sql = format!(
                "SELECT count(*) FROM ticket WHERE domain = ?1 AND substr(sealed, {VERSION_AT}, 4) = ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let parameters = params![domain.as_str(), version.to_be_bytes()];
            Ok(statement.query_row(parameters, |row| row.get(0))?)
        })
    }
}

impl Writer {
    pub(super) fn write_ticket(&self, write: &TicketWrite) -> rusqlite::Result<()> {
        match write {
            TicketWrite::Add(row) => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO ticket (hash, unit, domain, purpose, expires_us, sealed) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        row.hash.0,
                        row.unit.as_str(),
                        row.domain.as_str(),
                        row.purpose.as_str(),
                        row.expires.0,
                        row.sealed.0,
                    ])?;
            }
            TicketWrite::Take(hash) => {
                let sql = "DELETE FROM ticket WHERE hash = ?1";
                // Of two who redeem one ticket at once, the second finds no row.
                if self.connection.prepare_cached(sql)?.execute([hash.0])? != 1 {
                    return Err(conflict());
                }
            }
            TicketWrite::Expire(now, rows_max) => {
                self.connection
                    .prepare_cached(
                        "DELETE FROM ticket WHERE hash IN \
                         (SELECT hash FROM ticket WHERE expires_us <= ?1 LIMIT ?2)",
                    )?
                    .execute(params![now.0, rows_max])?;
            }
        }
        Ok(())
    }
}
