//! The writer's thread: takes what waits, writes it in one transaction, answers everyone.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::{Boot, Entry, Facts, Hash, Origin, genesis_prev, leaf_hash};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Committer, NotDurable, QUEUE_MAX, Record, Sequenced};
use crate::model::{Clock, Timestamp};
use crate::store::{
    AlertSettled, Applied, Change, NonceRow, NonceTaken, ProofWrite, QuotaWrite, Reader, Spent,
    StoreError, StoredEntry, Writer,
};

/// Most requests in one transaction: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 256;

/// A record on its way to the writer.
pub(super) struct Submission {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Sequenced, NotDurable>>,
}

/// What there is to write.
pub(super) enum Work {
    /// A change with its entry.
    Record(Box<Record>),
    /// What became of alerts: no entry, and by its type no change of tokens or keys.
    Alerts(Vec<AlertSettled>),
    /// Answers to named requests that are given no longer at this time go, up to so many: the same.
    ExpireAnswers(Timestamp, u32),
    /// What units take of their quotas: no entry, and no change of tokens or keys either.
    Quota(QuotaWrite),
    /// Something that counts once: no entry either.
    Proof(ProofWrite),
    /// A signed request's nonce: no entry either, and no change of tokens or keys.
    Nonce(Box<NonceRow>),
    /// Nonces whose signatures count no longer at this time go, up to so many: the same.
    ExpireNonces(Timestamp, u32),
}

/// What the writer needs to go on with a log.
pub struct OpenLog {
    /// The log's name.
    pub origin: Origin,
    /// The one writing connection.
    pub writer: Writer,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Eight random bytes that name this start of the process.
    pub boot: [u8; 8],
    /// How long a request waits for its entry.
    pub deadline: Duration,
}

/// The running thread. It ends when every [`Committer`] is dropped.
pub struct WriterThread {
    thread: JoinHandle<()>,
    sequenced: watch::Receiver<u64>,
}

impl WriterThread {
    /// Finds the log's end, starts the thread, and hands out the first [`Committer`].
    pub fn start(log: OpenLog, reader: &Reader) -> Result<(Committer, Self), StoreError> {
        let head = Head::find(reader, &log.origin)?;
        let (queue, submissions) = mpsc::channel(QUEUE_MAX);
        let (size, sequenced) = watch::channel(head.seq);
        let deadline = log.deadline;
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || run(&log, head, submissions, &size))
            .map_err(|_| StoreError::Database {
                code: "thread".to_owned(),
            })?;
        let committer = Committer {
            queue,
            deadline,
            backlog: Arc::default(),
        };
        Ok((committer, Self { thread, sequenced }))
    }

    /// How many entries are durable, as it changes.
    pub fn sequenced(&self) -> watch::Receiver<u64> {
        self.sequenced.clone()
    }

    /// Waits until the last group is written. Drop every `Committer` first.
    pub fn join(self) {
        // A panic in the thread has been printed by its hook; there is nothing to add at the end.
        let _ = self.thread.join();
    }
}

/// Where the next entry goes.
#[derive(Clone, Copy)]
struct Head {
    seq: u64,
    prev: Hash,
    time: Timestamp,
}

impl Head {
    fn find(reader: &Reader, origin: &Origin) -> Result<Self, StoreError> {
        let Some(last) = reader.last_entry()? else {
            return Ok(Self {
                seq: 0,
                prev: genesis_prev(origin),
                time: Timestamp(0),
            });
        };
        Ok(Self {
            seq: last.seq + 1,
            prev: leaf_hash(&last.bytes),
            time: Timestamp(0),
        })
    }

    fn after(self, bytes: &[u8], time: Timestamp) -> Self {
        Self {
            seq: self.seq + 1,
            prev: leaf_hash(bytes),
            time,
        }
    }
}

fn run(
    log: &OpenLog,
    mut head: Head,
    mut submissions: mpsc::Receiver<Submission>,
    size: &watch::Sender<u64>,
) {
    if head.seq == 0 {
        match write_genesis(log, head) {
            Ok(next) => head = next,
            Err(error) => {
                tracing::error!(%error, "the ledger's first entry can't be written");
                return;
            }
        }
    }
    let mut group = Vec::with_capacity(GROUP_MAX);
    while let Some(first) = submissions.blocking_recv() {
        group.push(first);
        while group.len() < GROUP_MAX {
            match submissions.try_recv() {
                Ok(next) => group.push(next),
                Err(_) => break,
            }
        }
        head = write_group(log, head, &mut group);
        size.send_replace(head.seq);
    }
}

