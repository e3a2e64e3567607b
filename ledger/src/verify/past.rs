//! Holds the log to what it signed before: the archived checkpoints, and the one pinned by the auditor.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Trust;
use super::archive::Archive;
use super::chain::Root;
use super::code::Code;
use super::finding::{Finding, Findings};
use super::inventory::is_notes;
use crate::checkpoint::Checkpoint;
use crate::cosignature::Cosigned;
use crate::frontier::Frontier;
use crate::hash::{Hash, digest};
use crate::history::Frames;
use crate::tile::{TILE_WIDTH, entries_path, partial};

/// A checkpoint a second for a day is about 20 MB.
pub(super) const NOTES_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A checkpoint signed in the past.
#[derive(Clone)]
struct Signed {
    checkpoint: Checkpoint,
    /// One name for all notes of a day: there may be one a second.
    file: Arc<str>,
    offset: usize,
}

/// The past, in the order it was signed; one day's file in memory at a time.
pub(super) struct Past<'a> {
    archive: &'a Archive,
    trust: &'a Trust,
    /// What the log's checkpoint says, if the pinned key signed it: nothing else can accuse the log.
    now: Option<Checkpoint>,
    files: VecDeque<String>,
    queue: VecDeque<Signed>,
    last: Option<Signed>,
    /// The first one that the entries do not agree with.
    differs: Option<Signed>,
    pin_reached: bool,
    pin_differs: bool,
    compared: Hash,
    pub(super) read: u64,
}

impl<'a> Past<'a> {
    pub(super) fn new(archive: &'a Archive, trust: &'a Trust, now: Option<Checkpoint>) -> Self {
        let files = day_files(archive);
        let (queue, last, differs) = (VecDeque::new(), None, None);
        Self {
            archive,
            trust,
            now,
            files,
            queue,
            last,
            differs,
            pin_reached: false,
            pin_differs: false,
            compared: Hash::of_empty_tree(),
            read: 0,
        }
    }

    /// Compares what was signed for a tree of this size.
    pub(super) fn reached(&mut self, tree: &Frontier, findings: &mut Findings) {
        let pin = self
            .trust
            .pinned
            .as_ref()
            .filter(|pin| pin.size == tree.size());
        self.pin_reached |= pin.is_some();
        self.pin_differs |= pin.is_some_and(|pin| pin.root != tree.root());
        while self
            .next_size(findings)
            .is_some_and(|size| size <= tree.size())
        {
            let Some(signed) = self.queue.pop_front() else {
                return;
            };
            let Checkpoint { size, root, .. } = &signed.checkpoint;
            self.compared = digest(&[&self.compared.0, &size.to_be_bytes(), &root.0]);
            let here = *size == tree.size();
            // The checkpoint itself is judged with the root.
            let past = self.now.as_ref() != Some(&signed.checkpoint);
            if here && past && self.differs.is_none() && signed.checkpoint.root != tree.root() {
                self.differs = Some(signed);
            }
        }
    }

    /// The size of the next thing that was signed for more than `size` entries.
    pub(super) fn next_stop(&mut self, size: u64, findings: &mut Findings) -> Option<u64> {
        let pin = self.trust.pinned.as_ref().map(|pin| pin.size);
        let pin = pin.filter(|pin| *pin > size);
        pin.into_iter().chain(self.next_size(findings)).min()
    }

    /// Whether all that was compared agrees so far.
    pub(super) fn agrees(&self) -> bool {
        self.differs.is_none() && !self.pin_differs
    }

    /// Whether the tree was compared with the checkpoint pinned by the auditor, and agrees.
    pub(super) fn pin_holds(&self) -> bool {
        self.pin_reached && !self.pin_differs
    }

    /// Stands for all that was compared so far, in its order.
    pub(super) fn compared(&self) -> Hash {
        self.compared
    }

    /// Judges what differs: if the entries have the root that is signed now, the log has two
    /// histories; if not, they were changed after they were signed.
    pub(super) fn finish(mut self, root: Root, findings: &mut Findings) -> u64 {
        let two = if root == Root::Holds && self.now.is_some() {
            Code::HistoryFork
        } else {
            Code::HistoryRoot
        };
        if let Some(signed) = self.differs.take() {
            let Checkpoint { size, root, .. } = signed.checkpoint;
            let message = format!("at size {size} it states the root {root}");
            findings.push(signed.finding(two, message));
        }
        self.judge_pin(root, findings);
        self.judge_later(findings);
        self.read
    }

    fn judge_pin(&self, root: Root, findings: &mut Findings) {
        let (Some(pin), Some(now)) = (&self.trust.pinned, &self.now) else {
            return;
        };
        let other_root = now.size == pin.size && now.root != pin.root;
        let stated = || {
            format!(
                "when last verified, size {} had root {}",
                pin.size, pin.root
            )
        };
        let (code, message) = if now.origin != pin.origin {
            (
                Code::OriginOther,
                format!("what was verified last time is of {}", pin.origin),
            )
        } else if now.size < pin.size {
            (
                Code::Rollback,
                format!("{} entries now, {} when last verified", now.size, pin.size),
            )
        } else if other_root || (self.pin_differs && root == Root::Holds) {
            (Code::Fork, stated())
        } else if self.pin_differs && now.size > pin.size {
            (Code::HistoryRoot, stated())
        } else {
            return;
        };
        findings.push(Finding::new(code, message).file("checkpoint"));
    }

