//! One request after another: judged, made durable, cosigned. What shows two histories is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::witness::{AddCheckpoint, Refused, WatchedLog, signed_by_log, signed_by_retired};
use ledger::{ANY_TIME, Checkpoint, Hash};
use sha2::{Digest as _, Sha256};

use super::clock;
use super::key::KeyPair;
use super::state::State;
use crate::screen::{Screen, shown};

/// Checkpoints that are kept of each [`Kind`], of all logs together. More are told of and not kept: whoever holds
/// a log's key could fill the disk.
const EVIDENCE_MAX: usize = 256;

/// What a checkpoint shows that a log signed and that is not cosigned. Each is kept apart: of the second kind anyone
/// can send as many as the log has published.
#[derive(Clone, Copy)]
enum Kind {
    /// Two histories: another root for the size that was cosigned last.
    Fork,
    /// Two histories, or a wrong proof from what was cosigned last.
    Unproven,
}

impl Kind {
    /// How the names of its files begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Fork => "fork-",
            Self::Unproven => "unproven-",
        }
    }
}

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
        let stated = request.stated()?;
        let origin = &stated.origin;
        let log = self.logs.iter().find(|log| log.origin == *origin);
        let log = log.ok_or(Refused::UnknownLog)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = state.last(origin.as_str());
        let checkpoint = match request.judge(log, seen) {
            Ok(checkpoint) => checkpoint,
            Err(refused) => {
                if let Some(seen) = seen {
                    self.shown(&request, &stated, seen, refused);
                }
                return Err(refused.into());
            }
        };
        let last = state.note(|name| name == origin.as_str());
        if last.is_some_and(|last| signed_by_retired(&request.note, last, log)) {
            Screen::remark(&format!(
                "REFUSED: a key of {} signed that a later one replaced (`keys` name the oldest first)",
                shown(origin.as_str())
            ));
            return Err(Refused::Unsigned.into());
        }
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

    /// Keeps what shows something beside what was cosigned before, if the log signed it. A proof that is wrong
    /// for the same checkpoint shows nothing: anyone could have sent it.
    fn shown(
        &self,
        request: &AddCheckpoint,
        stated: &Checkpoint,
        seen: &Checkpoint,
        refused: Refused,
    ) {
        let signed = !matches!(refused, Refused::Unsigned | Refused::UnknownLog);
        let kind = match refused {
            _ if signed && request.contradicts(seen) => Kind::Fork,
            Refused::Inconsistent if stated != seen => Kind::Unproven,
            _ => return,
        };
        Screen::remark(&format!("REFUSED: {refused}"));
        let (before, sent) = (seen.body(), request.encode());
        let text = format!("{refused}\n\ncosigned before:\n{before}\n{sent}");
        if let Err(error) = kept(&self.evidence, kind, stated, &text) {
            Screen::remark(&format!("it can't be kept as evidence: {error}"));
        }
    }
}

fn origin_hash(origin: &str) -> String {
    Hash(Sha256::digest(origin).into()).to_string()
}

/// One file for each checkpoint, however often it is sent.
fn kept(folder: &Path, kind: Kind, stated: &Checkpoint, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let prefix = kind.prefix();
    let name = Hash(Sha256::digest(stated.body()).into());
    let path = folder.join(format!("{prefix}{name}.txt"));
    if path.exists() {
        return Ok(());
    }
    let mut count = 0;
    for file in fs::read_dir(folder)? {
        let named = file?.file_name();
        count += usize::from(named.to_string_lossy().starts_with(prefix));
    }
    if count >= EVIDENCE_MAX {
        return Err(io::Error::other(
            "there are 256 already: look at them, and move them away",
        ));
    }
    // Whole or absent: one that is there is not written again.
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)
}
