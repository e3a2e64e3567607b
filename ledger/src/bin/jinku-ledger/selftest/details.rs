//! Attacks on reasons in words, which an entry commits to and does not hold: on the text, its salt, and the commitment.

use ledger::verify::{Book, Code, Listing};
use ledger::{Detail, Entry, Facts, Operation, Outcome, detail_commitment};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::{Change, Forged, same};
use crate::reconcile::Committed;

/// The entries that commit to a reason, and one that does not.
const SEQ: u64 = 299;
const OTHER: u64 = 301;
const BARE: u64 = 302;
/// The entry that erases the reason of the other one.
const ERASES: u64 = 600;
const SALTS: [[u8; 32]; 2] = [[7; 32], [8; 32]];
const REASONS: [&str; 2] = ["asked for by letter 114-2231", "by order of the court"];

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T53",
        what: "a reason in words is altered behind its commitment, its salt kept",
        make: |scene| {
            given(
                scene,
                SEQ,
                &Detail::new(SEQ, &SALTS[0], REASONS[1].to_owned()),
            )
        },
        code: Code::DetailDiffers,
        exit: 2,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T53",
        what: "the salt of a reason is altered",
        make: |scene| {
            given(
                scene,
                SEQ,
                &Detail::new(SEQ, &SALTS[1], REASONS[0].to_owned()),
            )
        },
        code: Code::DetailDiffers,
        exit: 2,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T53",
        what: "the reason of another entry is handed out as this one's",
        make: |scene| {
            given(
                scene,
                SEQ,
                &Detail::new(SEQ, &SALTS[1], REASONS[1].to_owned()),
            )
        },
        code: Code::DetailDiffers,
        exit: 2,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T53",
        what: "a reason is handed out under the number of another entry",
        make: |scene| {
            given(
                scene,
                SEQ,
                &Detail::new(OTHER, &SALTS[0], REASONS[0].to_owned()),
            )
        },
        code: Code::DetailDiffers,
        exit: 2,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T53",
        what: "a reason is claimed for an entry that committed to none",
        make: |scene| {
            given(
                scene,
                BARE,
                &Detail::new(BARE, &SALTS[0], REASONS[0].to_owned()),
            )
        },
        code: Code::DetailDiffers,
        exit: 2,
        at: At::Seq(BARE),
    },
    Attack {
        id: "T53",
        what: "an entry's commitment is altered to fit another reason, all hashes left alone",
        make: |scene| {
            let log = publish(scene)?;
            let altered = log.edited(SEQ, |entry| {
                entry.facts.detail = Some(detail_commitment(&SALTS[0], REASONS[1]));
            })?;
            let mut entries = log.entries[256..512].to_vec();
            entries[usize::try_from(SEQ - 256)?] = altered;
            scene.put_bundle(1, &entries)?;
            scene.judged()
        },
        code: Code::EntryAltered,
        exit: 2,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T53",
        what: "an entry's commitment is altered, and everything signed anew",
        make: |scene| {
            let honest = publish(scene)?;
            let log = Forged::told(SIZE, &|seq, entry| {
                committed(seq, entry);
                if seq == SEQ {
                    entry.facts.detail = Some(detail_commitment(&SALTS[0], REASONS[1]));
                }
            })?;
            scene.replace(&log, &SIZES)?;
            Ok(scene.verify(&honest.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T52",
        what: "a reason in words is thrown away, and no entry says that it was erased",
        make: |scene| {
            publish(scene)?;
            // The other one was erased as it must be, or is there.
            given_all(
                scene,
                &[Detail::new(OTHER, &SALTS[1], REASONS[1].to_owned())],
            )
        },
        code: Code::DetailMissing,
        exit: 5,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T52",
        what: "an entry that erases one reason covers for another",
        make: |scene| {
            let log = Forged::told(SIZE, &|seq, entry| {
                committed(seq, entry);
                if seq == ERASES {
                    entry.facts = Facts {
                        reason: Some(format!("entry-{OTHER}")),
                        ..Facts::new(Operation::DetailErase, Outcome::Ok)
                    };
                }
            })?;
            scene.replace(&log, &SIZES)?;
            given_all(scene, &[])
        },
        code: Code::DetailMissing,
        exit: 5,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T37",
        what: "an entry that commits to a reason calls itself of the first version",
        make: |scene| respelled(scene, |bytes| [&bytes[..2], &[1], &bytes[3..]].concat()),
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(SEQ),
    },
];

/// What the honest archive of a log with reasons comes to, one of its reasons, and all of them.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<[Found; 3]> {
    let own = Detail::new(SEQ, &SALTS[0], REASONS[0].to_owned());
    let other = Detail::new(OTHER, &SALTS[1], REASONS[1].to_owned());
    let held = given(scene, SEQ, &own)?;
    Ok([scene.judged()?, held, given_all(scene, &[own, other])?])
}

fn committed(seq: u64, entry: &mut Entry) {
    let which = [SEQ, OTHER].iter().position(|at| *at == seq);
    if let Some(which) = which {
        entry.facts.detail = Some(detail_commitment(&SALTS[which], REASONS[which]));
    }
}

/// Puts a log with reasons in the honest archive's place.
fn publish(scene: &Scene<'_>) -> anyhow::Result<Forged> {
    let log = Forged::told(SIZE, &committed)?;
    scene.replace(&log, &SIZES)?;
    Ok(log)
}

/// What `record --detail` says of a text that was handed out as the reason of an entry.
fn given(scene: &Scene<'_>, seq: u64, detail: &Detail) -> anyhow::Result<Found> {
    publish(scene)?;
    let receipt = Book::open(&scene.dir, &scene.log.trust()?)?.receipt(seq)?;
    let entry = Entry::decode(&receipt.entry)?;
    Ok(if detail.is_of(&entry) {
        Found::nothing()
    } else {
        Found::at(Code::DetailDiffers, seq)
    })
}

/// What `reconcile --details` says of all the reasons that were handed out.
fn given_all(scene: &Scene<'_>, all: &[Detail]) -> anyhow::Result<Found> {
    let mut committed = Committed::default();
    Listing::open(&scene.dir)?.for_each(|listed| committed.add(&listed));
    let first = committed.judge(all).pop_first();
    Ok(first.map_or_else(Found::nothing, |(seq, code)| Found::at(code, seq)))
}

/// The operator writes the entry that commits in other bytes, links to them, and signs.
fn respelled(scene: &Scene<'_>, respell: fn(&[u8]) -> Vec<u8>) -> anyhow::Result<Found> {
    let change = Change {
        entry: &committed,
        bytes: &|seq, bytes| {
            if seq == SEQ {
                respell(&bytes)
            } else {
                same(seq, bytes)
            }
        },
    };
    scene.replace(&Forged::written(SIZE, &change)?, &SIZES)?;
    scene.judged()
}
