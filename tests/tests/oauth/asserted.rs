//! Client assertions (RFC 7523): a unit without a certificate asks with its registered key.

use serde_json::{Value, json};
use tests::{House, Reply, has_entry, now};

use super::bound::dpop;
use super::desk::{Desk, merge, unique};
use super::till::{JWT_BEARER, OWN, ask, granted, issuer, issuing, told};
use super::{UNIT, accepted, bearer, probe, refused};

/// An assertion of the unit, with other claims.
fn assertion(house: &House, claims: Value) -> Value {
    let now = now();
    let mut all = json!({
        "iss": UNIT, "sub": UNIT, "aud": format!("{}/oauth/token", issuer(house)),
        "iat": now, "exp": now + 60, "jti": unique(),
    });
    merge(&mut all, claims);
    let header = json!({ "alg": "ES256" });
    json!({ "by": "pyjwt", "key": "ec-unit", "header": header, "claims": all })
}

#[test]
fn a_unit_without_a_certificate_asks_with_its_key() {
    let desk = Desk::open(&["ec-unit", "ec-other"]);
    let mut house = issuing(&desk);
    let token_url = format!("{}/oauth/token", issuer(&house));
    let proof = || desk.proof("ec-unit", json!({ "htu": token_url }), None);
    let asked = |assertion: &str, headers: &[String], name: Option<&str>| {
        let parameters = [
            OWN[0],
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        ask(&house, name, &parameters, headers)
    };
    let first = desk.one(assertion(&house, json!({})));
    let shown = vec![format!("dpop: {}", proof())];
    let reply = asked(&first, &shown, None);
    let token = granted("by assertion", &reply);
    assert_eq!(reply.json()["token_type"], "DPoP");
    let htu = format!("{}/v1/detokenize", issuer(&house));
    let use_it = desk.proof("ec-unit", json!({ "htu": htu }), Some(&token));
    accepted("with its key", &probe(&house, None, &dpop(&token, &use_it)));
    refused(
        "without it",
        &probe(&house, None, &bearer(&token)),
        401,
        "dpop-missing",
    );

    let fresh = || desk.one(assertion(&house, json!({})));
    let again = asked(&first, &[format!("dpop: {}", proof())], None);
    told("again", &again, 401, "invalid_client", "proof-replayed");
    let again = asked(&fresh(), &shown, None);
    told(
        "the proof again",
        &again,
        400,
        "invalid_dpop_proof",
        "proof-replayed",
    );
    let unbound = asked(&fresh(), &[], None);
    told(
        "bound to nothing",
        &unbound,
        400,
        "invalid_request",
        "token-request-invalid",
    );
    let theirs = asked(&fresh(), &[], Some("parking-office"));
    told(
        "over another's certificate",
        &theirs,
        401,
        "invalid_client",
        "credentials-differ",
    );
    let its_own = asked(&fresh(), &[], Some(UNIT));
    granted("over its own certificate", &its_own);
    broken_assertions(&desk, &house, &asked);
    let facts = [
        ("operation", "access-token-refused"),
        ("unit", UNIT),
        ("reason", "proof-replayed"),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

type Asking<'a> = dyn Fn(&str, &[String], Option<&str>) -> Reply + 'a;

fn broken_assertions(desk: &Desk, house: &House, asked: &Asking<'_>) {
    let with = |claims: Value| assertion(house, claims);
    let mut other = with(json!({}));
    other["key"] = "ec-other".into();
    let mut typed = with(json!({}));
    typed["header"]["typ"] = "at+jwt".into();
    let mut none = with(json!({}));
    none["by"] = "none".into();
    none["header"]["alg"] = "none".into();
    let broken = [
        ("another's key", other),
        ("another type", typed),
        ("no algorithm", none),
        (
            "for another",
            with(json!({ "aud": "https://other.example/oauth/token" })),
        ),
        ("by another", with(json!({ "iss": "parking-office" }))),
        (
            "a unit without a key",
            with(json!({ "iss": "treasury", "sub": "treasury" })),
        ),
        ("expired", with(json!({ "exp": now() - 60 }))),
        ("for too long", with(json!({ "exp": now() + 3_600 }))),
        ("not yet", with(json!({ "nbf": now() + 200 }))),
        ("without an end", with(json!({ "exp": null }))),
        ("without a name", with(json!({ "jti": null }))),
    ];
    let wanted: Vec<Value> = broken.iter().map(|(_, wish)| wish.clone()).collect();
    for ((what, _), assertion) in broken.iter().zip(desk.made(&wanted)) {
        let reply = asked(&assertion, &[], None);
        told(what, &reply, 401, "invalid_client", "assertion-invalid");
        assert!(!reply.body.contains(&assertion), "{what}");
    }
}
