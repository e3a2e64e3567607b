//! The vault as an issuer: client credentials by certificate, what everyone may know of it, and that each token is
//! an entry.

use serde_json::json;
use tests::{House, has_entry, run_python};

use super::bound::certificate_hash;
use super::desk::Desk;
use super::till::{OWN, READ, ask, granted, issuer, issuing, told};
use super::{GATEWAY, UNIT, accepted, bearer, probe, refused};

#[test]
fn a_unit_gets_a_token_that_is_bound_to_its_certificate() {
    let desk = Desk::open(&["ec-unit"]);
    let mut house = issuing(&desk);
    let reply = ask(&house, Some(UNIT), &[OWN[0], ("client_id", UNIT)], &[]);
    let token = granted("by certificate", &reply);
    assert_eq!(reply.json()["token_type"], "Bearer");
    assert_eq!(reply.json()["expires_in"], 300);
    accepted("with it", &probe(&house, Some(UNIT), &bearer(&token)));
    let code = "token-bound-elsewhere";
    refused(
        "without it",
        &probe(&house, None, &bearer(&token)),
        401,
        code,
    );
    refused(
        "carried",
        &probe(&house, Some(GATEWAY), &bearer(&token)),
        401,
        code,
    );

    let jwks = house.curl(None, "/oauth/jwks", &[]).json();
    let audience = "https://vault.jinku.example";
    let asked =
        json!({ "token": token, "jwks": jwks, "issuer": issuer(&house), "audience": audience });
    let read = run_python(READ, &asked);
    assert_eq!(read["header"]["typ"], "at+jwt");
    let claims = &read["claims"];
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(UNIT), &json!(UNIT))
    );
    assert_eq!(claims["cnf"]["x5t#S256"], certificate_hash(&house, UNIT));
    assert!(claims.get("act").is_none());

    let about = house
        .curl(None, "/.well-known/oauth-authorization-server", &[])
        .json();
    assert_eq!(about["issuer"], issuer(&house));
    assert_eq!(
        about["token_endpoint"],
        format!("{}/oauth/token", issuer(&house))
    );
    assert_eq!(about["jwks_uri"], format!("{}/oauth/jwks", issuer(&house)));
    assert_eq!(about["tls_client_certificate_bound_access_tokens"], true);

    let log = house.vault().said();
    assert!(
        !log.contains(&token) && !log.contains("eyJ"),
        "a token is in the log:\n{log}"
    );
    let entries = house.audited();
    let issue = entries
        .iter()
        .find(|entry| entry["operation"] == "access-token-issue")
        .unwrap();
    assert_eq!(issue["unit"], UNIT);
    assert!(
        issue.to_string().contains(claims["jti"].as_str().unwrap()),
        "{issue}"
    );
}

#[test]
fn who_proves_nobody_gets_no_token() {
    let desk = Desk::open(&["ec-unit"]);
    let mut house = issuing(&desk);
    let with = |more: &[(&'static str, &'static str)]| [&OWN[..], more].concat();
    let unproven =
        |what: &str, name: Option<&str>, parameters: &[(&str, &str)], error: &str, code: &str| {
            let status = if error == "invalid_client" { 401 } else { 400 };
            told(
                what,
                &ask(&house, name, parameters, &[]),
                status,
                error,
                code,
            );
        };
    let invalid = "token-request-invalid";
    unproven("nobody", None, &OWN, "invalid_client", "credential-missing");
    unproven(
        "a gateway",
        Some(GATEWAY),
        &OWN,
        "unauthorized_client",
        "gateway-alone",
    );
    let other = with(&[("client_id", "parking-office")]);
    unproven(
        "another's name",
        Some(UNIT),
        &other,
        "invalid_client",
        invalid,
    );
    unproven(
        "a secret",
        Some(UNIT),
        &with(&[("client_secret", "x")]),
        "invalid_client",
        invalid,
    );
    unproven(
        "a scope",
        Some(UNIT),
        &with(&[("scope", "all")]),
        "invalid_scope",
        invalid,
    );
    let elsewhere = with(&[("audience", "https://other.example")]);
    unproven(
        "elsewhere",
        Some(UNIT),
        &elsewhere,
        "invalid_target",
        invalid,
    );
    unproven("twice", Some(UNIT), &with(&OWN), "invalid_request", invalid);
    unproven(
        "nothing",
        Some(UNIT),
        &[("x", "y")],
        "invalid_request",
        invalid,
    );
    let code = [("grant_type", "authorization_code")];
    unproven(
        "another way",
        Some(UNIT),
        &code,
        "unsupported_grant_type",
        invalid,
    );
    let body = ["--header", "content-type: application/json"];
    let reply = house.post(Some(UNIT), "/oauth/token", &body, b"{}");
    told("no form", &reply, 400, "invalid_request", invalid);
    let form = [
        "--header",
        "content-type: application/x-www-form-urlencoded",
    ];
    let reply = house.post(Some(UNIT), "/oauth/token", &form, &vec![b'a'; 40_000]);
    told("too long", &reply, 400, "invalid_request", invalid);
    let reply = house.curl(Some(UNIT), "/oauth/token", &[]);
    assert_eq!((reply.status, reply.code().as_str()), (405, "method"));

    house
        .officer("key-office", &["disable", "token-signer"])
        .text();
    told(
        "a key that is off",
        &ask(&house, Some(UNIT), &OWN, &[]),
        503,
        "server_error",
        "not-ready",
    );
    let entries = house.audited();
    let refusals = [
        ("unit", UNIT, invalid),
        ("gateway", GATEWAY, "gateway-alone"),
    ];
    for (who, name, reason) in refusals {
        let facts = [
            ("operation", "access-token-refused"),
            (who, name),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "{reason}");
    }
    assert!(!has_entry(&entries, &[("operation", "access-token-issue")]));
}

