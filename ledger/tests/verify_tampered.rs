//! Every change to a published archive is found, in its class, and at its place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;

use ledger::tile::{bundle, entries_path, items_bundle, items_path, tile_path};
use ledger::verify::{Class, Code, Finding, Options, verify_archive};
use ledger::{Boot, Checkpoint, Hash, Operation, Report, Trust, encode_items, leaf_hash};
use support::{Dice, Log, files, items_of, put};
use tempfile::{TempDir, tempdir};

const SIZES: [u64; 3] = [1, 600, 700];

fn published(log: &Log) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &SIZES);
    dir
}

fn verify(dir: &Path, trust: &Trust) -> Report {
    verify_archive(dir, trust, &Options::default())
}

fn has(report: &Report, code: Code) -> bool {
    report.findings.iter().any(|finding| finding.code == code)
}

/// The verdict over an archive of 700 entries after a change.
fn after(change: impl FnOnce(&Log, &Path)) -> Report {
    let log = Log::of(700);
    let dir = published(&log);
    change(&log, dir.path());
    verify(dir.path(), &log.trust())
}

fn covers(finding: &Finding, seq: u64) -> bool {
    let first = finding.seq.unwrap_or(u64::MAX);
    (first..=finding.seq_last.unwrap_or(first)).contains(&seq)
}

/// Which entry of the file a byte belongs to (its length prefix included), and where that begins.
fn entry_at(log: &Log, first: usize, byte: usize) -> (u64, usize) {
    let mut start = 0;
    for (seq, entry) in (first as u64..).zip(&log.entries[first..]) {
        let end = start + 2 + entry.len();
        if byte < end {
            return (seq, start);
        }
        start = end;
    }
    panic!("no entry at {byte}");
}

fn flip(dir: &Path, file: &str, byte: usize, bit: u8) {
    let mut bytes = fs::read(dir.join(file)).unwrap();
    bytes[byte] ^= bit;
    fs::write(dir.join(file), bytes).unwrap();
}

fn expected_class(file: &str) -> Class {
    if file.starts_with("checkpoint") {
        Class::Trust
    } else {
        Class::Tampered
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_found_in_its_class() {
    let log = Log::of(700);
    let dir = published(&log);
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    for file in files(dir.path()) {
        let size = fs::metadata(dir.path().join(&file)).unwrap().len();
        for _ in 0..12 {
            let byte = dice.below(usize::try_from(size).unwrap());
            let bit = 1 << dice.below(8);
            flip(dir.path(), &file, byte, bit);
            let report = verify(dir.path(), &log.trust());
            let context = format!("{file} byte {byte} bit {bit}: {:?}", report.findings);
            assert_eq!(report.verdict, expected_class(&file), "{context}");
            let named = |finding: &Finding| finding.file.as_deref() == Some(file.as_str());
            assert!(report.findings.iter().any(named), "{context}");
            flip(dir.path(), &file, byte, bit);
        }
    }
    assert_eq!(verify(dir.path(), &log.trust()).verdict, Class::Verified);
}

#[test]
fn a_flipped_bit_in_a_bundle_names_the_entry_and_its_offset() {
    let log = Log::of(700);
    let dir = published(&log);
    let mut dice = Dice(77);
    for (n, width) in [(0, None), (1, None), (2, Some(188))] {
        let file = entries_path(n, width);
        let size = fs::metadata(dir.path().join(&file)).unwrap().len();
        for _ in 0..60 {
            let byte = dice.below(usize::try_from(size).unwrap());
            let bit = 1 << dice.below(8);
            let (seq, start) = entry_at(&log, usize::try_from(n).unwrap() * 256, byte);
            flip(dir.path(), &file, byte, bit);
            let report = verify(dir.path(), &log.trust());
            let placed = |finding: &Finding| {
                let offset = usize::try_from(finding.offset.unwrap_or(u64::MAX)).unwrap();
                finding.file.as_ref() == Some(&file)
                    && covers(finding, seq)
                    && (start..=start + 4200).contains(&offset)
            };
            let context = format!(
                "{file} byte {byte}: seq {seq} at {start}: {:?}",
                report.findings
            );
            assert!(report.findings.iter().any(placed), "{context}");
            flip(dir.path(), &file, byte, bit);
        }
    }
}

#[test]
fn a_flipped_bit_in_a_tile_names_the_tile_and_the_hash() {
    let log = Log::of(700);
    let dir = published(&log);
    let mut dice = Dice(99);
    let paths = [
        (0, 0, None),
        (0, 1, None),
        (0, 2, Some(188)),
        (1, 0, Some(2)),
    ];
    for (level, n, width) in paths {
        let file = tile_path(level, n, width);
        let size = fs::metadata(dir.path().join(&file)).unwrap().len();
        let last = usize::try_from(size).unwrap() - 1;
        let random = (0..30).map(|_| dice.below(last)).collect::<Vec<_>>();
        for byte in random.into_iter().chain([0, last]) {
            flip(dir.path(), &file, byte, 4);
            let report = verify(dir.path(), &log.trust());
            let context = format!("{file} byte {byte}: {:?}", report.findings);
            let placed = |finding: &Finding| {
                finding.code == Code::TileHash
                    && finding.file.as_ref() == Some(&file)
                    && finding.offset == Some(byte as u64 / 32 * 32)
            };
            assert!(report.findings.iter().any(placed), "{context}");
            assert!(!has(&report, Code::EntryAltered), "{context}");
            flip(dir.path(), &file, byte, 4);
        }
    }
}

#[test]
fn a_flipped_bit_of_an_entry_blames_no_tile_and_no_neighbour() {
    let log = Log::of(700);
    let dir = published(&log);
    // The last byte of entry 300's reason: still text, so the entry decodes.
    let before: usize = log.entries[256..300]
        .iter()
        .map(|entry| entry.len() + 2)
        .sum();
    let byte = before + 2 + log.entries[300].len() - 1;
    flip(dir.path(), &entries_path(1, None), byte, 1);
    let report = verify(dir.path(), &log.trust());
    let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.seq)).collect();
    let expected = [
        (Code::EntryAltered, Some(300)),
        (Code::RootMismatch, None),
        (Code::HistoryRoot, None),
    ];
    assert_eq!(found, expected);
    assert_eq!(report.findings[0].offset, Some(before as u64 + 2));
}

