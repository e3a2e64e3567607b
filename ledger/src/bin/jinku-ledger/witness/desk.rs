//! One request after another: judged, made durable, cosigned. What shows two histories is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::witness::{AddCheckpoint, Refused, WatchedLog, signed_by_log};
use ledger::{ANY_TIME, Checkpoint, Hash};
use sha2::{Digest as _, Sha256};

use super::clock;
use super::key::KeyPair;
use super::state::State;
use crate::screen::{Screen, shown};

/// Requests that showed two histories, of all logs together. More are told of and not kept: whoever holds a
/// log's key could fill the disk.
const EVIDENCE_MAX: usize = 256;

/// Why there is no cosignature.
pub(super) enum Declined {
    /// The request is at fault, or the log.
    Refused(Refused),
    /// This witness is.
    Failed(&'static str),
}

impl From<Refused> for Declined {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// A running witness, apart from its wire.
pub(super) struct Desk {
    logs: Vec<WatchedLog>,
    pair: KeyPair,
    /// One request at a time from here to the disk: two that are judged at once would be two histories.
    state: Mutex<State>,
    evidence: PathBuf,
}

impl Desk {
    pub(super) fn new(logs: Vec<WatchedLog>, pair: KeyPair, state: State) -> Self {
        let evidence = state.dir().join("evidence");
        Self {
            logs,
            pair,
            state: Mutex::new(state),
            evidence,
        }
    }

    /// A request's body to the cosignature's line. Writes files.
    pub(super) fn add_checkpoint(&self, body: &str) -> Result<String, Declined> {
        let request = AddCheckpoint::parse(body)?;
        let origin = request.origin()?;
        let log = self.logs.iter().find(|log| log.origin == origin);
        let log = log.ok_or(Refused::UnknownLog)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = state.last(origin.as_str());
        let checkpoint = match request.judge(log, seen) {
            Ok(checkpoint) => checkpoint,
            Err(refused) => {
                let signed = !matches!(refused, Refused::Unsigned | Refused::UnknownLog);
                let contradicts = seen.is_some_and(|seen| request.contradicts(seen));
                if refused.is_evidence() || (signed && contradicts) {
                    self.keep_evidence(body, seen, refused);
                }
                return Err(refused.into());
            }
        };
        let time_s = clock::now_s();
        if !ANY_TIME.contains(&time_s) {
            return Err(Declined::Failed("the witness's clock is wrong"));
        }
        let text = checkpoint.body();
        let line = self.pair.cosign(&text, time_s);
        // Nothing of others' lines is kept: whoever sends many would fill the state.
        let (_, note) = signed_by_log(&request.note, log)?;
        let note = format!("{note}{line}\n");
        let told = format!(
            "cosigned {} at size {}",
            shown(origin.as_str()),
            checkpoint.size
        );
        // Only what is durable is given out: a witness that forgot would cosign another history.
        if let Err(error) = state.keep(checkpoint, &note, time_s) {
            Screen::remark(&format!("error: the state can't be written: {error}"));
            return Err(Declined::Failed("the witness's state can't be written"));
        }
        Screen::remark(&told);
        Ok(line)
    }

    /// What was cosigned last of the log with this hash of its name, in lower-case hex (C2SP tlog-witness 1.1.0).
    pub(super) fn cosigned_last(&self, hash: &str) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |origin: &str| origin_hash(origin) == hash;
        state.note(named).map(str::to_owned)
    }

    /// The log signed what is kept here: beside what was cosigned before, it is proof of two histories, or
    /// of a wrong consistency proof.
    fn keep_evidence(&self, body: &str, seen: Option<&Checkpoint>, refused: Refused) {
        Screen::remark(&format!("REFUSED: {refused}"));
        let before = seen.map(Checkpoint::body).unwrap_or_default();
        if let Err(error) = kept(
            &self.evidence,
            &format!("{refused}\n\ncosigned before:\n{before}\n{body}"),
        ) {
            Screen::remark(&format!("it can't be kept as evidence: {error}"));
        }
    }
}

fn origin_hash(origin: &str) -> String {
    Hash(Sha256::digest(origin).into()).to_string()
}

fn kept(folder: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let count = fs::read_dir(folder)?.count();
    if count >= EVIDENCE_MAX {
        return Err(io::Error::other(
            "there are 256 already: look at them, and move them away",
        ));
    }
    let time_s = clock::now_s();
    let mut named = (0..EVIDENCE_MAX).map(|n| folder.join(format!("{time_s}-{n}.txt")));
    let free = named.find(|path| !path.exists());
    fs::write(free.ok_or_else(|| io::Error::other("no free name"))?, text)
}
