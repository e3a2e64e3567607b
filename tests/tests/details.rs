//! Reasons in words: the ledger commits to them, an officer reads and erases them, and the log stays whole.

use std::path::Path;
use std::process::Command;

use api::v1::{DetailRequest, EraseTokensRequest, HoldRequest, TokensRequest};
use serde_json::{Value, json};
use tests::{House, binary, byte_leaks, refusal, tokenize};

const OFFICER: &str = "privacy-office";
const CARE: &str = "token-care";
const ERASURE: &str = "erasure-request";
const REASON: &str = "王小姐 asked for it by letter 114-2231";

async fn token(house: &House, value: &str) -> String {
    let client = house.client(Some("tax-bureau"));
    let answer = client.tokenize(tokenize("name", &[value]), None).await;
    answer.unwrap().tokens.remove(0)
}

/// Erases a token for a reason, and gives the entry.
async fn erased(house: &House, value: &str, reason: &str) -> u64 {
    let request = EraseTokensRequest {
        domain: "city".to_owned(),
        purpose: ERASURE.to_owned(),
        tokens: vec![token(house, value).await],
        subject: None,
        reason: Some(reason.to_owned()),
    };
    let officer = house.tokens(Some(OFFICER));
    officer.erase_tokens(request, None).await.unwrap().entry
}

fn of(entry: u64, purpose: &str) -> DetailRequest {
    DetailRequest {
        domain: "city".to_owned(),
        purpose: purpose.to_owned(),
        of: entry,
    }
}

async fn read(house: &House, unit: &str, entry: u64) -> Result<String, String> {
    let officer = house.tokens(Some(unit));
    let answer = officer.read_detail(of(entry, CARE), None).await;
    answer
        .map(|answer| answer.detail)
        .map_err(|error| refusal(&error).1)
}

/// `jinku-ledger record --detail`: its exit code, and what it says.
fn judged(house: &House, archive: &str, entry: u64, detail: &str) -> (i32, String) {
    let file = house.directory().join("given.detail");
    std::fs::write(&file, detail).unwrap();
    let output = Command::new(binary("jinku-ledger"))
        .arg("record")
        .arg(house.directory().join(archive))
        .args(["--seq", &entry.to_string(), "--key-file"])
        .arg(house.directory().join("data/ledger-key"))
        .arg("--detail")
        .arg(&file)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().unwrap(), said)
}

