//! Epochs of pseudonyms, as entries say that they were opened and erased: each follows the one before it, and items are
//! named in one that was open then and not erased. What an erased epoch names, somebody could still name: its key lived on.
//!
//! Of the entries themselves only the items are looked at: no entry has the pseudonym of an actor yet.

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::finding::{Finding, Findings};
use super::part::Said;
use crate::entry::view::FactsView;
use crate::entry::{Operation, Outcome};
use crate::tile::TILE_WIDTH;

/// What the key of an entry about an epoch is called; its version is the epoch's number.
const KEY: &str = "pseudonym-epoch";
/// The most epochs that a log may have: one a day for 270 years. Bounds the memory.
const EPOCHS_MAX: usize = 100_000;
/// The most epochs that a bundle may name: one before it, and one for each of its entries.
const NAMED_MAX: usize = 1 + 256;
const _: () = assert!(NAMED_MAX as u64 == 1 + TILE_WIDTH);

/// The epoch that an entry opens or erases; `None` where it says that it does and names none.
pub(super) fn told(facts: &FactsView<'_>) -> Option<u32> {
    let (key, number) = facts.key?;
    (key == KEY && facts.outcome == Outcome::Ok).then_some(number)
}

/// Whether an entry of this operation changes which epochs there are.
#[inline]
pub(super) fn changes(operation: Operation) -> bool {
    matches!(operation, Operation::EpochOpen | Operation::EpochErase)
}

/// The epochs that the items of a bundle name.
#[derive(Default)]
pub(super) struct Named {
    runs: Vec<Run>,
    /// The entry that names one too many.
    beyond: Option<u64>,
}

/// The first and the last entry of a bundle that names an epoch.
struct Run {
    epoch: u64,
    first: u64,
    last: u64,
}

impl Named {
    /// An item of this entry names that epoch. Entries come in their order.
    #[inline]
    pub(super) fn note(&mut self, epoch: u64, seq: u64) {
        match self.runs.last_mut() {
            Some(run) if run.epoch == epoch => run.last = seq,
            _ => self.other(epoch, seq),
        }
    }

    /// Brings it to the end, where the next item looks for it.
    fn other(&mut self, epoch: u64, seq: u64) {
        let known = self.runs.iter().position(|run| run.epoch == epoch);
        let first = known.map_or(seq, |at| self.runs.remove(at).first);
        if self.runs.len() < NAMED_MAX {
            let last = seq;
            self.runs.push(Run { epoch, first, last });
        } else {
            self.beyond.get_or_insert(seq);
        }
    }
}

/// An epoch: the entry that opened it, and the one that erased it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Life {
    opened: u64,
    erased: Option<u64>,
}

/// What the entries said of epochs so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Epochs {
    /// By number, without gaps.
    lives: Vec<Life>,
    /// The number of the first of them.
    first: u64,
    /// Whether the walk began with the log's first entry: otherwise epochs may have been opened before.
    whole: bool,
    /// Whether items were named before any epoch was opened, as in logs from before there were epochs: in the first.
    unopened: bool,
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            lives: Vec::new(),
            first: 1,
            whole: true,
            unopened: false,
        }
    }
}

impl Epochs {
    /// Goes on behind entries that were not read this time.
    pub(super) fn behind(&mut self) {
        *self = Self {
            whole: false,
            ..Self::default()
        };
    }

    /// Takes up what an entry says of an epoch.
    pub(super) fn entry(&mut self, said: &Said, place: (u64, &str), findings: &mut Findings) {
        if !changes(said.operation) {
            return;
        }
        let taken = match said.epoch.map(u64::from) {
            None => Err("it names no epoch".to_owned()),
            Some(number) if said.operation == Operation::EpochOpen => self.open(number, place.0),
            Some(number) => self.erase(number, place.0),
        };
        if let Err(message) = taken {
            let finding = Finding::new(Code::EpochOrder, message).file(place.1);
            findings.push(finding.seq(place.0));
        }
    }

    fn open(&mut self, number: u64, seq: u64) -> Result<(), String> {
        let newest = self.first + self.lives.len() as u64 - 1;
        if self.lives.len() >= EPOCHS_MAX {
            return Err(format!("more than {EPOCHS_MAX} epochs"));
        }
        if self.lives.is_empty() {
            // A database from before there were epochs was in its first, and opens its second.
            let may_be = match (self.whole, self.unopened) {
                (false, _) => true,
                (true, false) => (1..=2).contains(&number),
                (true, true) => number == 2,
            };
            if !may_be {
                return Err(format!("epoch {number} is the first that is opened"));
            }
            if self.whole && number == 2 {
                self.lives.push(living(0));
            } else {
                self.first = number;
            }
        } else if number != newest + 1 {
            return Err(format!("epoch {number} after {newest}"));
        }
        self.lives.push(living(seq));
        Ok(())
    }

    fn erase(&mut self, number: u64, seq: u64) -> Result<(), String> {
        let newest = self.first + self.lives.len() as u64 - 1;
        if number >= newest && !self.lives.is_empty() {
            return Err(format!(
                "epoch {number} is erased, and the newest is {newest}"
            ));
        }
        let whole = self.whole;
        match self.life(number) {
            Some(life) if life.erased.is_none() => life.erased = Some(seq),
            Some(_) => return Err(format!("epoch {number} is erased a second time")),
            None if whole => return Err(format!("epoch {number} was never opened")),
            // It was opened before what was read this time.
            None => {}
        }
        Ok(())
    }

