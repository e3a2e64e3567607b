//! Attacks by way of another life of the node's database: a copy that goes on, a restore that is passed over.

use ledger::verify::{Book, Code, Comparison, compare};
use ledger::{Entry, Facts, Hash, Operation, Outcome};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::Forged;

/// Where the first of a log's lives begins, and the second.
const BEGINNINGS: [u64; 2] = [300, 600];

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T63",
        what: "a life of the node between two others is passed over",
        make: |scene| lived(scene, [1, 3], |_| {}),
        code: Code::IncarnationOrder,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a life of the node is said to begin behind other entries",
        make: |scene| lived(scene, [1, 2], |root| root.0[0] ^= 1),
        code: Code::IncarnationRoot,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a restored node goes on as the life that it was: the same number again",
        make: |scene| lived(scene, [2, 2], |_| {}),
        code: Code::IncarnationOrder,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "the next life of the node goes under the id of the one before",
        make: |scene| renamed(scene, &format!("incarnation/{:032x}", 1)),
        code: Code::IncarnationOrder,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "the next life of the node has no id",
        make: |scene| renamed(scene, "incarnation/2"),
        code: Code::IncarnationOrder,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a restored node goes on as the life that it was, and says nothing",
        make: |scene| {
            let log = Forged::told(SIZE + 100, &|seq, entry| {
                if seq >= BEGINNINGS[1] {
                    entry.boot.id = [2; 8];
                    entry.time_us += 60_000_000;
                }
            })?;
            scene.replace(&log, &[SIZE + 100])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T62",
        what: "two nodes write under one name, each as the next life, for two auditors",
        make: |scene| {
            let root = scene.log.checkpoint(BEGINNINGS[1]).root;
            let lives = [1, 9].map(|id| {
                Forged::told(SIZE, &move |seq, entry| {
                    if seq == BEGINNINGS[1] {
                        opened_as(entry, (id, 2), root);
                    }
                })
            });
            let [one, other] = lives;
            scene.replace(&one?, &SIZES)?;
            let second = scene.dir.with_extension("other-node");
            other?.publish(&second, &SIZES)?;
            let trust = scene.log.trust()?;
            let (one, other) = (
                Book::open(&scene.dir, &trust)?,
                Book::open(&second, &trust)?,
            );
            Ok(match compare(&one, &other) {
                Ok(Comparison::Fork { seq }) => Found::at(Code::Fork, seq),
                _ => Found::nothing(),
            })
        },
        code: Code::Fork,
        exit: 4,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a copy of the node goes on under its name, as a life of its own",
        make: |scene| {
            let root = scene.log.checkpoint(BEGINNINGS[1]).root;
            let copy = Forged::told(SIZE + 100, &|seq, entry| {
                if seq == BEGINNINGS[1] {
                    opened(entry, 2, root);
                }
            })?;
            scene.replace(&copy, &[SIZE + 100])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
];

/// The operator writes a log of two lives with these numbers, and changes the root behind which the second begins.
fn lived(
    scene: &Scene<'_>,
    [first, second]: [u32; 2],
    change: fn(&mut Hash),
) -> anyhow::Result<Found> {
    let [one, two] = BEGINNINGS;
    let root = scene.log.checkpoint(one).root;
    let begun = move |seq: u64, entry: &mut Entry| {
        if seq == one {
            opened(entry, first, root);
        }
    };
    let mut root = Forged::told(two, &begun)?.checkpoint(two).root;
    change(&mut root);
    let log = Forged::told(SIZE, &|seq, entry| {
        begun(seq, entry);
        if seq == two {
            opened(entry, second, root);
        }
    })?;
    scene.replace(&log, &SIZES)?;
    scene.judged()
}

/// The operator writes a log of two lives, and names the second otherwise.
fn renamed(scene: &Scene<'_>, name: &str) -> anyhow::Result<Found> {
    let [one, two] = BEGINNINGS;
    let root = scene.log.checkpoint(one).root;
    let begun = move |seq: u64, entry: &mut Entry| {
        if seq == one {
            opened(entry, 1, root);
        }
    };
    let root = Forged::told(two, &begun)?.checkpoint(two).root;
    let log = Forged::told(SIZE, &|seq, entry| {
        begun(seq, entry);
        if seq == two {
            opened(entry, 2, root);
            entry.facts.key = Some((name.to_owned(), 2));
        }
    })?;
    scene.replace(&log, &SIZES)?;
    scene.judged()
}

fn opened(entry: &mut Entry, number: u32, root: Hash) {
    opened_as(entry, (number, number), root);
}

fn opened_as(entry: &mut Entry, (id, number): (u32, u32), root: Hash) {
    entry.facts = Facts {
        key: Some((format!("incarnation/{id:032x}"), number)),
        commitment: Some(root.0),
        reason: Some("restored".to_owned()),
        ..Facts::new(Operation::IncarnationOpen, Outcome::Ok)
    };
}
