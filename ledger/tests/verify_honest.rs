//! Honest archives are verified, and what an honest node may leave behind is a warning at most.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;

use ledger::tile::{entries_path, items_path};
use ledger::verify::{Class, Code, Options, verify_archive};
use ledger::{Report, Trust, notes_path};
use support::{Log, START_US, put};
use tempfile::{TempDir, tempdir};

fn published(log: &Log, sizes: &[u64]) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), sizes);
    dir
}

fn verify(dir: &TempDir, trust: &Trust) -> Report {
    verify_archive(dir.path(), trust, &Options::default())
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn archives_of_every_shape_are_verified() {
    let log = Log::of(800);
    for sizes in [
        &[0][..],
        &[1],
        &[255],
        &[256],
        &[257],
        &[512],
        &[0, 1, 2, 255, 256, 257, 300, 600, 700, 700, 800],
    ] {
        let report = verify(&published(&log, sizes), &log.trust());
        assert_eq!(codes(&report), [], "{sizes:?}: {:?}", report.findings);
        assert_eq!((report.verdict, report.exit_code), (Class::Verified, 0));
        assert_eq!(report.read.entries, *sizes.last().unwrap());
        assert_eq!(report.read.checkpoints, sizes.len() as u64);
        assert!(report.authenticated);
    }
}

#[test]
fn a_log_of_three_levels_is_verified() {
    let log = Log::of(65_536 + 300);
    let report = verify(&published(&log, &[65_536, 65_836]), &log.trust());
    assert_eq!(codes(&report), [], "{:?}", report.findings);
    // 257 full and one partial leaf tile, one full and one partial above, one above that.
    assert_eq!(report.read.tiles, 257 + 1 + 2 + 1);
    assert_eq!(report.read.items, 3 * (65_836_u64 - 3).div_ceil(7));
}

#[test]
fn the_report_says_what_it_covers() {
    let log = Log::of(300);
    let report = verify(&published(&log, &[300]), &log.trust());
    let scope = report.scope();
    let expected = "300 entries, seq 0-299, covered by checkpoint of size 300 signed by";
    assert!(scope.starts_with(expected), "{scope}");
    assert!(scope.contains("not checked: witnesses"), "{scope}");
}

#[test]
fn a_partial_file_may_be_gone_once_the_full_one_exists() {
    let log = Log::of(512);
    let dir = published(&log, &[300, 512]);
    put(dir.path(), "checkpoint", log.note(300).as_bytes());
    put(dir.path(), &notes_path(START_US), b"");
    for kind in ["tile/0", "tile/entries", "items"] {
        fs::remove_dir_all(dir.path().join(kind).join("001.p")).unwrap();
    }
    let report = verify(&dir, &log.trust());
    assert_eq!(report.verdict, Class::Warning, "{:?}", report.findings);
    assert!(
        codes(&report)
            .iter()
            .all(|code| *code == Code::BeyondCheckpoint)
    );
}

#[test]
fn entries_beyond_the_checkpoint_are_a_warning() {
    let log = Log::of(700);
    let dir = published(&log, &[300]);
    log.write_tiles(dir.path(), 700);
    log.write_bundles(dir.path(), 700);
    let report = verify(&dir, &log.trust());
    assert_eq!(report.verdict, Class::Warning, "{:?}", report.findings);
    let named = |path: &str| {
        report
            .findings
            .iter()
            .any(|f| f.file.as_deref() == Some(path))
    };
    assert!(named(&entries_path(1, None)) && named(&entries_path(2, Some(188))));
    assert!(named(&items_path(1, None)));
}

#[test]
fn a_history_ahead_of_the_checkpoint_with_its_entries_is_a_warning() {
    let log = Log::of(700);
    let dir = published(&log, &[300, 700]);
    put(dir.path(), "checkpoint", log.note(300).as_bytes());
    let report = verify(&dir, &log.trust());
    assert_eq!(report.verdict, Class::Warning, "{:?}", report.findings);
    assert!(codes(&report).contains(&Code::CheckpointBehind));
}

#[test]
fn a_wall_clock_that_steps_back_is_a_warning() {
    let log = Log::told(20, |seq, entry| {
        if seq >= 10 {
            entry.time_us -= 1_000_000;
            entry.boot.id = [2; 8];
        }
    });
    let report = verify(&published(&log, &[20]), &log.trust());
    assert_eq!(codes(&report), [Code::TimeStepBack]);
    assert_eq!(
        (report.verdict, report.findings[0].seq),
        (Class::Warning, Some(10))
    );
}

#[test]
fn a_strange_file_is_a_warning_and_is_not_read() {
    let log = Log::of(10);
    let dir = published(&log, &[10]);
    for path in [
        "tile/0/000.p/010",
        "tile/9/000",
        "notes.txt",
        "tile/entries/x000/000",
    ] {
        put(dir.path(), path, b"?");
    }
    let report = verify(&dir, &log.trust());
    assert_eq!(report.verdict, Class::Warning, "{:?}", report.findings);
    assert_eq!(codes(&report), [Code::UnexpectedFile; 4]);
}

#[test]
fn the_checkpoint_verified_last_time_holds_an_honest_log() {
    let log = Log::of(700);
    let dir = published(&log, &[300, 700]);
    for size in [0, 1, 300, 512, 700] {
        let trust = Trust {
            pinned: Some(log.checkpoint(size)),
            ..log.trust()
        };
        let report = verify(&dir, &trust);
        assert_eq!(codes(&report), [], "{size}");
        assert_eq!(report.pinned_size, Some(size));
    }
}

#[test]
fn the_same_archive_gives_the_same_report() {
    let log = Log::of(300);
    let dir = published(&log, &[100, 300]);
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    put(dir.path(), "b.txt", b"");
    put(dir.path(), "a.txt", b"");
    assert_eq!(
        json(&verify(&dir, &log.trust())),
        json(&verify(&dir, &log.trust()))
    );
}
