//! Garbage in every file, of every length: no panic, no wrong "verified", and every reader of an archive
//! ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;

use ledger::tile::entries_path;
use ledger::verify::{
    Begin, Book, Class, Listing, Options, Resume, compare, published, verify_archive,
};
use ledger::{
    Checkpoint, Entry, Item, Receipt, Report, Trust, VerifierKey, decode_items, leaf_hash, moment,
    open_checkpoint, read_frames, verify_proof, verify_receipt,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Dice, Log, files, put};
use tempfile::{TempDir, tempdir};

const SIZES: [u64; 3] = [1, 300, 520];

fn honest() -> (Log, TempDir) {
    let log = Log::of(520);
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &SIZES);
    (log, dir)
}

fn verify(dir: &Path, trust: &Trust, threads: usize) -> Report {
    let options = Options {
        threads,
        ..Options::default()
    };
    verify_archive(dir, trust, &options)
}

/// Everything that reads an archive, on this one.
fn read_all(dir: &Path, log: &Log) -> Report {
    let trust = log.trust();
    let report = verify(dir, &trust, 1);
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        serde_json::to_string(&verify(dir, &trust, 3)).unwrap()
    );
    let pinned = Trust {
        pinned: Some(log.checkpoint(300)),
        ..log.trust()
    };
    let since = Options {
        begin: Begin::Pinned,
        ..Options::default()
    };
    let _ = verify_archive(dir, &pinned, &since);
    let listed = Listing::open(dir).unwrap().with_items();
    assert!(listed.count() <= 520);
    if let Ok(book) = Book::open(dir, &trust) {
        for seq in [0, 3, 255, 256, 519, 520, u64::MAX] {
            if let Ok(receipt) = book.receipt(seq) {
                // What leaves the archive holds, or does not leave it.
                let text = receipt.encode().unwrap();
                assert!(verify_receipt(&text, &log.key()).is_ok(), "{seq}");
                assert_eq!(receipt.entry, log.entries[usize::try_from(seq).unwrap()]);
            }
        }
        let _ = published(&book, |_| {});
        let _ = compare(&book, &book);
        let _ = book.consistency(&log.checkpoint(300), book.checkpoint());
    }
    report
}

/// Whether a file is a day of archived checkpoints.
fn is_day(file: &str) -> bool {
    file.starts_with("checkpoints/")
}

/// Whether the report names the file, or the file is one that must be named for what it was read as.
fn is_not_passed_over(report: &Report) -> bool {
    report.verdict > Class::Warning && report.exit_code >= 2
}

#[test]
fn garbage_of_every_length_in_every_file_is_found() {
    let (log, dir) = honest();
    let all = files(dir.path());
    let mut dice = Dice(11);
    for file in &all {
        let good = fs::read(dir.path().join(file)).unwrap();
        let lengths = (0..40).chain([63, 64, 65, 255, 1000, good.len()]);
        for length in lengths {
            let garbage: Vec<u8> = (0..length)
                .map(|_| u8::try_from(dice.below(256)).unwrap())
                .collect();
            if garbage == good {
                continue;
            }
            put(dir.path(), file, &garbage);
            let report = verify(dir.path(), &log.trust(), 1);
            // An empty day of checkpoints says nothing, and nothing says that there were any.
            let silent = length == 0 && is_day(file);
            assert!(
                silent || is_not_passed_over(&report),
                "{length} bytes in {file}: {:?}",
                report.findings
            );
        }
        put(dir.path(), file, &good);
    }
    assert_eq!(read_all(dir.path(), &log).exit_code, 0);
}

#[test]
fn every_file_cut_at_any_length_is_found() {
    let (log, dir) = honest();
    let mut dice = Dice(13);
    for file in files(dir.path()) {
        let good = fs::read(dir.path().join(&file)).unwrap();
        for _ in 0..12 {
            let length = dice.below(good.len());
            put(dir.path(), &file, &good[..length]);
            let report = read_all(dir.path(), &log);
            // A day of checkpoints cut between two of them is a shorter day.
            let whole_notes = is_day(&file) && report.exit_code == 0;
            assert!(
                whole_notes || is_not_passed_over(&report),
                "{file} cut at {length}: {:?}",
                report.findings
            );
        }
        put(dir.path(), &file, &good);
    }
}

