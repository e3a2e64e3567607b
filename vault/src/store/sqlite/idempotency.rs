//! Answers that are given again, in the embedded store: kept with their tokens, removed when they expire.

use rusqlite::{OptionalExtension, params};

use super::keys::VERSION_AT;
use super::{Reader, Writer};
use crate::model::{DomainName, Timestamp};
use crate::store::StoreError;
use crate::store::answer::{AnswerId, AnswerRow, KeptAnswer, RequestDigest};
use crate::store::row::SealedValue;

impl Reader {
    /// The answer under an id, if it serves still.
    pub fn answer(&self, id: AnswerId, now: Timestamp) -> Result<Option<KeptAnswer>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT request, sealed, entry FROM idempotency WHERE id = ?1 AND expires_us > ?2",
            )?;
            let answer = statement.query_row(params![id.0, now.0], |row| {
                Ok(KeptAnswer {
                    request: RequestDigest(row.get(0)?),
                    sealed: SealedValue(row.get(1)?),
                    entry: row.get(2)?,
                })
            });
            Ok(answer.optional()?)
        })
    }

    /// Whether an answer stands that is given no longer at this time.
    pub fn has_expired_answer(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM idempotency WHERE expires_us <= ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([now.0], |row| row.get(0))?)
        })
    }

    /// When the last answer expires that is sealed under a version of a domain's key.
    pub fn answers_until(
        &self,
        domain: &DomainName,
        version: u32,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.query(|connection| {
            let sql = format!(
                "SELECT max(expires_us) FROM idempotency WHERE domain = ?1 AND substr(sealed, {VERSION_AT}, 4) = ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let parameters = params![domain.as_str(), version.to_be_bytes()];
            let until: Option<u64> = statement.query_row(parameters, |row| row.get(0))?;
            Ok(until.map(Timestamp))
        })
    }
}

impl Writer {
    /// Keeps an answer, recorded by the entry of this index.
    pub(super) fn keep_answer(&self, row: &AnswerRow, entry: u64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM idempotency WHERE id = ?1 AND expires_us <= ?2";
        let mut expired = self.connection.prepare_cached(sql)?;
        expired.execute(params![row.id.0, row.created.0])?;
        self.execute(
            "INSERT INTO idempotency (id, domain, request, sealed, entry, created_us, expires_us) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                row.id.0,
                row.domain.as_str(),
                row.request.0,
                row.sealed.0,
                entry,
                row.created.0,
                row.expires.0
            ],
        )
    }

    /// Removes up to `rows_max` answers that are given no longer at this time, in the open transaction. There is no
    /// entry: they are neither tokens nor keys.
    pub fn expire_answers(&self, now: Timestamp, rows_max: u32) -> Result<(), StoreError> {
        let sql = "DELETE FROM idempotency WHERE rowid IN \
            (SELECT rowid FROM idempotency WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2)";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(params![now.0, rows_max])?;
        Ok(())
    }
}
