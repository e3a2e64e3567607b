//! The commands that answer one question of an archive: record, proof, consistency, compare, checkpoints.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ledger::tile::{entries_path, tile_path};
use ledger::verify::{Book, Comparison, compare};
use ledger::{Receipt, framed_note, leaf_hash, notes_path, verify_receipt};
use proptest::prelude::*;
use support::{Log, START_US, put};
use tempfile::{TempDir, tempdir};

fn published(log: &Log, size: u64) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &[size]);
    dir
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
        .args(args)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn changed_at(size: u64, at: u64) -> Log {
    Log::told(size, move |seq, entry| {
        if seq == at {
            entry.time_us += 1;
        }
    })
}

fn flip(dir: &Path, file: &str, at: usize) {
    let mut bytes = fs::read(dir.join(file)).unwrap();
    bytes[at] ^= 1;
    put(dir, file, &bytes);
}

#[test]
fn an_entry_is_taken_out_with_a_receipt_that_holds() {
    let log = Log::of(700);
    let dir = published(&log, 700);
    let key = log.key().to_string();
    for seq in [0, 3, 255, 256, 699] {
        let seq_text = seq.to_string();
        let args = [
            "record",
            text(dir.path()),
            "--seq",
            &seq_text,
            "--key",
            &key,
        ];
        let output = run(&args);
        assert_eq!(code(&output), 0, "{output:?}");
        let verified = verify_receipt(&out(&output), &log.key()).unwrap();
        assert_eq!(verified.entry.seq, seq);
        assert_eq!(
            verified.items.len(),
            if seq == 3 || seq == 255 { 3 } else { 0 }
        );
    }
    let outside = run(&["record", text(dir.path()), "--seq", "700", "--key", &key]);
    assert_eq!(code(&outside), 5, "{outside:?}");
    let unsigned = run(&["record", text(dir.path()), "--seq", "3"]);
    assert_eq!(code(&unsigned), 3);
}

#[test]
fn an_entry_is_found_by_its_request_if_it_is_the_only_one() {
    let log = Log::told(300, |seq, entry| {
        if seq == 200 {
            entry.facts.request = Some([9; 16]);
        }
    });
    let dir = published(&log, 300);
    let (key, one, many) = (log.key().to_string(), "09".repeat(16), "07".repeat(16));
    let file = dir.path().parent().unwrap().join("one.tlog-proof");
    let _ = fs::remove_file(&file);
    let args = |id: &str| {
        let out = text(&file).to_owned();
        let args = [
            "record",
            text(dir.path()),
            "--request",
            id,
            "--key",
            &key,
            "--out",
            &out,
        ];
        run(&args)
    };
    assert_eq!(code(&args(&one)), 0);
    let receipt = fs::read_to_string(&file).unwrap();
    assert_eq!(Receipt::decode(&receipt).unwrap().index, 200);
    assert_eq!(code(&args(&one)), 64, "a file that is there stays as it is");
    assert_eq!(code(&args(&many)), 64);
    assert_eq!(code(&args(&"00".repeat(16))), 64);
    assert_eq!(code(&args("xyz")), 64);
    fs::remove_file(file).unwrap();
}

#[test]
fn a_changed_entry_or_tile_gives_no_receipt() {
    let log = Log::of(700);
    let key = log.key().to_string();
    for (file, exit) in [
        (entries_path(0, None), 2),
        (tile_path(0, 0, None), 2),
        (tile_path(1, 0, Some(2)), 2),
    ] {
        let dir = published(&log, 700);
        flip(dir.path(), &file, 40);
        let seq = if file.starts_with("tile/0") { "2" } else { "0" };
        let output = run(&["record", text(dir.path()), "--seq", seq, "--key", &key]);
        assert_eq!(code(&output), exit, "{file}: {output:?}");
    }
    let dir = published(&log, 700);
    fs::remove_file(dir.path().join(tile_path(0, 1, None))).unwrap();
    let output = run(&["record", text(dir.path()), "--seq", "300", "--key", &key]);
    assert_eq!(code(&output), 5);
}

