//! Bad input on the three faces: a typed answer that holds nothing of what was sent, nothing half
//! done, nothing for the upstream, and a ledger entry where someone known was denied.

#[path = "bad_input/credentials.rs"]
mod credentials;
#[path = "bad_input/filter.rs"]
mod filter;
#[path = "bad_input/grpc.rs"]
mod grpc;
#[path = "bad_input/rest.rs"]
mod rest;
#[path = "bad_input/values.rs"]
mod values;

use tests::{House, Reply};

/// A valid national ID, and one whose check digit is wrong.
const ID: &str = "A123456789";
const WRONG_ID: &str = "A123456788";
/// A name that no answer may hold.
const NAME: &str = "王密示";
/// A purpose that policies know.
const TAX: &str = "tax-assessment";

/// Whether this is the problem that was expected, in its media type, without anything that was sent.
#[track_caller]
fn expect_problem(what: &str, reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, reply.media.as_str()),
        (status, "application/problem+json"),
        "{what}: {reply:?}"
    );
    assert_eq!(reply.code(), code, "{what}: {reply:?}");
    assert_eq!(reply.json()["status"], status, "{what}");
    expect_silence(what, &reply.body);
}

/// Whether a text holds none of the values that these tests send.
#[track_caller]
fn expect_silence(what: &str, text: &str) {
    for sent in [ID, WRONG_ID, NAME, "4111111111111111", "456788", "\\u738b"] {
        assert!(
            !text.contains(sent),
            "{what}: the answer holds `{sent}`: {text}"
        );
    }
}

/// One token of a value, over REST.
fn token(house: &House, domain: &str, class: &str, value: &str) -> String {
    let body =
        serde_json::json!({ "domain": domain, "items": [{ "class": class, "value": value }] });
    let reply = rest::post(house, "/v1/tokenize", &body.to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["tokens"][0].as_str().unwrap().to_owned()
}
