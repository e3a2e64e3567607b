//! Spent proofs in the embedded store.

use rusqlite::params;

use super::{Reader, Writer};
use crate::model::Timestamp;
use crate::store::{ProofWrite, Spent, StoreError};

/// Most that are remembered at once. More are refused until older ones go: a forgotten one would count again.
const PROOFS_MAX: u64 = 1_000_000;

impl Writer {
    /// Spends one, or lets old ones go, in the open transaction.
    pub fn write_proof(&self, write: ProofWrite) -> Result<Spent, StoreError> {
        let kept = self.kept_proofs()?;
        let (spent, now_kept) = match write {
            ProofWrite::Spend { .. } if kept >= PROOFS_MAX => (Spent::Full, kept),
            ProofWrite::Spend { id, expires } => {
                let sql = "INSERT OR IGNORE INTO spent_proof (id, expires_us) VALUES (?1, ?2)";
                let mut statement = self.connection.prepare_cached(sql)?;
                match statement.execute(params![id, expires.0])? {
                    0 => (Spent::Before, kept),
                    _ => (Spent::Done, kept + 1),
                }
            }
            ProofWrite::Forget(now, rows_max) => {
                let sql = "DELETE FROM spent_proof WHERE id IN \
                    (SELECT id FROM spent_proof WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2)";
                let mut statement = self.connection.prepare_cached(sql)?;
                let gone = statement.execute(params![now.0, rows_max])?;
                let gone = u64::try_from(gone).unwrap_or(u64::MAX);
                (Spent::Done, kept.saturating_sub(gone))
            }
        };
        self.spent_proofs.set(Some(now_kept));
        Ok(spent)
    }

    fn kept_proofs(&self) -> Result<u64, StoreError> {
        if let Some(kept) = self.spent_proofs.get() {
            return Ok(kept);
        }
        let sql = "SELECT count(*) FROM spent_proof";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

impl Reader {
    /// Whether this one is spent.
    pub fn has_spent_proof(&self, id: [u8; 32]) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM spent_proof WHERE id = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([id], |row| row.get(0))?)
        })
    }

    /// Whether a spent proof stands that counts no longer at this time.
    pub fn has_expired_proof(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM spent_proof WHERE expires_us <= ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([now.0], |row| row.get(0))?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;

    fn spend(writer: &Writer, id: u8, expires: u64) -> Spent {
        writer.begin().unwrap();
        let spent = writer.write_proof(ProofWrite::Spend {
            id: [id; 32],
            expires: Timestamp(expires),
        });
        writer.commit().unwrap();
        spent.unwrap()
    }

    #[test]
    fn one_counts_once_across_restarts_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        let database = Database::open(&path).unwrap();
        assert_eq!(spend(&database.writer().unwrap(), 1, 100), Spent::Done);
        drop(database);
        let database = Database::open(&path).unwrap();
        let writer = database.writer().unwrap();
        assert_eq!(spend(&writer, 1, 100), Spent::Before);
        assert_eq!(spend(&writer, 2, 200), Spent::Done);
        let reader = database.reader();
        assert!(reader.has_spent_proof([2; 32]).unwrap());
        assert!(!reader.has_spent_proof([3; 32]).unwrap());
        let expired = |now| reader.has_expired_proof(Timestamp(now)).unwrap();
        assert!(!expired(99) && expired(100));
        writer.begin().unwrap();
        writer
            .write_proof(ProofWrite::Forget(Timestamp(100), 10))
            .unwrap();
        writer.commit().unwrap();
        assert!(!expired(100));
        assert_eq!(spend(&writer, 2, 200), Spent::Before);
        assert_eq!(spend(&writer, 1, 100), Spent::Done);
        assert_eq!(writer.kept_proofs().unwrap(), 2);
    }

    #[test]
    fn a_lost_transaction_spends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let writer = database.writer().unwrap();
        writer.begin().unwrap();
        let write = ProofWrite::Spend {
            id: [1; 32],
            expires: Timestamp(100),
        };
        assert_eq!(writer.write_proof(write).unwrap(), Spent::Done);
        writer.rollback();
        assert_eq!(writer.kept_proofs().unwrap(), 0);
        assert_eq!(spend(&writer, 1, 100), Spent::Done);
    }

    #[test]
    fn where_no_more_can_be_remembered_none_counts() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let writer = database.writer().unwrap();
        writer.spent_proofs.set(Some(PROOFS_MAX));
        assert_eq!(spend(&writer, 1, 100), Spent::Full);
    }
}