    fn life(&mut self, number: u64) -> Option<&mut Life> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lives.get_mut(at)
    }

    /// Holds the epochs that a bundle's items name to what its entries and those before it say.
    pub(super) fn named(&mut self, named: &Named, file: &str, findings: &mut Findings) {
        let mut push = |code, seq, message: String| {
            let finding = Finding::new(code, message).file(file);
            findings.push(finding.seq(seq));
        };
        for Run { epoch, first, last } in &named.runs {
            let unknown = !self.whole && (self.lives.is_empty() || *epoch < self.first);
            if unknown {
                continue;
            }
            if self.lives.is_empty() && *epoch == 1 {
                self.unopened = true;
                continue;
            }
            match self.life(*epoch) {
                Some(life) if life.opened <= *first => {
                    if life.erased.is_some_and(|erased| erased < *last) {
                        let message = format!("an item of epoch {epoch}, which was erased before");
                        push(Code::EpochErased, *last, message);
                    }
                }
                _ => {
                    let message = format!("an item of epoch {epoch}, which no entry before opens");
                    push(Code::EpochUnknown, *first, message);
                }
            }
        }
        if let Some(seq) = named.beyond {
            let message = format!("items of more than {NAMED_MAX} epochs in one bundle");
            push(Code::EpochUnknown, seq, message);
        }
    }
}

fn living(opened: u64) -> Life {
    let erased = None;
    Life { opened, erased }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of these items, in order: epoch and entry.
    fn found(epochs: &mut Epochs, items: &[(u64, u64)]) -> Vec<(Code, u64)> {
        let (mut named, mut findings) = (Named::default(), Findings::new(10));
        for (epoch, seq) in items {
            named.note(*epoch, *seq);
        }
        epochs.named(&named, "file", &mut findings);
        let found = findings.into_found().into_iter();
        found.map(|one| (one.code, one.seq.unwrap())).collect()
    }

    #[test]
    fn items_are_named_in_an_epoch_that_is_open() {
        let mut epochs = Epochs::default();
        epochs.open(1, 5).unwrap();
        epochs.open(2, 20).unwrap();
        epochs.erase(1, 30).unwrap();
        assert_eq!(found(&mut epochs, &[(1, 6), (1, 21), (2, 22), (1, 29)]), []);
        assert_eq!(
            found(&mut epochs, &[(1, 4), (2, 25), (1, 31), (3, 32)]),
            [(Code::EpochUnknown, 4), (Code::EpochUnknown, 32)]
        );
        let late = found(&mut epochs, &[(1, 29), (2, 30), (1, 31)]);
        assert_eq!(late, [(Code::EpochErased, 31)]);
        let many: Vec<(u64, u64)> = (0..300).map(|epoch| (epoch, 40)).collect();
        assert_eq!(
            found(&mut epochs, &many).last(),
            Some(&(Code::EpochUnknown, 40))
        );
    }

    // However many were opened, no bundle has the entries to name so many.
    #[test]
    fn a_bundle_names_no_more_epochs_than_it_could_open() {
        let mut epochs = Epochs::default();
        for number in 1..=300 {
            epochs.open(number, number).unwrap();
        }
        let all = |many: u64| -> Vec<(u64, u64)> { (1..=many).map(|epoch| (epoch, 400)).collect() };
        assert_eq!(found(&mut epochs, &all(257)), []);
        assert_eq!(found(&mut epochs, &all(258)), [(Code::EpochUnknown, 400)]);
    }

    #[test]
    fn epochs_come_one_after_another_and_the_newest_stays() {
        let mut epochs = Epochs::default();
        assert!(epochs.erase(1, 0).is_err() && epochs.open(3, 0).is_err());
        epochs.open(1, 1).unwrap();
        for number in [0, 1, 3] {
            assert!(epochs.open(number, 2).is_err(), "{number}");
        }
        assert!(epochs.erase(1, 3).is_err());
        epochs.open(2, 4).unwrap();
        epochs.erase(1, 5).unwrap();
        assert!(epochs.erase(1, 6).is_err() && epochs.erase(2, 6).is_err());
        for number in 3..=EPOCHS_MAX as u64 {
            epochs.open(number, number).unwrap();
        }
        let one_more = EPOCHS_MAX as u64 + 1;
        assert!(epochs.open(one_more, one_more).is_err());
    }

    #[test]
    fn a_log_from_before_epochs_was_in_its_first() {
        let mut epochs = Epochs::default();
        assert_eq!(found(&mut epochs, &[(1, 3)]), []);
        assert_eq!(found(&mut epochs, &[(2, 3)]), [(Code::EpochUnknown, 3)]);
        assert!(epochs.open(1, 4).is_err());
        epochs.open(2, 5).unwrap();
        assert_eq!(found(&mut epochs, &[(1, 6), (2, 7)]), []);
        // Who begins in the midst does not know what was opened before.
        epochs.behind();
        assert_eq!(found(&mut epochs, &[(1, 8), (9, 8)]), []);
        epochs.erase(4, 9).unwrap();
        epochs.open(6, 9).unwrap();
        let late = found(&mut epochs, &[(5, 10), (6, 10), (7, 10)]);
        assert_eq!(late, [(Code::EpochUnknown, 10)]);
    }
}
