//! What the raw store can do: the limit that the benchmark's other rates are ratios of.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::TryRng;
use rusqlite::{OptionalExtension, params};

use super::sqlite::connect;
use super::{StoreError, StoredEntry};

/// Inserts rows as wide as tokens' rows, `rows_per_commit` at a time, and yields rows a second.
///
/// Same pragmas, same columns and indexes as the table `token`; no entry, no key, no proof.
pub fn raw_insert_rate(
    path: &Path,
    rows_per_commit: u32,
    sealed_bytes: usize,
    time: Duration,
) -> Result<f64, StoreError> {
    let connection = connect(path)?;
    connection.execute_batch(
        "CREATE TABLE raw (fingerprint BLOB NOT NULL UNIQUE, domain TEXT NOT NULL, \
         class TEXT NOT NULL, created_us INTEGER NOT NULL, sealed BLOB NOT NULL, \
         blind_index BLOB, sealed_token BLOB) STRICT; \
         CREATE UNIQUE INDEX raw_by_value ON raw (blind_index, domain, class) \
         WHERE blind_index IS NOT NULL",
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO raw VALUES (?1, 'city', 'national-id', 1767225600000000, ?2, NULL, NULL)",
    )?;
    let sealed = vec![0x5A_u8; sealed_bytes];
    let mut fingerprints = vec![[0_u8; 16]; rows_per_commit as usize];
    let (mut rows, started) = (0.0, Instant::now());
    while started.elapsed() < time {
        for fingerprint in &mut fingerprints {
            let _ = rand::rngs::SysRng.try_fill_bytes(fingerprint);
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for fingerprint in &fingerprints {
            insert.execute(params![fingerprint, sealed])?;
        }
        connection.execute_batch("COMMIT")?;
        rows += f64::from(rows_per_commit);
    }
    Ok(rows / started.elapsed().as_secs_f64())
}

/// Commits rows as large as this entry's, `rows_per_commit` at a time, and yields rows a second. Same pragmas and columns
/// as the table `entry`; nobody waits, nothing is encoded, hashed or published.
pub fn raw_entry_rate(
    path: &Path,
    rows_per_commit: u32,
    like: &StoredEntry,
    time: Duration,
) -> Result<f64, StoreError> {
    let connection = connect(path)?;
    connection.execute_batch(
        "CREATE TABLE raw (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, items BLOB NOT NULL) STRICT",
    )?;
    let mut insert = connection.prepare("INSERT INTO raw VALUES (?1, ?2, ?3)")?;
    let (mut rows, started) = (0_u64, Instant::now());
    while started.elapsed() < time {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..rows_per_commit {
            insert.execute(params![rows, like.bytes, like.items])?;
            rows += 1;
        }
        connection.execute_batch("COMMIT")?;
    }
    let rows = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    Ok(rows / started.elapsed().as_secs_f64())
}

/// Point lookups in the table `token` of a database that others may write meanwhile. They read what a
/// detokenize reads.
pub struct RawLookups {
    path: PathBuf,
    /// Of rows from everywhere in the table.
    known: Vec<[u8; 16]>,
}

impl RawLookups {
    /// Learns what to look up.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            known: some_fingerprints(path)?,
        })
    }

    /// Looks rows up by their fingerprints, each as likely as another, on `threads` connections at once, and
    /// yields rows a second.
    pub fn rate(&self, threads: usize, time: Duration) -> Result<f64, StoreError> {
        std::thread::scope(|scope| {
            let share = self.known.len().div_ceil(threads.max(1)).max(1);
            let parts = self.known.chunks(share);
            let threads: Vec<_> = parts
                .map(|part| scope.spawn(move || self.looking(part, time)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Ok(0.0)))
                .sum()
        })
    }

    fn looking(&self, known: &[[u8; 16]], time: Duration) -> Result<f64, StoreError> {
        let connection = connect(&self.path)?;
        let mut look = connection.prepare(
            "SELECT class, created_us, shred, sealed, expires_us, uses_left FROM token \
             WHERE fingerprint = ?1 AND domain = 'city'",
        )?;
        let (mut rows, mut at, started) = (0.0, 0_usize, Instant::now());
        while started.elapsed() < time {
            for _ in 0..64 {
                // A step that shares no factor with the number of rows goes through all of them.
                at = (at + 7_919) % known.len();
                let sealed: Vec<u8> = look.query_row([known[at]], |row| row.get(3))?;
                std::hint::black_box(sealed);
                rows += 1.0;
            }
        }
        Ok(rows / started.elapsed().as_secs_f64())
    }
}

/// Fingerprints of rows from everywhere in the table, in an order of their own.
fn some_fingerprints(path: &Path) -> Result<Vec<[u8; 16]>, StoreError> {
    const WANTED: u64 = 200_000;
    let connection = connect(path)?;
    let rows: u64 = connection.query_row("SELECT max(rowid) FROM token", [], |row| row.get(0))?;
    let mut one = connection.prepare("SELECT fingerprint FROM token WHERE rowid = ?1")?;
    let step = (rows / WANTED).max(1);
    let mut known = Vec::new();
    for rowid in (1..=rows).step_by(usize::try_from(step).unwrap_or(1)) {
        let found: Option<[u8; 16]> = one.query_row([rowid], |row| row.get(0)).optional()?;
        known.extend(found);
    }
    // They are random: sorted, they are mixed.
    known.sort_unstable();
    if known.is_empty() {
        return Err(StoreError::Malformed { table: "token" });
    }
    Ok(known)
}
