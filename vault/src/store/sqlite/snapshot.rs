//! Snapshots of the rows that stand from one lookup to the next.
//!
//! A reader of a write-ahead log forgets all its pages when anything was committed, and most commits add an
//! entry to the ledger and change no row. As long as no row was changed, a snapshot is as good as a new one:
//! lookups go on in it, and its pages stay. The one writer counts its changes of rows, before it answers
//! for them; whoever is asked after that answer sees another count, and looks anew.
//!
//! A standing snapshot keeps the log from being begun anew, so the writer ends them all when it is long.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use rusqlite::Connection;

use super::connect;
use crate::store::StoreError;

/// Most of the file, in bytes, that a standing connection reads where the system keeps it, and does not copy page by
/// page: 64 GiB, which by reckoning are 290 million tokens of 234 bytes. What lies behind is copied. They only read there: the one writer's connection
/// maps nothing. A disk that fails under a mapped page ends the process.
const MAPPED_BYTES: i64 = 64 << 30;
/// Most connections that stand idle.
const IDLE_MAX: usize = 16;

/// Shared by the database's readers and its writer.
pub(super) struct Snapshots {
    path: PathBuf,
    /// How often rows were changed.
    changes: AtomicU64,
    idle: Mutex<Vec<Standing>>,
    /// Shared by the lookups under way; alone, the writer has none beside it.
    under_way: RwLock<()>,
}

/// A connection, and of which count of changes its open snapshot is.
struct Standing {
    connection: Connection,
    of: Option<u64>,
}

impl Standing {
    fn new(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
        Ok(Self {
            connection,
            of: None,
        })
    }

    fn begun(&mut self, changes: u64) -> Result<(), StoreError> {
        if self.of != Some(changes) {
            self.end()?;
            // The snapshot is taken by the first lookup: at this count, or later.
            self.connection.prepare_cached("BEGIN")?.execute([])?;
            self.of = Some(changes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        if self.of.take().is_some() {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}

impl Snapshots {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            changes: AtomicU64::new(0),
            idle: Mutex::default(),
            under_way: RwLock::default(),
        }
    }

    /// Looks something up, in one snapshot that has every change that was answered for.
    pub(super) fn look<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _under_way = self
            .under_way
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        // Before the snapshot begins: a change that is counted later may be in it, and counts once more.
        let changes = self.changes.load(Ordering::SeqCst);
        let idle = self.idle().pop();
        let mut standing = match idle {
            Some(standing) => standing,
            None => Standing::new(&self.path)?,
        };
        standing.begun(changes)?;
        // After an error the connection is not used again: dropped, it ends its snapshot.
        let found = run(&standing.connection)?;
        let mut idle = self.idle();
        if self.changes.load(Ordering::SeqCst) != changes {
            standing.end()?;
        }
        // One too many is dropped, which ends its snapshot.
        if idle.len() < IDLE_MAX {
            idle.push(standing);
        }
        Ok(found)
    }

    /// Rows were changed, and nobody was answered yet.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.end_idle();
    }

    /// Ends all snapshots, and lets none begin until this is dropped.
    pub(super) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        let alone = self
            .under_way
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.end_idle();
        alone
    }

    fn end_idle(&self) {
        // One that does not end is dropped, which ends it.
        self.idle().retain_mut(|standing| standing.end().is_ok());
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::Database;

    // Preparing one takes longer than what it reads.
    #[test]
    fn a_statement_is_prepared_once_whatever_is_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        Database::open(&path).unwrap();
        let connection = connect(&path).unwrap();
        let sql = "SELECT class FROM token WHERE blind_index = ?1 ORDER BY nth LIMIT ?2";
        let mut statement = connection.prepare(sql).unwrap();
        for index in 0..3_u8 {
            let found = statement.exists(rusqlite::params![[index; 16], 1]);
            assert_eq!(found, Ok(false));
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }

    // SQLite takes no more than it was built for, and says nothing.
    #[test]
    fn lookups_read_a_large_file_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let standing = Standing::new(&folder.path().join("vault.db")).unwrap();
        let mapped = standing
            .connection
            .query_row("PRAGMA mmap_size", [], |row| row.get(0));
        assert_eq!(mapped, Ok(MAPPED_BYTES));
    }
}
