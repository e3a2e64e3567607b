//! The verifier that lies in every export, Python with its standard library alone: what it looks at it finds, as this
//! tool does; and what it does not look at it says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ed25519_dalek::{Signer as _, SigningKey as Eye};
use ledger::verify::stamp_path;
use ledger::{
    Checkpoint, Entry, Facts, Operation, Outcome, SecondKey, WitnessKey, cosignature_line,
    cosigned_text, detail_commitment,
};
use ml_dsa::{Keypair as _, MlDsa44, Seed, SigningKey};
use support::{Dice, Log, ORIGIN, START_US, files, put};
use tempfile::{TempDir, tempdir};

const SIZE: u64 = 700;
/// The entry that commits to a reason, in the second schema.
const COMMITS: u64 = 299;
const TIME_S: u64 = START_US / 1_000_000;

fn about(operation: Operation, key: &str, number: u32) -> Facts {
    Facts {
        key: Some((key.to_owned(), number)),
        ..Facts::new(operation, Outcome::Ok)
    }
}

/// What a vault writes since there are epochs, incarnations and reasons.
fn story() -> Log {
    let before = Log::told(2, told);
    let root = before.checkpoint(2).root;
    Log::told(SIZE, move |seq, entry| {
        told(seq, entry);
        if seq == 2 {
            entry.facts = about(
                Operation::IncarnationOpen,
                "incarnation/00000000000000000000000000000007",
                1,
            );
            entry.facts.commitment = Some(root.0);
        }
    })
}

fn told(seq: u64, entry: &mut Entry) {
    match seq {
        1 => entry.facts = about(Operation::EpochOpen, "pseudonym-epoch", 1),
        400 => entry.facts = about(Operation::EpochOpen, "pseudonym-epoch", 2),
        COMMITS => entry.facts.detail = Some(detail_commitment(&[7; 32], "by letter")),
        _ => {}
    }
}

/// The line of a second signature.
fn second_line(checkpoint: &Checkpoint) -> String {
    let signer = SigningKey::<MlDsa44>::from_seed(&Seed::from([1; 32]));
    let key = SecondKey::new(ORIGIN, &signer.verifying_key().encode()).unwrap();
    let message = key.message(checkpoint, TIME_S);
    let signature = signer.expanded_key().sign_deterministic(&message, &[]);
    key.line(TIME_S, &signature.unwrap().encode())
}

fn witness_line(checkpoint: &Checkpoint) -> String {
    let eye = Eye::from_bytes(&[5; 32]);
    let key = WitnessKey::new("witness.example/w", eye.verifying_key().to_bytes()).unwrap();
    let signature = eye.sign(cosigned_text(&checkpoint.body(), TIME_S).as_bytes());
    cosignature_line(&key, TIME_S, &signature.to_bytes())
}

/// An archive that `jinku-ledger export` made.
struct Export {
    _own: TempDir,
    to: PathBuf,
    key: String,
}

impl Export {
    fn of(log: &Log, lines: &[String]) -> Self {
        let own = tempdir().unwrap();
        let (from, to) = (own.path().join("from"), own.path().join("to"));
        log.publish(&from, &[300, SIZE]);
        let note = lines
            .iter()
            .fold(log.note(SIZE), |note, line| note + line + "\n");
        put(&from, "checkpoint", note.as_bytes());
        put(&from, &stamp_path(START_US, 300), b"an authority's answer");
        let key = log.key().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .arg("export")
            .args([&from, &to])
            .args(["--key", &key])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        Self { _own: own, to, key }
    }

