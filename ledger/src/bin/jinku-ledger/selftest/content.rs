//! Attacks on what entries say, on their order, and on how they are spelled.

use anyhow::Context as _;
use ledger::verify::Code;
use ledger::{Entry, leaf_hash};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::{Change, Forged, same, write_history};

const TILE_1: &str = "tile/0/001";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T01",
        what: "one bit of an entry is flipped",
        make: |scene| edit(scene, |entry| entry.time_us ^= 1),
        code: Code::EntryAltered,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T60",
        what: "content is edited, all stored hashes left alone (immudb 2063)",
        make: |scene| {
            edit(scene, |entry| {
                entry.facts.unit = Some("tax-0ffice".to_owned());
            })
        },
        code: Code::EntryAltered,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T02",
        what: "an entry and its hash in the leaf tile are changed",
        make: |scene| {
            let entry = scene.log.edited(300, |entry| entry.time_us ^= 1)?;
            let index = 32 * (300 - 256);
            let hash = leaf_hash(&entry);
            write_entry(scene, entry)?;
            scene.change(TILE_1, |tile| {
                tile[index..index + 32].copy_from_slice(hash.as_bytes());
            })?;
            scene.judged()
        },
        code: Code::ChainBroken,
        exit: 2,
        at: At::Seq(301),
    },
    Attack {
        id: "T03",
        what: "an entry and every tile above it are changed, the checkpoint kept",
        make: |scene| {
            let mut log = scene.log.clone();
            log.entries[300] = scene.log.edited(300, |entry| entry.time_us ^= 1)?;
            log.write_tiles(&scene.dir, SIZE)?;
            log.write_bundles(&scene.dir, SIZE)?;
            scene.judged()
        },
        code: Code::RootMismatch,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T06",
        what: "an entry is taken out, nothing renumbered",
        make: |scene| {
            let mut entries = scene.bundle(1);
            entries.remove(44);
            entries.push(scene.log.entries[512].clone());
            scene.put_bundle(1, &entries)?;
            scene.judged()
        },
        code: Code::EntrySequence,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T09",
        what: "two entries are swapped",
        make: |scene| {
            let mut entries = scene.bundle(1);
            entries.swap(44, 60);
            scene.put_bundle(1, &entries)?;
            scene.judged()
        },
        code: Code::EntrySequence,
        exit: 2,
        at: At::Seq(316),
    },
    Attack {
        id: "T10",
        what: "an old entry is put in the place of a later one",
        make: |scene| {
            let mut entries = scene.bundle(1);
            entries[100].clone_from(&scene.log.entries[20]);
            scene.put_bundle(1, &entries)?;
            scene.judged()
        },
        code: Code::EntrySequence,
        exit: 2,
        at: At::Seq(356),
    },
    Attack {
        id: "T35",
        what: "an entry in a second spelling, signed by its operator: not the shortest integer",
        make: |scene| {
            respelled(scene, |bytes| {
                [&bytes[..2], &[0x18, 0x01], &bytes[3..]].concat()
            })
        },
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T35",
        what: "an entry in a second spelling, signed by its operator: bytes after the end",
        make: |scene| respelled(scene, |bytes| [bytes, &[0]].concat()),
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T35",
        what: "an entry in a second spelling, signed by its operator: a key twice",
        make: |scene| {
            respelled(scene, |bytes| {
                let twice = [&[bytes[0] + 1], &bytes[1..], &[0x12, 0x60, 0x12, 0x60][..2]];
                [twice.concat(), vec![0x12, 0x60]].concat()
            })
        },
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T36",
        what: "a unit's name in another Unicode form, signed by the operator",
        make: |scene| {
            respelled(scene, |bytes| {
                // The unit's ten letters become eight and an accent that combines.
                let text = bytes
                    .windows(10)
                    .position(|part| part == b"tax-office")
                    .unwrap_or(0);
                [&bytes[..text], b"tax-offe\xcc\x81", &bytes[text + 10..]].concat()
            })
        },
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T37",
        what: "an entry of a newer version, to hide what it says",
        make: |scene| respelled(scene, |bytes| [&bytes[..2], &[2], &bytes[3..]].concat()),
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T37",
        what: "an entry with a key that nobody knows, to hide something in it",
        make: |scene| {
            respelled(scene, |bytes| {
                [&[bytes[0] + 1], &bytes[1..], &[0x18, 0x63, 0x61, b'x']].concat()
            })
        },
        code: Code::EntryMalformed,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T45",
        what: "the wall clock goes back",
        make: |scene| {
            told(scene, &|seq, entry| {
                if seq >= 300 {
                    entry.time_us -= 1_000_000;
                    entry.boot.id = [2; 8];
                }
            })
        },
        code: Code::TimeStepBack,
        exit: 1,
        at: At::Seq(300),
    },
    Attack {
        id: "T45",
        what: "the monotonic clock of one run goes back: an entry was moved",
        make: |scene| {
            told(scene, &|seq, entry| {
                if seq == 300 {
                    entry.boot.monotonic_us = 1;
                }
            })
        },
        code: Code::ClockMonotonic,
        exit: 2,
        at: At::Seq(300),
    },
    Attack {
        id: "T51",
        what: "the entries of one unit are left out",
        make: |scene| {
            let is_kept = |bytes: &&Vec<u8>| {
                let entry = Entry::decode(bytes);
                entry.is_ok_and(|entry| entry.facts.unit.as_deref() != Some("registry"))
            };
            let kept: Vec<Vec<u8>> = scene.log.entries.iter().filter(is_kept).cloned().collect();
            scene.put_bundle(0, &kept[..256])?;
            scene.judged()
        },
        code: Code::EntrySequence,
        exit: 2,
        at: At::Seq(3),
    },
    Attack {
        id: "T59",
        what: "the chain is right, the signed tree is another's (immudb's linear fake)",
        make: |scene| {
            let other = Forged::told(SIZE, &|seq, entry| entry.time_us += seq)?;
            other.write_tiles(&scene.dir, SIZE)?;
            let note = other.note(SIZE)?;
            scene.put("checkpoint", note.as_bytes())?;
            write_history(&scene.dir, &[note])?;
            scene.judged()
        },
        code: Code::RootMismatch,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T59",
        what: "the signed tree is right, one link of the chain is not",
        make: |scene| {
            told(scene, &|seq, entry| {
                if seq == 300 {
                    entry.prev.0[0] ^= 1;
                }
            })
        },
        code: Code::ChainBroken,
        exit: 2,
        at: At::Seq(300),
    },
];