#[test]
fn a_compromised_version_s_tokens_end_and_no_request_signs_with_the_key() {
    let desk = Desk::open(&["ec-unit"]);
    let house = issuing(&desk);
    let token = granted("first", &ask(&house, Some(UNIT), &OWN, &[]));
    house
        .officer("key-office", &["rotate", "token-signer"])
        .text();
    let second = granted("second", &ask(&house, Some(UNIT), &OWN, &[]));
    accepted(
        "the older version's",
        &probe(&house, Some(UNIT), &bearer(&token)),
    );
    accepted(
        "the newer version's",
        &probe(&house, Some(UNIT), &bearer(&second)),
    );
    house
        .officer(
            "key-office",
            &["compromise", "token-signer", "--version", "1"],
        )
        .text();
    let started = std::time::Instant::now();
    while probe(&house, Some(UNIT), &bearer(&token)).status == 200 {
        assert!(started.elapsed().as_secs() < 60, "it still counts");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let reply = probe(&house, Some(UNIT), &bearer(&token));
    refused("the compromised version's", &reply, 401, "token-invalid");
    accepted(
        "the newer version's",
        &probe(&house, Some(UNIT), &bearer(&second)),
    );
}

// What was decided of a version is in the database: nobody needs the HSM to know it.
#[test]
fn a_version_that_is_compromised_while_the_hsm_is_away_verifies_nothing_any_more() {
    let desk = Desk::open(&["ec-unit"]);
    let mut house = issuing(&desk);
    let first = granted("first", &ask(&house, Some(UNIT), &OWN, &[]));
    house
        .officer("key-office", &["rotate", "token-signer"])
        .text();
    let second = granted("second", &ask(&house, Some(UNIT), &OWN, &[]));
    house.stop();
    // Nothing that was opened stays so, and each look at the key needs it anew.
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        "[keys]\ncache_ttl_ms = 1\noutage_grace_ms = 0\n\n[ledger]\n",
    );
    house.serve();
    let started = std::time::Instant::now();
    while probe(&house, Some(UNIT), &bearer(&first)).status != 200 {
        assert!(started.elapsed().as_secs() < 60, "its keys are not there");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    house.stop_hsm();
    let compromise = ["compromise", "token-signer", "--version", "1"];
    house.officer("key-office", &compromise).text();
    while probe(&house, Some(UNIT), &bearer(&first)).status == 200 {
        assert!(started.elapsed().as_secs() < 60, "it still counts");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let reply = probe(&house, Some(UNIT), &bearer(&first));
    refused("the compromised version's", &reply, 401, "token-invalid");
    let reply = probe(&house, Some(UNIT), &bearer(&second));
    accepted("the other version's", &reply);
    house.serve_hsm();
}

#[test]
fn a_key_that_is_switched_off_verifies_nothing_any_more() {
    let desk = Desk::open(&["ec-unit"]);
    let house = issuing(&desk);
    let token = granted("a token", &ask(&house, Some(UNIT), &OWN, &[]));
    accepted("before", &probe(&house, Some(UNIT), &bearer(&token)));
    house
        .officer("key-office", &["disable", "token-signer"])
        .text();
    let started = std::time::Instant::now();
    while probe(&house, Some(UNIT), &bearer(&token)).status == 200 {
        assert!(started.elapsed().as_secs() < 60, "it still counts");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let published = house.curl(None, "/oauth/jwks", &[]).json();
    assert_eq!(published["keys"], serde_json::json!([]));
    house
        .officer("key-office", &["enable", "token-signer"])
        .text();
    while probe(&house, Some(UNIT), &bearer(&token)).status != 200 {
        assert!(started.elapsed().as_secs() < 60, "it does not come back");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn login_prints_a_token_for_the_certificate() {
    let desk = Desk::open(&["ec-unit"]);
    let house = issuing(&desk);
    let directory = house.directory();
    let login = [
        "login",
        "--installation",
        directory.to_str().unwrap(),
        "--unit",
    ];
    let (done, said) = house.jinku(&[&login[..], &[UNIT]].concat(), "");
    assert!(done, "{said}");
    accepted("with it", &probe(&house, Some(UNIT), &bearer(said.trim())));
    let (done, said) = house.jinku(&[&login[..], &[GATEWAY]].concat(), "");
    assert!(!done && said.contains("gateway-alone"), "{said}");
}

#[test]
fn without_settings_there_is_no_token_endpoint() {
    let house = House::open();
    for path in [
        "/oauth/token",
        "/oauth/jwks",
        "/.well-known/oauth-authorization-server",
    ] {
        let reply = house.curl(None, path, &[]);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "path-unknown"),
            "{path}"
        );
    }
}
