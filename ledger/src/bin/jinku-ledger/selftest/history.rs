//! Attacks by the operator, who has the signing key: rewriting, cutting, going back, showing two faces.

use ledger::Entry;
use ledger::verify::{Book, Code, Comparison, Unproven, compare};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::{Forged, write_history};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T07",
        what: "an entry is taken out, all later ones renumbered, linked and signed anew",
        make: |scene| {
            let log = Forged::told(SIZE - 1, &|seq, entry| {
                if seq >= 300 {
                    entry.time_us += 1000;
                    entry.boot.monotonic_us += 1000;
                }
            })?;
            scene.replace(&log, &[SIZE - 1])?;
            Ok(scene.verify(&scene.log.pinned(512)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T08",
        what: "an entry is put in, back-dated, all later ones signed anew",
        make: |scene| {
            let log = Forged::told(SIZE + 1, &|seq, entry| {
                if seq > 300 {
                    entry.time_us -= 1000;
                    entry.boot.monotonic_us -= 1000;
                }
            })?;
            scene.replace(&log, &[SIZE + 1])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T12",
        what: "the tail is cut, an older genuine checkpoint put back (rollback)",
        make: |scene| {
            scene.replace(scene.log, &[1, 300])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Rollback,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T12",
        what: "the tail is cut, but the archive of checkpoints remembers it",
        make: |scene| {
            scene.replace(scene.log, &[1, 300])?;
            let notes = [
                scene.log.note(1)?,
                scene.log.note(300)?,
                scene.log.note(SIZE)?,
            ];
            write_history(&scene.dir, &notes)?;
            scene.judged()
        },
        code: Code::HistoryRollback,
        exit: 4,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T13",
        what: "the log is begun anew under the same name: shorter",
        make: |scene| {
            scene.replace(&later(10)?, &[10])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Rollback,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T13",
        what: "the log is begun anew under the same name, and grown past the old one",
        make: |scene| {
            scene.replace(&later(SIZE + 100)?, &[SIZE + 100])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T14",
        what: "the tail is cut and the log continued (journald, CVE-2023-31438)",
        make: |scene| {
            scene.replace(&continued()?, &[1, 300, SIZE])?;
            Ok(scene.verify(&scene.log.pinned(512)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T14",
        what: "the tail is cut and the log continued; an archived checkpoint stayed",
        make: |scene| {
            let log = continued()?;
            scene.replace(&log, &[SIZE])?;
            write_history(
                &scene.dir,
                &[log.note(300)?, scene.log.note(512)?, log.note(SIZE)?],
            )?;
            scene.judged()
        },
        code: Code::HistoryFork,
        exit: 4,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T15",
        what: "two auditors are shown two histories (split view)",
        make: split_view,
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T16",
        what: "two roots are signed for one size",
        make: |scene| {
            let log = continued()?;
            let notes = [
                scene.log.note(300)?,
                log.note(512)?,
                scene.log.note(512)?,
                scene.log.note(SIZE)?,
            ];
            write_history(&scene.dir, &notes)?;
            scene.judged()
        },
        code: Code::HistoryFork,
        exit: 4,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T17",
        what: "one old entry is rewritten, everything signed anew with the stolen key",
        make: |scene| {
            scene.replace(&rewritten()?, &SIZES)?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T17",
        what: "one old entry is rewritten; an archived checkpoint stayed",
        make: |scene| {
            let log = rewritten()?;
            scene.replace(&log, &[SIZE])?;
            write_history(&scene.dir, &[scene.log.note(300)?, log.note(SIZE)?])?;
            scene.judged()
        },
        code: Code::HistoryFork,
        exit: 4,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T10",
        what: "a second genesis in the midst of the log",
        make: |scene| {
            let log = Forged::told(SIZE, &|seq, entry| {
                if seq == 300 {
                    entry.facts = ledger::Facts::genesis();
                }
            })?;
            scene.replace(&log, &SIZES)?;
            scene.judged()
        },
        code: Code::GenesisRule,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T63",
        what: "a backup is put back without a word, and the log grows on from there",
        make: |scene| {
            scene.replace(&continued()?, &[1, 300, SIZE + 100])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
];

/// The honest log's first 300 entries, and then others.
fn continued() -> anyhow::Result<Forged> {
    Forged::told(SIZE + 100, &|seq, entry| {
        if seq >= 300 {
            entry.facts.purpose = Some("another".to_owned());
        }
    })
}

/// One old entry says something else.
fn rewritten() -> anyhow::Result<Forged> {
    Forged::told(SIZE, &|seq, entry: &mut Entry| {
        if seq == 40 {
            entry.facts.unit = Some("nobody".to_owned());
        }
    })
}

/// Another log under the same name and key.
fn later(size: u64) -> anyhow::Result<Forged> {
    Forged::told(size, &|_, entry| entry.time_us += 1)
}

/// What `compare` says of two views.
fn split_view(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let other = scene.dir.with_extension("shown-to-another");
    rewritten()?.publish(&other, &SIZES)?;
    let trust = scene.log.trust()?;
    let (one, two) = (Book::open(&scene.dir, &trust)?, Book::open(&other, &trust)?);
    Ok(match compare(&one, &two) {
        Ok(Comparison::Fork { seq: 40 }) => Found::of(Code::Fork),
        Ok(_) => Found::nothing(),
        Err(Unproven::First(error) | Unproven::Second(error)) => Found::of(error.code()),
    })
}
