//! The one writer: a change and its ledger entry become durable together, many requests at once.
//!
//! [`Committer::record`] is the only way out for what `seal` opened and `token` drew. The states an
//! entry goes through are types: [`Sequenced`] (durable, has an index; only now may a value leave),
//! then integrated and published by the `publish` thread.
//!
//! | file | owns |
//! | --- | --- |
//! | `withheld` | [`Withheld`]: what may not leave yet |
//! | `record` | [`Record`]: one request's change and entry |
//! | `writer` | the thread that writes groups |
//! | `tiles` | entries to C2SP tiles on disk |
//! | `files` | files put into their places whole |
//! | `publish` | the thread that integrates, signs and publishes checkpoints |
//! | `press` | one round of it |
//! | `witnesses` | the threads that collect witnesses' cosignatures |
//! | `handover` | from one signing key to the next |
//! | `annals` | the archive of all published checkpoints |
//! | `backlog` | how far entries may run ahead of what is published |
//! | `quota` | the book in which units' quotas are counted |
//! | `receipt` | [`Receipts`]: what proves an entry to whoever holds the log's key |
//! | `replay` | [`Replay`]: published entries for a database that came from a backup |

mod annals;
mod backlog;
mod files;
mod handover;
mod incarnation;
mod press;
mod publish;
mod quota;
mod receipt;
mod record;
mod replay;
mod tiles;
mod withheld;
mod witnesses;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use backlog::{Backlog, Sizes};
pub use files::{is_unfinished, keep_stamp};
pub use handover::{can_hand_over, hand_over, signer_settled};
pub use incarnation::{Opening, incarnation_opened, incarnation_told};
pub use publish::{
    CheckpointSigner, PublishError, Published, Publisher, SecondSigner, Sign, SignAgain,
};
pub use quota::quota_book;
pub use receipt::{NoReceipt, Receipts};
pub use record::Record;
pub use replay::{Replay, ReplayError, Replayed, standing_tree};
pub use withheld::{Spoiled, Withheld};
pub use witnesses::{Ask, WitnessAnswer, WitnessFault, Witnesses};
pub use writer::{OpenLog, WriterThread};

use crate::model::Timestamp;
use crate::store::{AlertSettled, NonceRow, ProofWrite, QuotaWrite};
use writer::{Submission, Work};

/// Requests that may wait for the writer. More are refused at once.
const QUEUE_MAX: usize = 1_024;

/// Proof that an entry is durable and has an index. Only this room can make one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequenced {
    seq: u64,
}

impl Sequenced {
    /// Index of the entry in the log.
    pub fn seq(self) -> u64 {
        self.seq
    }
}

/// Why an entry is not known to be durable. What was withheld has been dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDurable {
    /// A token or value of the change stands already. Nothing was changed: draw again.
    #[error("a token or value of the change stands already")]
    Conflict,
    /// Too many requests wait for the writer. Nothing was changed: retry later.
    #[error("too many requests wait for the ledger")]
    Overloaded,
    /// The deadline passed. The change is whole or absent, and nobody was told of its tokens.
    #[error("the ledger did not answer in time")]
    Deadline,
    /// The store refused or failed. Nothing was changed.
    #[error("the ledger can't be written: check the data directory's disk")]
    Store,
    /// The entry can't be encoded within the format's limits. Nothing was changed.
    #[error("the request's facts don't fit a ledger entry")]
    Entry,
    /// Too many entries wait to be published. Nothing was changed: retry when witnesses cosign again.
    #[error("too many entries wait for witnesses: look at the vault's log for those that are away")]
    Unpublished,
    /// The vault is shutting down. Nothing was changed.
    #[error("the vault is stopping")]
    Stopped,
    /// As many nonces of a unit stand as may. Nothing was changed.
    #[error("as many nonces of the unit stand as are kept")]
    Full,
}

/// A handle to the writer. Clones share it.
#[derive(Clone)]
pub struct Committer {
    queue: mpsc::Sender<Submission>,
    deadline: Duration,
    backlog: Arc<OnceLock<Backlog>>,
}

impl Committer {
    /// From now on, and for all clones, refuses what would run further ahead of what is published.
    pub fn bound(&self, backlog: Backlog) {
        // A second bound would be a second vault in one process.
        let _ = self.backlog.set(backlog);
    }