    /// What is left was signed for more entries than the checkpoint covers.
    fn judge_later(&mut self, findings: &mut Findings) {
        while self.next_size(findings).is_some() {
            let Some(signed) = self.queue.pop_front() else {
                return;
            };
            let (size, now) = (
                signed.checkpoint.size,
                self.now.as_ref().map(|now| now.size),
            );
            let Some(now) = now.filter(|now| *now < size) else {
                continue;
            };
            let message = format!("it covers {size} entries, the checkpoint {now}");
            let code = if self.has_entries(size) {
                Code::CheckpointBehind
            } else {
                Code::HistoryRollback
            };
            findings.push(signed.finding(code, message));
        }
    }

    fn has_entries(&self, size: u64) -> bool {
        let last = size.saturating_sub(1) / TILE_WIDTH;
        let exact = entries_path(last, partial(size));
        self.archive.has(&exact) || self.archive.has(&entries_path(last, None))
    }

    fn next_size(&mut self, findings: &mut Findings) -> Option<u64> {
        while self.queue.is_empty() {
            let file = self.files.pop_front()?;
            self.load(&file, findings);
        }
        self.queue.front().map(|signed| signed.checkpoint.size)
    }

    fn load(&mut self, file: &str, findings: &mut Findings) {
        let text = match self.archive.read(file, NOTES_BYTES_MAX) {
            Ok(bytes) => String::from_utf8(bytes),
            Err(error) => return findings.push(error.finding(file)),
        };
        let Ok(text) = text else {
            return findings.push(Finding::new(Code::HistoryMalformed, "not UTF-8").file(file));
        };
        let file: Arc<str> = Arc::from(file);
        for (offset, note) in (Frames {
            rest: &text,
            offset: 0,
        }) {
            let Ok(note) = note else {
                let message = "a broken '#length' line; the rest was not checked";
                let finding = Finding::new(Code::HistoryMalformed, message);
                return findings.push(finding.file(&file).offset(offset));
            };
            self.note(note, &file, offset, findings);
        }
    }

    fn note(&mut self, note: &str, file: &Arc<str>, offset: usize, findings: &mut Findings) {
        self.read += 1;
        let fault = match self.trust.open(note) {
            Ok(_) if self.second_is_broken(note) => {
                "its second signature is not by the key that it names".to_owned()
            }
            Ok(checkpoint) if self.trust.same_log(&checkpoint) => {
                let signed = Signed {
                    checkpoint,
                    file: Arc::clone(file),
                    offset,
                };
                return self.signed(signed, findings);
            }
            Ok(other) => format!("it is of {}", other.origin),
            Err(error) => error.to_string(),
        };
        let finding = Finding::new(Code::HistorySignature, fault);
        findings.push(finding.file(file).offset(offset));
    }

    /// Not every archived checkpoint has a second signature; one that has must have a good one.
    fn second_is_broken(&self, note: &str) -> bool {
        let second = self.trust.second.as_ref();
        second.is_some_and(|key| key.signed(note) == Ok(Cosigned::Broken))
    }

    /// Sizes never fall, and one size has one root: in the archive, and against the checkpoint.
    fn signed(&mut self, signed: Signed, findings: &mut Findings) {
        let Checkpoint { size, root, .. } = signed.checkpoint;
        let last = self.last.replace(signed.clone());
        if let Some(last) = last.as_ref().filter(|last| size < last.checkpoint.size) {
            // Files are named by the node's clock, which may be set back over midnight.
            let same_file = last.file == signed.file;
            let code = if same_file {
                Code::HistoryRollback
            } else {
                Code::HistoryOrder
            };
            let before = last.checkpoint.size;
            let message = format!("it covers {size} entries, the one before {before}");
            findings.push(signed.finding(code, message));
        }
        let last = last.map(|last| last.checkpoint);
        let mut same_size = last
            .iter()
            .chain(&self.now)
            .filter(|other| other.size == size);
        if same_size.any(|other| other.root != root) {
            let message = format!("another root for size {size} is signed too");
            findings.push(signed.finding(Code::HistoryFork, message));
        }
        self.queue.push_back(signed);
    }
}

impl Signed {
    fn finding(&self, code: Code, message: String) -> Finding {
        Finding::new(code, message)
            .file(&self.file)
            .offset(self.offset)
    }
}

/// The files of archived checkpoints, oldest first. What cannot be listed is in the inventory.
pub(super) fn day_files(archive: &Archive) -> VecDeque<String> {
    let mut files = VecDeque::new();
    let below = |folder: &str| -> Vec<String> {
        let names = archive.names(folder).unwrap_or_default();
        names
            .into_iter()
            .map(|name| format!("{folder}/{}", name.text))
            .collect()
    };
    for year in below("checkpoints") {
        for month in below(&year) {
            files.extend(below(&month).into_iter().filter(|path| is_notes(path)));
        }
    }
    files
}
