//! Token exchange (RFC 8693): a gateway gets a token for the unit that it carries.

use serde_json::json;
use tests::{has_entry, run_python};

use super::bound::certificate_hash;
use super::desk::{Desk, proof};
use super::till::{ACCESS_TOKEN, OWN, READ, ask, exchange, granted, issuer, issuing, told};
use super::{GATEWAY, UNIT, accepted, bearer, probe, refused};

#[test]
fn a_gateway_gets_a_token_for_the_unit_that_it_carries() {
    let desk = Desk::open(&["ec-unit"]);
    let mut house = issuing(&desk);
    let units = house.access_token(UNIT);
    let reply = exchange(&house, Some(GATEWAY), &units, &[]);
    let token = granted("exchanged", &reply);
    assert_eq!(reply.json()["issued_token_type"], ACCESS_TOKEN);
    accepted(
        "by the gateway",
        &probe(&house, Some(GATEWAY), &bearer(&token)),
    );
    accepted("again", &probe(&house, Some(GATEWAY), &bearer(&token)));
    let code = "token-bound-elsewhere";
    refused(
        "by nobody",
        &probe(&house, None, &bearer(&token)),
        401,
        code,
    );
    refused(
        "by the unit",
        &probe(&house, Some(UNIT), &bearer(&token)),
        401,
        code,
    );
    let jwks = house.curl(None, "/oauth/jwks", &[]).json();
    let audience = "https://vault.jinku.example";
    let asked =
        json!({ "token": token, "jwks": jwks, "issuer": issuer(&house), "audience": audience });
    let claims = run_python(READ, &asked)["claims"].clone();
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(UNIT), &json!(GATEWAY))
    );
    assert_eq!(claims["act"], json!({ "sub": GATEWAY }));
    assert_eq!(claims["cnf"]["x5t#S256"], certificate_hash(&house, GATEWAY));

    let whole = exchange(&house, Some(UNIT), &units, &[]);
    told(
        "by a unit",
        &whole,
        400,
        "unauthorized_client",
        "token-request-invalid",
    );
    let nobody = exchange(&house, None, &units, &[]);
    told(
        "by nobody",
        &nobody,
        400,
        "unauthorized_client",
        "token-request-invalid",
    );
    let forged = exchange(&house, Some(GATEWAY), "x", &[]);
    told("no token", &forged, 400, "invalid_request", "token-invalid");
    let own = granted("its own", &ask(&house, Some(UNIT), &OWN, &[]));
    let stolen = exchange(&house, Some(GATEWAY), &own, &[]);
    told(
        "bound to the unit's certificate",
        &stolen,
        400,
        "invalid_request",
        code,
    );

    let group = "resource.groups.contains(\"city\")";
    house.edit(
        "policies/policies/60-delegation.cedar",
        group,
        "resource.groups.contains(\"none\")",
    );
    house.hang_up("new policies decide");
    let denied = exchange(&house, Some(GATEWAY), &units, &[]);
    told(
        "policy says no",
        &denied,
        400,
        "unauthorized_client",
        "carry-not-permitted",
    );
    let carried = probe(&house, Some(GATEWAY), &bearer(&token));
    refused(
        "a token does not outlive policy",
        &carried,
        403,
        "carry-not-permitted",
    );
    let facts = [
        ("operation", "access-token-exchange"),
        ("outcome", "ok"),
        ("unit", UNIT),
        ("gateway", GATEWAY),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

#[test]
fn a_units_proof_goes_through_the_gateways_exchange() {
    let desk = Desk::open(&["ec-unit"]);
    let house = issuing(&desk);
    let token_url = format!("{}/oauth/token", issuer(&house));
    let shown = desk.proof("ec-unit", json!({ "htu": token_url }), None);
    let reply = ask(&house, Some(UNIT), &OWN, &[format!("dpop: {shown}")]);
    let units = granted("bound to its key", &reply);
    let at = |url: &str| desk.one(proof("ec-unit", json!({ "htu": url }), Some(&units)));
    let header = |proof: String| [format!("dpop: {proof}")];
    let made = header(at("https://api.city.example/open/payments/tax"));
    let token = granted("exchanged", &exchange(&house, Some(GATEWAY), &units, &made));
    accepted(
        "by the gateway",
        &probe(&house, Some(GATEWAY), &bearer(&token)),
    );
    let again = exchange(&house, Some(GATEWAY), &units, &made);
    told("again", &again, 400, "invalid_dpop_proof", "proof-replayed");
    let elsewhere = header(at(&token_url));
    let elsewhere = exchange(&house, Some(GATEWAY), &units, &elsewhere);
    told(
        "made for the vault",
        &elsewhere,
        400,
        "invalid_dpop_proof",
        "dpop-invalid",
    );
    let without = exchange(&house, Some(GATEWAY), &units, &[]);
    told(
        "without a proof",
        &without,
        400,
        "invalid_dpop_proof",
        "dpop-missing",
    );
}
