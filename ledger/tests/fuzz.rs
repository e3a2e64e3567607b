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

use support::Dice;
use targets::{HONEST, TARGETS};

/// Garbage of each length up to this.
const LENGTH_MAX: usize = 768;
/// How often real bytes are cut apart and put together with garbage between.
const MIXES: usize = 1_000;

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
        // Of a long one some places, another each time it is changed.
        let step = good.len().div_ceil(2_000);
        let places = || (0..good.len()).step_by(step);
        places().for_each(|length| target(&good[..length]));
        for at in places() {
            let mut bad = good.clone();
            bad[at] ^= 1 << dice.below(8);
            target(&bad);
            bad[at] = [0, b'\n', b' ', 0xff][dice.below(4)];
            target(&bad);
        }
        for _ in 0..MIXES {
            let (from, to) = (dice.below(good.len() + 1), dice.below(good.len() + 1));
            let length = dice.below(40);
            let between = garbage(&mut dice, length);
            target(&[&good[..from], &between, &good[to..]].concat());
        }
    }
}

/// Runs the target of this name over what it begins with.
fn named(name: &str) {
    let (_, target, seeds) = TARGETS.iter().find(|(known, ..)| *known == name).unwrap();
    let seeds = seeds();
    assert!(!seeds.is_empty() && seeds.iter().all(|seed| !seed.is_empty()));
    run(*target, &seeds);
}

#[test]
fn entries_and_items() {
    named("entry");
    named("items");
}

#[test]
fn notes_and_keys() {
    named("note");
}

#[test]
fn cosignatures() {
    named("cosignature");
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
    named("proof");
}

#[test]
fn policies() {
    named("policy");
}

#[test]
fn receipts() {
    named("receipt");
}

#[test]
fn paths_and_names() {
    named("paths");
}

#[test]
fn stamps_and_certificates() {
    named("stamp");
}

#[test]
fn details() {
    named("detail");
}

// `cargo fuzz` finds every one of them, and each has something real to begin with.
#[test]
fn every_target_has_its_program_and_its_seeds() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    for (name, _, seeds) in TARGETS {
        let program = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&program), "{name}");
        assert!(!seeds().is_empty(), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len() + 1);
}
