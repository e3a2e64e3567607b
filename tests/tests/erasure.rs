//! Erasure: what is erased is gone from the database, the disk and its backups, and a certificate says so.

#[path = "erasure/again.rs"]
mod again;
#[path = "erasure/backups.rs"]
mod backups;
#[path = "erasure/counted.rs"]
mod counted;
#[path = "erasure/crashes.rs"]
mod crashes;
#[path = "erasure/rules.rs"]
mod rules;

use std::path::{Path, PathBuf};
use std::process::Command;

use api::v1::{EraseTokensRequest, EraseTokensResponse, TokenizeItem, TokenizeRequest};
use tests::{House, binary, detokenize};

const TAX: &str = "tax-assessment";
const ERASURE: &str = "erasure-request";
const SUBJECT: &str = "citizen-0042";

/// Values of one class about one subject, or about nobody.
async fn issued(house: &House, class: &str, values: &[&str], subject: Option<&str>) -> Vec<String> {
    let item = |value: &&str| TokenizeItem {
        class: class.to_owned(),
        value: (*value).to_owned(),
        subject: subject.map(str::to_owned),
        ..TokenizeItem::default()
    };
    let request = TokenizeRequest {
        domain: "city".to_owned(),
        items: values.iter().map(item).collect(),
        ..TokenizeRequest::default()
    };
    let client = house.client(Some("tax-bureau"));
    client.tokenize(request, None).await.unwrap().tokens
}

/// What the tax bureau gets for a token; empty where it is not available.
async fn redeemed(house: &House, token: &str) -> String {
    let client = house.client(Some("tax-bureau"));
    let request = detokenize(TAX, &[token.to_owned()]);
    let answer = client.detokenize(request, None).await.unwrap();
    answer.items[0].value.clone()
}

fn by_subject(subject: &str) -> EraseTokensRequest {
    EraseTokensRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: ERASURE.to_owned(),
        tokens: Vec::new(),
        subject: Some(subject.to_owned()),
    }
}

fn by_tokens(tokens: &[String]) -> EraseTokensRequest {
    EraseTokensRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: ERASURE.to_owned(),
        tokens: tokens.to_vec(),
        subject: None,
    }
}

async fn erase(house: &House, request: EraseTokensRequest) -> EraseTokensResponse {
    let officer = house.tokens(Some("privacy-office"));
    officer.erase_tokens(request, None).await.unwrap()
}

/// The auditor's verdict on a certificate.
fn judged(house: &House, certificate: &str) -> serde_json::Value {
    let file = house.directory().join("certificate.tlog-proof");
    std::fs::write(&file, certificate).unwrap();
    let output = Command::new(binary("jinku-ledger"))
        .arg("receipt")
        .arg(&file)
        .arg("--key-file")
        .arg(house.directory().join("data/ledger-key"))
        .arg("--json")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A row as it lies on disk: its ciphertext, the place of its shred key, and that key.
struct Remains {
    sealed: Vec<u8>,
    slot: u64,
    shred: Vec<u8>,
}

/// The newest row.
fn remains(house: &House) -> Remains {
    let text = house.sql("select hex(sealed), shred from token order by rowid desc limit 1");
    let (sealed, slot) = text.split_once('|').unwrap();
    let byte = |at: usize| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap();
    let slot = slot.parse().unwrap();
    Remains {
        sealed: (0..sealed.len()).step_by(2).map(byte).collect(),
        slot,
        shred: shred_key(house, slot),
    }
}

fn shred_key(house: &House, slot: u64) -> Vec<u8> {
    let file = std::fs::read(data(house).join("shreds")).unwrap();
    let at = 32 + usize::try_from(slot).unwrap() * 32;
    file[at..at + 32].to_vec()
}

fn data(house: &House) -> PathBuf {
    house.directory().join("data")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