#[test]
fn a_proof_is_checked_against_the_bytes_beside_it() {
    let log = Log::of(300);
    let dir = published(&log, 300);
    let own = tempdir().unwrap();
    let book = Book::open(dir.path(), &log.trust()).unwrap();
    let receipt = book.receipt(17).unwrap().encode().unwrap();
    let lines: Vec<&str> = receipt.split('\n').collect();
    let without = receipt.replace(&format!("{}\n", lines[1]), "");
    put(own.path(), "entry", &log.entries[17]);
    put(own.path(), "other", &log.entries[18]);
    let key = log.key().to_string();
    for proof in [receipt, without] {
        put(own.path(), "proof", proof.as_bytes());
        let check = |entry: &str| {
            let (proof, entry) = (own.path().join("proof"), own.path().join(entry));
            run(&[
                "proof",
                text(&proof),
                "--entry",
                text(&entry),
                "--key",
                &key,
            ])
        };
        let good = check("entry");
        assert_eq!(code(&good), 0, "{good:?}");
        assert!(out(&good).contains("entry 17 of 300"), "{}", out(&good));
        let bad = check("other");
        assert_eq!(code(&bad), 2);
        assert!(out(&bad).contains("proof-broken"));
    }
    let (proof, entry) = (own.path().join("proof"), own.path().join("entry"));
    let other = ledger::VerifierKey::new("x.example/log", [3; 32]);
    assert!(other.is_err() || code(&run(&["proof", text(&proof), "--entry", text(&entry)])) == 3);
}

/// Two signed checkpoints in files, and what `consistency` says of them.
fn consistency(old: &str, new: &str, more: &[&str]) -> Output {
    let own = tempdir().unwrap();
    put(own.path(), "old", old.as_bytes());
    put(own.path(), "new", new.as_bytes());
    let (old, new) = (own.path().join("old"), own.path().join("new"));
    run(&[&["consistency", text(&old), text(&new)], more].concat())
}

#[test]
fn a_newer_checkpoint_is_proven_to_continue_an_older() {
    let log = Log::of(1000);
    let dir = published(&log, 1000);
    let key = log.key().to_string();
    let own = tempdir().unwrap();
    let file = own.path().join("proof");
    for (old, new) in [
        (0, 5),
        (1, 1000),
        (256, 700),
        (699, 700),
        (300, 300),
        (512, 1000),
    ] {
        let (old, new) = (log.note(old), log.note(new));
        let _ = fs::remove_file(&file);
        let from = [
            "--key",
            &key,
            "--archive",
            text(dir.path()),
            "--out",
            text(&file),
        ];
        let output = consistency(&old, &new, &from);
        assert_eq!(code(&output), 0, "{output:?}");
        if file.exists() {
            assert!(fs::read_to_string(&file).unwrap().ends_with(&new));
            let output = consistency(&old, &new, &["--key", &key, "--proof", text(&file)]);
            assert_eq!(code(&output), 0, "{output:?}");
        }
    }
}

