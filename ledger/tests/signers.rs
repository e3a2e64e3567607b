//! A log's keys hand over one to the next: only in a statement that both sign, only forward, only once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use ledger::verify::{Begin, Options, verify_watched};
use ledger::{
    Boot, Entry, EntryError, Facts, Hash, NoteError, Operation, Origin, Outcome, Rotation,
    RotationError, Signers, signed_note,
};
use ledger::{Trust, framed_note, notes_path, verify_archive};
use proptest::prelude::*;
use support::handed::{Handed, Pair, rotation, stated};
use support::{Log, START_US, put};

#[test]
fn checkpoints_are_held_to_the_key_of_their_size() {
    let (log, [one, two, three]) = (Log::of(9), [1, 2, 3].map(Pair::of));
    let mut signers = Signers::pinned(one.key());
    for note in [stated(3, &one, &two), stated(6, &two, &three)] {
        signers.extend(Rotation::open(&note).unwrap()).unwrap();
    }
    for size in 1..=9 {
        let (right, wrong) = match size {
            1..=4 => (&one, [&two, &three]),
            5..=7 => (&two, [&one, &three]),
            _ => (&three, [&one, &two]),
        };
        assert_eq!(
            signers.open(&right.note(&log, size)),
            Ok(log.checkpoint(size))
        );
        for wrong in wrong {
            let opened = signers.open(&wrong.note(&log, size));
            assert_eq!(opened, Err(NoteError::Unsigned), "size {size}");
        }
    }
    assert_eq!(signers.newest(), &three.key());
}

#[test]
fn both_keys_must_sign_the_statement() {
    let [one, two, three] = [1, 2, 3].map(Pair::of);
    let text = rotation(3, &one, &two).text();
    let with = |lines: &[String]| Rotation::open(&signed_note(&text, lines));
    assert_eq!(
        with(&[one.line(&text), two.line(&text)]),
        Ok(rotation(3, &one, &two))
    );
    assert_eq!(
        with(&[two.line(&text)]),
        Err(RotationError::Old(NoteError::Unsigned))
    );
    assert_eq!(
        with(&[one.line(&text)]),
        Err(RotationError::New(NoteError::Unsigned))
    );
    assert_eq!(
        with(&[three.line(&text)]),
        Err(RotationError::Old(NoteError::Unsigned))
    );
    // Signed, but another text: neither counts.
    let other = rotation(4, &one, &two).text();
    assert_eq!(
        with(&[one.line(&other), two.line(&text)]),
        Err(RotationError::Old(NoteError::Signature))
    );
    assert_eq!(
        with(&[one.line(&text), two.line(&other)]),
        Err(RotationError::New(NoteError::Signature))
    );
}

#[test]
fn the_chain_goes_forward_from_the_pinned_key_only() {
    let [one, two, three] = [1, 2, 3].map(Pair::of);
    let mut signers = Signers::pinned(one.key());
    assert_eq!(
        signers.extend(rotation(3, &two, &three)),
        Err(RotationError::Chain)
    );
    assert_eq!(
        signers.extend(rotation(3, &one, &one)),
        Err(RotationError::Again)
    );
    signers.extend(rotation(3, &one, &two)).unwrap();
    assert_eq!(
        signers.extend(rotation(5, &one, &three)),
        Err(RotationError::Chain)
    );
    assert_eq!(
        signers.extend(rotation(5, &two, &one)),
        Err(RotationError::Again)
    );
    assert_eq!(
        signers.extend(rotation(3, &two, &three)),
        Err(RotationError::Order)
    );
    let elsewhere = Rotation {
        origin: Origin::parse("other.example/log").unwrap(),
        ..rotation(5, &two, &three)
    };
    assert_eq!(signers.extend(elsewhere), Err(RotationError::Origin));
    assert_eq!(signers.rotations().len(), 1);
}

#[test]
fn an_entry_carries_the_statement_and_no_other_entry_does() {
    let [one, two] = [1, 2].map(Pair::of);
    let note = stated(3, &one, &two);
    let with = |operation| Entry {
        seq: 3,
        prev: Hash([4; 32]),
        time_us: 1,
        boot: Boot {
            id: [5; 8],
            monotonic_us: 1,
        },
        facts: Facts {
            statement: Some(note.clone()),
            ..Facts::new(operation, Outcome::Ok)
        },
    };
    let entry = with(Operation::SignerRotate);
    let bytes = entry.encode().unwrap();
    assert_eq!(Entry::decode(&bytes), Ok(entry));
    let other = with(Operation::KeyRotate).encode();
    assert_eq!(other, Err(EntryError::StatementMisplaced));
}

