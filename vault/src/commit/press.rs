//! One round of publishing: entries into the tree, a signature, witnesses' cosignatures, and the
//! checkpoint in its place.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use ledger::{Checkpoint, Cosigned, Origin};
use tokio::sync::watch;

use super::annals::Annals;
use super::files::write_durably;
use super::publish::{CheckpointSigner, PublishError, Published, resume};
use super::receipt::Standing;
use super::tiles::Integrator;
use super::witnesses::{Collected, Panel, WitnessFault};
use crate::model::{Clock, Timestamp};
use crate::store::Reader;

/// Entries read from the store at a time.
const CHUNK: u32 = 1_024;

/// How often the archive of checkpoints is given a second signature, in microseconds.
const SIGNED_AGAIN_US: u64 = 60_000_000;

/// How far the log has come, for who waits or looks.
pub(super) struct Progress {
    /// Entries in the tree, whose tiles are in their places.
    pub(super) integrated: watch::Sender<u64>,
    /// Entries that a published checkpoint covers.
    pub(super) published: watch::Sender<u64>,
}

/// What publishes.
pub(super) struct Press {
    tree: Integrator,
    progress: Progress,
    standing: Standing,
    signer: CheckpointSigner,
    panel: Option<Panel>,
    reader: Reader,
    clock: Arc<dyn Clock>,
    /// Signed, and not published yet: witnesses may have cosigned it, so the log must go on from it.
    intended: Option<(Checkpoint, String)>,
    /// Whether it was said that witnesses are missing: once, until they are there again.
    told: bool,
    /// When the archive was last given a second signature.
    signed_again: Option<Timestamp>,
}

impl Press {
    pub(super) fn new(
        tree: Integrator,
        progress: Progress,
        standing: Standing,
        signer: CheckpointSigner,
        panel: Option<Panel>,
        (reader, clock): (Reader, Arc<dyn Clock>),
    ) -> Result<Self, PublishError> {
        let mut press = Self {
            tree,
            progress,
            standing,
            signer,
            panel,
            reader,
            clock,
            intended: None,
            told: false,
            signed_again: None,
        };
        press.intended = press.recalled()?;
        press.mend_archive()?;
        Ok(press)
    }

    /// A round, and what it takes to begin the next one well.
    pub(super) fn round(&mut self) -> Result<Published, PublishError> {
        let result = self.publish();
        match &result {
            Ok(_) if self.told => {
                self.told = false;
                tracing::info!("witnesses cosign again");
            }
            // Or the vault is starting.
            Ok(_) | Err(PublishError::Opening) => {}
            // The tree stands well: it waits for them.
            Err(error @ (PublishError::Unwitnessed { .. } | PublishError::Contradicted { .. })) => {
                if !self.told {
                    self.told = true;
                    tracing::error!(%error, "the ledger is not published");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the ledger can't be published");
                self.take_up();
            }
        }
        result
    }

    /// After a failure the tree may stand between two entries: begin again at what is published.
    fn take_up(&mut self) {
        match resume(&self.standing, &self.reader) {
            Ok(tree) => self.tree = tree,
            Err(error) => tracing::error!(%error, "the published ledger can't be taken up"),
        }
        if let Err(error) = self.mend_archive() {
            tracing::error!(%error, "the archive of checkpoints can't be mended");
        }
    }

    fn publish(&mut self) -> Result<Published, PublishError> {
        self.append()?;
        let published = *self.progress.published.borrow();
        if self.tree.size() > published {
            let (checkpoint, note) = self.signed()?;
            let note = self.cosigned(&checkpoint, note)?;
            // The archive never runs ahead of `checkpoint`: that would look like a rollback.
            write_durably(&self.standing.directory.join("checkpoint"), note.as_bytes())?;
            self.archive(&note)?;
            self.forget_intended()?;
            self.progress.published.send_replace(checkpoint.size);
            self.tree.drop_stale()?;
        }
        let size = *self.progress.published.borrow();
        Ok(Published { size })
    }

    /// Takes what was sequenced into the tree, and holds it to what was signed before and not published.
    fn append(&mut self) -> Result<(), PublishError> {
        loop {
            let entries = self.reader.entries(self.tree.size(), CHUNK)?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                self.tree.append(entry)?;
                let here = self.intended.as_ref();
                let here = here.filter(|(signed, _)| signed.size == self.tree.size());
                if here.is_some_and(|(signed, _)| signed.root != self.tree.root()) {
                    return Err(PublishError::Rollback);
                }
            }
        }
        // A log never signs two checkpoints that contradict each other (C2SP tlog-checkpoint).
        let signed = self.intended.as_ref().map_or(0, |(signed, _)| signed.size);
        if self.tree.size() < signed {
            return Err(PublishError::Rollback);
        }
        Ok(())
    }

