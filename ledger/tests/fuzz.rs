//! The fuzz targets of `ledger/fuzz` on stable Rust: over garbage of every length, and over what they read when it is
//! real, cut at every length and changed at every byte. The same in every run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;
#[expect(unreachable_pub, reason = "it is a library of its own too")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use ledger::proof::{consistency_proof, inclusion_proof};
use ledger::{BatchWriter, Hash};
use support::{Dice, items_of};
use targets::{HONEST, SIZE};

/// Garbage of each length up to this.
const LENGTH_MAX: usize = 512;

fn garbage(dice: &mut Dice, length: usize) -> Vec<u8> {
    (0..length)
        .map(|_| u8::try_from(dice.below(256)).unwrap())
        .collect()
}

/// Runs a target over garbage, and over `real` as it is, cut, and changed.
fn run(target: fn(&[u8]), real: &[Vec<u8>]) {
    let mut dice = Dice(17);
    for length in 0..LENGTH_MAX {
        target(&garbage(&mut dice, length));
        target(&vec![0; length]);
        target(&vec![b'\n'; length]);
    }
    for good in real {
        target(good);
        (0..good.len()).for_each(|length| target(&good[..length]));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << dice.below(8);
            target(&bad);
            bad[at] = [0, b'\n', b' ', 0xff][dice.below(4)];
            target(&bad);
        }
        for _ in 0..200 {
            let (from, to) = (dice.below(good.len() + 1), dice.below(good.len() + 1));
            let length = dice.below(40);
            let between = garbage(&mut dice, length);
            target(&[&good[..from], &between, &good[to..]].concat());
        }
    }
}

fn flat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn entries_and_items() {
    run(
        targets::entry,
        &[HONEST.entries[1].clone(), HONEST.entries[599].clone()],
    );
    let mut batch = BatchWriter::default();
    for item in items_of(3) {
        batch.push(&item, 2).unwrap();
    }
    run(targets::items, &[items_of(3)[0].encode(), batch.finish().1]);
}

#[test]
fn notes_and_keys() {
    let keys = [HONEST.key.to_string(), HONEST.witness.to_string()];
    let texts = [
        HONEST.note.clone(),
        HONEST.checkpoint.body(),
        ledger::framed_note(&HONEST.note),
    ];
    let real: Vec<_> = keys
        .into_iter()
        .chain(texts)
        .map(String::into_bytes)
        .collect();
    run(targets::note, &real);
    run(targets::cosignature, &real);
}

#[test]
fn tiles_in_place_of_each() {
    let mut dice = Dice(19);
    for (tile, (_, good)) in (0_u64..).zip(&HONEST.tiles) {
        for _ in 0..60 {
            let choice = tile << 32 | dice.below(1 << 30) as u64;
            let mut forged = good.clone();
            match dice.below(4) {
                0 => forged.truncate(dice.below(good.len())),
                1 => forged.extend(garbage(&mut dice, 33)),
                _ => {
                    let at = dice.below(good.len());
                    forged[at] ^= 1 << dice.below(8);
                }
            }
            targets::tiles(&[&choice.to_le_bytes()[..], &forged].concat());
            targets::tiles(&[&choice.to_le_bytes()[..], good].concat());
        }
    }
}

#[test]
fn proofs() {
    let proofs = [0, 5, 299, 599].map(|index: u64| {
        let proof = flat(&inclusion_proof(&HONEST.leaves, index).unwrap());
        [&index.to_le_bytes()[..], &SIZE.to_le_bytes(), &proof].concat()
    });
    let consistency = flat(&consistency_proof(&HONEST.leaves, 300).unwrap());
    let consistency = [
        &300_u64.to_le_bytes()[..],
        &SIZE.to_le_bytes(),
        &consistency,
    ]
    .concat();
    let real: Vec<_> = proofs.into_iter().chain([consistency]).collect();
    run(targets::proof, &real);
}

#[test]
fn policies() {
    let key = HONEST.witness.to_string();
    let policy = format!(
        "log {}\nwitness a {key}\ngroup g 1 a\nquorum g\n",
        HONEST.key
    );
    run(
        targets::policy,
        &[policy.into_bytes(), b"quorum none\n".to_vec()],
    );
}

#[test]
fn receipts() {
    run(targets::receipt, &[HONEST.receipt(5).into_bytes()]);
}

#[test]
fn paths_and_names() {
    let real = [
        "tile/0/x001/x234/067.p/8",
        "tile/entries/000",
        "fuzz.example/vault/node-1",
    ];
    run(targets::paths, &real.map(|path| path.as_bytes().to_vec()));
}
