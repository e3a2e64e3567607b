//! Receipts: what a log gives is verified offline, and no byte of it can be another one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ledger::proof::inclusion_proof;
use ledger::verify::{Class, Code};
use ledger::{
    Batch, Entry, EntryError, Frontier, Hash, NoteError, Receipt, ReceiptError, TreeError,
    encode_items, leaf_hash, signature_line, signed_note, verify_receipt,
};
use proptest::prelude::*;
use support::{Dice, Log, items_of};

/// The receipt that a log of this size gives for an entry.
fn receipt(log: &Log, seq: u64, size: u64) -> Receipt {
    let at = usize::try_from(seq).unwrap();
    let leaves: Vec<Hash> = log.entries[..usize::try_from(size).unwrap()]
        .iter()
        .map(|entry| leaf_hash(entry))
        .collect();
    Receipt {
        entry: log.entries[at].clone(),
        items: log.items[at].clone(),
        index: seq,
        proof: inclusion_proof(&leaves, seq).unwrap(),
        note: log.note(size),
    }
}

fn text(log: &Log, seq: u64, size: u64) -> String {
    receipt(log, seq, size).encode().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_entry_of_every_log_has_a_receipt_that_holds(
        size in 1_u64..600, at in any::<prop::sample::Index>(), later in 0_u64..300,
    ) {
        let log = Log::of(size + later);
        let seq = at.index(usize::try_from(size).unwrap()) as u64;
        let given = receipt(&log, seq, size + later);
        let text = given.encode().unwrap();
        prop_assert_eq!(&Receipt::decode(&text).unwrap(), &given);
        let found = verify_receipt(&text, &log.key()).unwrap();
        prop_assert_eq!(found.entry.encode().unwrap(), given.entry);
        prop_assert_eq!(encode_items(&found.items).unwrap(), given.items);
        prop_assert_eq!(found.checkpoint, log.checkpoint(size + later));
    }

    #[test]
    fn text_that_is_read_is_what_is_written(text in "\\PC{0,200}") {
        if let Ok(receipt) = Receipt::decode(&text) {
            prop_assert_eq!(receipt.encode().unwrap(), text);
        }
    }

    #[test]
    fn a_receipt_cut_or_stretched_anywhere_is_refused(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), with in "[ -~\\n]{0,3}",
    ) {
        let log = Log::of(20);
        let text = text(&log, 10, 20);
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        let (from, to) = (from.min(to), from.max(to));
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            let changed = format!("{}{with}{}", &text[..from], &text[to..]);
            if changed != text {
                prop_assert!(verify_receipt(&changed, &log.key()).is_err());
            }
        }
    }
}

#[test]
fn every_byte_counts() {
    let log = Log::of(300);
    let text = text(&log, 10, 300);
    for (at, byte) in text.bytes().enumerate() {
        for change in [1, 2, 4, 8, 16, 32, 64] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte ^ change;
            // What is not UTF-8 is not read at all.
            if let Ok(changed) = String::from_utf8(bytes) {
                let verdict = verify_receipt(&changed, &log.key());
                assert!(verdict.is_err(), "byte {at} may be changed by {change}");
            }
        }
    }
}

#[test]
fn what_was_changed_is_named() {
    let log = Log::of(300);
    let good = receipt(&log, 10, 300);
    let verdict = |receipt: &Receipt| verify_receipt(&receipt.encode().unwrap(), &log.key());
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut changed = good.clone();
        change(&mut changed);
        verdict(&changed).unwrap_err()
    };
    let broken = ReceiptError::Proof(TreeError::Root);
    // Another entry, honest in itself: the log holds it elsewhere.
    let other = refused(&|receipt| receipt.entry.clone_from(&log.entries[17]));
    assert_eq!(other, broken);
    let other = refused(&|receipt| receipt.proof[3] = Hash([9; 32]));
    assert_eq!(other, broken);
    let short = refused(&|receipt| receipt.proof.truncate(4));
    assert_eq!(short, ReceiptError::Proof(TreeError::Length));
    let outside = refused(&|receipt| receipt.index = 300);
    assert_eq!(outside, ReceiptError::Proof(TreeError::Bounds));
    // Items: none, fewer, others, and such that can't be read.
    for items in [vec![], items_of(10)[..2].to_vec(), items_of(17)] {
        let items = encode_items(&items).unwrap();
        let changed = refused(&|receipt| receipt.items.clone_from(&items));
        assert_eq!(changed, ReceiptError::Items(EntryError::OtherItems));
    }
    let cut = refused(&|receipt| receipt.items.truncate(9));
    assert!(matches!(cut, ReceiptError::Items(_)), "{cut}");
    let malformed = refused(&|receipt| receipt.entry.push(0));
    assert!(
        matches!(malformed, ReceiptError::Entry(EntryError::Spelling { .. })),
        "{malformed}"
    );
    let oversized = refused(&|receipt| receipt.entry.resize(5_000, 0));
    assert_eq!(oversized, ReceiptError::Entry(EntryError::TooLong));
    let uncovered = refused(&|receipt| receipt.note = log.note(5));
    assert_eq!(uncovered, ReceiptError::Proof(TreeError::Bounds));
}