fn write_genesis(log: &OpenLog, head: Head) -> Result<Head, StoreError> {
    log.writer.begin()?;
    let written = write_one(log, head, Record::single(Change::none(), Facts::genesis()));
    let Ok(next) = written else {
        log.writer.rollback();
        return Err(StoreError::Malformed { table: "entry" });
    };
    log.writer.commit()?;
    Ok(next)
}

/// Writes all of `group` in one transaction and answers each. On failure the head stays.
fn write_group(log: &OpenLog, head: Head, group: &mut Vec<Submission>) -> Head {
    let mut waiting = Vec::with_capacity(group.len());
    let written = log.writer.begin().and_then(|()| {
        let mut next = head;
        for Submission { work, answer } in group.drain(..) {
            let written = match work {
                Work::Record(record) => write_one(log, next, *record),
                Work::Alerts(settled) => log
                    .writer
                    .settle_alerts(&settled)
                    .map(|()| next)
                    .map_err(Refusal::Group),
                Work::ExpireAnswers(now, rows_max) => log
                    .writer
                    .expire_answers(now, rows_max)
                    .map(|()| next)
                    .map_err(Refusal::Group),
                Work::Quota(write) => match log.writer.write_quota(&write) {
                    Ok(true) => Ok(next),
                    Ok(false) => Err(Refusal::Own(NotDurable::Conflict)),
                    Err(error) => Err(Refusal::Group(error)),
                },
                Work::Proof(write) => write_proof(log, next, write),
                Work::Nonce(row) => take_nonce(log, &row).map(|()| next),
                Work::ExpireNonces(now, rows_max) => log
                    .writer
                    .expire_nonces(now, rows_max)
                    .map(|()| next)
                    .map_err(Refusal::Group),
            };
            match written {
                Ok(after) => {
                    waiting.push((answer, Sequenced { seq: next.seq }));
                    next = after;
                }
                Err(Refusal::Own(refusal)) => drop(answer.send(Err(refusal))),
                Err(Refusal::Group(error)) => {
                    waiting.push((answer, Sequenced { seq: next.seq }));
                    return Err(error);
                }
            }
        }
        log.writer.commit()?;
        Ok(next)
    });
    match written {
        Ok(next) => {
            for (answer, sequenced) in waiting {
                // The caller may have gone; the entry stands all the same.
                let _ = answer.send(Ok(sequenced));
            }
            next
        }
        Err(error) => {
            tracing::error!(%error, "a group of ledger entries could not be written");
            log.writer.rollback();
            let rest = group.drain(..).map(|submission| submission.answer);
            for answer in waiting.into_iter().map(|(answer, _)| answer).chain(rest) {
                let _ = answer.send(Err(NotDurable::Store));
            }
            head
        }
    }
}

enum Refusal {
    /// Only this record fails; the others of its group go on.
    Own(NotDurable),
    /// The transaction is lost.
    Group(StoreError),
}

fn write_proof(log: &OpenLog, head: Head, write: ProofWrite) -> Result<Head, Refusal> {
    match log.writer.write_proof(write).map_err(Refusal::Group)? {
        Spent::Done => Ok(head),
        Spent::Before => Err(Refusal::Own(NotDurable::Conflict)),
        Spent::Full => Err(Refusal::Own(NotDurable::Overloaded)),
    }
}

fn take_nonce(log: &OpenLog, row: &NonceRow) -> Result<(), Refusal> {
    match log.writer.take_nonce(row, log.clock.now()) {
        Ok(NonceTaken::New) => Ok(()),
        Ok(NonceTaken::Before) => Err(Refusal::Own(NotDurable::Conflict)),
        Ok(NonceTaken::Full) => Err(Refusal::Own(NotDurable::Full)),
        Err(error) => Err(Refusal::Group(error)),
    }
}

fn write_one(log: &OpenLog, head: Head, record: Record) -> Result<Head, Refusal> {
    // Within one start, recorded time never steps back: the monotonic part shows where the clock did.
    let time = log.clock.now().max(head.time);
    let monotonic_us = u64::try_from(log.clock.monotonic().as_micros()).unwrap_or(u64::MAX);
    let entry = Entry {
        seq: head.seq,
        prev: head.prev,
        time_us: time.0,
        boot: Boot {
            id: log.boot,
            monotonic_us,
        },
        facts: record.facts,
    };
    let bytes = entry
        .encode()
        .map_err(|_| Refusal::Own(NotDurable::Entry))?;
    let next = head.after(&bytes, time);
    let stored = StoredEntry {
        seq: head.seq,
        bytes,
        items: record.items,
    };
    match log
        .writer
        .apply(&record.change, &stored)
        .map_err(Refusal::Group)?
    {
        Applied::Yes => Ok(next),
        Applied::Conflict => Err(Refusal::Own(NotDurable::Conflict)),
    }
}
