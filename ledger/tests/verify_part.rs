//! Verifying with many threads, from a pinned checkpoint on, and where another run was broken off:
//! the verdict is the one that the whole archive gets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use ledger::tile::{entries_path, items_path, tile_path};
use ledger::verify::{Begin, Class, Code, Options, Resume, verify_archive, verify_watched};
use ledger::{Report, Trust};
use support::{Dice, Log, files, put};
use tempfile::{TempDir, tempdir};

/// The large log, made once: of three levels.
fn large() -> &'static Log {
    static LARGE: OnceLock<Log> = OnceLock::new();
    LARGE.get_or_init(|| Log::of(70_000))
}

fn published(log: &Log, sizes: &[u64]) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), sizes);
    dir
}

fn with(begin: Begin) -> Options {
    Options {
        begin,
        ..Options::default()
    }
}

fn since(log: &Log, dir: &Path, size: u64) -> Report {
    let trust = Trust {
        pinned: Some(log.checkpoint(size)),
        ..log.trust()
    };
    verify_archive(dir, &trust, &with(Begin::Pinned))
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).unwrap()
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

/// Where a verification is when it has come to `entries`.
fn place(dir: &Path, trust: &Trust, entries: u64) -> Option<Resume> {
    let mut place = None;
    let options = Options::default();
    verify_watched(dir, trust, &options, &mut |progress| {
        if progress.entries == entries {
            place = progress.resume();
        }
    });
    place
}

#[test]
fn any_number_of_threads_gives_the_same_report() {
    let log = Log::of(1200);
    let mut dice = Dice(7);
    for _ in 0..6 {
        let dir = published(&log, &[1, 700, 701, 1199, 1200]);
        let all = files(dir.path());
        for _ in 0..3 {
            let file = dir.path().join(&all[dice.below(all.len())]);
            let mut bytes = fs::read(&file).unwrap();
            let at = dice.below(bytes.len());
            bytes[at] ^= 1;
            fs::write(file, bytes).unwrap();
        }
        let report = |threads| {
            let options = Options {
                threads,
                ..Options::default()
            };
            json(&verify_archive(dir.path(), &log.trust(), &options))
        };
        let one = report(1);
        assert_eq!(report(2), one);
        assert_eq!(report(5), one);
    }
}

#[test]
fn since_a_checkpoint_only_what_came_after_is_read() {
    let log = large();
    let dir = published(log, &[60_000, 70_000]);
    for (pin, first) in [
        (1, 0),
        (256, 0),
        (257, 256),
        (300, 256),
        (512, 256),
        (65_536, 65_280),
        (65_537, 65_536),
        (69_999, 69_888),
        (70_000, 69_888),
    ] {
        let report = since(log, dir.path(), pin);
        assert_eq!(codes(&report), [], "{pin}: {:?}", report.findings);
        assert_eq!((report.first_seq, report.verdict), (first, Class::Verified));
        assert_eq!(report.read.entries, 70_000 - first, "{pin}");
        assert!(report.scope().contains(&format!("seq {first}-69999")));
    }
}

#[test]
fn since_a_checkpoint_the_entries_before_are_not_looked_at_and_the_scope_says_so() {
    let log = Log::of(1000);
    let dir = published(&log, &[1000]);
    let path = dir.path().join(entries_path(0, None));
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    let report = since(&log, dir.path(), 600);
    assert_eq!(report.exit_code, 0, "{:?}", report.findings);
    let said = "what lies before the first entry read";
    assert!(report.scope().contains(said), "{}", report.scope());
    assert_eq!(since(&log, dir.path(), 100).exit_code, 2);
}

#[test]
fn since_a_checkpoint_a_change_after_it_is_found_at_its_place() {
    let log = Log::of(1000);
    let dir = published(&log, &[1000]);
    let path = dir.path().join(entries_path(2, None));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4000] ^= 1;
    fs::write(path, bytes).unwrap();
    let report = since(&log, dir.path(), 300);
    assert_eq!(report.exit_code, 2);
    assert!(report.findings.iter().any(|found| found.seq >= Some(512)));
}

#[test]
fn since_a_checkpoint_the_first_new_entry_must_link_to_the_last_old_one() {
    // Signed by the operator: only the chain rule is broken, at the border of two bundles.
    let log = Log::told(700, |seq, entry| {
        if seq == 512 {
            entry.prev.0[0] ^= 1;
        }
    });
    let dir = published(&log, &[700]);
    let report = since(&log, dir.path(), 512);
    let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.seq)).collect();
    assert_eq!(found, [(Code::ChainBroken, Some(512))]);
}

#[test]
fn since_a_checkpoint_of_another_history_the_whole_log_is_judged() {
    let log = Log::of(1000);
    let rewritten = Log::told(1000, |seq, entry| {
        if seq == 40 {
            entry.facts.reason = Some("other".to_owned());
        }
    });
    let dir = published(&rewritten, &[1000]);
    let report = since(&log, dir.path(), 700);
    assert_eq!((report.exit_code, codes(&report)), (4, vec![Code::Fork]));
    assert_eq!((report.first_seq, report.read.entries), (0, 1000));
    let report = since(&log, published(&log, &[300]).path(), 700);
    assert_eq!(codes(&report), [Code::Rollback]);
}

