//! What the raw store can do: the limit that the benchmark's other rates are ratios of.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::TryRng;
use rusqlite::params;

use super::StoreError;
use super::sqlite::connect;

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
