//! Tokens of three Python libraries and four algorithms are believed; their broken variants are not.

use serde_json::{Value, json};
use tests::now;

use super::desk::{Desk, wish};
use super::{UNIT, accepted, bearer, probe, refused};

#[test]
fn tokens_of_python_libraries_are_believed_and_broken_ones_are_not() {
    let mut desk = Desk::open(&["ed", "ec", "rs", "ps", "ed-strange"]);
    desk.publish(&["ed", "ec", "rs", "ps"]);
    desk.serve();
    let mut house = desk.house("");
    let mut good = Vec::new();
    for by in ["pyjwt", "authlib", "jwcrypto"] {
        for key in ["ed", "ec", "rs", "ps"] {
            good.push((by, key));
        }
    }
    let wanted: Vec<Value> = good
        .iter()
        .map(|(by, key)| wish(by, key, json!({}), json!({})))
        .collect();
    for ((by, key), token) in good.iter().zip(desk.made(&wanted)) {
        accepted(
            &format!("{by} {key}"),
            &probe(&house, None, &bearer(&token)),
        );
    }
    let broken = broken();
    let wanted: Vec<Value> = broken.iter().map(|(_, wish, _)| wish.clone()).collect();
    for ((what, _, code), token) in broken.iter().zip(desk.made(&wanted)) {
        let reply = probe(&house, None, &bearer(&token));
        refused(what, &reply, 401, code);
        assert!(!reply.body.contains(&token), "{what}");
    }
    let log = house.vault().said();
    assert!(!log.contains("eyJ"), "a token is in the log:\n{log}");
    drop(house.audited());
}

fn broken() -> Vec<(&'static str, Value, &'static str)> {
    let header = |header| wish("pyjwt", "ed", header, json!({}));
    let claims = |claims| wish("pyjwt", "ec", json!({}), claims);
    let now = now();
    let with = |mut wish: Value, name: &str, value: Value| {
        wish[name] = value;
        wish
    };
    let none = wish("none", "rs", json!({ "alg": "none" }), json!({}));
    let hmac = wish("hmac", "rs", json!({ "alg": "HS256" }), json!({}));
    let strange = wish("pyjwt", "ed-strange", json!({}), json!({}));
    vec![
        ("alg none", none, "token-invalid"),
        ("an RSA key as an HMAC secret", hmac, "token-invalid"),
        (
            "another algorithm of the key's",
            wish("pyjwt", "rs", json!({ "alg": "PS256" }), json!({})),
            "token-invalid",
        ),
        (
            "a key's name that climbs",
            header(json!({ "kid": "../../ed" })),
            "token-invalid",
        ),
        (
            "a key's name that asks",
            header(json!({ "kid": "' or '1'='1" })),
            "token-invalid",
        ),
        (
            "no key's name",
            header(json!({ "kid": null })),
            "token-invalid",
        ),
        (
            "jku",
            header(json!({ "jku": "http://127.0.0.1:1/jwks" })),
            "token-invalid",
        ),
        (
            "x5u",
            header(json!({ "x5u": "http://127.0.0.1:1/x5u" })),
            "token-invalid",
        ),
        (
            "an unknown crit",
            {
                let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "ed", "crit": ["exp"], "exp": 1 });
                wish("pyjwt", "ed", header, json!({}))
            },
            "token-invalid",
        ),
        (
            "a key in the header",
            with(strange.clone(), "own_jwk", true.into()),
            "token-invalid",
        ),
        (
            "its own key in the header",
            with(
                wish("pyjwt", "ed", json!({}), json!({})),
                "own_jwk",
                true.into(),
            ),
            "token-invalid",
        ),
        ("a key that is not published", strange, "token-invalid"),
        (
            "another's key under a known name",
            wish("pyjwt", "ed-strange", json!({ "kid": "ed" }), json!({})),
            "token-invalid",
        ),
        (
            "an ID token",
            header(json!({ "typ": "JWT" })),
            "token-invalid",
        ),
        (
            "no type",
            wish("none", "ed", json!({ "typ": null }), json!({})),
            "token-invalid",
        ),
        (
            "expired",
            claims(json!({ "exp": now - 31 })),
            "token-expired",
        ),
        (
            "not yet valid",
            claims(json!({ "nbf": now + 100 })),
            "token-expired",
        ),
        (
            "for another",
            claims(json!({ "aud": "https://other.example" })),
            "token-invalid",
        ),
        ("for nobody", claims(json!({ "aud": [] })), "token-invalid"),
        (
            "by another",
            claims(json!({ "iss": "https://other.example" })),
            "token-invalid",
        ),
        (
            "by another who is known",
            claims(json!({ "iss": "https://issuer.jinku.example" })),
            "token-invalid",
        ),
        (
            "without an end",
            claims(json!({ "exp": null })),
            "token-invalid",
        ),
        (
            "of nobody",
            claims(json!({ "sub": "nobody" })),
            "token-invalid",
        ),
        (
            "bound to what is unknown",
            claims(json!({ "cnf": { "kid": "x" } })),
            "token-invalid",
        ),
    ]
}

#[test]
fn several_audiences_are_one_of_them() {
    let mut desk = Desk::open(&["ed"]);
    desk.serve();
    let house = desk.house("");
    let audiences = json!({ "aud": ["https://other.example", super::desk::AUDIENCE] });
    let token = desk.token("ed", audiences);
    accepted(UNIT, &probe(&house, None, &bearer(&token)));
}
