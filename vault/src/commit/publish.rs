//! The publisher's thread: integrates sequenced entries, signs a checkpoint, puts it in its place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::tile::TILE_WIDTH;
use ledger::{NoteError, Origin, SecondKey, VerifierKey};
use tokio::sync::watch;

use super::press::{Press, Progress};
use super::receipt::{Receipts, Standing};
use super::tiles::Integrator;
use super::witnesses::{Panel, WitnessFault, Witnesses};
use crate::model::Clock;
use crate::store::{Reader, StoreError};

/// Signs bytes with Ed25519 (RFC 8032); an error is the HSM's, in words without secrets.
pub type Sign = Box<dyn Fn(&[u8]) -> Result<[u8; 64], String> + Send>;

/// Signs checkpoint bodies: the key stays in the HSM.
pub struct CheckpointSigner {
    /// The public half, under the log's name.
    pub key: VerifierKey,
    /// Its private half, by way of the HSM.
    pub sign: Sign,
    /// What signs a second time, if anything does: nothing is published before it is there.
    pub second: Option<Arc<OnceLock<SecondSigner>>>,
}

/// Signs with ML-DSA-44 (FIPS 204); an error is in words without secrets.
pub type SignAgain = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync>;

/// Signs checkpoints a second time.
pub struct SecondSigner {
    /// The public half, under the log's name.
    pub key: SecondKey,
    /// Its private half.
    pub sign: SignAgain,
}

/// Proof that a checkpoint over `size` entries is signed and in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    pub(super) size: u64,
}

impl Published {
    /// Entries covered.
    pub fn size(self) -> u64 {
        self.size
    }
}

/// Why the log could not be published. Entries stay sequenced; the next round tries again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The ledger directory can't be read or written.
    #[error("the ledger directory can't be read or written ({0}): check its disk and rights")]
    Files(#[from] io::Error),
    /// The archive of checkpoints ends in what is no record, and no crash leaves.
    #[error(
        "the archive of checkpoints ends in what is no record ({}): restore that file, auditors compare what is in it",
        .0.display()
    )]
    Archive(PathBuf),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HSM did not sign.
    #[error("the checkpoint can't be signed: {0}")]
    Signer(String),
    /// The checkpoint on disk is not this log's, or not this key's.
    #[error(
        "the published checkpoint is not signed by this HSM's key: check that this HSM and this ledger directory belong together"
    )]
    ForeignCheckpoint,
    /// The database holds tokens, and no checkpoint was ever published here.
    #[error(
        "the ledger directory is missing, and the database is in use: restore it, auditors compare what comes next with it"
    )]
    Missing,
    /// The database holds fewer entries than were published, or others.
    #[error(
        "the database does not hold the entries that were published: it was restored from a backup or altered; restore the newest database, or open a new log under another origin"
    )]
    Rollback,
    /// Too few witnesses cosigned. What is sequenced waits, and every round asks them again.
    #[error(
        "{cosigned} witnesses cosigned the checkpoint, the policy needs {needed} or more ({faults}): it is published when they do"
    )]
    Unwitnessed {
        /// So many did.
        cosigned: usize,
        /// So many must, at the least.
        needed: usize,
        /// Who did not, and why.
        faults: String,
    },
    /// What signs a second time is not there yet.
    #[error("the key of the second signature is not open yet")]
    Opening,
    /// The second signature does not hold.
    #[error(
        "the second signature does not hold, so the checkpoint is not published: check this machine's memory and processor"
    )]
    SecondSignature,
    /// With the witnesses' lines the checkpoint is none any more.
    #[error(
        "the checkpoint can't be read again with the witnesses' lines ({0}), so it is not published: see what they answer"
    )]
    Unopened(NoteError),
    /// A change of the signing key was broken off, or does not fit the log.
    #[error(
        "the log is being handed over to another signing key: run `jinku ledger rotate-signer` again to the end"
    )]
    HandOver,
    /// The key has handed over to another.
    #[error(
        "this signing key has handed the log over to another: name the new one in `hsm.signer_label`"
    )]
    RetiredSigner,
    /// The key that is to come has signed before.
    #[error(
        "the new key has signed this log before, and auditors follow no key back: name another one with `--to`"
    )]
    SpentSigner,
    /// A witness saw another past of this log, and without it there is no quorum.
    #[error(
        "witness `{witness}` contradicts this log: {fault}. Either another node writes under this log's name, or this database has gone back: stop one of them, restore the newest database, or open a new log under another origin"
    )]
    Contradicted {
        /// What the policy calls it.
        witness: String,
        /// What it saw.
        fault: WitnessFault,
    },
    /// The publisher has stopped.
    #[error("the publisher has stopped")]
    Stopped,
}

