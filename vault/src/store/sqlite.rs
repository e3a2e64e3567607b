//! The embedded store: one `SQLite` file in WAL mode, one writer, readers beside it.

mod counts;
mod detail;
mod epoch;
mod grants;
mod guard;
mod idempotency;
mod incarnation;
mod keys;
mod nonces;
mod past;
mod policy;
mod quota;
mod snapshot;
mod spent_proof;
mod ticket;
mod token_writes;
mod tokens;
mod units;
mod walk;

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::StoreError;
use super::row::{Change, StoredEntry};

pub use past::Past;
pub use quota::QuotaWrite;

use snapshot::Snapshots;

/// Numbered, append-only: an applied migration's text never changes.
const MIGRATIONS: [(u32, &str); 15] = [
    (1, include_str!("migrations/0001_first.sql")),
    (2, include_str!("migrations/0002_keys.sql")),
    (3, include_str!("migrations/0003_token_life.sql")),
    (4, include_str!("migrations/0004_guard.sql")),
    (5, include_str!("migrations/0005_tickets.sql")),
    (6, include_str!("migrations/0006_idempotency.sql")),
    (7, include_str!("migrations/0007_oauth.sql")),
    (8, include_str!("migrations/0008_nonces.sql")),
    (9, include_str!("migrations/0009_units.sql")),
    (10, include_str!("migrations/0010_policy.sql")),
    (11, include_str!("migrations/0011_quotas.sql")),
    (12, include_str!("migrations/0012_key_messages.sql")),
    (13, include_str!("migrations/0013_ledger_life.sql")),
    (14, include_str!("migrations/0014_detail.sql")),
    (15, include_str!("migrations/0015_reasons.sql")),
];

const INSERT_ENTRY: &str = "INSERT INTO entry (seq, bytes, items) VALUES (?1, ?2, ?3)";
/// How long a connection waits for another's lock (a backup's, a person's) before it reports
/// `DatabaseBusy`: shorter than a request's deadline, so that the answer names the cause.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Pages in the write-ahead log at which the commit that wrote the last of them puts them into the file. Whoever waits
/// for that commit waits for this too: SQLite's 1,000 are long to wait for, and fewer are put there more often.
const CHECKPOINT_PAGES: i64 = 100;
/// Longest write-ahead log, in bytes, that is left to SQLite's own checkpoints: those end none of the
/// snapshots that keep it from being begun anew.
const LOG_BYTES: u64 = 32 << 20;

/// The file, and how connections to it are made. One process at a time.
pub struct Database {
    path: PathBuf,
    snapshots: Arc<Snapshots>,
    _lock: File,
}

/// A database that nobody may open meanwhile.
pub struct Held {
    _lock: File,
}

/// Reads. Connections are pooled; each query sees the last commit that was answered for.
pub struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    snapshots: Arc<Snapshots>,
}

/// The one connection that writes. Only `commit` holds one.
pub struct Writer {
    connection: Connection,
    snapshots: Arc<Snapshots>,
    /// The open transaction changes rows.
    changes: Cell<bool>,
    /// Material was destroyed, and the write-ahead log may still hold it.
    shreds: Cell<bool>,
    log: PathBuf,
    /// The length at which the log is emptied.
    log_bytes_max: Cell<u64>,
    /// How many spent proofs are kept, once they were counted.
    spent_proofs: Cell<Option<u64>>,
}

/// What became of a change inside its group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// Its rows stand in the open transaction.
    Yes,
    /// A token or value of it stands already; nothing of it was kept.
    Conflict,
}

impl Database {
    /// Keeps every vault away from the file, whether or not it can be read, until this is dropped.
    pub fn hold(path: &Path) -> Result<Held, StoreError> {
        Ok(Held {
            _lock: lock(&path.with_extension("lock"))?,
        })
    }

