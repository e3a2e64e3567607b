//! What was cosigned last of each log: one file, replaced whole and durable before anyone is answered.
//!
//! It holds the logs' own signed checkpoints with the cosignature, each behind a line `#<bytes> <seconds>`, so that nobody can
//! put another history into it who has not the logs' keys.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ledger::witness::{WatchedLog, signed_by_log};
use ledger::{Checkpoint, NOTE_BYTES_MAX};

const FILE: &str = "state";
const FRESH: &str = "state.new";

/// The last checkpoint of a log that was cosigned.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) checkpoint: Checkpoint,
    pub(super) time_s: u64,
    note: String,
}

/// By origin.
type Seen = BTreeMap<String, Last>;

/// The state of a running witness. It holds a lock: two witnesses with one state would each forget.
pub(super) struct State {
    dir: PathBuf,
    seen: Seen,
    /// Of logs that the settings no longer name: kept as they are, for they may come back.
    others: Vec<(u64, String)>,
    _lock: File,
}

impl State {
    /// The empty state of a new witness.
    pub(super) fn create(dir: &Path) -> anyhow::Result<()> {
        let file = File::create_new(dir.join(FILE)).context("the state can't be made")?;
        file.sync_all()?;
        Ok(File::open(dir)?.sync_all()?)
    }

    /// Takes it up, alone. Refuses to begin without it.
    pub(super) fn open(dir: &Path, logs: &[WatchedLog]) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let lock = options
            .open(dir.join("lock"))
            .context("the lock can't be made")?;
        ensure!(
            lock.try_lock().is_ok(),
            "another witness runs on this folder"
        );
        let (seen, others) = read(dir, logs)?;
        let dir = dir.to_owned();
        Ok(Self {
            dir,
            seen,
            others,
            _lock: lock,
        })
    }

    /// What it holds, without taking it up.
    pub(super) fn look(dir: &Path, logs: &[WatchedLog]) -> anyhow::Result<Seen> {
        Ok(read(dir, logs)?.0)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The note that was cosigned last of a log with such a name.
    pub(super) fn note(&self, named: impl Fn(&str) -> bool) -> Option<&str> {
        let mut seen = self.seen.iter();
        let found = seen.find(|(origin, _)| named(origin));
        found.map(|(_, last)| last.note.as_str())
    }

    /// What was cosigned last of this log.
    pub(super) fn last(&self, origin: &str) -> Option<&Checkpoint> {
        self.seen.get(origin).map(|last| &last.checkpoint)
    }

    /// Makes a checkpoint the last one of its log. It is durable when this comes back well; if it does not,
    /// nothing may be cosigned, and the log stands here as before.
    pub(super) fn keep(
        &mut self,
        checkpoint: Checkpoint,
        note: &str,
        time_s: u64,
    ) -> io::Result<()> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(io::Error::other("the note is too long to be read again"));
        }
        let origin = checkpoint.origin.to_string();
        let last = Last {
            checkpoint,
            time_s,
            note: note.to_owned(),
        };
        let before = self.seen.insert(origin.clone(), last);
        let written = self.write();
        if written.is_err() {
            match before {
                Some(before) => self.seen.insert(origin, before),
                None => self.seen.remove(&origin),
            };
        }
        written
    }

    fn write(&self) -> io::Result<()> {
        let fresh = self.dir.join(FRESH);
        let mut file = File::create(&fresh)?;
        let known = self.seen.values().map(|last| (last.time_s, &last.note));
        let others = self.others.iter().map(|(time_s, note)| (*time_s, note));
        for (time_s, note) in known.chain(others) {
            write!(file, "#{} {time_s}\n{note}", note.len())?;
        }
        file.sync_all()?;
        fs::rename(&fresh, self.dir.join(FILE))?;
        File::open(&self.dir)?.sync_all()
    }
}

fn read(dir: &Path, logs: &[WatchedLog]) -> anyhow::Result<(Seen, Vec<(u64, String)>)> {
    let text = fs::read_to_string(dir.join(FILE)).context(
        "the witness's state is missing or can't be read: put the newest one back. If there is none, \
         retire this witness and make a new one; it would cosign another history and not know",
    )?;
    let (mut seen, mut others) = (Seen::new(), Vec::new());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (time_s, note, after) =
            frame(rest).context("the witness's state is damaged: put the newest one back")?;
        rest = after;
        let known = logs
            .iter()
            .find(|log| note.starts_with(&format!("{}\n", log.origin)));
        let Some(log) = known else {
            others.push((time_s, note.to_owned()));
            continue;
        };
        let Ok((checkpoint, _)) = signed_by_log(note, log) else {
            bail!(
                "what was cosigned last of `{}` is not signed by any key that the settings name: add the key \
                 that the log had then, before its present one",
                log.origin
            );
        };
        let last = Last {
            checkpoint,
            time_s,
            note: note.to_owned(),
        };
        let twice = seen.insert(log.origin.to_string(), last);
        ensure!(twice.is_none(), "the witness's state has a log twice");
    }
    Ok((seen, others))
}

fn frame(rest: &str) -> Option<(u64, &str, &str)> {
    let (head, rest) = rest.strip_prefix('#')?.split_once('\n')?;
    let (length, time_s) = head.split_once(' ')?;
    let length = length
        .parse()
        .ok()
        .filter(|length| *length <= NOTE_BYTES_MAX)?;
    let (note, rest) = rest.split_at_checked(length)?;
    Some((time_s.parse().ok()?, note, rest))
}