    fn python(&self, key: &str) -> (i32, String) {
        let output = Command::new("python3")
            .arg(self.to.join("VERIFY.py"))
            .arg(&self.to)
            .arg(key)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    fn judged(&self) -> (i32, String) {
        self.python(&self.key)
    }

    /// This tool's verdict.
    fn ours(&self) -> i32 {
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .arg("verify")
            .arg(&self.to)
            .args(["--key", &self.key])
            .output()
            .unwrap();
        output.status.code().unwrap()
    }

    /// What both say while a file is changed: of Python also the words.
    fn with(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> (i32, i32, String) {
        let path = self.to.join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        assert_ne!(good, bad, "{file}");
        fs::write(&path, bad).unwrap();
        let (exit, said) = self.judged();
        let ours = self.ours();
        fs::write(&path, good).unwrap();
        (exit, ours, said)
    }
}

/// Where an entry begins in its bundle, behind its length.
fn offset(log: &Log, seq: u64) -> usize {
    let (first, at) = (seq / 256 * 256, usize::try_from(seq).unwrap());
    let first = usize::try_from(first).unwrap();
    let before = log.entries[first..at].iter();
    before.map(|entry| 2 + entry.len()).sum::<usize>() + 2
}

#[test]
fn it_verifies_what_there_is_since_and_says_what_it_does_not_look_at() {
    let log = story();
    let checkpoint = log.checkpoint(SIZE);
    let bare = Export::of(&log, &[]);
    let (exit, said) = bare.judged();
    assert!(exit == 0 && said.contains("700 entries"), "{said}");
    assert!(!said.contains("more lines below the checkpoint"), "{said}");
    let whole = Export::of(&log, &[second_line(&checkpoint), witness_line(&checkpoint)]);
    let (exit, said) = whole.judged();
    assert_eq!(exit, 0, "{said}");
    for unseen in [
        "what entries say (operations, times, epochs of pseudonyms, incarnations, reasons)",
        "2 more lines below the checkpoint (witnesses, a second signature, another key's)",
        "1 files of earlier checkpoints",
        "1 time stamps",
        "whether others were shown another log",
    ] {
        assert!(
            said.contains(&format!("not looked at: {unseen}")),
            "{unseen}: {said}"
        );
    }
    // What it does not look at it does not vouch for: this tool does, where it is asked.
    let (exit, ours, said) = whole.with(&stamp_path(START_US, 300), |stamp| stamp[0] ^= 1);
    assert_eq!((exit, ours), (0, 0), "{said}");
}

#[test]
fn what_is_changed_it_finds_where_this_tool_finds_it() {
    let log = story();
    let checkpoint = log.checkpoint(SIZE);
    let export = Export::of(&log, &[second_line(&checkpoint)]);
    let commitment = detail_commitment(&[7; 32], "by letter");
    let in_entry = log.entries[299].windows(32);
    let in_entry = in_entry
        .clone()
        .position(|part| part == commitment)
        .unwrap();
    for (what, file, at, exit, word) in [
        (
            "a commitment",
            "tile/entries/001",
            offset(&log, COMMITS) + in_entry,
            2,
            "entry 300 does not stand or link",
        ),
        (
            "the last entry",
            "tile/entries/002.p/188",
            offset(&log, 699) + log.entries[699].len() - 1,
            2,
            "another root",
        ),
        (
            "a leaf tile",
            "tile/0/001",
            40,
            2,
            "tile/0/001: not the hashes",
        ),
        (
            "an upper tile",
            "tile/1/000.p/2",
            40,
            2,
            "tile/1/000.p/2: not the hashes",
        ),
        ("the size", "checkpoint", ORIGIN.len() + 1, 3, "checkpoint"),
    ] {
        let (python, ours, said) = export.with(file, |bytes| bytes[at] ^= 1);
        assert_eq!((python, ours), (exit, exit), "{what}: {said}");
        assert!(said.contains(word), "{what}: {said}");
    }
    let (python, ours, said) = export.with("items/001", |items| {
        let class = items.windows(11).position(|part| part == b"national-id");
        items[class.unwrap()] = b'r';
    });
    assert_eq!((python, ours), (2, 2), "{said}");
    assert!(
        said.contains("items/001: not the items that entry"),
        "{said}"
    );
    for file in ["tile/entries/001", "items/001", "tile/0/001"] {
        let (python, ours, said) = export.with(file, |bytes| bytes.push(0));
        assert_eq!((python, ours), (2, 2), "{file}: {said}");
        let (python, ours, said) = export.with(file, |bytes| bytes.truncate(bytes.len() - 1));
        assert_eq!((python, ours), (2, 2), "{file}: {said}");
        let good = fs::read(export.to.join(file)).unwrap();
        fs::remove_file(export.to.join(file)).unwrap();
        assert_eq!((export.judged().0, export.ours()), (5, 5), "{file}");
        put(&export.to, file, &good);
    }
    let other = Log::named("other.example/log", 1);
    assert_eq!(export.python(&other.key().to_string()).0, 3);
    assert_eq!(export.judged().0, 0);
}

#[test]
fn a_checkpoint_that_is_cut_is_not_verified_wherever_it_is_cut() {
    let log = story();
    let export = Export::of(&log, &[second_line(&log.checkpoint(SIZE))]);
    let length = fs::read(export.to.join("checkpoint")).unwrap().len();
    let near = (length - 3..length).chain([0, 1, 20, 40, 60, 90, 100, 150, 180, 200, 300]);
    for cut in near {
        let (python, ours, said) = export.with("checkpoint", |note| note.truncate(cut));
        assert_eq!((python, ours), (3, 3), "{cut}: {said}");
    }
}

#[test]
fn any_byte_of_what_it_looks_at_counts() {
    let log = story();
    let export = Export::of(&log, &[]);
    let looked_at = |file: &String| {
        ["tile/", "items/"]
            .iter()
            .any(|part| Path::new(file).starts_with(part))
    };
    let all: Vec<String> = files(&export.to).into_iter().filter(looked_at).collect();
    let mut dice = Dice(23);
    for _ in 0..20 {
        let file = &all[dice.below(all.len())];
        let bit = dice.below(8);
        let (python, ours, said) = export.with(file, |bytes| {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << bit;
        });
        assert_eq!((python, ours), (2, 2), "{file}: {said}");
    }
}