    /// Opens or creates the file and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(&path.with_extension("lock"))?;
        let mut connection = connect(path)?;
        migrate(&mut connection)?;
        Ok(Self {
            path: path.to_owned(),
            snapshots: Arc::new(Snapshots::new(path.to_owned())),
            _lock: lock,
        })
    }

    fn connection(&self) -> Result<Connection, StoreError> {
        connect(&self.path)
    }

    /// Which file of shred keys belongs to it, once one does.
    pub(super) fn shred_file(&self) -> Result<Option<[u8; 16]>, StoreError> {
        let id = connect(&self.path)?.query_row("SELECT id FROM shred_file", [], |row| row.get(0));
        Ok(id.optional()?)
    }

    /// From now on, this one does. It changes no token and no key: no entry says so.
    pub(super) fn claim_shred_file(&self, id: &[u8; 16]) -> Result<(), StoreError> {
        connect(&self.path)?.execute("INSERT INTO shred_file (id) VALUES (?1)", [id])?;
        Ok(())
    }

    /// A pool of reading connections.
    pub fn reader(&self) -> Reader {
        Reader {
            path: self.path.clone(),
            idle: Mutex::new(Vec::new()),
            snapshots: Arc::clone(&self.snapshots),
        }
    }

    /// The writing connection. There must be one only: the caller is the one writer.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let connection = connect(&self.path)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(Writer {
            connection,
            snapshots: Arc::clone(&self.snapshots),
            changes: Cell::new(false),
            shreds: Cell::new(false),
            log: log.into(),
            log_bytes_max: Cell::new(LOG_BYTES),
            spent_proofs: Cell::new(None),
        })
    }
}