/// Edits entry 300 in its bundle, and nothing else.
fn edit(scene: &Scene<'_>, edit: fn(&mut Entry)) -> anyhow::Result<Found> {
    write_entry(scene, scene.log.edited(300, edit)?)?;
    scene.judged()
}

fn write_entry(scene: &Scene<'_>, entry: Vec<u8>) -> anyhow::Result<()> {
    let mut entries = scene.bundle(1);
    *entries.get_mut(300 - 256).context("no such entry")? = entry;
    scene.put_bundle(1, &entries)
}

/// The operator writes entry 300 in other bytes, links to them, and signs.
fn respelled(scene: &Scene<'_>, respell: fn(&[u8]) -> Vec<u8>) -> anyhow::Result<Found> {
    let log = Forged::written(
        SIZE,
        &Change {
            entry: &|_, _| {},
            bytes: &|seq, bytes| {
                if seq == 300 {
                    respell(&bytes)
                } else {
                    same(seq, bytes)
                }
            },
        },
    )?;
    scene.replace(&log, &SIZES)?;
    scene.judged()
}

/// The operator tells another story from the beginning, and signs it.
fn told(scene: &Scene<'_>, change: &dyn Fn(u64, &mut Entry)) -> anyhow::Result<Found> {
    scene.replace(&Forged::told(SIZE, change)?, &SIZES)?;
    scene.judged()
}