// An entry without a batch can't be given items, and one that stands at a place it does not name is refused.
#[test]
fn an_entry_is_held_to_its_own_words() {
    let log = Log::of(20);
    let mut bare = receipt(&log, 9, 20);
    bare.items = encode_items(&items_of(9)).unwrap();
    let bare = verify_receipt(&bare.encode().unwrap(), &log.key());
    assert_eq!(bare, Err(ReceiptError::Items(EntryError::OtherItems)));

    let shifted = Log::told(20, |seq, entry| {
        if seq == 9 {
            entry.seq = 8;
        }
    });
    let verdict = verify_receipt(&text(&shifted, 9, 20), &shifted.key());
    assert_eq!(verdict, Err(ReceiptError::Place));

    // A batch of no items commits to the empty tree.
    let empty = Log::told(20, |seq, entry| {
        if seq == 9 {
            entry.facts.batch = Some(Batch {
                count: 0,
                root: Frontier::new().root(),
            });
        }
    });
    assert!(verify_receipt(&text(&empty, 9, 20), &empty.key()).is_ok());
}

#[test]
fn only_the_log_s_own_signature_counts() {
    let log = Log::of(20);
    let other = Log {
        signer: SigningKey::from_bytes(&[7; 32]),
        ..log.clone()
    };
    let given = text(&log, 10, 20);
    let unsigned = Err(ReceiptError::Checkpoint(NoteError::Unsigned));
    assert_eq!(verify_receipt(&given, &other.key()), unsigned);
    // The other key's signature under the log's key id.
    let mut forged = receipt(&log, 10, 20);
    let body = log.checkpoint(20).body();
    let signature = {
        use ed25519_dalek::Signer as _;
        other.signer.sign(body.as_bytes()).to_bytes()
    };
    forged.note = signed_note(&body, &[signature_line(&log.key(), &signature)]);
    let forged = verify_receipt(&forged.encode().unwrap(), &log.key());
    let expected = Err(ReceiptError::Checkpoint(NoteError::Signature));
    assert_eq!(forged, expected);
    // A checkpoint of another log, signed by this one's key.
    let mut swapped = receipt(&log, 10, 20);
    let body = body.replace("node-1", "node-2");
    swapped.note = log.sign(&body);
    let swapped = verify_receipt(&swapped.encode().unwrap(), &log.key());
    assert_eq!(swapped, Err(ReceiptError::Origin));
}

// What a witness adds does not break a receipt.
#[test]
fn a_line_of_another_signer_is_let_be() {
    let log = Log::of(20);
    let mut cosigned = receipt(&log, 10, 20);
    cosigned.note.push_str("— witness.example AAAAAAAAAAAA\n");
    assert!(verify_receipt(&cosigned.encode().unwrap(), &log.key()).is_ok());
}

#[test]
fn there_is_one_spelling() {
    let log = Log::of(20);
    let given = text(&log, 10, 20);
    let lines: Vec<&str> = given.splitn(4, '\n').collect();
    let [header, extra, index, rest] = lines[..] else {
        panic!("{given}")
    };
    for (changed, why) in [
        (format!("{extra}\n{index}\n{rest}"), "no header"),
        (format!("{header}\n{index}\n{rest}"), "no extra data"),
        (format!("{header}\n{index}\n{extra}\n{rest}"), "order"),
        (
            format!("{header}\n{extra}\n{extra}\n{index}\n{rest}"),
            "twice",
        ),
        (given.replace("index 10", "index 010"), "a leading zero"),
        (given.replace("index 10", "index +10"), "a sign"),
        (
            given.replace("index 10", "index 18446744073709551616"),
            "2^64",
        ),
        (given.replace('\n', "\r\n"), "other line feeds"),
        (given.replace("@v1", "@v2"), "another version"),
        (format!(" {given}"), "a space before it"),
        (format!("{given}\n"), "a line after it"),
        (
            given.replace("extra ", "extra  "),
            "two spaces before the data",
        ),
        (String::new(), "nothing"),
    ] {
        assert!(verify_receipt(&changed, &log.key()).is_err(), "{why}");
    }
    let many = format!(
        "{header}\n{extra}\n{index}\n{}\n{}",
        format!("{}\n", STANDARD.encode([0; 32])).repeat(65),
        rest.split_once("\n\n").unwrap().1
    );
    let refused = verify_receipt(&many, &log.key());
    assert_eq!(refused, Err(ReceiptError::Format("more than 64 hashes")));
}

#[test]
fn noise_is_refused_and_ends() {
    let log = Log::of(20);
    let good = text(&log, 10, 20);
    let mut dice = Dice(0x5EED);
    for _ in 0..20_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = u8::try_from(dice.below(128)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, u8::try_from(dice.below(128)).unwrap()),
            }
        }
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        if changed != good {
            assert!(verify_receipt(&changed, &log.key()).is_err(), "{changed}");
        }
    }
}

