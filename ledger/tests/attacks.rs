//! The catalogue of attacks: each is made on a real ledger and must be found by the finding, at the place
//! and with the exit code that it names. `cargo test -p ledger --test attacks -- --nocapture` shows the table.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ed25519_dalek::Signer as _;
use ledger::verify::{Options, verify_archive};
use ledger::{Trust, WitnessKey, cosignature_line, cosigned_text};
use support::{Log, put};
use tempfile::{TempDir, tempdir};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
        .args(args)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn published(log: &Log, sizes: &[u64]) -> TempDir {
    let dir = tempdir().unwrap();
    log.publish(dir.path(), sizes);
    dir
}

#[test]
fn every_attack_of_the_catalogue_is_found() {
    let own = tempdir().unwrap();
    let keep = own.path().join("attacks");
    let keep = keep.to_str().unwrap();
    let output = run(&["selftest", "--json", "--keep", keep]);
    let lines: Vec<serde_json::Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let text = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
    for line in &lines {
        let (id, what) = (text(line, "attack"), text(line, "what"));
        let (code, place) = (text(line, "found_by"), text(line, "place"));
        println!(
            "{id:<4} {what:<84} -> {code:<20} exit {} {place}",
            line["exit_code"]
        );
        assert_eq!(line["found"], true, "{line}");
    }
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(lines.len() >= 155, "{}", lines.len());
    let ids: BTreeSet<String> = lines.iter().map(|line| text(line, "attack")).collect();
    for id in CATALOGUE {
        assert!(ids.contains(id), "{id}");
    }
    // The attacked ledgers are there for a look, and a second look does not write over them.
    let keep = Path::new(keep);
    assert!(keep.join("honest/checkpoint").is_file());
    assert!(keep.join("T60-entry-altered/tile/entries/001").is_file());
    assert_eq!(
        code(&run(&["selftest", "--keep", keep.to_str().unwrap()])),
        64
    );
}

/// The attacks of the research that a verifier can find from files, keys and what it was told before; and T65, on what
/// was made since. Not among them: T50 (an outcome that was false before it was written), T54 (no entry carries an
/// approval's signature), T55 (no entry speaks of a peer's checkpoint); T61 and T64 are tried below.
const CATALOGUE: [&str; 60] = [
    "T52", "T47", "T49", "T56", "T58", "T62", "T65", "T20", "T21", "T22", "T23", "T25", "T46",
    "T01", "T02", "T03", "T04", "T05", "T06", "T07", "T08", "T09", "T10", "T11", "T12", "T13",
    "T14", "T15", "T16", "T17", "T18", "T19", "T24", "T26", "T27", "T28", "T29", "T30", "T31",
    "T32", "T33", "T34", "T35", "T36", "T37", "T38", "T39", "T40", "T41", "T42", "T43", "T44",
    "T45", "T48", "T51", "T53", "T57", "T59", "T60", "T63",
];

/// What an auditor's own files do in an attack: keys, state, links.
#[test]
fn what_the_auditor_brings_cannot_be_taken_from_the_archive() {
    let log = Log::of(300);
    let dir = published(&log, &[300]);
    let own = tempdir().unwrap();
    let key = log.key().to_string();
    let archive = dir.path().to_str().unwrap();
    put(dir.path(), "policy", key.as_bytes());
    let planted = dir.path().join("policy");
    let planted = planted.to_str().unwrap();
    assert_eq!(code(&run(&["verify", archive, "--key-file", planted])), 64);
    for flag in ["--state", "--since", "--resume"] {
        let output = run(&["verify", archive, "--key", &key, flag, planted]);
        assert_eq!(code(&output), 64, "{flag}: {output:?}");
    }
    let link = own.path().join("link");
    std::os::unix::fs::symlink(planted, &link).unwrap();
    let link = link.to_str().unwrap();
    for args in [
        &["report", archive, "--key-file", link][..],
        &["record", archive, "--seq", "1", "--key-file", link],
        &["checkpoints", archive, "--key-file", link],
        &["compare", archive, archive, "--key-file", link],
    ] {
        assert_eq!(code(&run(args)), 64, "{args:?}");
    }
}

/// T61: a state file that was taken away, or put back, is told.
#[test]
fn a_lost_state_file_is_said_and_an_old_one_still_holds() {
    let log = Log::of(700);
    let (dir, own) = (published(&log, &[300, 700]), tempdir().unwrap());
    let state = own.path().join("state");
    let key = log.key().to_string();
    let verify = || {
        let (archive, state) = (dir.path().to_str().unwrap(), state.to_str().unwrap());
        run(&["verify", archive, "--key", &key, "--state", state])
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said(&verify()).contains("first run"));
    fs::write(&state, log.note(300)).unwrap();
    let second = verify();
    assert!(!said(&second).contains("first run") && out(&second).contains("size 300"));
    fs::remove_file(&state).unwrap();
    assert!(said(&verify()).contains("first run"));
}