// The archive is small, so that every length can be tried: cut there, and garbage as long. Of the genesis entry, which
// carries the format's text, every thirteenth is enough.
#[test]
fn every_length_of_every_file_of_a_small_archive() {
    let log = Log::of(4);
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &[1, 4]);
    let mut dice = Dice(23);
    for file in files(dir.path()) {
        let good = fs::read(dir.path().join(&file)).unwrap();
        let every = |length: &usize| {
            *length < 300
                || length.is_multiple_of(13)
                || length + 60 > good.len()
                || good.len() < 1000
        };
        for length in (0..=good.len()).filter(every) {
            let garbage: Vec<u8> = (0..length)
                .map(|_| u8::try_from(dice.below(256)).unwrap())
                .collect();
            for bad in [&good[..length], &garbage] {
                put(dir.path(), &file, bad);
                let report = verify(dir.path(), &log.trust(), 1);
                // A day of checkpoints cut between two of them is a shorter day: nothing says that there were more.
                let shorter_day = is_day(&file)
                    && str::from_utf8(bad).is_ok_and(|text| read_frames(text).is_ok());
                assert!(
                    bad == good || shorter_day || is_not_passed_over(&report),
                    "{file} with {length} bytes: {:?}",
                    report.findings
                );
            }
        }
        put(dir.path(), &file, &good);
    }
    assert_eq!(verify(dir.path(), &log.trust(), 1).exit_code, 0);
}

#[test]
fn every_file_that_is_gone_leaves_no_good_verdict() {
    let (log, dir) = honest();
    for file in files(dir.path()) {
        let good = fs::read(dir.path().join(&file)).unwrap();
        fs::remove_file(dir.path().join(&file)).unwrap();
        let report = read_all(dir.path(), &log);
        // Partial files may go once the full one is there; so may the archive of checkpoints.
        let spare = file.contains("001.p/") || is_day(&file) || file.contains("000.p/1");
        let spare = spare && !file.starts_with("tile/1");
        let exit = if spare || file == "tile/1/000.p/1" {
            0
        } else {
            5
        };
        assert_eq!(report.exit_code, exit, "{file}: {:?}", report.findings);
        put(dir.path(), &file, &good);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_change_of_any_file_is_found_or_changes_nothing(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        put_in in vec(any::<u8>(), 0..40),
        cut_out in 0_usize..40,
    ) {
        let (log, dir) = honest();
        let all = files(dir.path());
        let file = &all[which.index(all.len())];
        let good = fs::read(dir.path().join(file)).unwrap();
        let at = at.index(good.len());
        let end = (at + cut_out).min(good.len());
        let bad = [&good[..at], &put_in, &good[end..]].concat();
        put(dir.path(), file, &bad);
        let report = read_all(dir.path(), &log);
        let may_pass = bad == good || is_day(file);
        prop_assert!(may_pass || is_not_passed_over(&report), "{file}: {:?}", report.findings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_decoder_panics_and_what_it_reads_is_what_it_writes(bytes in vec(any::<u8>(), 0..600)) {
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode().unwrap(), bytes.clone());
        }
        if let Ok(item) = Item::decode(&bytes) {
            prop_assert_eq!(item.encode(), bytes.clone());
        }
        let _ = decode_items(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let key = Log::of(1).key();
        prop_assert!(open_checkpoint(&text, &key).is_err());
        prop_assert!(verify_receipt(&text, &key).is_err());
        prop_assert!(verify_proof(&text, &bytes, &key).is_err());
        prop_assert!(Receipt::decode(&text).is_err());
        prop_assert!(VerifierKey::parse(&text).is_err());
        prop_assert!(Resume::parse(&text).is_none());
        let _ = moment(&text);
    }

    #[test]
    fn an_entry_with_any_byte_changed_is_another_or_none(
        seq in 0_usize..20, at in any::<prop::sample::Index>(), bit in 0_u8..8
    ) {
        let log = Log::of(20);
        let good = &log.entries[seq];
        let mut bad = good.clone();
        bad[at.index(good.len())] ^= 1 << bit;
        if let Ok(entry) = Entry::decode(&bad) {
            prop_assert_eq!(entry.encode().unwrap(), bad.clone());
        }
        prop_assert_ne!(leaf_hash(&bad), leaf_hash(good));
    }
}

// One small file, named as the last that a log can have, is no reason to look at each position before it.
#[test]
fn a_file_far_away_is_not_walked_to() {
    let log = Log::of(512);
    let far = entries_path((1 << 55) - 1, Some(9));
    let forged = log.sign(
        &Checkpoint {
            size: (1 << 63) - 247,
            ..log.checkpoint(512)
        }
        .body(),
    );
    for checkpoint in [None, Some(forged)] {
        let dir = tempdir().unwrap();
        log.publish(dir.path(), &[512]);
        put(dir.path(), &far, b"x");
        match checkpoint {
            Some(note) => put(dir.path(), "checkpoint", note.as_bytes()),
            None => fs::remove_file(dir.path().join("checkpoint")).unwrap(),
        }
        let options = Options {
            findings_max: usize::MAX,
            ..Options::default()
        };
        let report = verify_archive(dir.path(), &log.trust(), &options);
        assert_ne!(report.exit_code, 0);
        assert_eq!(report.read.entries, 512);
        let last = report.findings.iter().filter_map(|found| found.seq_last);
        assert_eq!(last.max(), Some((1 << 63) - 248));
        let listed = Listing::open(dir.path()).unwrap();
        assert_eq!(listed.filter(|listed| listed.entry.is_some()).count(), 512);
    }
}