#[test]
fn since_a_checkpoint_a_forged_or_missing_tile_before_it_is_found_by_reading_all() {
    let log = large();
    for missing in [true, false] {
        let dir = published(log, &[70_000]);
        let path = dir.path().join(tile_path(1, 1, Some(17)));
        let mut bytes = fs::read(&path).unwrap();
        bytes[33] ^= 1;
        if missing {
            fs::remove_file(path).unwrap();
        } else {
            fs::write(path, bytes).unwrap();
        }
        let report = since(log, dir.path(), 69_999);
        let exit = if missing { 5 } else { 2 };
        assert_eq!(report.exit_code, exit, "{:?}", report.findings);
        assert_eq!(report.read.entries, 70_000);
    }
}

#[test]
fn a_run_that_was_broken_off_is_gone_on_with() {
    let log = large();
    let dir = published(log, &[1, 300, 65_536, 70_000]);
    let whole = verify_archive(dir.path(), &log.trust(), &Options::default());
    for entries in [256, 512, 65_536, 69_888] {
        let place = place(dir.path(), &log.trust(), entries).unwrap();
        let place = Resume::parse(&place.to_json().unwrap()).unwrap();
        let options = with(Begin::Resume(Box::new(place)));
        let mut first = None;
        let report = verify_watched(dir.path(), &log.trust(), &options, &mut |progress| {
            first.get_or_insert(progress.entries);
        });
        assert!(first.unwrap() > entries);
        let again = Report {
            resumed_at: None,
            ..report.clone()
        };
        assert_eq!(json(&again), json(&whole), "{entries}");
        assert_eq!(report.resumed_at, Some(entries));
    }
}

#[test]
fn a_place_to_go_on_at_is_not_given_once_something_was_found() {
    let log = Log::of(2000);
    let dir = published(&log, &[2000]);
    let path = dir.path().join(entries_path(1, None));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4000] ^= 1;
    fs::write(path, bytes).unwrap();
    assert!(place(dir.path(), &log.trust(), 256).is_some());
    for entries in [512, 768, 1792] {
        assert_eq!(place(dir.path(), &log.trust(), entries), None);
    }
    // A partial bundle at the end is no place between two bundles.
    assert_eq!(place(dir.path(), &log.trust(), 2000), None);
}

// The first bundle is judged before anyone is told how far the walk came.
#[test]
fn a_place_is_not_given_where_the_first_bundle_is_at_fault() {
    let log = Log::of(2000);
    let dir = published(&log, &[2000]);
    assert!(place(dir.path(), &log.trust(), 1024).is_some());
    let path = dir.path().join(items_path(0, None));
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(path, bytes).unwrap();
    for entries in [256, 512, 1792] {
        assert_eq!(place(dir.path(), &log.trust(), entries), None, "{entries}");
    }
}

#[test]
fn a_place_of_another_log_key_pin_or_past_is_begun_anew() {
    let log = Log::of(2000);
    let dir = published(&log, &[300, 2000]);
    let at = place(dir.path(), &log.trust(), 1024).unwrap();
    let other = Log::told(2000, |seq, entry| {
        if seq == 40 {
            entry.facts.reason = Some("other".to_owned());
        }
    });
    let from = |dir: &Path, trust: &Trust| {
        let options = with(Begin::Resume(Box::new(at.clone())));
        verify_archive(dir, trust, &options).resumed_at
    };
    assert_eq!(from(dir.path(), &log.trust()), Some(1024));
    let pinned = Trust {
        pinned: Some(log.checkpoint(300)),
        ..log.trust()
    };
    assert_eq!(from(dir.path(), &pinned), None);
    assert_eq!(
        from(published(&other, &[300, 2000]).path(), &log.trust()),
        None
    );
    // One more archived checkpoint, which was never compared with the entries.
    assert_eq!(
        from(published(&log, &[200, 300, 2000]).path(), &log.trust()),
        None
    );
    assert_eq!(
        from(published(&log, &[300, 900]).path(), &log.trust()),
        None
    );
}

#[test]
fn a_place_is_read_in_its_own_shape_only() {
    let log = Log::of(600);
    let dir = published(&log, &[600]);
    let good = place(dir.path(), &log.trust(), 512)
        .unwrap()
        .to_json()
        .unwrap();
    assert!(Resume::parse(&good).is_some());
    for bad in [
        String::new(),
        good.replace("\"size\":512", "\"size\":500"),
        good.replace("resume/1", "resume/2"),
        good.replace("\"items\"", "\"more\""),
        good[..good.len() - 2].to_owned(),
    ] {
        assert_eq!(Resume::parse(&bad), None, "{bad}");
    }
    put(dir.path(), "x", b"");
}