/// The kernel gives the lock back however the process ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let failed = |_| StoreError::Database {
        code: "lock file".to_owned(),
    };
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A connection to a database that stands: none is made.
pub(super) fn connect_standing(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // INVARIANT 3: a commit returns only when the write-ahead log is on disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    // Without it, statements that partial indexes might serve are prepared again for each value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, sha256 BLOB NOT NULL) STRICT",
    )?;
    let found: u32 = transaction.query_row(
        "SELECT coalesce(max(version), 0) FROM migration",
        [],
        |row| row.get(0),
    )?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, sql) in MIGRATIONS {
        let text_digest = digest(&SHA256, sql.as_bytes());
        let recorded: Option<Vec<u8>> = transaction
            .query_row(
                "SELECT sha256 FROM migration WHERE version = ?1",
                [version],
                |row| row.get(0),
            )
            .optional()?;
        match recorded {
            Some(recorded) if recorded == text_digest.as_ref() => {}
            Some(_) => return Err(StoreError::ForeignSchema { version }),
            None => {
                transaction
                    .execute_batch(sql)
                    .map_err(|error| taken_over(error, version))?;
                transaction.execute(
                    "INSERT INTO migration (version, sha256) VALUES (?1, ?2)",
                    params![version, text_digest.as_ref()],
                )?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// A migration that refuses rows says so.
fn taken_over(error: rusqlite::Error, version: u32) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::EarlierRows { version },
        _ => error.into(),
    }
}

// === Reading

impl Reader {
    /// Reads a copy that nobody serves from. It is not locked, and no schema is brought up to date.
    pub fn of_copy(path: &Path) -> Result<Self, StoreError> {
        // What is not there is not made.
        connect_standing(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            snapshots: Arc::new(Snapshots::new(path.to_owned())),
        })
    }

    fn query<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let result = run(&connection);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        result
    }

    /// Up to `limit` entries from `first` on, in order.
    pub fn entries(&self, first: u64, limit: u32) -> Result<Vec<StoredEntry>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, bytes, items FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
            )?;
            let rows = statement.query_map(params![first, limit], |row| {
                Ok(StoredEntry {
                    seq: row.get(0)?,
                    bytes: row.get(1)?,
                    items: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The newest entry, if there is any.
    pub fn last_entry(&self) -> Result<Option<StoredEntry>, StoreError> {
        self.query(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT seq, bytes, items FROM entry ORDER BY seq DESC LIMIT 1")?;
            Ok(statement
                .query_row([], |row| {
                    Ok(StoredEntry {
                        seq: row.get(0)?,
                        bytes: row.get(1)?,
                        items: row.get(2)?,
                    })
                })
                .optional()?)
        })
    }
}

// === Writing

impl Writer {
    /// Opens the group's transaction.
    pub fn begin(&self) -> Result<(), StoreError> {
        Ok(self.run("BEGIN IMMEDIATE")?)
    }

    /// Makes the group durable. Where material was destroyed, the write-ahead log is emptied too: its old
    /// pages still hold what `secure_delete` has overwritten in the file.
    pub fn commit(&self) -> Result<(), StoreError> {
        let committed = self.run("COMMIT");
        // INVARIANT 3, and whoever was switched off: counted before anyone is answered, and also where it
        // is not known what became of the transaction.
        if self.changes.replace(false) {
            self.snapshots.changed();
        }
        committed?;
        let log_bytes = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        if self.shreds.get() || log_bytes > self.log_bytes_max.get() {
            let emptied = self.empty_log();
            // A query that holds an old snapshot is in the way. What was destroyed is tried again by the next
            // commit; a log that is long only, when it is longer still.
            self.shreds.set(self.shreds.get() && !emptied);
            let left = if emptied { 0 } else { log_bytes };
            self.log_bytes_max.set(left + LOG_BYTES);
        }
        Ok(())
    }

    /// Puts the log's pages into the file and cuts it off; says whether nothing was in the way. It is waited for
    /// where something was destroyed: a log that is long only has time. The group is durable, whatever comes of it.
    fn empty_log(&self) -> bool {
        let wait = if self.shreds.get() {
            BUSY_TIMEOUT
        } else {
            Duration::ZERO
        };
        let _alone = self.snapshots.alone();
        let set = self.connection.busy_timeout(wait);
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let emptied = self
            .connection
            .query_row(sql, [], |row| row.get::<_, i64>(0));
        let set_back = self.connection.busy_timeout(BUSY_TIMEOUT);
        set.is_ok() && set_back.is_ok() && emptied == Ok(0)
    }

    /// Drops the group. The transaction may be gone already; then there is nothing to do.
    pub fn rollback(&self) {
        self.changes.set(false);
        self.spent_proofs.set(None);
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Adds one request's rows and its entry to the open transaction: all of them, or none.
    pub fn apply(&self, change: &Change, entry: &StoredEntry) -> Result<Applied, StoreError> {
        if change.is_empty() {
            self.insert_entry(entry)?;
            return Ok(Applied::Yes);
        }
        self.changes.set(true);
        self.run("SAVEPOINT change")?;
        // INVARIANT 2: rows and entry stand in one transaction, under one savepoint.
        match self.insert(change, entry.seq) {
            Ok(()) => {
                // A sequence number that stands already is no conflict to retry: someone else
                // writes this log. The error ends the group.
                self.insert_entry(entry)?;
                self.run("RELEASE change")?;
                Ok(Applied::Yes)
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                self.connection
                    .execute_batch("ROLLBACK TO change; RELEASE change")?;
                Ok(Applied::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn insert(&self, change: &Change, entry: u64) -> rusqlite::Result<()> {
        for write in &change.token_writes {
            self.write_token(write)?;
        }
        self.insert_tokens(&change.tokens)?;
        for write in &change.keys {
            self.write_key(write)?;
        }
        for row in &change.resealed {
            self.reseal(row)?;
        }
        if let Some(row) = &change.answer {
            self.keep_answer(row, entry)?;
        }
        for write in &change.tickets {
            self.write_ticket(write)?;
        }
        for write in &change.guard {
            self.write_guard(write, entry)?;
        }
        for write in &change.units {
            self.write_unit(write)?;
        }
        for write in &change.policies {
            self.write_policy(write)?;
        }
        for write in &change.epochs {
            self.write_epoch(write, entry)?;
        }
        for write in &change.details {
            self.write_detail(write, entry)?;
        }
        if let Some(opened) = &change.incarnation {
            self.open_incarnation(opened, entry)?;
        }
        Ok(())
    }

    /// A statement of transactions, prepared once.
    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Changes exactly one row, or is a conflict.
    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
        match self.connection.prepare_cached(sql)?.execute(parameters)? {
            1 => Ok(()),
            _ => Err(conflict()),
        }
    }

    fn insert_entry(&self, entry: &StoredEntry) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(INSERT_ENTRY)?
            .execute(params![entry.seq, entry.bytes, entry.items])?;
        Ok(())
    }
}

/// What SQLite answers where a row that must stand does not: the writer makes a conflict of it.
fn conflict() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT);
    rusqlite::Error::SqliteFailure(code, None)
}