    /// Writes `record`, and gives back what was withheld once its entry is durable.
    ///
    /// Cancel-safe: the writer owns the record once it is sent. Dropping this future afterwards
    /// drops what was withheld; the record is then whole in the ledger, or absent.
    pub async fn record<T>(
        &self,
        record: Record,
        withheld: Withheld<T>,
    ) -> Result<(T, Sequenced), NotDurable> {
        // INVARIANT 1: nothing is released before the writer has said that the entry is durable.
        let sequenced = self.in_time(self.settle(record)).await?;
        Ok((withheld.release(), sequenced))
    }

    /// The same, and `after` is seen through once the entry is durable, whatever becomes of the request:
    /// for what the entry says and the writer can't do.
    pub async fn record_then<T, R: Send + 'static>(
        &self,
        record: Record,
        withheld: Withheld<T>,
        after: impl Future<Output = R> + Send + 'static,
    ) -> Result<(T, Sequenced, R), NotDurable> {
        let committer = self.clone();
        let writing = tokio::spawn(async move {
            let sequenced = committer.settle(record).await?;
            Ok((sequenced, after.await))
        });
        // INVARIANT 1: nothing is released before the writer has said that the entry is durable.
        let written = async { writing.await.unwrap_or(Err(NotDurable::Stopped)) };
        let (sequenced, after) = self.in_time(written).await?;
        Ok((withheld.release(), sequenced, after))
    }

    /// Writes `record`, and waits until the writer has said what came of it, however long that takes:
    /// for those who must act on the outcome. Not to be awaited by a request itself.
    pub async fn settle(&self, record: Record) -> Result<Sequenced, NotDurable> {
        self.submit(Work::Record(Box::new(record))).await
    }

    /// Notes what became of alerts. They are neither tokens nor keys: there is no entry.
    pub async fn settle_alerts(&self, settled: Vec<AlertSettled>) -> Result<(), NotDurable> {
        self.submit(Work::Alerts(settled)).await.map(drop)
    }

    /// Lets up to `rows_max` answers to named requests go that are given no longer at this time. They are neither tokens
    /// nor keys: there is no entry.
    pub async fn expire_answers(&self, now: Timestamp, rows_max: u32) -> Result<(), NotDurable> {
        let work = Work::ExpireAnswers(now, rows_max);
        self.submit(work).await.map(drop)
    }

    /// Writes what a unit takes of a quota, or gives back. A conflict: there is not so much of it.
    pub async fn write_quota(&self, write: QuotaWrite) -> Result<(), NotDurable> {
        let writing = self.submit(Work::Quota(write));
        self.in_time(writing).await.map(drop)
    }

    /// Spends something that counts once: [`NotDurable::Conflict`] where it was used before, or lets old ones
    /// go. It is neither a token nor a key: there is no entry.
    pub async fn write_proof(&self, write: ProofWrite) -> Result<(), NotDurable> {
        let writing = self.submit(Work::Proof(write));
        self.in_time(writing).await.map(drop)
    }

    /// Takes a nonce for good, or says that it was taken ([`NotDurable::Conflict`]) or that its unit has too many
    /// ([`NotDurable::Full`]). It is neither token nor key: there is no entry, the request's own comes after.
    pub async fn take_nonce(&self, row: NonceRow) -> Result<(), NotDurable> {
        let taken = self.submit(Work::Nonce(Box::new(row)));
        self.in_time(taken).await.map(drop)
    }

    /// Lets up to `rows_max` nonces go whose signatures count no longer at this time. There is no entry.
    pub async fn expire_nonces(&self, now: Timestamp, rows_max: u32) -> Result<(), NotDurable> {
        let work = Work::ExpireNonces(now, rows_max);
        self.submit(work).await.map(drop)
    }

    async fn submit(&self, work: Work) -> Result<Sequenced, NotDurable> {
        let full = |backlog: &Backlog| backlog.is_full();
        if matches!(work, Work::Record(_)) && self.backlog.get().is_some_and(full) {
            return Err(NotDurable::Unpublished);
        }
        let (answer, answered) = oneshot::channel();
        let submission = Submission { work, answer };
        self.queue
            .try_send(submission)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NotDurable::Overloaded,
                mpsc::error::TrySendError::Closed(_) => NotDurable::Stopped,
            })?;
        answered.await.map_err(|_| NotDurable::Stopped)?
    }

    /// As long as a request waits for an outcome.
    pub async fn in_time<T, E: From<NotDurable>>(
        &self,
        outcome: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome = tokio::time::timeout(self.deadline, outcome).await;
        outcome.unwrap_or_else(|_| Err(NotDurable::Deadline.into()))
    }

    /// Whether the writer still takes work.
    pub fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }
}
