//! What leaves a log whose key was handed over: receipts, proofs, exports. Who pinned any of its keys checks them
//! all, with the statements that both keys of each handover signed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ledger::proof::inclusion_proof;
use ledger::{
    NoteError, Receipt, ReceiptError, RotationError, Signers, framed_note, leaf_hash, signed_note,
    verify_proof_by, verify_receipt, verify_receipt_by,
};
use support::handed::{Handed, Pair, rotation, stated};
use tempfile::{TempDir, tempdir};

/// The receipt of an entry under the checkpoint of a size, signed by the key of that size or by another.
fn receipt(handed: &Handed, seq: u64, size: u64, signer: &Pair) -> String {
    let at = usize::try_from(seq).unwrap();
    let entries = handed.log.entries[..usize::try_from(size).unwrap()].iter();
    let leaves: Vec<_> = entries.map(|entry| leaf_hash(entry)).collect();
    Receipt {
        entry: handed.log.entries[at].clone(),
        items: handed.log.items[at].clone(),
        index: seq,
        proof: inclusion_proof(&leaves, seq).unwrap(),
        note: signer.note(&handed.log, size),
    }
    .encode()
    .unwrap()
}

#[test]
fn a_receipt_of_any_age_holds_for_who_pinned_any_key() {
    let handed = Handed::published(9);
    for pinned in &handed.keys {
        let signers = Signers::followed(&pinned.key(), &handed.statements).unwrap();
        for size in 1..=9 {
            let signer = handed.signer(size);
            let text = receipt(&handed, size - 1, size, signer);
            let proven = verify_receipt_by(&text, &signers).unwrap();
            assert_eq!(proven.checkpoint, handed.log.checkpoint(size));
            let entry = handed.log.entries[usize::try_from(size).unwrap() - 1].clone();
            assert!(verify_proof_by(&text, &entry, &signers).is_ok());
            // Without the statements each key proves what it signed itself, and no more.
            let alone = verify_receipt(&text, &pinned.key());
            let own = signer.key() == pinned.key();
            let expected = ReceiptError::Checkpoint(NoteError::Unsigned);
            assert_eq!(alone.err(), (!own).then_some(expected), "size {size}");
            // A key out of its turn proves nothing, whoever follows the statements.
            for other in handed.keys.iter().filter(|key| key.key() != signer.key()) {
                let forged = receipt(&handed, size - 1, size, other);
                assert!(verify_receipt_by(&forged, &signers).is_err());
            }
        }
    }
}

#[test]
fn one_statement_that_does_not_hold_spoils_them_all() {
    let handed = Handed::published(9);
    let [one, two, three] = &handed.keys;
    let followed = |text: &str| Signers::followed(&one.key(), text).err();
    assert_eq!(followed(&handed.statements), None);
    assert_eq!(followed(""), None);
    let thief = Pair::of(9);
    let half = |old: &Pair, new: &Pair, by: &Pair| {
        let text = rotation(6, old, new).text();
        framed_note(&signed_note(&text, &[by.line(&text)]))
    };
    let first = framed_note(&stated(3, one, two));
    let unsigned = RotationError::Old(NoteError::Unsigned);
    assert_eq!(
        followed(&(first.clone() + &half(two, &thief, &thief))),
        Some(unsigned)
    );
    let unsigned = RotationError::New(NoteError::Unsigned);
    assert_eq!(
        followed(&(first.clone() + &half(two, &thief, two))),
        Some(unsigned)
    );
    let skipped = first.clone() + &framed_note(&stated(6, one, three));
    assert_eq!(followed(&skipped), Some(RotationError::Chain));
    let back = first.clone() + &framed_note(&stated(6, two, one));
    assert_eq!(followed(&back), Some(RotationError::Again));
    let of_others = framed_note(&stated(3, &thief, &Pair::of(8)));
    assert_eq!(followed(&of_others), Some(RotationError::Stranger));
    let cut = Signers::followed(&one.key(), &first[..first.len() - 1]);
    assert!(matches!(cut, Err(RotationError::Note(_))));
}

/// A log that was handed over twice, and what units and auditors keep of it.
struct Desk {
    handed: Handed,
    own: TempDir,
    archive: PathBuf,
}

impl Desk {
    fn open() -> Self {
        let handed = Handed::published(9);
        let own = tempdir().unwrap();
        let archive = handed.dir().to_owned();
        fs::create_dir(own.path().join("kept")).unwrap();
        for size in 1..=9 {
            let text = receipt(&handed, size - 1, size, handed.signer(size));
            let file = own.path().join(format!("kept/{size}.tlog-proof"));
            fs::write(file, text).unwrap();
            let note = handed.signer(size).note(&handed.log, size);
            fs::write(own.path().join(format!("{size}.note")), note).unwrap();
        }
        Self {
            handed,
            own,
            archive,
        }
    }

    fn file(&self, name: &str) -> String {
        text(&self.own.path().join(name))
    }

    fn signers(&self) -> String {
        text(&self.archive.join("signers"))
    }

    /// Runs a command with the log's first key pinned.
    fn run(&self, args: &[&str]) -> Output {
        self.pinned(0, args)
    }

