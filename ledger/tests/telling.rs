//! What the tool tells of an archive: filters, reports in four formats, exports, reconciliation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ledger::verify::Book;
use ledger::{
    Batch, Entry, Item, ItemView, Operation, Outcome, Pseudonym, encode_items, items_root,
};
use serde_json::Value;
use support::{Log, put};
use tempfile::{TempDir, tempdir};

const HOSTILE: &str = "<script>alert(1)</script>";

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

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn item(id: u8, class: &str, view: ItemView) -> Item {
    Item {
        pseudonym: Pseudonym {
            epoch: 1,
            id: [id; 16],
        },
        class: class.to_owned(),
        view,
    }
}

/// A log in which two units redeem, one of them by night, one is denied, and one erases a token.
fn story() -> Log {
    let mut log = Log::empty();
    let acts: [(&str, Operation, Outcome, Vec<Item>, u64); 6] = [
        (
            "registry",
            Operation::Tokenize,
            Outcome::Ok,
            (1..=5)
                .map(|id| item(id, "national-id", ItemView::Issued))
                .collect(),
            9,
        ),
        (
            "tax-office",
            Operation::Detokenize,
            Outcome::Ok,
            vec![
                item(1, "national-id", ItemView::Plain),
                item(2, "phone", ItemView::Masked),
            ],
            10,
        ),
        (
            "night-desk",
            Operation::Detokenize,
            Outcome::Ok,
            vec![item(3, "national-id", ItemView::Plain)],
            2,
        ),
        (HOSTILE, Operation::Detokenize, Outcome::Denied, vec![], 11),
        (
            "registry",
            Operation::Erase,
            Outcome::Ok,
            vec![item(5, "national-id", ItemView::Done)],
            12,
        ),
        ("night-desk", Operation::Alert, Outcome::Ok, vec![], 13),
    ];
    let genesis = Log::of(1);
    log.entries.push(genesis.entries[0].clone());
    log.items.push(Vec::new());
    for (unit, operation, outcome, items, hour) in acts {
        let mut entry = Entry::decode(&genesis.entries[0]).unwrap();
        entry.seq = log.entries.len() as u64;
        entry.prev = ledger::leaf_hash(log.entries.last().unwrap());
        // Monday 23 November 2026; the genesis is of that evening, in another run.
        entry.time_us = ledger::moment(&format!("2026-11-24T{hour:02}:00:00Z")).unwrap();
        entry.boot.id = [entry.seq.to_be_bytes()[7]; 8];
        entry.facts = ledger::Facts::new(operation, outcome);
        entry.facts.unit = Some(unit.to_owned());
        entry.facts.domain = Some("citizen".to_owned());
        entry.facts.purpose = Some("land-tax".to_owned());
        entry.facts.reason = (outcome == Outcome::Denied).then(|| "policy-denied".to_owned());
        if !items.is_empty() {
            let root = items_root(&items).unwrap();
            let count = items.len() as u64;
            entry.facts.batch = Some(Batch { count, root });
        }
        log.entries.push(entry.encode().unwrap());
        log.items.push(encode_items(&items).unwrap());
    }
    log
}

struct Desk {
    archive: TempDir,
    own: TempDir,
    log: Log,
    key: String,
}

impl Desk {
    fn with(log: Log) -> Self {
        let archive = tempdir().unwrap();
        log.publish(archive.path(), &[log.entries.len() as u64]);
        Self {
            archive,
            own: tempdir().unwrap(),
            key: log.key().to_string(),
            log,
        }
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let dir = text(self.archive.path());
        run(&[&[command, dir], more].concat())
    }

    fn keyed(&self, command: &str, more: &[&str]) -> Output {
        self.run(command, &[&["--key", &self.key], more].concat())
    }
}

