//! The embedded store: one `SQLite` file in WAL mode, one writer, readers beside it.

mod keys;

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::StoreError;
use super::row::{BlindIndex, Change, Fingerprint, SealedValue, StoredEntry, TokenRow};
use crate::model::{ClassName, DomainName};

/// Numbered, append-only: an applied migration's text never changes.
const MIGRATIONS: [(u32, &str); 2] = [
    (1, include_str!("migrations/0001_first.sql")),
    (2, include_str!("migrations/0002_keys.sql")),
];

const INSERT_TOKEN: &str = "INSERT INTO token \
    (fingerprint, domain, class, created_us, sealed, blind_index, sealed_token) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const INSERT_ENTRY: &str = "INSERT INTO entry (seq, bytes, items) VALUES (?1, ?2, ?3)";
const TOKEN_COLUMNS: &str =
    "fingerprint, domain, class, created_us, sealed, blind_index, sealed_token";

/// How long a connection waits for another's lock (a backup's, a person's) before it reports
/// `DatabaseBusy`: shorter than a request's deadline, so that the answer names the cause.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The file, and how connections to it are made. One process at a time.
pub struct Database {
    path: PathBuf,
    _lock: File,
}

/// Reads. Connections are pooled; each query sees the last commit.
pub struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// The one connection that writes. Only `commit` holds one.
pub struct Writer {
    connection: Connection,
    /// Material was destroyed, and the write-ahead log may still hold it.
    shreds: Cell<bool>,
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
    /// Opens or creates the file and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(&path.with_extension("lock"))?;
        let mut connection = connect(path)?;
        migrate(&mut connection)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// A pool of reading connections.
    pub fn reader(&self) -> Reader {
        Reader {
            path: self.path.clone(),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The writing connection. There must be one only: the caller is the one writer.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        Ok(Writer {
            connection: connect(&self.path)?,
            shreds: Cell::new(false),
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

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // INVARIANT 3: a commit returns only when the write-ahead log is on disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
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
    let known = MIGRATIONS.len().try_into().unwrap_or(u32::MAX);
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
                transaction.execute_batch(sql)?;
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

// === Reading

impl Reader {
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

    /// The rows of these fingerprints within one domain, in the order asked; `None` where there is none.
    pub fn tokens(
        &self,
        domain: &DomainName,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Option<TokenRow>>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {TOKEN_COLUMNS} FROM token WHERE fingerprint = ?1 AND domain = ?2"
            ))?;
            fingerprints
                .iter()
                .map(|fingerprint| {
                    statement
                        .query_row(params![fingerprint.0, domain.as_str()], |row| {
                            Ok(token_row(row))
                        })
                        .optional()?
                        .transpose()
                })
                .collect()
        })
    }

    /// The row whose value has this blind index, for repeatable classes.
    pub fn token_by_value(
        &self,
        domain: &DomainName,
        class: &ClassName,
        index: BlindIndex,
    ) -> Result<Option<TokenRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {TOKEN_COLUMNS} FROM token WHERE blind_index = ?1 AND domain = ?2 AND class = ?3"
            ))?;
            statement
                .query_row(params![index.0, domain.as_str(), class.as_str()], |row| {
                    Ok(token_row(row))
                })
                .optional()?
                .transpose()
        })
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

    /// Whether any token stands in a domain.
    pub fn has_tokens(&self, domain: &DomainName) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM token WHERE domain = ?1)";
            Ok(connection.query_row(sql, [domain.as_str()], |row| row.get(0))?)
        })
    }

    /// How many tokens stand.
    pub fn token_count(&self) -> Result<u64, StoreError> {
        self.query(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM token", [], |row| row.get(0))?)
        })
    }
}

fn token_row(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    const MALFORMED: StoreError = StoreError::Malformed { table: "token" };
    let index: Option<[u8; 16]> = row.get(5)?;
    let sealed_token: Option<Vec<u8>> = row.get(6)?;
    Ok(TokenRow {
        fingerprint: Fingerprint(row.get(0)?),
        domain: DomainName::parse(&row.get::<_, String>(1)?).map_err(|_| MALFORMED)?,
        class: ClassName::parse(&row.get::<_, String>(2)?).map_err(|_| MALFORMED)?,
        created_us: row.get(3)?,
        sealed: SealedValue(row.get(4)?),
        repeatable: index
            .zip(sealed_token)
            .map(|(index, sealed)| (BlindIndex(index), SealedValue(sealed))),
    })
}

// === Writing

impl Writer {
    /// Opens the group's transaction.
    pub fn begin(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Makes the group durable. Where material was destroyed, the write-ahead log is emptied too: its old
    /// pages still hold what `secure_delete` has overwritten in the file.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT")?;
        if self.shreds.get() {
            let emptied = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    row.get::<_, i64>(0)
                });
            // A reader that holds an old snapshot is in the way: the next commit tries again.
            self.shreds.set(emptied != Ok(0));
        }
        Ok(())
    }

    /// Drops the group. The transaction may be gone already; then there is nothing to do.
    pub fn rollback(&self) {
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
        self.connection.execute_batch("SAVEPOINT change")?;
        // INVARIANT 2: rows and entry stand in one transaction, under one savepoint.
        match self.insert(change) {
            Ok(()) => {
                // A sequence number that stands already is no conflict to retry: someone else
                // writes this log. The error ends the group.
                self.insert_entry(entry)?;
                self.connection.execute_batch("RELEASE change")?;
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

    fn insert(&self, change: &Change) -> rusqlite::Result<()> {
        let mut token = self.connection.prepare_cached(INSERT_TOKEN)?;
        for row in &change.tokens {
            let (index, sealed_token) = match &row.repeatable {
                Some((index, sealed)) => (Some(index.0), Some(&sealed.0)),
                None => (None, None),
            };
            token.execute(params![
                row.fingerprint.0,
                row.domain.as_str(),
                row.class.as_str(),
                row.created_us,
                row.sealed.0,
                index,
                sealed_token,
            ])?;
        }
        for write in &change.keys {
            self.write_key(write)?;
        }
        for row in &change.resealed {
            self.reseal(row)?;
        }
        Ok(())
    }

    fn insert_entry(&self, entry: &StoredEntry) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(INSERT_ENTRY)?
            .execute(params![entry.seq, entry.bytes, entry.items])?;
        Ok(())
    }
}
