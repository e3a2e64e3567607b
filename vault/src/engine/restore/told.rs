//! What the entries since a backup speak of, and in which epochs' pseudonyms.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger::{Facts, Item, ItemView, Operation, Outcome};

use super::Pseudonym;
use crate::commit::{Replay, ReplayError, Replayed};
use crate::engine::own_keys::epoch_told;
use crate::model::Timestamp;
use crate::store::{EpochRow, EpochWrite};

/// What later entries speak of.
#[derive(Default)]
pub(super) struct Told {
    /// The backup's epochs, with what became of them since.
    pub(super) epochs: Vec<EpochRow>,
    /// Tokens that something was done to.
    named: HashSet<Pseudonym>,
    /// Tokens that were issued, and in which epoch's words.
    issued: HashMap<Pseudonym, u32>,
    pub(super) removed: HashSet<Pseudonym>,
    pub(super) subjects: HashSet<[u8; 32]>,
    pub(super) root_rotated: Option<u64>,
    spoken: Spoken,
}

/// Whether any row's uses are counted.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Uses {
    Counted,
    Free,
}

/// In which epochs, and the first entry of each that needs its pseudonyms to be done again.
#[derive(Default)]
struct Spoken {
    epochs: BTreeSet<u32>,
    removing: BTreeSet<u32>,
    acting: BTreeMap<u32, u64>,
    showing: BTreeMap<u32, u64>,
}

impl Told {
    pub(super) fn by(replay: &Replay, epochs: Vec<EpochRow>) -> Result<Self, ReplayError> {
        let mut told = Self {
            epochs,
            ..Self::default()
        };
        for replayed in replay.entries() {
            let Replayed { entry, items, .. } = replayed?;
            if entry.facts.outcome == Outcome::Ok {
                let at = Timestamp(entry.time_us);
                told.note_epoch(entry.seq, epoch_told(&entry.facts, at));
                told.note(entry.seq, &entry.facts, &items);
            }
        }
        let mut issued = std::mem::take(&mut told.issued);
        // Of the others nobody can tell whether the backup has them.
        issued.retain(|_, epoch| !told.is_erased(*epoch));
        told.issued = issued;
        Ok(told)
    }

    fn note_epoch(&mut self, entry: u64, write: Option<EpochWrite>) {
        match write {
            Some(EpochWrite::Open { number, slot, at }) => {
                // As the store does it: a database from before epochs was in its first.
                let row = |number, slot| EpochRow {
                    number,
                    slot,
                    opened: at,
                    entry,
                    erased: None,
                };
                if self.epochs.is_empty() && number == 2 {
                    self.epochs.push(row(1, None));
                }
                self.epochs.push(row(number, Some(slot)));
            }
            Some(EpochWrite::Erase { number, at }) => {
                let rows = self.epochs.iter_mut();
                for row in rows.filter(|row| row.number == number) {
                    row.erased = Some(at);
                }
            }
            None => {}
        }
    }

    fn note(&mut self, seq: u64, facts: &Facts, items: &[Item]) {
        let ids = |view: ItemView| {
            let of = move |item: &&Item| item.view == view;
            items.iter().filter(of).map(|item| item.pseudonym.id)
        };
        let present = self.epochs.last().map_or(1, |row| row.number);
        self.spoken.note((seq, present), facts, items);
        let issued = items.iter().filter(|item| item.view == ItemView::Issued);
        let issued = issued.map(|item| (item.pseudonym.id, epoch_of(item)));
        match facts.operation {
            Operation::Tokenize => self.issued.extend(issued),
            Operation::Erase | Operation::TokenPurge | Operation::TokenReplace => {
                self.issued.extend(issued);
                self.removed.extend(ids(ItemView::Done));
                self.subjects.extend(facts.commitment);
            }
            Operation::TokenDisable | Operation::TokenEnable | Operation::TokenMove => {
                self.named.extend(ids(ItemView::Done));
            }
            Operation::HoldPlace => {
                self.named.extend(ids(ItemView::Done));
                self.subjects.extend(facts.commitment);
            }
            Operation::RootRotate => {
                self.root_rotated.get_or_insert(seq);
            }
            _ => {}
        }
    }

    pub(super) fn speaks_of(&self, id: &Pseudonym) -> bool {
        self.named.contains(id) || self.issued.contains_key(id) || self.removed.contains(id)
    }

    /// Whether anything is told in this epoch's words.
    pub(super) fn speaks_in(&self, epoch: u32) -> bool {
        self.spoken.epochs.contains(&epoch)
    }

    /// Tokens that were issued.
    pub(super) fn issued(&self) -> impl Iterator<Item = &Pseudonym> {
        self.issued.keys()
    }

    /// Whether rows were removed in the words of an epoch that is erased.
    pub(super) fn removed_blindly(&self) -> bool {
        let mut removing = self.spoken.removing.iter();
        removing.any(|epoch| self.is_erased(*epoch))
    }

    /// The first entry of an erased epoch whose act must be done again, and its epoch. Where rows have counted uses,
    /// each showing is such an act.
    pub(super) fn undoable(&self, uses: Uses) -> Option<(u64, u32)> {
        let showing = self.spoken.showing.iter();
        let showing = showing.filter(|_| uses == Uses::Counted);
        let acts = self.spoken.acting.iter().chain(showing);
        let erased = acts.filter(|(epoch, _)| self.is_erased(**epoch));
        erased.map(|(epoch, seq)| (*seq, *epoch)).min()
    }

    fn is_erased(&self, epoch: u32) -> bool {
        let mut rows = self.epochs.iter();
        rows.any(|row| row.number == epoch && row.erased.is_some())
    }
}

impl Spoken {
    fn note(&mut self, (seq, present): (u64, u32), facts: &Facts, items: &[Item]) {
        self.epochs.extend(items.iter().map(epoch_of));
        let removing = matches!(
            facts.operation,
            Operation::Erase | Operation::TokenPurge | Operation::TokenReplace
        );
        // One that is switched on again stays off, which is no harm: it is not among these.
        let acting = matches!(
            facts.operation,
            Operation::TokenDisable | Operation::TokenMove | Operation::HoldPlace
        );
        for item in items {
            let epoch = epoch_of(item);
            match item.view {
                ItemView::Done if removing => drop(self.removing.insert(epoch)),
                ItemView::Done if acting => drop(self.acting.entry(epoch).or_insert(seq)),
                ItemView::Plain | ItemView::Masked => {
                    self.showing.entry(epoch).or_insert(seq);
                }
                _ => {}
            }
        }
        // Of a subject the links go too, and which subject it was is in the commitment alone.
        if facts.operation == Operation::Erase && facts.commitment.is_some() {
            self.acting.entry(present).or_insert(seq);
        }
    }
}

fn epoch_of(item: &Item) -> u32 {
    u32::try_from(item.pseudonym.epoch).unwrap_or(u32::MAX)
}
