//! A witness cosigns what continues what it cosigned, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use ledger::proof::consistency_proof;
use ledger::witness::{AddCheckpoint, Refused, WatchedLog};
use ledger::{Checkpoint, Hash, Origin, leaf_hash};
use proptest::prelude::*;
use support::Log;

fn watched(log: &Log) -> WatchedLog {
    WatchedLog {
        origin: log.origin.clone(),
        keys: vec![log.key()],
    }
}

fn request(log: &Log, old_size: u64, size: u64) -> AddCheckpoint {
    let leaves: Vec<Hash> = log.entries.iter().map(|entry| leaf_hash(entry)).collect();
    let leaves = &leaves[..usize::try_from(size).unwrap()];
    AddCheckpoint {
        old_size,
        proof: consistency_proof(leaves, old_size).unwrap_or_default(),
        note: log.note(size),
    }
}

#[test]
fn a_continuation_is_taken_and_a_step_back_is_not() {
    let log = Log::of(9);
    let watched = watched(&log);
    let judge =
        |old, size, seen: Option<&Checkpoint>| request(&log, old, size).judge(&watched, seen);
    assert_eq!(judge(0, 5, None), Ok(log.checkpoint(5)));
    let five = log.checkpoint(5);
    for size in 5..=9 {
        assert_eq!(judge(5, size, Some(&five)), Ok(log.checkpoint(size)));
    }
    assert_eq!(judge(0, 9, Some(&five)), Err(Refused::Stale(5)));
    assert_eq!(judge(4, 9, Some(&five)), Err(Refused::Stale(5)));
    assert_eq!(judge(4, 4, Some(&five)), Err(Refused::Stale(5)));
    assert_eq!(judge(5, 9, None), Err(Refused::Stale(0)));
    let backward = AddCheckpoint {
        old_size: 5,
        ..request(&log, 4, 4)
    };
    assert_eq!(
        backward.judge(&watched, Some(&five)),
        Err(Refused::Backward)
    );
}

#[test]
fn two_histories_are_told_apart() {
    let (log, other) = (
        Log::of(9),
        Log::told(9, |seq, entry| entry.time_us += seq / 4),
    );
    let (watched, five) = (watched(&log), log.checkpoint(5));
    assert_ne!(log.checkpoint(5).root, other.checkpoint(5).root);
    let same = request(&other, 5, 5).judge(&watched, Some(&five));
    assert_eq!(same, Err(Refused::Fork(5)));
    let longer = request(&other, 5, 9).judge(&watched, Some(&five));
    assert_eq!(longer, Err(Refused::Inconsistent));
    assert!(Refused::Fork(5).is_evidence() && Refused::Inconsistent.is_evidence());
}

#[test]
fn proofs_of_the_wrong_length_are_refused() {
    let log = Log::of(9);
    let (watched, five) = (watched(&log), log.checkpoint(5));
    let mut more = request(&log, 5, 9);
    more.proof.push(Hash([0; 32]));
    assert_eq!(
        more.judge(&watched, Some(&five)),
        Err(Refused::Inconsistent)
    );
    let mut short = request(&log, 5, 9);
    short.proof.pop();
    assert_eq!(
        short.judge(&watched, Some(&five)),
        Err(Refused::Inconsistent)
    );
    let mut from_nothing = request(&log, 0, 5);
    from_nothing.proof.push(Hash([0; 32]));
    assert_eq!(
        from_nothing.judge(&watched, None),
        Err(Refused::Inconsistent)
    );
    let mut again = request(&log, 5, 5);
    again.proof.push(Hash([0; 32]));
    assert_eq!(
        again.judge(&watched, Some(&five)),
        Err(Refused::Inconsistent)
    );
}

#[test]
fn only_the_log_s_own_signature_counts_and_each_key_of_it() {
    let log = Log::of(5);
    let mut stranger = log.clone();
    stranger.signer = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let forged = request(&stranger, 0, 5);
    assert_eq!(forged.judge(&watched(&log), None), Err(Refused::Unsigned));
    let mut both = watched(&log);
    both.keys.push(stranger.key());
    assert!(forged.judge(&both, None).is_ok());
    let mut elsewhere = watched(&log);
    elsewhere.origin = Origin::parse("other.example/log").unwrap();
    assert_eq!(
        request(&log, 0, 5).judge(&elsewhere, None),
        Err(Refused::UnknownLog)
    );
}

#[test]
fn an_empty_log_may_be_cosigned_and_grows_from_there() {
    let log = Log::of(3);
    let (watched, empty) = (watched(&log), log.checkpoint(0));
    assert_eq!(request(&log, 0, 0).judge(&watched, None), Ok(empty.clone()));
    assert_eq!(
        request(&log, 0, 3).judge(&watched, Some(&empty)),
        Ok(log.checkpoint(3))
    );
}

#[test]
fn a_request_is_read_in_its_one_spelling() {
    let log = Log::of(9);
    let text = request(&log, 5, 9).encode();
    assert_eq!(AddCheckpoint::parse(&text), Ok(request(&log, 5, 9)));
    assert_eq!(
        AddCheckpoint::parse(&text).unwrap().origin(),
        Ok(log.origin)
    );
    for bad in [
        String::new(),
        text.replacen("old 5", "old 05", 1),
        text.replacen("old 5", "old +5", 1),
        text.replacen("old 5", "old", 1),
        text.replacen("old 5", "new 5", 1),
        text.replacen("old 5\n", "old 5\n!\n", 1),
        text.replacen("old 5\n", "old 5\nQUJD\n", 1),
        text.replacen("\n\n", "\n", 1),
        text.replacen("old 5", "old 18446744073709551616", 1),
        format!(
            "old 5\n{}{}",
            format!("{}=\n", "A".repeat(43)).repeat(64),
            &text[6..]
        ),
    ] {
        let read = AddCheckpoint::parse(&bad).and_then(|request| request.origin().map(|_| ()));
        assert_eq!(read.unwrap_err().status(), 400, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(text in "(old [0-9]{1,3}\n)?([A-Za-z0-9+/=]{0,50}\n){0,4}\n?.{0,80}") {
        if let Ok(request) = AddCheckpoint::parse(&text) {
            prop_assert_eq!(request.encode(), text);
        }
    }

    // Whatever is asked in whatever order: sizes never fall, and every one that is taken lies on one history.
    #[test]
    fn what_is_cosigned_is_one_history(asks in proptest::collection::vec((0_u64..9, 0_u64..9, any::<bool>()), 1..40)) {
        let (log, other) = (Log::of(9), Log::told(9, |seq, entry| entry.time_us += seq / 3));
        let watched = watched(&log);
        let mut seen: Option<Checkpoint> = None;
        let mut first: Option<bool> = None;
        for (old, size, fork) in asks {
            let from = if fork { &other } else { &log };
            let Ok(new) = request(from, old, size).judge(&watched, seen.as_ref()) else { continue };
            prop_assert!(seen.as_ref().is_none_or(|seen| seen.size <= new.size));
            // The two logs are the same up to their third entry.
            if new.size > 3 {
                prop_assert_eq!(*first.get_or_insert(fork), fork);
            }
            seen = Some(new);
        }
    }
}
