//! Tables, queries and [`Change`]s, and the file of shred keys beside them. It knows neither cryptography nor
//! policy: columns come in computed.
//!
//! Reading is open to every room on the right; [`Writer`] is for `commit` alone, so that nothing
//! changes without its ledger entry.

mod answer;
mod copy;
mod detail;
mod epoch;
mod guard;
mod incarnation;
mod limit;
mod nonce;
mod policy;
mod row;
mod shreds;
mod spent_proof;
mod sqlite;
mod ticket;
mod units;

pub use answer::{AnswerId, AnswerRow, KeptAnswer, RequestDigest};
pub use copy::copy_out;
pub use detail::{DetailRow, DetailWrite};
pub use epoch::{EpochRow, EpochWrite};
pub use guard::{AlertRow, AlertSettled, GuardWrite};
pub use incarnation::{IncarnationRow, Mark, Marked};
pub use limit::{RawLookups, raw_entry_rate, raw_insert_rate};
pub use nonce::{NonceHash, NonceRow, NonceTaken};
pub use policy::{PolicyRow, PolicyWrite, SetState};
pub use row::{
    Age, Aged, BlindIndex, Change, Column, Due, Fingerprint, Hold, ImportRow, Indexed, KeyWrite,
    Material, Resealed, SealedValue, ShredSlot, StoredEntry, SubjectHandle, TokenRow, TokenWrite,
    VersionRow,
};
pub use shreds::{ShredError, ShredFiles, Shreds};
pub use spent_proof::{ProofWrite, Spent};
pub use sqlite::{Applied, Database, Held, Past, QuotaWrite, Reader, Writer};
pub use ticket::{TicketHash, TicketRow, TicketWrite};
pub use units::{ProposalRow, RegistryRow, UnitRow, UnitWrite};

/// Why the store could not do what was asked. The text never holds a column's content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database can't be opened, read or written: see the cause, free space, and rights on the data directory.
    #[error(
        "the database failed ({code}): check the disk's free space and the rights on the data directory"
    )]
    Database {
        /// `SQLite`'s result code, for example `DiskFull`.
        code: String,
    },
    /// Another process has the database open: one log has one writer.
    #[error("the database is in use by another vault: stop it first")]
    InUse,
    /// The schema on disk is not one this program knows.
    #[error("the database has schema {found}, this program knows up to {known}: use a newer jinku")]
    NewerSchema {
        /// Version on disk.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// A migration's recorded digest differs from this program's text.
    #[error(
        "migration {version} on disk is not the one this program carries: the database was altered, or made by another build"
    )]
    ForeignSchema {
        /// The migration's number.
        version: u32,
    },
    /// Rows that an earlier build wrote can't be taken over. They are as they were.
    #[error(
        "migration {version} can't take over the rows of an earlier build: open them with that build, or begin with a new data directory"
    )]
    EarlierRows {
        /// The migration's number.
        version: u32,
    },
    /// A stored row has an impossible shape.
    #[error("a row of table `{table}` is malformed: the database was altered")]
    Malformed {
        /// The table.
        table: &'static str,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // Only the result code: messages of SQLite may name schema objects, never values, but a
        // code is all an operator needs and can't leak by a later change of its texts.
        let code = error
            .sqlite_error_code()
            .map_or_else(|| "query".to_owned(), |code| format!("{code:?}"));
        Self::Database { code }
    }
}