    /// The tree's checkpoint, signed. One that waits for witnesses is not signed anew.
    fn signed(&mut self) -> Result<(Checkpoint, String), PublishError> {
        let size = self.tree.size();
        if *self.progress.integrated.borrow() != size {
            self.tree.integrate()?;
            self.progress.integrated.send_replace(size);
        }
        let waiting = self.intended.as_ref();
        if let Some(signed) = waiting.filter(|(checkpoint, _)| checkpoint.size == size) {
            return Ok(signed.clone());
        }
        let checkpoint = Checkpoint {
            origin: self.standing.origin.clone(),
            size,
            root: self.tree.root(),
        };
        let body = checkpoint.body();
        let signature = (self.signer.sign)(body.as_bytes()).map_err(PublishError::Signer)?;
        let line = ledger::signature_line(&self.signer.key, &signature);
        let mut note = ledger::signed_note(&body, &[line]);
        if let Some(second) = &self.signer.second {
            let second = second.get().ok_or(PublishError::Opening)?;
            let time_s = self.clock.now().seconds();
            let message = second.key.message(&checkpoint, time_s);
            let signature = (second.sign)(&message).map_err(PublishError::Signer)?;
            note = note + &second.key.line(time_s, &signature) + "\n";
            // Software made it, and a fault in it would tell of the key.
            if second.key.signed(&note) != Ok(Cosigned::At(time_s)) {
                return Err(PublishError::SecondSignature);
            }
        }
        Ok((checkpoint, note))
    }

    /// The note with the witnesses' lines, if they make a quorum.
    fn cosigned(&mut self, checkpoint: &Checkpoint, note: String) -> Result<String, PublishError> {
        let Some(panel) = &self.panel else {
            return Ok(note);
        };
        // On disk before a witness sees it: what a witness cosigned binds this log for good.
        write_durably(&self.intended_path(), note.as_bytes())?;
        self.intended = Some((checkpoint.clone(), note.clone()));
        let collected = panel.collect(&note, checkpoint);
        if !collected.met {
            return Err(unwitnessed(&collected, panel.cosigners_min()));
        }
        // A quorum outvotes it; people should hear of it all the same.
        for (witness, fault) in collected.faults.iter().filter(|(_, fault)| fault.accuses()) {
            tracing::error!(%witness, %fault, "a witness contradicts this log");
        }
        let lines = collected.lines.into_iter();
        let note = lines.fold(note, |note, line| note + &line + "\n");
        // What can't be read again would keep the vault from its next start.
        ledger::open_checkpoint(&note, &self.standing.key).map_err(PublishError::Unopened)?;
        Ok(note)
    }

    /// Every checkpoint that was ever published stays: an auditor compares them pairwise.
    fn archive(&mut self, note: &str) -> io::Result<()> {
        let note = self.archived(note);
        self.annals().append(&note, self.clock.now())
    }

    /// What is published and what is archived are two files: a crash may come in between.
    fn mend_archive(&self) -> Result<(), PublishError> {
        match self.standing.checkpoint()? {
            Some((note, _)) => self.annals().mend(&note, self.clock.now()),
            None => Ok(()),
        }
    }

    fn annals(&self) -> Annals<'_> {
        let directory = &self.standing.directory;
        Annals { directory }
    }

    /// The note as the archive has it. A second signature is as long as all the rest many times over, and one vouches for
    /// all entries before it: so one a minute is kept.
    fn archived(&mut self, note: &str) -> String {
        let second = self.signer.second.as_ref().and_then(|second| second.get());
        let Some(second) = second else {
            return note.to_owned();
        };
        let now = self.clock.now();
        let due = |last: Timestamp| now.0.abs_diff(last.0) >= SIGNED_AGAIN_US;
        if self.signed_again.is_none_or(due) {
            self.signed_again = Some(now);
            return note.to_owned();
        }
        second.key.without(note).unwrap_or_else(|_| note.to_owned())
    }

    /// Beside the ledger, not in it: it is no part of an archive.
    fn intended_path(&self) -> PathBuf {
        self.standing.directory.with_extension("intended")
    }

    fn recalled(&self) -> Result<Option<(Checkpoint, String)>, PublishError> {
        let note = match fs::read_to_string(self.intended_path()) {
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Published after all, where the process ended before it was forgotten. Whoever signs the log by now may be
        // another, so what is left of it goes before its signature is asked for.
        if stated(&note).is_some_and(|(origin, size)| {
            origin == self.standing.origin && size <= *self.progress.published.borrow()
        }) {
            fs::remove_file(self.intended_path())?;
            return Ok(None);
        }
        let checkpoint = ledger::open_checkpoint(&note, &self.standing.key)
            .map_err(|_| PublishError::ForeignCheckpoint)?;
        if checkpoint.origin == self.standing.origin {
            Ok(Some((checkpoint, note)))
        } else {
            Err(PublishError::ForeignCheckpoint)
        }
    }

    fn forget_intended(&mut self) -> io::Result<()> {
        self.intended = None;
        match fs::remove_file(self.intended_path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a note says of itself, whoever signed it.
fn stated(note: &str) -> Option<(Origin, u64)> {
    let (body, _) = note.split_once("\n\n")?;
    let stated = Checkpoint::parse(&format!("{body}\n")).ok()?;
    Some((stated.origin, stated.size))
}

fn unwitnessed(collected: &Collected, needed: usize) -> PublishError {
    let cosigned = collected.lines.len();
    let mut faults = collected.faults.iter();
    match faults.find(|(_, fault)| fault.accuses()).cloned() {
        Some((witness, fault)) => PublishError::Contradicted { witness, fault },
        None => PublishError::Unwitnessed {
            cosigned,
            needed,
            faults: told(&collected.faults),
        },
    }
}

fn told(faults: &[(String, WitnessFault)]) -> String {
    let each = faults
        .iter()
        .map(|(name, fault)| format!("{name}: {fault}"));
    each.collect::<Vec<_>>().join("; ")
}