#[test]
fn a_statement_has_one_spelling() {
    let [one, two] = [1, 2].map(Pair::of);
    let text = rotation(3, &one, &two).text();
    for bad in [
        text.replacen("entry 3", "entry 03", 1),
        text.replacen("entry 3", "entry +3", 1),
        text.replacen("v1", "v2", 1),
        text.replacen("entry 3\n", "", 1),
        format!("{text}more\n"),
    ] {
        let note = signed_note(&bad, &[one.line(&bad), two.line(&bad)]);
        assert!(Rotation::open(&note).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_changed_statement_is_none(at in 0_usize..700, bit in 0_u8..7) {
        let [one, two] = [1, 2].map(Pair::of);
        let note = stated(3, &one, &two);
        let mut bytes = note.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(Rotation::open(&changed).is_err());
        }
    }
}

#[test]
fn an_archive_is_verified_from_the_pinned_key_on() {
    let handed = Handed::published(9);
    assert_eq!(handed.codes(0), (0, vec![]));
    // A later key signed the statement that names the one before: it holds the past as well.
    assert_eq!(handed.codes(1), (0, vec![]));
    assert_eq!(handed.codes(2), (0, vec![]));
    let stranger = Trust {
        key: Some(Pair::of(9).key()),
        ..Trust::default()
    };
    let report = verify_archive(handed.dir(), &stranger, &Options::default());
    assert_eq!(report.exit_code, 3);
}

#[test]
fn a_handover_that_does_not_hold_is_found() {
    let handed = Handed::published(9);
    let [one, two, three] = &handed.keys;
    let forged = {
        let text = rotation(3, one, &Pair::of(9)).text();
        let thief = Pair::of(9);
        framed_note(&signed_note(&text, &[thief.line(&text)]))
    };
    let skipped = framed_note(&stated(6, one, three));
    let unannounced = framed_note(&stated(5, one, two)) + &framed_note(&stated(6, two, three));
    for (statements, expected) in [
        (String::new(), "signature-missing"),
        (forged, "signer-statement"),
        (skipped, "signer-entry"),
        (unannounced, "signer-entry"),
        (handed.statements.replacen('#', "x", 1), "signer-statement"),
        (
            handed.statements.replacen("entry 3", "entry 4", 1),
            "signer-statement",
        ),
    ] {
        put(handed.dir(), "signers", statements.as_bytes());
        let (exit, codes) = handed.codes(0);
        assert_eq!(exit, 3, "{codes:?}");
        assert!(codes.contains(&expected), "{expected}: {codes:?}");
    }
}

// Attack 22 of the catalogue: a key that was retired signs once more.
#[test]
fn a_retired_key_signs_nothing_more() {
    let handed = Handed::published(9);
    let note = handed.keys[1].note(&handed.log, 9);
    put(handed.dir(), "checkpoint", note.as_bytes());
    let (exit, codes) = handed.codes(0);
    assert_eq!(exit, 3);
    assert!(codes.contains(&"signature-missing"), "{codes:?}");
}

/// What the holder of the first key alone can make: no statement, no note of a later key, and a longer log.
fn gone_on_alone(handed: &Handed, size: u64) {
    std::fs::remove_file(handed.dir().join("signers")).unwrap();
    let one = &handed.keys[0];
    let notes = (1..=4)
        .chain([size])
        .map(|size| one.note(&handed.log, size));
    let history: String = notes.map(|note| framed_note(&note)).collect();
    put(handed.dir(), &notes_path(START_US), history.as_bytes());
    let note = one.note(&handed.log, size);
    put(handed.dir(), "checkpoint", note.as_bytes());
}

// Attack 22 again, with the statement taken away: the entry that carries it is still there.
#[test]
fn a_retired_key_does_not_go_on_without_the_statement() {
    let handed = Handed::published(9);
    gone_on_alone(&handed, 9);
    assert_eq!(
        handed.codes(0),
        (3, vec!["signer-statement", "signer-statement"])
    );
    // Just handed over: the statement is an entry, and not in `signers` yet.
    let handed = Handed::published(4);
    gone_on_alone(&handed, 4);
    assert_eq!(handed.codes(0), (0, vec![]));
}

// A statement that names another place was never in force.
#[test]
fn a_statement_at_another_place_hands_over_nothing() {
    let [one, two] = [1, 2].map(Pair::of);
    let log = Log::told(9, |seq, entry| {
        if seq == 4 {
            let statement = Some(stated(3, &one, &two));
            entry.facts = Facts {
                statement,
                ..Facts::new(Operation::SignerRotate, Outcome::Ok)
            };
        }
    });
    let log = Log {
        signer: one.0.clone(),
        ..log
    };
    let archive = tempfile::tempdir().unwrap();
    log.publish(archive.path(), &[9]);
    let report = verify_archive(archive.path(), &log.trust(), &Options::default());
    assert_eq!(report.exit_code, 0, "{:?}", report.findings);
}

#[test]
fn a_place_to_resume_at_keeps_the_handovers() {
    let keys = [1, 2].map(Pair::of);
    let [one, two] = &keys;
    let note = stated(3, one, two);
    let mut log = Log::told(600, |seq, entry| {
        if seq == 3 {
            let statement = Some(note.clone());
            entry.facts = Facts {
                statement,
                ..Facts::new(Operation::SignerRotate, Outcome::Ok)
            };
        }
    });
    log.items[3].clear();
    log.signer = two.0.clone();
    let archive = tempfile::tempdir().unwrap();
    log.publish(archive.path(), &[600]);
    put(archive.path(), "signers", framed_note(&note).as_bytes());
    let trust = Trust {
        key: Some(one.key()),
        ..Trust::default()
    };
    let mut place = None;
    let options = Options::default();
    let report = verify_watched(archive.path(), &trust, &options, &mut |progress| {
        place = progress.resume().or(place.take());
    });
    assert_eq!(report.exit_code, 0, "{:?}", report.findings);
    let options = Options {
        begin: Begin::Resume(Box::new(place.unwrap())),
        ..options
    };
    let resumed = verify_archive(archive.path(), &trust, &options);
    assert_eq!((resumed.exit_code, resumed.resumed_at), (0, Some(512)));
    // The first key goes on alone.
    std::fs::remove_file(archive.path().join("signers")).unwrap();
    let alone = one.note(&log, 600);
    put(archive.path(), "checkpoint", alone.as_bytes());
    put(
        archive.path(),
        &notes_path(START_US),
        framed_note(&alone).as_bytes(),
    );
    let resumed = verify_archive(archive.path(), &trust, &options);
    assert_eq!((resumed.exit_code, resumed.resumed_at), (3, None));
}