    fn pinned(&self, key: usize, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .args(args)
            .args(["--key", &self.handed.keys[key].key().to_string()])
            .output()
            .unwrap()
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_commands_follow_handovers() {
    let desk = Desk::open();
    let (late, entry) = (desk.file("kept/9.tlog-proof"), desk.file("entry"));
    fs::write(&entry, &desk.handed.log.entries[8]).unwrap();
    let signers = desk.signers();
    let alone = desk.run(&["receipt", &late]);
    assert_eq!(code(&alone), 3);
    assert!(
        said(&alone).contains("signature-missing"),
        "{}",
        said(&alone)
    );
    let led = desk.run(&["receipt", &late, "--signers", &signers]);
    assert_eq!(code(&led), 0, "{}", said(&led));
    let newest = desk.handed.keys[2].key().to_string();
    assert!(said(&led).contains(&newest) && said(&led).contains("chain of handovers"));
    let json = desk.run(&["receipt", &late, "--signers", &signers, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["signer"], newest.as_str());
    assert_eq!(json["key"], desk.handed.keys[0].key().to_string().as_str());
    let proof = ["proof", &late, "--entry", &entry];
    assert_eq!(code(&desk.run(&proof)), 3);
    let led = desk.run(&[&proof[..], &["--signers", &signers]].concat());
    assert_eq!(code(&led), 0, "{}", said(&led));
    // From an archive its own statements, from a proof those that are named.
    let (old, new, out) = (desk.file("2.note"), desk.file("9.note"), desk.file("proof"));
    let archive = text(&desk.archive);
    let made = desk.run(&[
        "consistency",
        &old,
        &new,
        "--archive",
        &archive,
        "--out",
        &out,
    ]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let proven = ["consistency", &old, &new, "--proof", &out];
    assert_eq!(code(&desk.run(&proven)), 3);
    let led = desk.run(&[&proven[..], &["--signers", &signers]].concat());
    assert_eq!(code(&led), 0, "{}", said(&led));
    for pinned in 0..3 {
        let kept = desk.file("kept");
        let all = desk.pinned(pinned, &["reconcile", &archive, "--receipts", &kept]);
        assert_eq!(code(&all), 0, "{}", said(&all));
    }
}

#[test]
fn statements_that_do_not_hold_are_no_way_in() {
    let desk = Desk::open();
    let thief = Pair::of(9);
    let text = rotation(3, &desk.handed.keys[0], &thief).text();
    let forged = framed_note(&signed_note(&text, &[thief.line(&text)]));
    let statements = desk.file("forged");
    fs::write(&statements, forged).unwrap();
    let receipt = receipt(&desk.handed, 8, 9, &thief);
    let file = desk.file("stolen.tlog-proof");
    fs::write(&file, receipt).unwrap();
    let entry = desk.file("entry");
    fs::write(&entry, &desk.handed.log.entries[8]).unwrap();
    let (old, new) = (desk.file("2.note"), desk.file("9.note"));
    for args in [
        &["receipt", &file][..],
        &["proof", &file, "--entry", &entry],
        &["consistency", &old, &new, "--proof", &entry],
    ] {
        let output = desk.run(&[args, &["--signers", &statements]].concat());
        assert_eq!(code(&output), 3, "{}", said(&output));
        assert!(
            said(&output).contains("signer-statement"),
            "{}",
            said(&output)
        );
    }
    fs::write(&statements, [0xFF]).unwrap();
    let output = desk.run(&["receipt", &file, "--signers", &statements]);
    assert!(
        said(&output).contains("signer-statement"),
        "{}",
        said(&output)
    );
}

/// The exported verifier, in Python.
fn python(dir: &str, key: &Pair) -> Output {
    let verifier = format!("{dir}/VERIFY.py");
    let key = key.key().to_string();
    Command::new("python3")
        .args([&verifier, dir, &key])
        .output()
        .unwrap()
}

#[test]
fn an_export_carries_the_statements_and_both_verifiers_follow_them() {
    let desk = Desk::open();
    let to = desk.file("export");
    let output = desk.run(&["export", &text(&desk.archive), &to]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let signers = format!("{to}/signers");
    assert_eq!(
        fs::read_to_string(&signers).unwrap(),
        desk.handed.statements
    );
    for (pinned, key) in desk.handed.keys.iter().enumerate() {
        let verified = desk.pinned(pinned, &["verify", &to]);
        assert_eq!(code(&verified), 0, "{}", said(&verified));
        let verified = python(&to, key);
        assert_eq!(code(&verified), 0, "{}", said(&verified));
    }
    let stranger = Pair::of(9);
    assert_eq!(code(&python(&to, &stranger)), 3);
    let [one, two, three] = &desk.handed.keys;
    let (first, second) = (
        framed_note(&stated(3, one, two)),
        framed_note(&stated(6, two, three)),
    );
    let thief = rotation(6, two, &stranger).text();
    for (what, statements) in [
        ("cut off", first.clone()),
        ("out of order", format!("{second}{first}")),
        (
            "another entry",
            first.clone() + &framed_note(&stated(5, two, three)),
        ),
        (
            "beyond the log",
            first.clone() + &second + &framed_note(&stated(9, three, &stranger)),
        ),
        (
            "signed by one",
            first + &framed_note(&signed_note(&thief, &[stranger.line(&thief)])),
        ),
        ("garbage", "x".to_owned()),
    ] {
        fs::write(&signers, statements).unwrap();
        for output in [desk.run(&["verify", &to]), python(&to, one)] {
            assert_eq!(code(&output), 3, "{what}: {}", said(&output));
        }
    }
    // The first key alone, as if it had never handed over: the entry says that it did.
    fs::remove_file(&signers).unwrap();
    fs::write(format!("{to}/checkpoint"), one.note(&desk.handed.log, 9)).unwrap();
    let output = python(&to, one);
    assert_eq!(code(&output), 3);
    assert!(
        said(&output).contains("hands the log over"),
        "{}",
        said(&output)
    );
}
