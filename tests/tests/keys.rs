//! The key service from outside: real binaries, REST with `curl`, and the auditor's verdict.

#[path = "keys/bad_input.rs"]
mod bad_input;
#[path = "keys/brought.rs"]
mod brought;
#[path = "keys/carried.rs"]
mod carried;
#[path = "keys/ending.rs"]
mod ending;
#[path = "keys/entries.rs"]
mod entries;
#[path = "keys/import.rs"]
mod import;
#[path = "keys/life.rs"]
mod life;
#[path = "keys/operations.rs"]
mod operations;
#[path = "keys/own.rs"]
mod own;
#[path = "keys/restart.rs"]
mod restart;
#[path = "keys/rights.rs"]
mod rights;
#[path = "keys/rotation.rs"]
mod rotation;
#[path = "keys/secrecy.rs"]
mod secrecy;
#[path = "keys/signatures.rs"]
mod signatures;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::{House, Reply};

/// Looks after keys, and may use none.
const KEEPER: &str = "key-office";
/// Uses the keys that are tagged `group=revenue`.
const REVENUE: &str = "tax-bureau";
/// Uses the keys that are tagged `group=settlement`.
const SETTLEMENT: &str = "treasury";
/// A known unit that may do nothing.
const NOBODY: &str = "public-library";

const JSON: &str = "content-type: application/json";

/// An installation with more lines in its configuration, running.
fn house_with(more: &str) -> House {
    let mut house = House::install();
    house.edit(
        "policies/units.toml",
        "requests_per_second = 100\n",
        "requests_per_second = 5000\n",
    );
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{more}\n[ledger]\n"),
    );
    house.serve();
    house
}

/// An installation whose due keys are looked for all the time, running.
fn busy_house() -> House {
    house_with("[keys]\nupkeep_interval_ms = 20\n")
}

/// Posts a body to a path.
fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
}

/// Asks for an act on a key.
fn act(house: &House, unit: &str, key: &str, act: &str, body: &Value) -> Reply {
    ask(house, unit, &format!("/v1/keys/{key}/{act}"), body)
}

/// What an answer says, which must be one.
#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// An answer must be this problem.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
    assert_eq!(reply.media, "application/problem+json");
}

/// The keeper's act on a key, which must succeed; the key as it is then.
#[track_caller]
fn keep(house: &House, key: &str, done_to_it: &str, body: &Value) -> Value {
    done(&act(house, KEEPER, key, done_to_it, body))["key"].clone()
}

/// The revenue unit's act on a key, which must succeed.
#[track_caller]
fn used(house: &House, key: &str, done_with_it: &str, body: &Value) -> Value {
    done(&act(house, REVENUE, key, done_with_it, body))
}

/// A new key of the revenue unit; its id.
#[track_caller]
fn new_key(house: &House, kind: &str) -> String {
    new_key_with(house, kind, &json!({}))
}

/// The same with more fields.
#[track_caller]
fn new_key_with(house: &House, kind: &str, more: &Value) -> String {
    let mut body = json!({ "kind": kind, "tags": { "group": "revenue" } });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    text(&done(&ask(house, KEEPER, "/v1/keys", &body))["key"]["id"])
}

/// A key as the keeper sees it.
#[track_caller]
fn described(house: &House, key: &str) -> Value {
    done(&house.curl(Some(KEEPER), &format!("/v1/keys/{key}"), &[]))["key"].clone()
}

/// The states of a key's versions, by number.
fn states(key: &Value) -> Vec<&str> {
    let versions = key["versions"].as_array().unwrap();
    versions
        .iter()
        .map(|version| version["state"].as_str().unwrap())
        .collect()
}

/// A ciphertext of a text, made with the current version and no context.
#[track_caller]
fn sealed(house: &House, key: &str, plaintext: &str) -> String {
    let body = json!({ "plaintext": base64(plaintext) });
    text(&used(house, key, "encrypt", &body)["ciphertext"])
}

/// What the revenue unit gets for a ciphertext.
fn opening(house: &House, key: &str, ciphertext: &str) -> Reply {
    act(
        house,
        REVENUE,
        key,
        "decrypt",
        &json!({ "ciphertext": ciphertext }),
    )
}

/// A ciphertext's text, which must open.
#[track_caller]
fn opened(house: &House, key: &str, ciphertext: &str) -> String {
    let answer = done(&opening(house, key, ciphertext));
    String::from_utf8(bytes(&answer["plaintext"])).unwrap()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Bytes of a field that is base64.
#[track_caller]
fn bytes(field: &Value) -> Vec<u8> {
    STANDARD.decode(field.as_str().unwrap()).unwrap()
}

#[track_caller]
fn text(field: &Value) -> String {
    field
        .as_str()
        .unwrap_or_else(|| panic!("no text: {field}"))
        .to_owned()
}

/// Asks again until the answer is the one waited for.
fn wait_until<T>(mut ask: impl FnMut() -> T, mut reached: impl FnMut(&T) -> bool) -> T {
    let started = Instant::now();
    loop {
        let answer = ask();
        if reached(&answer) {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it does not happen"
        );
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(10));
    }
}
