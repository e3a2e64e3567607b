//! Attacks by way of epochs of pseudonyms: names in one that is not open, or was erased, and epochs out of their turn.
//! (Numbers above T64 are not in the catalogue of the research: what they attack was made since.)

use ledger::verify::Code;
use ledger::{Entry, Facts, Item, ItemView, Operation, Outcome, Pseudonym};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::Forged;

/// Entries that open the first epoch and the second, and erase the first.
const OPENED: [u64; 2] = [1, 400];
const ERASED: u64 = 501;
/// Entries that have items: behind the erasure, and between the openings.
const LATE: u64 = 521;
const EARLY: u64 = 304;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T65",
        what: "an item names an epoch of pseudonyms that was erased: its key was kept",
        make: |scene| {
            told(
                scene,
                |seq| items(seq, |seq| if seq == LATE { 1 } else { right(seq) }),
                |_, _| {},
            )
        },
        code: Code::EpochErased,
        exit: 2,
        at: At::Seq(LATE),
    },
    Attack {
        id: "T65",
        what: "an item names an epoch of pseudonyms before it begins",
        make: |scene| {
            told(
                scene,
                |seq| items(seq, |seq| if seq == EARLY { 2 } else { right(seq) }),
                |_, _| {},
            )
        },
        code: Code::EpochUnknown,
        exit: 2,
        at: At::Seq(EARLY),
    },
    Attack {
        id: "T65",
        what: "an item names an epoch of pseudonyms that never begins",
        make: |scene| {
            told(
                scene,
                |seq| items(seq, |seq| if seq == LATE { 9 } else { right(seq) }),
                |_, _| {},
            )
        },
        code: Code::EpochUnknown,
        exit: 2,
        at: At::Seq(LATE),
    },
    Attack {
        id: "T65",
        what: "the present epoch of pseudonyms is erased",
        make: |scene| {
            told(scene, honestly, |seq, entry| {
                if seq == ERASED {
                    entry.facts = about(Operation::EpochErase, 2);
                }
            })
        },
        code: Code::EpochOrder,
        exit: 2,
        at: At::Seq(ERASED),
    },
    Attack {
        id: "T65",
        what: "an epoch of pseudonyms is opened a second time",
        make: |scene| {
            told(scene, honestly, |seq, entry| {
                if seq == ERASED {
                    entry.facts = about(Operation::EpochOpen, 1);
                }
            })
        },
        code: Code::EpochOrder,
        exit: 2,
        at: At::Seq(ERASED),
    },
    Attack {
        id: "T65",
        what: "an epoch of pseudonyms is passed over",
        make: |scene| {
            told(scene, honestly, |seq, entry| {
                if seq == ERASED {
                    entry.facts = about(Operation::EpochOpen, 4);
                }
            })
        },
        code: Code::EpochOrder,
        exit: 2,
        at: At::Seq(ERASED),
    },
];

/// What the honest archive of a log with epochs comes to.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<Found> {
    told(scene, honestly, |_, _| {})
}

/// The epoch that an entry's items are named in.
fn right(seq: u64) -> u64 {
    if seq < OPENED[1] { 1 } else { 2 }
}

fn honestly(seq: u64) -> Vec<Item> {
    items(seq, right)
}

/// Every seventh entry has an item, named in the epoch that `epoch` gives.
fn items(seq: u64, epoch: fn(u64) -> u64) -> Vec<Item> {
    if seq % 7 != 3 {
        return Vec::new();
    }
    let pseudonym = Pseudonym {
        epoch: epoch(seq),
        id: u128::from(seq).to_be_bytes(),
    };
    vec![Item {
        pseudonym,
        class: "national-id".to_owned(),
        view: ItemView::Issued,
    }]
}

fn about(operation: Operation, number: u32) -> Facts {
    Facts {
        key: Some(("pseudonym-epoch".to_owned(), number)),
        ..Facts::new(operation, Outcome::Ok)
    }
}

/// The operator writes a log with two epochs, with these items, and changes what entries say.
fn told(
    scene: &Scene<'_>,
    items: fn(u64) -> Vec<Item>,
    change: fn(u64, &mut Entry),
) -> anyhow::Result<Found> {
    let log = Forged::told_of(
        SIZE,
        &|seq, entry| {
            let [first, second] = OPENED;
            for (at, operation, number) in [
                (first, Operation::EpochOpen, 1),
                (second, Operation::EpochOpen, 2),
                (ERASED, Operation::EpochErase, 1),
            ] {
                if seq == at {
                    entry.facts = about(operation, number);
                }
            }
            change(seq, entry);
        },
        items,
    )?;
    scene.replace(&log, &SIZES)?;
    scene.judged()
}
