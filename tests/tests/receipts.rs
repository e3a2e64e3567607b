//! Receipts of a running vault: for the unit that acted, verified by the auditor's tool and by nobody's.

use std::path::Path;
use std::process::Command;

use api::v1::ReceiptRequest;
use tests::{House, binary, detokenize, refusal, tokenize};
use tonic::Code;

const TAX: &str = "tax-assessment";

/// The auditor's verdict on a receipt.
fn judged(house: &House, text: &str, more: &[&str]) -> (i32, String) {
    let file = house.directory().join("entry.tlog-proof");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(binary("jinku-ledger"))
        .arg("receipt")
        .arg(&file)
        .arg("--key-file")
        .arg(house.directory().join("data/ledger-key"))
        .args(more)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_proves_what_it_did_without_the_vault() {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    let issued = client
        .tokenize(tokenize("name", &["王測試", "李測試"]), None)
        .await
        .unwrap();
    let read = client
        .detokenize(detokenize(TAX, &issued.tokens), None)
        .await
        .unwrap();
    let request = ReceiptRequest { entry: read.entry };
    let by_grpc = client.receipt(request, None).await.unwrap().text;
    let path = format!("/v1/receipts/{}", issued.entry);
    let by_rest = house.curl(Some("tax-bureau"), &path, &[]);
    assert_eq!(
        (by_rest.status, by_rest.media.as_str()),
        (200, "text/plain; charset=utf-8")
    );
    house.stop();

    let (exit, said) = judged(&house, &by_grpc, &[]);
    assert_eq!(exit, 0, "{said}");
    for part in [
        "detokenize",
        "unit=tax-bureau",
        "purpose=tax-assessment",
        "items=2",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let (exit, said) = judged(&house, &by_rest.body, &["--json"]);
    assert_eq!(exit, 0, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["entry"]["seq"], issued.entry);
    assert_eq!(report["entry"]["operation"], "tokenize");
    let views: Vec<_> = report["items"].as_array().unwrap().iter().collect();
    assert_eq!(views.len(), 2);
    assert!(views.iter().all(|item| item["view"] == "issued"));
    for secret in issued.tokens.iter().map(String::as_str).chain(["王測試"]) {
        assert!(!said.contains(secret) && !by_grpc.contains(secret));
    }
    let (exit, said) = judged(&house, &by_grpc.replace("index ", "index 1"), &[]);
    assert_eq!(exit, 2, "{said}");
    peer(&house, &by_grpc, read.entry);
}

/// A reader that nobody here wrote would do this: the standard library, and C2SP's text.
const PEER: &str = r#"
import base64, hashlib, sys
text = open(sys.argv[1], encoding="utf-8").read()
head, note = text.split("\n\n", 1)
version, extra, index, *hashes = head.split("\n")
assert version == "c2sp.org/tlog-proof@v1"
extra = base64.b64decode(extra.removeprefix("extra "), validate=True)
index = int(index.removeprefix("index "))
length = int.from_bytes(extra[:2], "big")
entry, items = extra[2:2 + length], extra[2 + length:]
node = lambda a, b: hashlib.sha256(b"\x01" + a + b).digest()
origin, size, root = note.split("\n\n")[0].split("\n")[:3]
r, fn, sn = hashlib.sha256(b"\x00" + entry).digest(), index, int(size) - 1
for line in hashes:  # RFC 9162 section 2.1.3.2
    assert sn > 0
    p = base64.b64decode(line, validate=True)
    if fn & 1 or fn == sn:
        r = node(p, r)
        while not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
    else:
        r = node(r, p)
    fn, sn = fn >> 1, sn >> 1
assert sn == 0 and r == base64.b64decode(root), "not in the tree"
count = 0
while items:
    length = int.from_bytes(items[:2], "big")
    count, items = count + 1, items[2 + length:]
print(index, size, count)
"#;

/// Python's standard library agrees with the proof.
fn peer(house: &House, text: &str, entry: u64) {
    let file = house.directory().join("peer.tlog-proof");
    std::fs::write(&file, text).unwrap();
    let run = |file: &Path| {
        Command::new("python3")
            .args(["-c", PEER])
            .arg(file)
            .output()
            .unwrap()
    };
    let output = run(&file);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[2]), (entry.to_string().as_str(), "2"));
}

// Invariant 8: another unit's entry, the vault's own and none at all have one answer.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_unit_that_acted_is_given_its_receipt() {
    let house = House::open();
    let client = house.client(Some("tax-bureau"));
    let issued = client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    let ask = |unit, entry: u64| house.curl(Some(unit), &format!("/v1/receipts/{entry}"), &[]);
    let foreign = ask("health-bureau", issued.entry);
    assert_eq!(
        (foreign.status, foreign.code()),
        (404, "entry-unknown".to_owned())
    );
    // The genesis entry, entries that are not yet, and numbers that no log reaches.
    for entry in [0, 1, issued.entry + 1_000, u64::MAX] {
        let absent = ask("tax-bureau", entry);
        assert_eq!(absent.status, 404, "{entry}");
        let strip = |body: &str| {
            let mut json: serde_json::Value = serde_json::from_str(body).unwrap();
            json.as_object_mut().unwrap().remove("instance");
            json
        };
        assert_eq!(strip(&absent.body), strip(&foreign.body), "{entry}");
    }
    let other = house.client(Some("health-bureau"));
    let refused = other
        .receipt(
            ReceiptRequest {
                entry: issued.entry,
            },
            None,
        )
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::NotFound, "entry-unknown".to_owned())
    );
    let nobody = house.curl(None, &format!("/v1/receipts/{}", issued.entry), &[]);
    assert_eq!(nobody.status, 401);
    for entry in [
        "007",
        "+1",
        "-1",
        "1.0",
        "one",
        "%31%20",
        "18446744073709551616",
    ] {
        let reply = house.curl(Some("tax-bureau"), &format!("/v1/receipts/{entry}"), &[]);
        assert_eq!(
            (reply.status, reply.code()),
            (400, "entry-invalid".to_owned()),
            "{entry}"
        );
    }
    let post = house.post(Some("tax-bureau"), "/v1/receipts/1", &[], b"{}");
    assert_eq!(post.status, 405);
}

// A gateway carries a unit's request: the receipt is the unit's, by its own proof.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_through_a_gateway_is_the_unit_s() {
    let house = House::open();
    let proof = house.proof("tax-bureau");
    let gateway = house.client(Some("city-gateway"));
    let issued = gateway
        .tokenize(tokenize("name", &["王測試"]), Some(&proof))
        .await
        .unwrap();
    let request = ReceiptRequest {
        entry: issued.entry,
    };
    let text = gateway.receipt(request, Some(&proof)).await.unwrap().text;
    assert_eq!(judged(&house, &text, &[]).0, 0);
    let alone = gateway.receipt(request, None).await.unwrap_err();
    assert_eq!(refusal(&alone).0, Code::Unauthenticated);
}

// A vault that can't sign at the moment says so in time, and gives the receipt later.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_late_is_said_so() {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "[ledger]",
        "[ledger]\npublish_interval_ms = 3600000\ndeadline_ms = 1500",
    );
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let issued = client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    let path = format!("/v1/receipts/{}", issued.entry);
    let late = house.curl(Some("tax-bureau"), &path, &[]);
    assert_eq!(
        (late.status, late.code()),
        (503, "checkpoint-late".to_owned())
    );
    house.stop();
    house.serve();
    assert_eq!(house.curl(Some("tax-bureau"), &path, &[]).status, 200);
}
