//! Epochs of pseudonyms in an archive: what items are named in is held to what entries opened and erased, in one run or
//! in two, with any number of threads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::path::Path;

use ledger::verify::{Begin, Code, Options, Resume, verify_archive, verify_watched};
use ledger::{
    Batch, Entry, Facts, Item, ItemView, Operation, Outcome, Pseudonym, Report, Trust,
    encode_items, items_root,
};
use support::Log;
use tempfile::{TempDir, tempdir};

const SIZE: u64 = 1300;

fn item(epoch: u64, seq: u64) -> Item {
    Item {
        pseudonym: Pseudonym {
            epoch,
            id: u128::from(seq).to_be_bytes(),
        },
        class: "name".to_owned(),
        view: ItemView::Issued,
    }
}

fn about(operation: Operation, number: u32) -> Facts {
    Facts {
        key: Some(("pseudonym-epoch".to_owned(), number)),
        ..Facts::new(operation, Outcome::Ok)
    }
}

/// A log in which epoch 1 is opened at 1, 2 at 300, and 1 is erased at 301; `items` names an epoch for some entries.
fn log(items: impl Fn(u64) -> Option<u64>, change: impl Fn(u64, &mut Entry)) -> Log {
    let named = |seq| items(seq).map(|epoch| item(epoch, seq));
    let mut log = Log::told(SIZE, |seq, entry| {
        entry.facts = match seq {
            0 => Facts::genesis(),
            1 => about(Operation::EpochOpen, 1),
            300 => about(Operation::EpochOpen, 2),
            301 => about(Operation::EpochErase, 1),
            _ => Facts::new(Operation::Tokenize, Outcome::Ok),
        };
        if let Some(item) = named(seq) {
            let root = items_root(&[item]).unwrap();
            entry.facts.batch = Some(Batch { count: 1, root });
        }
        change(seq, entry);
    });
    log.items = (0..SIZE)
        .map(|seq| encode_items(&Vec::from_iter(named(seq))).unwrap())
        .collect();
    log
}

/// Every fifth entry names an epoch, the one that is present.
fn honestly(seq: u64) -> Option<u64> {
    (seq > 1 && seq % 5 == 2).then_some(if seq < 300 { 1 } else { 2 })
}

fn published(log: &Log) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &[SIZE]);
    dir
}

fn found(report: &Report) -> Vec<(Code, Option<u64>)> {
    let found = report.findings.iter();
    found.map(|one| (one.code, one.seq)).collect()
}

/// What is found with one thread and with three, and where the run was broken off at each place.
fn all(dir: &Path, trust: &Trust) -> Vec<Vec<(Code, Option<u64>)>> {
    let mut places: Vec<Resume> = Vec::new();
    let mut verdicts = Vec::new();
    for threads in [1, 3] {
        let options = Options {
            threads,
            ..Options::default()
        };
        let report = verify_watched(dir, trust, &options, &mut |progress| {
            places.extend(progress.resume());
        });
        verdicts.push(found(&report));
    }
    for place in places {
        let place = Resume::parse(&place.to_json().unwrap()).unwrap();
        let options = Options {
            begin: Begin::Resume(Box::new(place)),
            ..Options::default()
        };
        let report = verify_archive(dir, trust, &options);
        assert!(report.resumed_at.is_some());
        verdicts.push(found(&report));
    }
    verdicts
}

#[test]
fn items_are_held_to_the_epochs_that_entries_opened_and_erased() {
    let untouched = |_: u64, _: &mut Entry| {};
    for (at, epoch, code) in [
        (0, 0, None),
        (302, 1, Some(Code::EpochErased)),
        (1202, 1, Some(Code::EpochErased)),
        (297, 2, Some(Code::EpochUnknown)),
        (52, 2, Some(Code::EpochUnknown)),
        (1202, 3, Some(Code::EpochUnknown)),
        (602, 0, Some(Code::EpochUnknown)),
    ] {
        let named = |seq| match honestly(seq) {
            Some(_) if seq == at => Some(epoch),
            right => right,
        };
        let log = log(named, untouched);
        let dir = published(&log);
        let expected: Vec<_> = code.map(|code| (code, Some(at))).into_iter().collect();
        let verdicts = all(dir.path(), &log.trust());
        // Once something is found there is no place to go on from.
        assert!(verdicts.len() >= 3 || at == 52, "{at}");
        for verdict in verdicts {
            assert_eq!(verdict, expected, "{at} {epoch}");
        }
    }
}

#[test]
fn epochs_come_in_their_turn() {
    for (at, operation, number) in [
        (300, Operation::EpochOpen, 3),
        (900, Operation::EpochOpen, 2),
        (900, Operation::EpochErase, 2),
        (900, Operation::EpochErase, 1),
        (900, Operation::EpochErase, 7),
    ] {
        let log = log(
            |_| None,
            |seq, entry| {
                if seq == at {
                    entry.facts = about(operation, number);
                }
            },
        );
        let dir = published(&log);
        for verdict in all(dir.path(), &log.trust()) {
            assert_eq!(verdict[0], (Code::EpochOrder, Some(at)), "{at} {number}");
        }
    }
    // One that names no epoch, or another thing's key, or was not done.
    let right = Some(("pseudonym-epoch".to_owned(), 3));
    for (key, outcome) in [
        (None, Outcome::Ok),
        (Some(("value.city".to_owned(), 3)), Outcome::Ok),
        (right, Outcome::Denied),
    ] {
        let log = log(
            |_| None,
            |seq, entry| {
                if seq == 900 {
                    entry.facts = about(Operation::EpochOpen, 3);
                    entry.facts.key.clone_from(&key);
                    entry.facts.outcome = outcome;
                }
            },
        );
        let dir = published(&log);
        let report = verify_archive(dir.path(), &log.trust(), &Options::default());
        assert_eq!(found(&report), [(Code::EpochOrder, Some(900))]);
        assert_eq!(report.exit_code, 2);
    }
}

// From a pinned checkpoint on, what was opened before is not known, and nobody is accused of it.
#[test]
fn who_begins_at_a_pinned_checkpoint_accuses_nobody() {
    let log = log(honestly, |_, _| {});
    let dir = published(&log);
    for pinned in [200, 400, 1000] {
        let trust = Trust {
            pinned: Some(log.checkpoint(pinned)),
            ..log.trust()
        };
        let options = Options {
            begin: Begin::Pinned,
            ..Options::default()
        };
        let report = verify_archive(dir.path(), &trust, &options);
        assert_eq!(found(&report), [], "{pinned}");
    }
}