#[test]
fn checkpoints_of_two_histories_are_a_fork_and_a_smaller_one_a_rollback() {
    let (log, other) = (Log::of(1000), changed_at(1000, 40));
    let dir = published(&other, 1000);
    let key = log.key().to_string();
    let from = ["--key", &key, "--archive", text(dir.path())];
    for (old, new, exit, word) in [
        (log.note(300), other.note(1000), 4, "fork"),
        (log.note(1000), other.note(1000), 4, "fork"),
        (log.note(1000), log.note(300), 4, "rollback"),
        (log.note(40), other.note(1000), 0, "verified"),
        (
            log.sign("x.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
            log.note(3),
            3,
            "origin-other",
        ),
        (
            log.note(3).replace("\n3\n", "\n2\n"),
            log.note(3),
            3,
            "NOT TRUSTED",
        ),
    ] {
        let output = consistency(&old, &new, &from);
        assert_eq!(code(&output), exit, "{output:?}");
        assert!(out(&output).contains(word), "{}", out(&output));
    }
    let unsigned = consistency(&log.note(3), &log.note(9), &["--archive", text(dir.path())]);
    assert_eq!(code(&unsigned), 3);
}

#[test]
fn a_proof_with_a_hash_too_many_or_another_is_refused() {
    let log = Log::of(1000);
    let dir = published(&log, 1000);
    let key = log.key().to_string();
    let own = tempdir().unwrap();
    let file = own.path().join("proof");
    let (old, new) = (log.note(300), log.note(1000));
    let from = [
        "--key",
        &key,
        "--archive",
        text(dir.path()),
        "--out",
        text(&file),
    ];
    assert_eq!(code(&consistency(&old, &new, &from)), 0);
    let good = fs::read_to_string(&file).unwrap();
    let (first, rest) = good.split_once('\n').unwrap();
    let (hash, tail) = rest.split_once('\n').unwrap();
    for (bad, exit) in [
        (format!("{first}\n{tail}"), 4),
        (format!("{first}\n{hash}\n{rest}"), 4),
        (format!("{first}\nAAAA\n{rest}"), 64),
        (format!("old 301\n{rest}"), 64),
        (
            format!("{first}\n{}{rest}", format!("{hash}\n").repeat(64)),
            64,
        ),
    ] {
        put(own.path(), "bad", bad.as_bytes());
        let bad = own.path().join("bad");
        let output = consistency(&old, &new, &["--key", &key, "--proof", text(&bad)]);
        assert_eq!(code(&output), exit, "{output:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn two_histories_part_where_they_were_made_to(
        sizes in (2_u64..1500, 2_u64..1500), at in any::<prop::sample::Index>()
    ) {
        let shared = sizes.0.min(sizes.1);
        let at = at.index(usize::try_from(shared).unwrap() - 1) as u64 + 1;
        let (log, other) = (Log::of(sizes.0), changed_at(sizes.1, at));
        let (one, two) = (published(&log, sizes.0), published(&other, sizes.1));
        let open = |dir: &TempDir| Book::open(dir.path(), &log.trust()).unwrap();
        let found = compare(&open(&one), &open(&two));
        prop_assert_eq!(found, Ok(Comparison::Fork { seq: at }));
        let same = published(&Log::of(sizes.1), sizes.1);
        let expected = match sizes.0.cmp(&sizes.1) {
            std::cmp::Ordering::Less => Comparison::Continued,
            std::cmp::Ordering::Equal => Comparison::Same,
            std::cmp::Ordering::Greater => Comparison::Behind,
        };
        prop_assert_eq!(compare(&open(&one), &open(&same)), Ok(expected));
    }
}

#[test]
fn the_tool_names_the_entry_where_two_copies_part() {
    let (log, other) = (Log::of(70_000), changed_at(70_000, 65_537));
    let (one, two) = (published(&log, 70_000), published(&other, 70_000));
    let key = log.key().to_string();
    let output = run(&["compare", text(one.path()), text(two.path()), "--key", &key]);
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(
        out(&output).contains("part at entry 65537"),
        "{}",
        out(&output)
    );
    assert!(out(&output).contains("first: 65537"), "{}", out(&output));
    let same = run(&["compare", text(one.path()), text(one.path()), "--key", &key]);
    assert_eq!(code(&same), 0);
    let unsigned = run(&["compare", text(one.path()), text(one.path())]);
    assert_eq!(code(&unsigned), 3);
}

#[test]
fn a_damaged_copy_is_no_fork() {
    let log = Log::of(1000);
    let (one, two) = (published(&log, 1000), published(&log, 1000));
    flip(two.path(), &tile_path(1, 0, Some(3)), 40);
    let key = log.key().to_string();
    let output = run(&["compare", text(one.path()), text(two.path()), "--key", &key]);
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(out(&output).contains("the second copy"), "{}", out(&output));
}

#[test]
fn archived_checkpoints_are_listed_with_what_is_wrong_with_them() {
    let (log, other) = (Log::of(1000), changed_at(1000, 40));
    let dir = tempdir().unwrap();
    log.publish(dir.path(), &[0, 1, 300, 700, 1000]);
    let key = log.key().to_string();
    let list = || run(&["checkpoints", text(dir.path()), "--key", &key, "--json"]);
    let good = list();
    assert_eq!(
        (code(&good), out(&good).lines().count()),
        (0, 5),
        "{good:?}"
    );
    assert!(!out(&good).contains("history"));

    let stranger = Log {
        signer: ed25519_dalek::SigningKey::from_bytes(&[9; 32]),
        ..log.clone()
    };
    for (notes, exit, fault) in [
        (vec![log.note(300), other.note(700)], 4, "history-fork"),
        (vec![log.note(700), log.note(300)], 4, "history-rollback"),
        (vec![stranger.note(300)], 3, "history-signature"),
    ] {
        let day: String = notes.iter().map(|note| framed_note(note)).collect();
        put(dir.path(), &notes_path(START_US), day.as_bytes());
        let output = list();
        assert_eq!(code(&output), exit, "{output:?}");
        assert!(
            out(&output).lines().last().unwrap().contains(fault),
            "{}",
            out(&output)
        );
    }
    put(dir.path(), &notes_path(START_US), b"#3\n");
    assert_eq!(code(&list()), 3);
    let _ = leaf_hash(b"");
}