/// T23: what a ledger says of its keys gives nobody trust; the pinned key does.
#[test]
fn a_rotation_that_the_ledger_tells_of_is_not_believed() {
    let log = Log::told(300, |seq, entry| {
        if seq == 299 {
            entry.facts.operation = ledger::Operation::KeyRotate;
            entry.facts.outcome = ledger::Outcome::Ok;
        }
    });
    let other = Log {
        signer: ed25519_dalek::SigningKey::from_bytes(&[9; 32]),
        ..log.clone()
    };
    let dir = published(&other, &[300]);
    let trust = Trust {
        key: Some(log.key()),
        ..Trust::default()
    };
    let report = verify_archive(Path::new(dir.path()), &trust, &Options::default());
    assert_eq!(report.exit_code, 3);
}

/// T25 and T24: a policy that names one key twice is none; one inside the archive is refused.
#[test]
fn a_witness_policy_is_the_auditor_s_and_counts_each_witness_once() {
    let log = Log::of(300);
    let (dir, own) = (published(&log, &[300]), tempdir().unwrap());
    let archive = dir.path().to_str().unwrap();
    let eye = |seed: u8| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let witness =
        |name: &str, seed: u8| WitnessKey::new(name, eye(seed).verifying_key().to_bytes()).unwrap();
    let write = |name: &str, text: &str| {
        put(own.path(), name, text.as_bytes());
        own.path().join(name).to_str().unwrap().to_owned()
    };
    let verify = |policy: &str| run(&["verify", archive, "--policy", policy]);
    let (one, two) = (witness("w.example/1", 1), witness("w.example/2", 2));
    let head = format!("log {}\nwitness a {one}\n", log.key());
    let good = write(
        "good",
        &format!("{head}witness b {two}\ngroup g 2 a b\nquorum g\n"),
    );
    let twice = witness("w.example/3", 1);
    let twice = write(
        "twice",
        &format!("{head}witness b {twice}\ngroup g 2 a b\nquorum g\n"),
    );

    let lacking = verify(&good);
    assert_eq!(code(&lacking), 3, "{lacking:?}");
    assert!(out(&lacking).contains("cosigned by 0 of 2 witnesses, which is NO quorum"));
    assert_eq!(code(&verify(&twice)), 64);

    let body = log.checkpoint(300).body();
    let line = |key: &WitnessKey, seed: u8, time_s: u64| {
        let signature = eye(seed).sign(cosigned_text(&body, time_s).as_bytes());
        cosignature_line(key, time_s, &signature.to_bytes()) + "\n"
    };
    let time_s = support::START_US / 1_000_000 + 60;
    let lines = line(&one, 1, time_s) + &line(&two, 2, time_s + 5);
    put(
        dir.path(),
        "checkpoint",
        format!("{}{lines}", log.note(300)).as_bytes(),
    );
    let cosigned = verify(&good);
    assert_eq!(code(&cosigned), 0, "{cosigned:?}");
    assert!(out(&cosigned).contains("cosigned by 2 of 2 witnesses, which is a quorum"));
    assert!(!out(&cosigned).contains("not checked: witnesses"));
    let late = run(&[
        "verify",
        archive,
        "--policy",
        &good,
        "--cosigned-since",
        "2026-11-24",
    ]);
    assert_eq!(code(&late), 3);
    let json = run(&["verify", archive, "--policy", &good, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(told["cosigners"]["witnesses"][1]["time_s"], time_s + 5);

    fs::copy(&good, dir.path().join("policy")).unwrap();
    let inside = dir.path().join("policy");
    assert_eq!(code(&verify(inside.to_str().unwrap())), 64);
}

// T64: whoever doubts a report makes it again, with any number of threads, and compares the bytes.
#[test]
fn a_report_is_the_same_when_it_is_made_again() {
    let log = Log::of(700);
    let dir = published(&log, &[300, 700]);
    let key = log.key().to_string();
    let archive = dir.path().to_str().unwrap();
    for format in ["human", "json", "csv", "html"] {
        let made = |threads: &str| {
            run(&[
                "report", archive, "--key", &key, "--format", format, "-j", threads,
            ])
        };
        let [first, second, third] = ["1", "1", "3"].map(made);
        assert_eq!(code(&first), 0, "{format}: {first:?}");
        assert!(!first.stdout.is_empty());
        assert_eq!(first.stdout, second.stdout, "{format}");
        assert_eq!(first.stdout, third.stdout, "{format}");
    }
}