#[test]
fn a_cut_file_is_found_without_panic() {
    let log = Log::of(700);
    let mut dice = Dice(4321);
    let dir = published(&log);
    for file in files(dir.path()) {
        let whole = fs::read(dir.path().join(&file)).unwrap();
        for _ in 0..8 {
            let kept = dice.below(whole.len());
            // A history cut between two notes is a shorter history: nothing in it is false.
            if file.starts_with("checkpoints/") && (kept == 0 || whole[kept] == b'#') {
                continue;
            }
            put(dir.path(), &file, &whole[..kept]);
            let report = verify(dir.path(), &log.trust());
            let context = format!("{file} cut to {kept}: {:?}", report.findings);
            assert_eq!(report.verdict, expected_class(&file), "{context}");
            put(dir.path(), &file, &whole);
        }
    }
}

#[test]
fn a_lengthened_file_is_found() {
    let log = Log::of(700);
    let dir = published(&log);
    for file in files(dir.path()) {
        let whole = fs::read(dir.path().join(&file)).unwrap();
        put(dir.path(), &file, &[whole.as_slice(), b"\0"].concat());
        let report = verify(dir.path(), &log.trust());
        assert_eq!(
            report.verdict,
            expected_class(&file),
            "{file}: {:?}",
            report.findings
        );
        put(dir.path(), &file, &whole);
    }
}

#[test]
fn removed_swapped_repeated_and_added_entries_are_found() {
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change); 4] = [
        ("removed", |entries| drop(entries.remove(100))),
        ("swapped", |entries| entries.swap(100, 101)),
        ("repeated", |all| all.insert(101, all[100].clone())),
        ("added", |all| all.insert(101, all[50].clone())),
    ];
    for (name, change) in changes {
        // With the old tiles, and with tiles made anew: only the root then stays.
        for with_tiles in [false, true] {
            let report = after(|log, dir| {
                let mut other = log.clone();
                change(&mut other.entries);
                let last = other.entries[other.entries.len() - 1].clone();
                other.entries.resize(700, last);
                other.write_bundles(dir, 700);
                if with_tiles {
                    other.write_tiles(dir, 700);
                }
            });
            assert_eq!(
                report.verdict,
                Class::Tampered,
                "{name}: {:?}",
                report.findings
            );
            let placed = |f: &Finding| {
                f.code == Code::EntrySequence && (100..=101).contains(&f.seq.unwrap())
            };
            assert!(
                report.findings.iter().any(placed),
                "{name}: {:?}",
                report.findings
            );
            assert!(has(&report, Code::ChainBroken) && has(&report, Code::RootMismatch));
        }
    }
}

#[test]
fn a_bundle_one_entry_short_is_found() {
    let report = after(|log, dir| {
        put(dir, &entries_path(0, None), &bundle(&log.entries[..255]));
    });
    assert_eq!(report.verdict, Class::Tampered);
    let framing = report
        .findings
        .iter()
        .find(|f| f.code == Code::BundleFraming)
        .unwrap();
    assert_eq!(framing.seq, Some(255));
}

#[test]
fn a_forged_tile_is_found_though_the_entries_are_whole() {
    // CVE-2026-56865's class: a reader that does not authenticate every tile serves this one.
    let report = after(|_, dir| {
        flip(dir, &tile_path(0, 0, None), 32 * 9, 1);
    });
    assert_eq!(report.verdict, Class::Tampered);
    assert!(has(&report, Code::TileHash) && !has(&report, Code::RootMismatch));
}

#[test]
fn tiles_forged_at_every_level_are_found_though_the_entries_are_whole() {
    let report = after(|log, dir| {
        let mut forged = log.clone();
        forged.entries[9] = b"forged".to_vec();
        forged.write_tiles(dir, 700);
    });
    assert_eq!(report.verdict, Class::Tampered);
    let tile = report
        .findings
        .iter()
        .find(|f| f.code == Code::TileHash)
        .unwrap();
    assert_eq!((tile.seq, tile.offset), (Some(9), Some(9 * 32)));
}

