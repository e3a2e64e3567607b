//! Keys, signatures, earlier checkpoints and missing files: the verdicts 3, 4 and 5.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ledger::tile::{entries_path, items_path, tile_path};
use ledger::verify::{Class, Code, Options, verify_archive};
use ledger::{
    Checkpoint, Origin, Report, Trust, VerifierKey, framed_note, notes_path, signature_line,
    signed_note,
};
use support::{Log, ORIGIN, START_US, put};
use tempfile::{TempDir, tempdir};

fn published(log: &Log, sizes: &[u64]) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), sizes);
    dir
}

fn verify(dir: &Path, trust: &Trust) -> Report {
    verify_archive(dir, trust, &Options::default())
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

fn with_pin(log: &Log, pinned: Checkpoint) -> Trust {
    Trust {
        pinned: Some(pinned),
        ..log.trust()
    }
}

/// The log with one old entry changed and everything after it linked anew: a perfect rewrite.
fn rewritten(size: u64) -> Log {
    Log::told(size, |seq, entry| {
        if seq == 40 {
            entry.facts.unit = Some("nobody".to_owned());
        }
    })
}

#[test]
fn without_a_key_the_verdict_is_no_trust() {
    let log = Log::of(300);
    let report = verify(published(&log, &[300]).path(), &Trust::default());
    assert_eq!((report.exit_code, codes(&report)), (3, vec![Code::NoKey]));
    assert!(!report.authenticated && report.note.is_none());
}

#[test]
fn another_key_is_no_trust_whatever_its_name() {
    let log = Log::of(300);
    let dir = published(&log, &[300]);
    let public = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
    for name in [ORIGIN, "other.example/log"] {
        let key = Some(VerifierKey::new(name, public).unwrap());
        let report = verify(
            dir.path(),
            &Trust {
                key,
                ..Trust::default()
            },
        );
        assert_eq!(report.exit_code, 3, "{:?}", report.findings);
        assert!(codes(&report).contains(&Code::SignatureMissing));
    }
}

#[test]
fn a_stripped_or_forged_signature_is_no_trust() {
    let log = Log::of(300);
    let dir = published(&log, &[300]);
    let body = log.checkpoint(300).body();
    let stranger = "— witness.example/w AAAAAAAAAAAAAAAAAAAAAA==".to_owned();
    let forged = signature_line(&log.key(), &[1; 64]);
    for (note, code) in [
        (body.clone(), Code::CheckpointMalformed),
        (format!("{body}\n"), Code::CheckpointMalformed),
        (signed_note(&body, &[stranger]), Code::SignatureMissing),
        (signed_note(&body, &[forged]), Code::SignatureBad),
    ] {
        put(dir.path(), "checkpoint", note.as_bytes());
        let report = verify(dir.path(), &log.trust());
        assert_eq!(
            (report.exit_code, codes(&report)),
            (3, vec![code]),
            "{:?}",
            report.findings
        );
    }
}

#[test]
fn the_archive_of_another_log_is_no_trust() {
    let log = Log::of(30);
    let dir = published(&log, &[30]);
    let origin = Some(Origin::parse("bank.example/vault/node-2").unwrap());
    let report = verify(
        dir.path(),
        &Trust {
            origin,
            ..log.trust()
        },
    );
    assert_eq!(report.exit_code, 3);
    assert!(codes(&report).contains(&Code::OriginOther));
}

#[test]
fn a_forged_archived_checkpoint_is_no_trust() {
    let log = Log::of(30);
    let dir = published(&log, &[30]);
    let mut stranger = log.clone();
    stranger.signer = SigningKey::from_bytes(&[9; 32]);
    let history = [framed_note(&stranger.note(20)), framed_note(&log.note(30))].concat();
    put(dir.path(), &notes_path(START_US), history.as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.exit_code, codes(&report)),
        (3, vec![Code::HistorySignature])
    );
}

#[test]
fn a_cut_tail_with_an_old_checkpoint_passes_alone_and_is_a_rollback_with_a_pin() {
    let log = Log::of(700);
    let dir = published(&log, &[300]);
    assert_eq!(verify(dir.path(), &log.trust()).exit_code, 0);
    let report = verify(dir.path(), &with_pin(&log, log.checkpoint(700)));
    assert_eq!(
        (report.exit_code, codes(&report)),
        (4, vec![Code::Rollback])
    );
}

#[test]
fn a_cut_tail_is_a_rollback_if_the_later_checkpoint_is_in_the_archive() {
    let log = Log::of(700);
    let dir = published(&log, &[300]);
    let history = [framed_note(&log.note(300)), framed_note(&log.note(700))].concat();
    put(dir.path(), &notes_path(START_US), history.as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.exit_code, codes(&report)),
        (4, vec![Code::HistoryRollback])
    );
}

#[test]
fn a_rewrite_signed_by_the_operator_passes_alone_and_is_a_fork_with_a_pin() {
    let (log, rewrite) = (Log::of(700), rewritten(700));
    let dir = published(&rewrite, &[700]);
    assert_eq!(verify(dir.path(), &log.trust()).exit_code, 0);
    for size in [41, 300, 700] {
        let report = verify(dir.path(), &with_pin(&log, log.checkpoint(size)));
        assert_eq!(
            (report.exit_code, codes(&report)),
            (4, vec![Code::Fork]),
            "{size}"
        );
    }
    // What was pinned before the change is the same in both.
    assert_eq!(
        verify(dir.path(), &with_pin(&log, log.checkpoint(40))).exit_code,
        0
    );
}