/// `jinku-ledger reconcile --details`: its exit code, and what it says.
fn reconciled(house: &House, archive: &str, folder: &Path) -> (i32, String) {
    let output = Command::new(binary("jinku-ledger"))
        .arg("reconcile")
        .arg(house.directory().join(archive))
        .arg("--key-file")
        .arg(house.directory().join("data/ledger-key"))
        .arg("--details")
        .arg(folder)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_is_committed_to_read_erased_and_the_log_stays_whole() {
    let mut house = House::open();
    let entry = erased(&house, "王一", REASON).await;
    let other = erased(&house, "林二", "another reason").await;
    let detail = read(&house, OFFICER, entry).await.unwrap();
    let told: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(
        (&told["text"], &told["entry"]),
        (&json!(REASON), &json!(entry))
    );
    // Others, other domains' and entries without one.
    assert_eq!(
        read(&house, "tax-bureau", entry).await,
        Err("not-permitted".to_owned())
    );
    assert_eq!(
        read(&house, OFFICER, 0).await,
        Err("detail-unknown".to_owned())
    );
    house.stop();
    house.export("first");
    // The auditor holds the opened text against the entry, offline.
    let (exit, said) = judged(&house, "first", entry, &detail);
    assert!(exit == 0 && said.contains(REASON), "{exit}: {said}");
    for (seq, wrong) in [
        (entry, detail.replace("letter", "e-mail")),
        (
            entry,
            detail
                .replace("\"salt\":\"", "\"salt\":\"0")
                .replacen("00", "0", 1),
        ),
        (other, detail.clone()),
        (
            other,
            detail.replace(&format!(":{entry},"), &format!(":{other},")),
        ),
        (0, detail.replace(&format!(":{entry},"), ":0,")),
    ] {
        let (exit, said) = judged(&house, "first", seq, &wrong);
        assert!(
            exit == 2 || said.contains("this is no detail"),
            "{seq}: {exit}: {said}"
        );
        assert_ne!(exit, 0, "{wrong}");
    }
    let names = byte_leaks(
        &house.directory().join("data"),
        &[("the reason", REASON.as_bytes())],
    );
    assert!(names.is_empty(), "{names:?}");

    house.serve();
    let (good, said) = house.jinku(
        &[
            "ledger",
            "erase-detail",
            &entry.to_string(),
            "--yes",
            "--installation",
            ".",
            "--unit",
            OFFICER,
            "--purpose",
            ERASURE,
        ],
        "",
    );
    assert!(good, "{said}");
    assert_eq!(
        read(&house, OFFICER, entry).await,
        Err("detail-unknown".to_owned())
    );
    let kept = read(&house, OFFICER, other).await.unwrap();
    house.stop();
    house.serve();
    assert_eq!(
        read(&house, OFFICER, entry).await,
        Err("detail-unknown".to_owned())
    );
    // The log is whole, and what was handed out before still holds against it.
    let entries = house.audited();
    let at = |entry: u64| &entries[usize::try_from(entry).unwrap()];
    assert_eq!(at(entry)["detail"].as_str().unwrap().len(), 64);
    assert!(at(0)["detail"].is_null());
    let (exit, said) = judged(&house, "archive", entry, &detail);
    assert_eq!(exit, 0, "{said}");
    // Of all of them: an entry says that the one was erased; the other is there, or is missed.
    let folder = house.directory().join("reasons");
    std::fs::create_dir(&folder).unwrap();
    let (exit, said) = reconciled(&house, "archive", &folder);
    let missed = format!("reason of entry {other}");
    assert!(exit == 5 && said.contains(&missed), "{said}");
    assert!(
        !said.contains(&format!("reason of entry {entry}")),
        "{said}"
    );
    std::fs::write(folder.join("other.detail"), kept).unwrap();
    let (exit, said) = reconciled(&house, "archive", &folder);
    assert_eq!(exit, 0, "{said}");
    let read_by = entries
        .iter()
        .filter(|entry| entry["operation"] == "detail-read");
    let read_by: Vec<&Value> = read_by.filter(|entry| entry["outcome"] == "ok").collect();
    assert_eq!(read_by.len(), 2);
    assert_eq!(read_by[0]["reason"], format!("entry-{entry}"));
    assert!(
        entries
            .iter()
            .any(|entry| entry["operation"] == "detail-erase")
    );
}

// A backup brings the row back, and not the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_does_not_bring_an_erased_reason_back() {
    let mut house = House::open();
    let gone = erased(&house, "王一", REASON).await;
    let kept = erased(&house, "林二", "kept").await;
    assert!(house.jinku(&["backup", "--to", "backup"], "").0);
    let officer = house.tokens(Some(OFFICER));
    officer.erase_detail(of(gone, ERASURE), None).await.unwrap();
    let late = erased(&house, "陳三", "too late for the backup").await;
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(good, "{said}");
    house.serve();
    assert_eq!(
        read(&house, OFFICER, gone).await,
        Err("detail-unknown".to_owned())
    );
    assert_eq!(
        read(&house, OFFICER, late).await,
        Err("detail-unknown".to_owned())
    );
    assert!(read(&house, OFFICER, kept).await.unwrap().contains("kept"));
    house.audited();
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_and_switches_take_reasons_and_bad_ones_are_refused() {
    let mut house = House::open();
    let token = token(&house, "王一").await;
    let officer = house.tokens(Some(OFFICER));
    let hold = |reason: &str| HoldRequest {
        domain: "city".to_owned(),
        purpose: "legal-hold".to_owned(),
        matter: "case-1".to_owned(),
        tokens: vec![token.clone()],
        subject: None,
        reason: Some(reason.to_owned()),
    };
    let held = officer
        .place_hold(hold("by order"), None)
        .await
        .unwrap()
        .entry;
    assert!(
        read(&house, OFFICER, held)
            .await
            .unwrap()
            .contains("by order")
    );
    let off = TokensRequest {
        domain: "city".to_owned(),
        purpose: CARE.to_owned(),
        tokens: vec![token.clone()],
        reason: Some("lost".to_owned()),
    };
    let off = officer.disable_tokens(off, None).await.unwrap().entry;
    assert!(read(&house, OFFICER, off).await.unwrap().contains("lost"));
    for bad in ["", "a\u{7}", &"a".repeat(1025)] {
        let refused = officer.place_hold(hold(bad), None).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "reason-invalid");
    }
    let body = json!({
        "domain": "city", "purpose": "legal-hold", "matter": "case-2", "subject": "her", "reason": "by REST",
    });
    let json_type = ["--header", "content-type: application/json"];
    let reply = house.post(
        Some(OFFICER),
        "/v1/tokens/hold",
        &json_type,
        body.to_string().as_bytes(),
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    let asked = json!({ "domain": "city", "purpose": CARE, "of": reply.json()["entry"] });
    let reply = house.post(
        Some(OFFICER),
        "/v1/tokens/detail",
        &json_type,
        asked.to_string().as_bytes(),
    );
    assert!(
        reply.status == 200 && reply.body.contains("by REST"),
        "{}",
        reply.body
    );
    house.audited();
}
