//! The memory of the running vault, searched from outside: keys lie in guarded pages while they are
//! used, and nowhere afterwards; payloads, the HSM's PIN and recovery shares lie nowhere.

#[path = "memory/harden.rs"]
mod harden;
#[path = "memory/image.rs"]
mod image;
#[path = "memory/keys.rs"]
mod keys;
#[path = "memory/passing.rs"]
mod passing;
#[path = "memory/pin.rs"]
mod pin;
#[path = "../../kms/tests/memory/secrets.rs"]
mod secrets;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tests::House;

/// Looks after keys, and may use none.
const KEEPER: &str = "key-office";
/// Uses the keys that are tagged `group=revenue`.
const REVENUE: &str = "tax-bureau";

/// An installation with more lines in its configuration, running.
fn house_with(more: &str) -> House {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{more}\n[ledger]\n"),
    );
    house.serve();
    house
}

/// Posts a body to a path; the answer, which must be good.
#[track_caller]
fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Value {
    let header = ["--header", "content-type: application/json"];
    let reply = house.post(Some(unit), path, &header, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

/// An act on a key, which must succeed.
#[track_caller]
fn act(house: &House, unit: &str, key: &str, act: &str, body: &Value) -> Value {
    ask(house, unit, &format!("/v1/keys/{key}/{act}"), body)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

/// Asks again until the answer is yes.
fn wait_until(mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it does not happen"
        );
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(10));
    }
}