#[test]
fn entries_are_filtered_by_every_fact_and_by_their_items() {
    let desk = Desk::with(story());
    let token = "03".repeat(16);
    for (filter, count) in [
        (&["--unit", "registry"][..], 2),
        (&["--unit", "registry", "--unit", "night-desk"], 4),
        (&["--op", "detokenize", "--op", "erase"], 4),
        (&["--outcome", "denied"], 1),
        (&["--reason", "policy-denied"], 1),
        (&["--purpose", "land-tax"], 6),
        (&["--domain", "nowhere"], 0),
        (&["--token", &token], 2),
        (&["--class", "phone"], 1),
        (&["--view", "plain"], 2),
        (&["--class", "phone", "--view", "plain"], 0),
        (&["--from", "2026-11-24T10:00:00Z"], 4),
        (
            &[
                "--from",
                "2026-11-24T10:00:00Z",
                "--until",
                "2026-11-24T12:00:00Z",
            ],
            2,
        ),
        (&["--until", "2026-11-24"], 1),
    ] {
        let output = desk.run("filter", filter);
        assert_eq!(code(&output), 0, "{output:?}");
        assert_eq!(out(&output).lines().count(), count, "{filter:?}");
    }
    for bad in [
        &["--token", "xy"][..],
        &["--from", "yesterday"],
        &["--view", "x"],
        &["--op", "x"],
    ] {
        assert_eq!(code(&desk.run("show", bad)), 64, "{bad:?}");
    }
}

#[test]
fn entries_are_told_as_csv_and_json_with_their_items() {
    let desk = Desk::with(story());
    let csv = out(&desk.run("show", &["--csv", "--items", "--unit", "tax-office"]));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(
        lines[1].ends_with("national-id,plain") && lines[2].ends_with("phone,masked"),
        "{csv}"
    );
    let json = out(&desk.run("show", &["--json", "--items", "--unit", "tax-office"]));
    let entry: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(entry["items"][1]["class"], "phone");
    let formula = Desk::with(Log::told(2, |seq, entry| {
        if seq == 1 {
            entry.facts.unit = Some("=cmd|' /C calc'!A0,\"x\"".to_owned());
        }
    }));
    let csv = out(&formula.run("show", &["--csv"]));
    assert!(csv.contains(",\"'=cmd|' /C calc'!A0,\"\"x\"\"\","), "{csv}");
}