#[test]
fn every_fault_has_its_class() {
    let code = |error: ReceiptError| (error.code(), error.code().class());
    assert_eq!(
        code(ReceiptError::Format("x")),
        (Code::ReceiptMalformed, Class::Tampered)
    );
    assert_eq!(
        code(ReceiptError::Proof(TreeError::Root)),
        (Code::ProofBroken, Class::Tampered)
    );
    assert_eq!(
        code(ReceiptError::Place),
        (Code::EntrySequence, Class::Tampered)
    );
    assert_eq!(
        code(ReceiptError::Checkpoint(NoteError::Signature)),
        (Code::SignatureBad, Class::Trust)
    );
    assert_eq!(
        code(ReceiptError::Checkpoint(NoteError::Malformed("x"))),
        (Code::CheckpointMalformed, Class::Trust)
    );
    assert_eq!(
        code(ReceiptError::TooLarge),
        (Code::FileTooLarge, Class::Incomplete)
    );
}

// --- The tool

fn tool(file: &std::path::Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
        .arg("receipt")
        .arg(file)
        .args(more)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(said).unwrap()
}

#[test]
fn the_tool_says_what_the_entry_says() {
    let desk = tempfile::tempdir().unwrap();
    let log = Log::told(300, |seq, entry| {
        if seq == 10 {
            entry.facts.commitment = Some([0xC0; 32]);
        }
    });
    let (file, key) = (desk.path().join("a.tlog-proof"), desk.path().join("key"));
    fs::write(&file, text(&log, 10, 300)).unwrap();
    fs::write(&key, format!("{}\n", log.key())).unwrap();
    let output = tool(&file, &["--key-file", key.to_str().unwrap()]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "bank.example/vault/node-1: verified (exit 0)",
        "entry 10 of 300, covered by a checkpoint signed by bank.example/vault/node-1+",
        "not checked: witnesses",
        "tokenize",
        "unit=臺北市稅捐處",
        "purpose=land-tax",
        "items=3",
        "commitment c0c0",
        "national-id  issued",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    assert_eq!(text.matches("  token ").count(), 3);

    let output = tool(&file, &["--key", &log.key().to_string(), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said(&output)).unwrap();
    assert_eq!(report["schema"], "jinku-ledger.receipt/1");
    assert_eq!(
        (&report["verdict"], &report["exit_code"]),
        (&"verified".into(), &0.into())
    );
    assert_eq!(report["entry"]["seq"], 10);
    assert_eq!(report["items"].as_array().unwrap().len(), 3);
    assert_eq!(report["checkpoint"]["size"], 300);
    assert_eq!(report["finding"], serde_json::Value::Null);
}

#[test]
fn the_tool_s_exit_codes_are_those_of_verify() {
    let desk = tempfile::tempdir().unwrap();
    let log = Log::of(20);
    let file = desk.path().join("a.tlog-proof");
    let key = log.key().to_string();
    let exit = |bytes: &[u8], more: &[&str]| {
        fs::write(&file, bytes).unwrap();
        let output = tool(&file, more);
        (output.status.code().unwrap(), said(&output))
    };
    let good = text(&log, 10, 20);
    assert_eq!(exit(good.as_bytes(), &["--key", &key]).0, 0);
    let (code, text) = exit(good.as_bytes(), &[]);
    assert_eq!((code, text.contains("no-key")), (3, true), "{text}");
    let mut forged = receipt(&log, 10, 20);
    forged.proof[0] = Hash([1; 32]);
    let (code, text) = exit(forged.encode().unwrap().as_bytes(), &["--key", &key]);
    assert_eq!((code, text.contains("proof-broken")), (2, true), "{text}");
    let other = Log {
        signer: SigningKey::from_bytes(&[7; 32]),
        ..log.clone()
    };
    let (code, text) = exit(good.as_bytes(), &["--key", &other.key().to_string()]);
    assert_eq!(
        (code, text.contains("signature-missing")),
        (3, true),
        "{text}"
    );
    let (code, text) = exit(&[0xFF, 0xFE], &["--key", &key, "--json"]);
    assert_eq!(
        (code, text.contains("receipt-malformed")),
        (2, true),
        "{text}"
    );
    assert_eq!(exit(good.as_bytes(), &["--key", "nonsense"]).0, 64);
    let absent = tool(&desk.path().join("absent"), &["--key", &key]);
    assert_eq!(absent.status.code(), Some(64));
}

// The words of a hostile log's entry reach no terminal unescaped.
#[test]
fn the_tool_escapes_what_would_deceive() {
    let desk = tempfile::tempdir().unwrap();
    let log = Log::told(4, |seq, entry: &mut Entry| {
        if seq == 2 {
            entry.facts.unit = Some("tax\u{202e}eciffo".to_owned());
        }
    });
    let file = desk.path().join("a.tlog-proof");
    fs::write(&file, text(&log, 2, 4)).unwrap();
    let text = said(&tool(&file, &["--key", &log.key().to_string()]));
    assert!(text.contains("tax\\u{202e}eciffo"), "{text}");
}