#[test]
fn an_entry_changed_together_with_its_leaf_tile_is_found() {
    let report = after(|log, dir| {
        let mut changed = Log::told(700, |seq, entry| {
            if seq == 40 {
                entry.facts.unit = Some("other".to_owned());
            }
        });
        // Only entry 40 is changed: those after it keep their old link.
        changed.entries[41..].clone_from_slice(&log.entries[41..]);
        changed.write_bundles(dir, 700);
        let leaves = changed.entries[..256]
            .iter()
            .flat_map(|entry| leaf_hash(entry).0);
        put(dir, &tile_path(0, 0, None), &leaves.collect::<Vec<u8>>());
    });
    assert_eq!(report.verdict, Class::Tampered);
    let broken = report
        .findings
        .iter()
        .find(|f| f.code == Code::ChainBroken)
        .unwrap();
    assert_eq!(broken.seq, Some(41));
    assert!(has(&report, Code::TileHash) && has(&report, Code::RootMismatch));
}

#[test]
fn edited_items_are_found() {
    let report = after(|log, dir| {
        let mut items = log.items[256..512].to_vec();
        let seq = 262; // 262 % 7 == 3
        let mut edited = items_of(seq);
        edited[1].class = "pan".to_owned();
        items[6] = encode_items(&edited).unwrap();
        put(dir, &items_path(1, None), &items_bundle(&items));
    });
    assert_eq!(report.verdict, Class::Tampered);
    let altered = report
        .findings
        .iter()
        .find(|f| f.code == Code::ItemsAltered)
        .unwrap();
    assert_eq!(altered.seq, Some(262));
}

#[test]
fn items_beside_an_entry_without_a_batch_are_found() {
    let report = after(|log, dir| {
        let mut items = log.items[256..512].to_vec();
        items[0] = encode_items(&items_of(3)).unwrap();
        put(dir, &items_path(1, None), &items_bundle(&items));
    });
    let altered = report
        .findings
        .iter()
        .find(|f| f.code == Code::ItemsAltered)
        .unwrap();
    assert_eq!((report.verdict, altered.seq), (Class::Tampered, Some(256)));
}

#[test]
fn a_stray_items_file_is_found_where_no_entry_has_items() {
    let log = Log::of(3);
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &[3]);
    put(
        dir.path(),
        &items_path(0, Some(2)),
        &items_bundle(&[vec![], encode_items(&items_of(1)).unwrap()]),
    );
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.verdict, report.findings[0].code),
        (Class::Tampered, Code::PartialDiffers)
    );
}

#[test]
fn a_root_that_the_key_signed_but_the_entries_do_not_have_is_found() {
    let report = after(|log, dir| {
        let lie = Checkpoint {
            root: Hash([3; 32]),
            ..log.checkpoint(700)
        };
        put(dir, "checkpoint", log.sign(&lie.body()).as_bytes());
    });
    assert_eq!(
        report.verdict,
        Class::Fork,
        "the archive has the true note of this size too"
    );
    assert!(has(&report, Code::RootMismatch) && has(&report, Code::HistoryFork));
}

#[test]
fn entries_that_break_the_rules_are_found_though_linked_and_signed() {
    type Change = fn(u64, &mut ledger::Entry);
    let changes: [(Code, Change); 4] = [
        (Code::ClockMonotonic, |seq, entry| {
            if seq == 10 {
                entry.boot = Boot {
                    monotonic_us: 0,
                    ..entry.boot
                };
            }
        }),
        (Code::EntrySequence, |seq, entry| {
            if seq == 10 {
                entry.seq = 11;
            }
        }),
        (Code::ChainBroken, |seq, entry| {
            if seq == 10 {
                entry.prev = Hash([0; 32]);
            }
        }),
        (Code::GenesisRule, |seq, entry| {
            if seq == 10 {
                entry.facts.operation = Operation::Genesis;
            }
        }),
    ];
    for (code, change) in changes {
        let log = Log::told(20, change);
        let dir = tempdir().unwrap();
        log.publish(dir.path(), &[20]);
        let report = verify(dir.path(), &log.trust());
        let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.seq)).collect();
        assert_eq!(found, [(code, Some(10))]);
        assert_eq!(report.verdict, Class::Tampered);
    }
}

#[test]
fn findings_beyond_the_limit_are_counted_and_judged() {
    let log = Log::of(700);
    let dir = published(&log);
    for n in 0..20 {
        put(dir.path(), &format!("stray-{n}"), b"");
    }
    flip(dir.path(), &entries_path(1, None), 900, 1);
    let report = verify_archive(
        dir.path(),
        &log.trust(),
        &Options {
            findings_max: 5,
            ..Options::default()
        },
    );
    assert_eq!(
        (report.findings.len(), report.verdict),
        (5, Class::Tampered)
    );
    assert!(report.findings_omitted >= 15);
}