#[test]
fn a_report_says_who_redeemed_what_and_when() {
    let desk = Desk::with(story());
    let output = desk.keyed("report", &["--format", "json"]);
    // The clock went back between the runs of the story.
    assert!(code(&output) <= 1, "{output:?}");
    let told: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(told["schema"], "jinku-ledger.summary/1");
    let tables = &told["tables"];
    assert_eq!(tables["redeemed"][0]["shown"], 1);
    assert_eq!(tables["redeemed"].as_array().unwrap().len(), 3);
    let units: Vec<(&str, u64)> = tables["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["unit"].as_str().unwrap(),
                row["shown"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(units[..2], [("tax-office", 2), ("night-desk", 1)]);
    assert_eq!(tables["unusual-hours"][0]["unit"], "night-desk");
    assert_eq!(tables["unusual-hours"].as_array().unwrap().len(), 1);
    assert_eq!(tables["denials"][0]["reason"], "policy-denied");
    assert_eq!(tables["alerts"][0]["unit"], "night-desk");
    assert_eq!(told["shown_by_weekday_and_hour"][1][2], 1);
    let local = out(&desk.keyed("report", &["--format", "json", "--utc-offset", "+08:00"]));
    let local: Value = serde_json::from_str(&local).unwrap();
    assert_eq!(local["shown_by_weekday_and_hour"][1][10], 1);
    assert!(
        local["tables"]["unusual-hours"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let only = out(&desk.keyed("report", &["--format", "csv", "--unit", "night-desk"]));
    assert!(
        only.contains("units,night-desk,,,shown,1") && !only.contains("tax-office"),
        "{only}"
    );
}

#[test]
fn a_report_for_people_has_its_tables_and_the_same_bytes_each_time() {
    let desk = Desk::with(story());
    for format in ["human", "json", "csv", "html"] {
        let one = desk.keyed("report", &["--format", format, "-j", "1"]);
        let two = desk.keyed("report", &["--format", format, "-j", "3"]);
        assert_eq!(one.stdout, two.stdout, "{format}");
        let file = desk.own.path().join(format);
        let written = desk.keyed("report", &["--format", format, "--out", text(&file)]);
        assert_eq!(code(&written), code(&one), "{written:?}");
        assert_eq!(fs::read_to_string(&file).unwrap().trim(), out(&one).trim());
    }
    let human = out(&desk.keyed("report", &[]));
    for word in ["Who redeemed what", "night-desk", "Denials", "usual hours"] {
        assert!(human.contains(word), "{word}: {human}");
    }
}

#[test]
fn the_page_needs_nothing_and_believes_no_name() {
    let desk = Desk::with(story());
    let page = out(&desk.keyed("report", &["--format", "html"]));
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"));
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    for outside in [
        "http://", "https://", "//", "url(", "@import", "src=", "href=",
    ] {
        let page = page.replace("http-equiv", "");
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("default-src 'none'"));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn a_report_over_a_bad_archive_says_so_first() {
    let desk = Desk::with(Log::of(300));
    let path = "tile/entries/000";
    let mut bytes = fs::read(desk.archive.path().join(path)).unwrap();
    bytes[3000] ^= 1;
    put(desk.archive.path(), path, &bytes);
    for format in ["human", "json", "csv", "html"] {
        let output = desk.keyed("report", &["--format", format]);
        assert_eq!(code(&output), 2, "{format}");
        assert!(
            out(&output).contains("TAMPERED") || out(&output).contains("tampered"),
            "{format}"
        );
    }
    assert_eq!(code(&desk.run("report", &[])), 2);
    let unsigned = Desk::with(Log::of(3));
    assert_eq!(code(&unsigned.run("report", &[])), 3);
}

#[test]
fn an_export_needs_nothing_but_itself() {
    let log = Log::of(700);
    let desk = Desk::with(log);
    let to = desk.own.path().join("export");
    put(desk.archive.path(), "stray", b"?");
    let output = desk.keyed("export", &[text(&to)]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(!to.join("stray").exists());
    let verified = run(&["verify", text(&to), "--key", &desk.key]);
    assert_eq!(code(&verified), 0, "{verified:?}");
    assert_eq!(
        fs::read_to_string(to.join("FORMAT.cddl")).unwrap(),
        ledger::FORMAT
    );
    let read_me = fs::read_to_string(to.join("README.md")).unwrap();
    assert!(
        !read_me.contains('{') && read_me.contains(&desk.key),
        "{read_me}"
    );
    assert_eq!(code(&desk.keyed("export", &[text(&to)])), 64);
    assert_eq!(
        code(&desk.run("export", &[text(&desk.own.path().join("x"))])),
        3
    );
    assert!(!desk.own.path().join("x").exists());
}

/// The exported verifier, in Python.
fn python(dir: &Path, key: &str) -> Output {
    Command::new("python3")
        .arg(dir.join("VERIFY.py"))
        .arg(dir)
        .arg(key)
        .output()
        .unwrap()
}

#[test]
fn the_exported_verifier_agrees_with_this_one() {
    for size in [1, 255, 256, 257, 700] {
        let desk = Desk::with(Log::of(size));
        let to = desk.own.path().join("export");
        assert_eq!(code(&desk.keyed("export", &[text(&to)])), 0);
        let good = python(&to, &desk.key);
        assert_eq!(code(&good), 0, "{good:?}");
        assert!(
            out(&good).contains(&format!("{size} entries")),
            "{}",
            out(&good)
        );
        let other = ledger::VerifierKey::new(
            support::ORIGIN,
            ed25519_dalek::SigningKey::from_bytes(&[9; 32])
                .verifying_key()
                .to_bytes(),
        );
        assert_eq!(code(&python(&to, &other.unwrap().to_string())), 3);
    }
    let desk = Desk::with(Log::of(700));
    let to = desk.own.path().join("export");
    assert_eq!(code(&desk.keyed("export", &[text(&to)])), 0);
    for (file, at, exit) in [
        ("tile/entries/001", 3000, 2),
        ("tile/0/001", 40, 2),
        ("tile/1/000.p/2", 40, 2),
        ("checkpoint", 28, 3),
    ] {
        let good = fs::read(to.join(file)).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        put(&to, file, &bad);
        assert_eq!(code(&python(&to, &desk.key)), exit, "{file}");
        let ours = run(&["verify", text(&to), "--key", &desk.key]);
        assert_eq!(code(&ours), exit, "{file}");
        fs::remove_file(to.join(file)).unwrap();
        assert_eq!(code(&python(&to, &desk.key)), 5, "{file}");
        put(&to, file, &good);
    }
}

#[test]
fn the_vault_s_rows_are_held_against_the_entries() {
    let desk = Desk::with(story());
    let counts = |text: &str| {
        put(desk.own.path(), "counts", text.as_bytes());
        let file = desk.own.path().join("counts");
        desk.keyed("reconcile", &["--counts", file.to_str().unwrap()])
    };
    let told = |entries, tokens, domain| {
        counts(&format!(
            "{{\"schema\":\"jinku.counts/1\",\"entries\":{entries},\"tokens\":{tokens},\"domains\":{{\"citizen\":{domain}}}}}"
        ))
    };
    // The rows of now, and of the moments before and after the erasure.
    for (entries, tokens) in [(7, 4), (6, 4), (5, 5), (2, 5)] {
        let output = told(entries, tokens, tokens);
        assert_eq!(code(&output), 0, "{output:?}");
    }
    for (entries, tokens, domain, exit, word) in [
        (7, 5, 5, 4, "counts-differ"),
        (7, 4, 3, 4, "counts-differ"),
        (6, 5, 5, 4, "counts-differ"),
        (5, 4, 4, 4, "counts-differ"),
        (8, 5, 5, 1, "counts-ahead"),
    ] {
        let output = told(entries, tokens, domain);
        assert_eq!(code(&output), exit, "{output:?}");
        assert!(out(&output).contains(word));
    }
    assert_eq!(
        code(&desk.keyed("reconcile", &["--tokens", "4", "--entries", "7"])),
        0
    );
    assert_eq!(code(&desk.keyed("reconcile", &["--tokens", "3"])), 4);
    assert_eq!(code(&counts("{}")), 64);
    assert_eq!(code(&desk.keyed("reconcile", &[])), 64);
    assert_eq!(code(&desk.run("reconcile", &["--tokens", "4"])), 3);
}

#[test]
fn a_receipt_that_a_unit_kept_is_held_against_the_log() {
    let log = Log::of(700);
    let early = Desk::with(Log {
        entries: log.entries[..400].to_vec(),
        items: log.items[..400].to_vec(),
        ..log.clone()
    });
    let kept = early.own.path().join("kept");
    let book = Book::open(early.archive.path(), &early.log.trust()).unwrap();
    for seq in [5, 10, 399] {
        let receipt = book.receipt(seq).unwrap().encode().unwrap();
        put(&kept, &format!("{seq}.tlog-proof"), receipt.as_bytes());
    }
    let grown = Desk::with(log);
    let held = |desk: &Desk| desk.keyed("reconcile", &["--receipts", text(&kept), "--json"]);
    let good = held(&grown);
    assert_eq!(code(&good), 0, "{good:?}");
    assert_eq!(out(&good).matches("\"finding\": null").count(), 3);

    let rewritten = Desk::with(Log::told(700, |seq, entry| {
        if seq == 8 {
            entry.time_us += 1;
        }
    }));
    let bad = held(&rewritten);
    assert_eq!(code(&bad), 4, "{bad:?}");
    assert_eq!(out(&bad).matches("receipt-lost").count(), 3);
    let shorter = Desk::with(Log::of(300));
    assert_eq!(code(&held(&shorter)), 4);
    put(&kept, "x.tlog-proof", b"nonsense");
    assert_eq!(code(&held(&grown)), 2);
}
