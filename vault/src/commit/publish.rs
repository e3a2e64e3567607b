//! The publisher's thread: integrates sequenced entries, signs a checkpoint, puts it in its place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::tile::TILE_WIDTH;
use ledger::{Checkpoint, Origin, VerifierKey};
use tokio::sync::watch;

use super::receipt::{Receipts, Standing};
use super::tiles::{Integrator, write_durably};
use crate::model::Clock;
use crate::store::{Reader, StoreError};

/// Entries read from the store at a time.
const CHUNK: u32 = 1_024;

/// Signs bytes with Ed25519 (RFC 8032); an error is the HSM's, in words without secrets.
pub type Sign = Box<dyn Fn(&[u8]) -> Result<[u8; 64], String> + Send>;

/// Signs checkpoint bodies: the key stays in the HSM.
pub struct CheckpointSigner {
    /// The public half, under the log's name.
    pub key: VerifierKey,
    /// Its private half, by way of the HSM.
    pub sign: Sign,
}

/// Proof that a checkpoint over `size` entries is signed and in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    size: u64,
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
    published: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Takes up what is published under `directory`, refuses a log that was rolled back, and
    /// publishes every `interval` while there is something new.
    pub fn start(
        directory: &Path,
        origin: Origin,
        signer: CheckpointSigner,
        reader: Reader,
        clock: Arc<dyn Clock>,
        interval: Duration,
    ) -> Result<Self, PublishError> {
        let standing = Standing {
            directory: directory.to_owned(),
            origin,
            key: signer.key.clone(),
        };
        let tree = resume(&standing, &reader)?;
        let (published, watched) = watch::channel(tree.size());
        let mut press = Press {
            published,
            tree,
            standing: standing.clone(),
            signer,
            reader,
            clock,
        };
        let (orders, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("ledger-publisher".to_owned())
            .spawn(move || press.run(&inbox, interval))?;
        Ok(Self {
            orders,
            standing,
            published: watched,
            thread: Some(thread),
        })
    }

    /// Makes receipts of what is published. Whoever asks for one waits up to `deadline` for a
    /// checkpoint that covers it.
    pub fn receipts(&self, deadline: Duration) -> Receipts {
        Receipts::new(self.standing.clone(), self.published.clone(), deadline)
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

fn resume(standing: &Standing, reader: &Reader) -> Result<Integrator, PublishError> {
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

struct Press {
    tree: Integrator,
    /// How many entries a checkpoint covers: who waits for a receipt is told.
    published: watch::Sender<u64>,
    standing: Standing,
    signer: CheckpointSigner,
    reader: Reader,
    clock: Arc<dyn Clock>,
}

impl Press {
    fn run(&mut self, inbox: &Receiver<Order>, interval: Duration) {
        loop {
            let order = inbox.recv_timeout(interval);
            let result = self.publish();
            if let Err(error) = &result {
                tracing::error!(%error, "the ledger can't be published");
                self.take_up();
            }
            match order {
                Ok(Order::Now(answer)) => drop(answer.send(result)),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// After a failure the tree may stand between two entries: begin again at what is published.
    fn take_up(&mut self) {
        match resume(&self.standing, &self.reader) {
            Ok(tree) => self.tree = tree,
            Err(error) => tracing::error!(%error, "the published ledger can't be taken up"),
        }
    }

    fn publish(&mut self) -> Result<Published, PublishError> {
        loop {
            let entries = self.reader.entries(self.tree.size(), CHUNK)?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                self.tree.append(entry)?;
            }
        }
        if self.tree.size() > *self.published.borrow() {
            let root = self.tree.integrate()?;
            let size = self.tree.size();
            self.sign(&Checkpoint {
                origin: self.standing.origin.clone(),
                size,
                root,
            })?;
            self.published.send_replace(size);
            self.tree.drop_stale()?;
        }
        Ok(Published {
            size: *self.published.borrow(),
        })
    }

    fn sign(&self, checkpoint: &Checkpoint) -> Result<(), PublishError> {
        let body = checkpoint.body();
        let signature = (self.signer.sign)(body.as_bytes()).map_err(PublishError::Signer)?;
        let line = ledger::signature_line(&self.signer.key, &signature);
        let note = ledger::signed_note(&body, &[line]);
        // The archive never runs ahead of `checkpoint`: that would look like a rollback.
        write_durably(&self.standing.directory.join("checkpoint"), note.as_bytes())?;
        self.archive(&note)?;
        Ok(())
    }

    /// Every checkpoint that was ever published stays: an auditor compares them pairwise.
    fn archive(&self, note: &str) -> io::Result<()> {
        let path = self
            .standing
            .directory
            .join(ledger::notes_path(self.clock.now().0));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(ledger::framed_note(note).as_bytes())?;
        file.sync_all()
    }
}