enum Order {
    Now(Sender<Result<Published, PublishError>>),
    Stop,
}

/// The running thread.
pub struct Publisher {
    orders: Sender<Order>,
    standing: Standing,
    integrated: watch::Receiver<u64>,
    published: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Takes up what is published under `directory`, refuses a log that was rolled back, and
    /// publishes every `interval` while there is something new. With `witnesses` no checkpoint is published
    /// before they make a quorum; entries are sequenced meanwhile.
    pub fn start(
        directory: &Path,
        origin: Origin,
        signer: CheckpointSigner,
        (reader, clock): (Reader, Arc<dyn Clock>),
        interval: Duration,
        witnesses: Option<Witnesses>,
    ) -> Result<Self, PublishError> {
        let standing = Standing {
            directory: directory.to_owned(),
            origin,
            key: signer.key.clone(),
        };
        let tree = resume(&standing, &reader)?;
        let (published, watched) = watch::channel(tree.size());
        let (integrated, in_tree) = watch::channel(tree.size());
        let seat = |witnesses| Panel::seat(witnesses, &standing, &clock);
        let panel = witnesses.map(seat).transpose()?;
        let progress = Progress {
            integrated,
            published,
        };
        let mut press = Press::new(
            tree,
            progress,
            standing.clone(),
            signer,
            panel,
            (reader, clock),
        )?;
        let (orders, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("ledger-publisher".to_owned())
            .spawn(move || run(&mut press, &inbox, interval))?;
        Ok(Self {
            orders,
            standing,
            integrated: in_tree,
            published: watched,
            thread: Some(thread),
        })
    }

    /// Makes receipts of what is published. Whoever asks for one waits up to `deadline` for a
    /// checkpoint that covers it.
    pub fn receipts(&self, deadline: Duration) -> Receipts {
        Receipts::new(self.standing.clone(), self.published.clone(), deadline)
    }

    /// How many entries are in the tree, as it changes.
    pub fn integrated(&self) -> watch::Receiver<u64> {
        self.integrated.clone()
    }

    /// How many entries a published checkpoint covers, as it changes.
    pub fn published(&self) -> watch::Receiver<u64> {
        self.published.clone()
    }

    /// Publishes what is sequenced now, and waits until it is in its place.
    pub fn publish(&self) -> Result<Published, PublishError> {
        let (answer, answered) = channel();
        self.orders
            .send(Order::Now(answer))
            .map_err(|_| PublishError::Stopped)?;
        answered.recv().map_err(|_| PublishError::Stopped)?
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn resume(standing: &Standing, reader: &Reader) -> Result<Integrator, PublishError> {
    let directory = &standing.directory;
    let Some((_, checkpoint)) = standing.checkpoint()? else {
        // Tokens are served only after the first checkpoint stands: then it was taken away.
        return if reader.any_token()? {
            Err(PublishError::Missing)
        } else {
            Ok(Integrator::new(directory))
        };
    };
    let first = checkpoint.size - checkpoint.size % TILE_WIDTH;
    let limit = u32::try_from(checkpoint.size - first).unwrap_or(u32::MAX);
    let tail = reader.entries(first, limit)?;
    let tree =
        Integrator::resume(directory, checkpoint.size, &tail)?.ok_or(PublishError::Rollback)?;
    // A database older than what witnesses may have seen must not go on under the same name.
    if tree.size() != checkpoint.size || tree.root() != checkpoint.root {
        return Err(PublishError::Rollback);
    }
    Ok(tree)
}

fn run(press: &mut Press, inbox: &Receiver<Order>, interval: Duration) {
    loop {
        let order = inbox.recv_timeout(interval);
        let result = press.round();
        match order {
            Ok(Order::Now(answer)) => drop(answer.send(result)),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