#[test]
fn a_rewrite_is_a_fork_if_an_old_checkpoint_is_in_the_archive() {
    let (log, rewrite) = (Log::of(700), rewritten(700));
    let dir = published(&rewrite, &[700]);
    let history = [framed_note(&log.note(300)), framed_note(&rewrite.note(700))].concat();
    put(dir.path(), &notes_path(START_US), history.as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.exit_code, codes(&report)),
        (4, vec![Code::HistoryFork])
    );
}

#[test]
fn archived_sizes_that_fall_are_a_rollback_in_a_file_and_a_warning_between_days() {
    let log = Log::of(300);
    let dir = published(&log, &[300]);
    let notes = |sizes: &[u64]| -> String {
        sizes
            .iter()
            .map(|size| framed_note(&log.note(*size)))
            .collect()
    };
    let path = notes_path(START_US);
    put(dir.path(), &path, notes(&[200, 100, 300]).as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.exit_code, codes(&report)),
        (4, vec![Code::HistoryRollback])
    );

    put(
        dir.path(),
        &notes_path(START_US - 86_400_000_000),
        notes(&[100, 200]).as_bytes(),
    );
    put(dir.path(), &path, notes(&[150, 300]).as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(
        (report.exit_code, codes(&report)),
        (1, vec![Code::HistoryOrder])
    );
}

#[test]
fn two_checkpoints_of_one_size_are_a_fork() {
    let (log, rewrite) = (Log::of(300), rewritten(300));
    let dir = published(&log, &[300]);
    let history = [framed_note(&rewrite.note(300)), framed_note(&log.note(300))].concat();
    put(dir.path(), &notes_path(START_US), history.as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(report.exit_code, 4, "{:?}", report.findings);
}

#[test]
fn a_log_begun_anew_is_a_rollback_and_then_a_fork() {
    let log = Log::of(300);
    let again = Log::told(400, |_, entry| entry.time_us += 1);
    let pinned = with_pin(&log, log.checkpoint(300));
    assert_eq!(
        codes(&verify(published(&again, &[10]).path(), &pinned)),
        [Code::Rollback]
    );
    assert_eq!(
        codes(&verify(published(&again, &[400]).path(), &pinned)),
        [Code::Fork]
    );
}

#[test]
fn a_missing_file_gives_no_verdict_and_is_named() {
    let log = Log::of(700);
    for path in [
        entries_path(0, None),
        entries_path(1, None),
        entries_path(2, Some(188)),
        tile_path(0, 0, None),
        tile_path(0, 2, Some(188)),
        tile_path(1, 0, Some(2)),
        items_path(0, None),
        items_path(2, Some(188)),
        "checkpoint".to_owned(),
    ] {
        let dir = published(&log, &[700]);
        fs::remove_file(dir.path().join(&path)).unwrap();
        let report = verify(dir.path(), &log.trust());
        assert_eq!(report.exit_code, 5, "{path}: {:?}", report.findings);
        let named = |f: &ledger::verify::Finding| {
            f.code == Code::FileMissing && f.file.as_ref() == Some(&path)
        };
        assert!(
            report.findings.iter().any(named),
            "{path}: {:?}",
            report.findings
        );
    }
}

#[test]
fn a_missing_bundle_does_not_hide_a_change_elsewhere() {
    let log = Log::of(700);
    let dir = published(&log, &[700]);
    fs::remove_file(dir.path().join(entries_path(0, None))).unwrap();
    let file = dir.path().join(entries_path(1, None));
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(file, bytes).unwrap();
    let report = verify(dir.path(), &log.trust());
    assert_eq!(report.exit_code, 2, "{:?}", report.findings);
    assert!(codes(&report).contains(&Code::FileMissing));
}

#[test]
fn a_link_is_refused_though_it_leads_to_the_right_bytes() {
    let log = Log::of(700);
    for path in [
        entries_path(1, None),
        tile_path(0, 0, None),
        "tile/0".to_owned(),
    ] {
        let (dir, elsewhere) = (published(&log, &[700]), tempdir().unwrap());
        let moved = elsewhere.path().join("moved");
        fs::rename(dir.path().join(&path), &moved).unwrap();
        symlink(&moved, dir.path().join(&path)).unwrap();
        let report = verify(dir.path(), &log.trust());
        assert_eq!(report.exit_code, 5, "{path}: {:?}", report.findings);
        assert!(codes(&report).contains(&Code::LinkRefused), "{path}");
    }
}

#[test]
fn a_file_too_large_is_not_read() {
    let log = Log::of(10);
    let dir = published(&log, &[10]);
    let big = fs::File::create(dir.path().join(entries_path(0, Some(10)))).unwrap();
    big.set_len(1 << 40).unwrap();
    let report = verify(dir.path(), &log.trust());
    assert_eq!(report.exit_code, 5, "{:?}", report.findings);
    assert!(codes(&report).contains(&Code::FileTooLarge));
}

#[test]
fn a_signed_size_beyond_reason_ends_soon() {
    let log = Log::of(10);
    let dir = published(&log, &[10]);
    let huge = Checkpoint {
        size: i64::MAX as u64,
        ..log.checkpoint(10)
    };
    put(dir.path(), "checkpoint", log.sign(&huge.body()).as_bytes());
    let report = verify(dir.path(), &log.trust());
    assert_eq!(report.verdict, Class::Incomplete, "{:?}", report.findings);
}

#[test]
fn a_folder_that_is_not_there_gives_no_verdict() {
    let log = Log::of(1);
    let report = verify(Path::new("/nonexistent/ledger"), &log.trust());
    assert_eq!(report.exit_code, 5);
}
