//! Reasons in words that were handed out, held against the entries that commit to them: one by `record --detail`, all by
//! `reconcile --details`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::process::Command;

use ledger::{Detail, Entry, Facts, Operation, Outcome, detail_commitment};
use support::Log;
use tempfile::{TempDir, tempdir};

/// Entries that commit to a reason; the last one's is erased by entry 200, and 202 was denied to erase another's.
const REASONS: [(u64, &str); 3] = [(20, "by letter"), (21, "by order"), (22, "by mistake")];

struct Desk {
    archive: TempDir,
    given: TempDir,
    key: String,
}

fn detail((seq, text): (u64, &str)) -> Detail {
    let salt = [u8::try_from(seq).unwrap(); 32];
    Detail::new(seq, &salt, text.to_owned())
}

fn told(seq: u64, entry: &mut Entry) {
    if let Some((_, text)) = REASONS.iter().find(|(at, _)| *at == seq) {
        let salt = [u8::try_from(seq).unwrap(); 32];
        entry.facts.detail = Some(detail_commitment(&salt, text));
    }
    for (at, outcome, of) in [(200, Outcome::Ok, 22), (202, Outcome::Denied, 21)] {
        if seq == at {
            entry.facts = Facts {
                reason: Some(format!("entry-{of}")),
                ..Facts::new(Operation::DetailErase, outcome)
            };
        }
    }
}

impl Desk {
    fn open() -> Self {
        let (log, archive) = (Log::told(300, told), tempdir().unwrap());
        log.publish(archive.path(), &[300]);
        Self {
            archive,
            given: tempdir().unwrap(),
            key: log.key().to_string(),
        }
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.given.path().join(name), text).unwrap();
    }

    fn give(&self, name: &str, detail: &Detail) {
        self.put(name, &detail.to_json().unwrap());
    }

    fn run(&self, command: &str, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .arg(command)
            .arg(self.archive.path())
            .args(["--key", &self.key])
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code().unwrap(), said)
    }

    fn all(&self) -> (i32, String) {
        self.run(
            "reconcile",
            &["--details", self.given.path().to_str().unwrap()],
        )
    }
}

#[test]
fn none_may_be_missing_of_which_no_entry_says_that_it_was_erased() {
    let desk = Desk::open();
    let (exit, said) = desk.all();
    assert_eq!(exit, 5, "{said}");
    assert_eq!(said.matches("detail-missing").count(), 2, "{said}");
    assert!(!said.contains("reason of entry 22"), "{said}");
    desk.give("20.detail", &detail(REASONS[0]));
    let (exit, said) = desk.all();
    // Who was denied to erase it has not erased it.
    assert!(exit == 5 && said.contains("reason of entry 21"), "{said}");
    desk.give("21.detail", &detail(REASONS[1]));
    let (exit, said) = desk.all();
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("reasons in words: ledger 3, told 3: ok"),
        "{said}"
    );
    // One that was handed out before it was erased is still its entry's. Other files are left alone.
    desk.give("22.detail", &detail(REASONS[2]));
    desk.put("readme", "nothing");
    assert_eq!(desk.all().0, 0);
}

#[test]
fn each_is_its_entry_s() {
    for (name, wrong) in [
        ("another text", detail((20, "by word of mouth"))),
        (
            "another salt",
            Detail::new(20, &[9; 32], "by letter".to_owned()),
        ),
        (
            "of another entry",
            Detail::new(20, &[21; 32], "by order".to_owned()),
        ),
        (
            "of an entry that commits to none",
            detail((23, "by letter")),
        ),
        (
            "beyond the log",
            Detail::new(999, &[20; 32], "by letter".to_owned()),
        ),
    ] {
        let desk = Desk::open();
        for one in REASONS {
            desk.give(&format!("{}.detail", one.0), &detail(one));
        }
        assert_eq!(desk.all().0, 0);
        desk.give(&format!("{}.detail", wrong.entry), &wrong);
        let (exit, said) = desk.all();
        assert_eq!(exit, 2, "{name}: {said}");
        let place = format!("reason of entry {}", wrong.entry);
        assert!(
            said.contains("detail-differs") && said.contains(&place),
            "{said}"
        );
        // One by itself.
        let file = desk.given.path().join(format!("{}.detail", wrong.entry));
        let seq = wrong.entry.min(299).to_string();
        let alone = ["--seq", &seq, "--detail", file.to_str().unwrap()];
        let (exit, said) = desk.run("record", &alone);
        assert!(
            exit == 2 && said.contains("detail-differs"),
            "{name}: {said}"
        );
    }
    let desk = Desk::open();
    // The right salt and text, under another entry's number.
    let renumbered = Detail::new(21, &[20; 32], "by letter".to_owned());
    desk.give("renumbered", &renumbered);
    let file = desk.given.path().join("renumbered");
    let alone = ["--seq", "20", "--detail", file.to_str().unwrap()];
    assert_eq!(desk.run("record", &alone).0, 2);
    desk.give("20.detail", &detail(REASONS[0]));
    let file = desk.given.path().join("20.detail");
    for (seq, expected) in [("20", 0), ("21", 2)] {
        let alone = ["--seq", seq, "--detail", file.to_str().unwrap()];
        let (exit, said) = desk.run("record", &alone);
        assert_eq!(exit, expected, "{said}");
    }
}

#[test]
fn what_is_no_reason_or_one_twice_is_said() {
    let desk = Desk::open();
    desk.put("x.detail", "{}");
    let (exit, said) = desk.all();
    assert!(exit == 64 && said.contains("x.detail"), "{said}");
    fs::remove_file(desk.given.path().join("x.detail")).unwrap();
    desk.give("20.detail", &detail(REASONS[0]));
    desk.give("again.detail", &detail(REASONS[0]));
    let (exit, said) = desk.all();
    assert!(exit == 64 && said.contains("entry 20"), "{said}");
    let gone = ["--details", "/nonexistent/folder"];
    assert_eq!(desk.run("reconcile", &gone).0, 64);
}
