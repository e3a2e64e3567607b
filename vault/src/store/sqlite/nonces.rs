//! Nonces in the embedded store: taken once, let go when they have expired.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::{Database, Reader, Writer};
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::nonce::{NonceRow, NonceTaken};

/// Expired rows that go to make room for one more.
const ROOM_ROWS: u32 = 256;

impl Writer {
    /// Takes a nonce in the open transaction. Of twins in one group, the second finds the first.
    pub fn take_nonce(&self, row: &NonceRow, now: Timestamp) -> Result<NonceTaken, StoreError> {
        // It waited until its twin's row may be gone already.
        if row.expires <= now {
            return Ok(NonceTaken::Before);
        }
        let full = |standing: u32| standing >= row.standing_max;
        if full(self.standing_nonces(row)?) {
            forget(&self.connection, now, ROOM_ROWS)?;
            if full(self.standing_nonces(row)?) {
                return Ok(NonceTaken::Full);
            }
        }
        let sql = "INSERT INTO nonce (unit, hash, expires_us) VALUES (?1, ?2, ?3)";
        let mut insert = self.connection.prepare_cached(sql)?;
        let parameters = params![row.unit.as_str(), row.hash.0, row.expires.0];
        match insert.execute(parameters) {
            Ok(_) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return Ok(NonceTaken::Before);
            }
            Err(error) => return Err(error.into()),
        }
        let sql = "INSERT INTO nonce_count (unit, standing) VALUES (?1, 1) \
                   ON CONFLICT (unit) DO UPDATE SET standing = standing + 1";
        let mut count = self.connection.prepare_cached(sql)?;
        count.execute([row.unit.as_str()])?;
        Ok(NonceTaken::New)
    }

    /// Lets up to `rows_max` expired nonces go, in the open transaction.
    pub fn expire_nonces(&self, now: Timestamp, rows_max: u32) -> Result<(), StoreError> {
        forget(&self.connection, now, rows_max)
    }

    fn standing_nonces(&self, row: &NonceRow) -> Result<u32, StoreError> {
        let sql = "SELECT standing FROM nonce_count WHERE unit = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let standing = statement.query_row([row.unit.as_str()], |row| row.get(0));
        Ok(standing.optional()?.unwrap_or(0))
    }
}

impl Database {
    /// From now on signatures made before this instant count no longer: their nonces may be lost. It changes no
    /// token and no key; the entry of what lost them says so.
    pub fn lose_nonces_before(&self, since: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO nonce_floor (only, since_us) VALUES (1, ?1) \
                   ON CONFLICT (only) DO UPDATE SET since_us = max(since_us, excluded.since_us)";
        self.connection()?.execute(sql, [since.0])?;
        Ok(())
    }
}

impl Reader {
    /// Whether a nonce stands whose signature counts no longer at this time.
    pub fn has_expired_nonce(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM nonce WHERE expires_us <= ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([now.0], |row| row.get(0))?)
        })
    }

    /// Signatures made before this instant count no longer, if nonces were ever lost.
    pub fn nonce_floor(&self) -> Result<Option<Timestamp>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT since_us FROM nonce_floor";
            let mut statement = connection.prepare_cached(sql)?;
            let floor = statement.query_row([], |row| row.get(0).map(Timestamp));
            Ok(floor.optional()?)
        })
    }
}

/// Removes expired rows, the longest expired first, and counts them off.
fn forget(connection: &Connection, now: Timestamp, rows_max: u32) -> Result<(), StoreError> {
    let sql = "DELETE FROM nonce WHERE (unit, hash) IN \
               (SELECT unit, hash FROM nonce WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2) \
               RETURNING unit";
    let mut removal = connection.prepare_cached(sql)?;
    let units = removal.query_map(params![now.0, rows_max], |row| row.get::<_, String>(0))?;
    let mut units: Vec<String> = units.collect::<Result<_, _>>()?;
    units.sort();
    let sql = "UPDATE nonce_count SET standing = standing - ?2 WHERE unit = ?1";
    for run in units.chunk_by(|one, other| one == other) {
        let mut count = connection.prepare_cached(sql)?;
        let unit = run.first().map(String::as_str).unwrap_or_default();
        count.execute(params![unit, run.len()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnitName;
    use crate::store::NonceHash;

    const ROOM: u32 = 2;

    fn taken(writer: &Writer, id: u8, expires: u64, now: u64) -> NonceTaken {
        let row = NonceRow {
            unit: UnitName::parse("tax").unwrap(),
            hash: NonceHash([id; 16]),
            expires: Timestamp(expires),
            standing_max: ROOM,
        };
        writer.begin().unwrap();
        let taken = writer.take_nonce(&row, Timestamp(now)).unwrap();
        writer.commit().unwrap();
        taken
    }

    #[test]
    fn a_nonce_is_taken_once_until_it_has_expired_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let (writer, reader) = (database.writer().unwrap(), database.reader());
        let expired = |now| reader.has_expired_nonce(Timestamp(now)).unwrap();
        let expire = |now, rows_max| {
            writer.begin().unwrap();
            writer.expire_nonces(Timestamp(now), rows_max).unwrap();
            writer.commit().unwrap();
        };
        assert!(!expired(u64::MAX >> 1));
        assert_eq!(taken(&writer, 1, 100, 0), NonceTaken::New);
        assert_eq!(taken(&writer, 1, 100, 0), NonceTaken::Before);
        assert_eq!(taken(&writer, 2, 100, 0), NonceTaken::New);
        assert_eq!(taken(&writer, 3, 200, 0), NonceTaken::Full);
        expire(99, 10);
        assert!(!expired(99) && expired(100));
        assert_eq!(taken(&writer, 3, 200, 99), NonceTaken::Full);
        expire(100, 1);
        assert!(expired(100));
        assert_eq!(taken(&writer, 3, 200, 99), NonceTaken::New);
        expire(100, 10);
        assert!(!expired(100));
        // They were counted off, each once.
        assert_eq!(taken(&writer, 3, 200, 100), NonceTaken::Before);
        assert_eq!(taken(&writer, 1, 300, 100), NonceTaken::New);
        assert_eq!(taken(&writer, 2, 300, 100), NonceTaken::Full);
    }

    // One that waited so long that the row of its twin may have gone.
    #[test]
    fn a_nonce_is_not_taken_after_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let writer = database.writer().unwrap();
        assert_eq!(taken(&writer, 1, 100, 100), NonceTaken::Before);
        assert_eq!(taken(&writer, 1, 100, 99), NonceTaken::New);
    }

    // Migrations have numbers, and come in the order in which builds brought them: these two came after later ones.
    #[test]
    fn a_database_with_later_tables_gets_these_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        drop(Database::open(&path).unwrap());
        let without = "DROP TABLE nonce; DROP TABLE nonce_count; DROP TABLE nonce_floor; \
                       DROP TABLE spent_proof; DELETE FROM migration WHERE version IN (7, 8)";
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(without).unwrap();
        drop(connection);
        let database = Database::open(&path).unwrap();
        assert_eq!(
            taken(&database.writer().unwrap(), 1, 100, 0),
            NonceTaken::New
        );
        drop(database);
        let database = Database::open(&path).unwrap();
        assert_eq!(
            taken(&database.writer().unwrap(), 1, 100, 0),
            NonceTaken::Before
        );
    }
}
