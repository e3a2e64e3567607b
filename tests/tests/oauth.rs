//! Access tokens: minted by libraries that nobody here wrote, against keys that are fetched from a real server;
//! what they are bound to; and the vault as an issuer itself.

#[path = "oauth/asserted.rs"]
mod asserted;
#[path = "oauth/bound.rs"]
mod bound;
#[path = "oauth/carried.rs"]
mod carried;
#[path = "oauth/desk.rs"]
mod desk;
#[path = "oauth/exchanged.rs"]
mod exchanged;
#[path = "oauth/fetched.rs"]
mod fetched;
#[path = "oauth/issued.rs"]
mod issued;
#[path = "oauth/minted.rs"]
mod minted;
#[path = "oauth/till.rs"]
mod till;

use tests::{House, Reply};

/// A purpose that policies know.
const TAX: &str = "tax-assessment";
const UNIT: &str = "tax-bureau";
const GATEWAY: &str = "city-gateway";

/// A request that says whether its headers prove a unit: 200, or why not.
fn probe(house: &House, certificate: Option<&str>, headers: &[String]) -> Reply {
    let body = serde_json::json!({ "domain": "city", "purpose": TAX, "tokens": ["x"] });
    let mut arguments = vec!["--header", "content-type: application/json"];
    for header in headers {
        arguments.extend(["--header", header.as_str()]);
    }
    let body = body.to_string();
    house.post(certificate, "/v1/detokenize", &arguments, body.as_bytes())
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("authorization: Bearer {token}")]
}

#[track_caller]
fn accepted(what: &str, reply: &Reply) {
    assert_eq!(reply.status, 200, "{what}: {reply:?}");
}

#[track_caller]
fn refused(what: &str, reply: &Reply, status: u16, code: &str) {
    let found = (reply.status, reply.code());
    assert_eq!(found, (status, code.to_owned()), "{what}: {reply:?}");
}
