//! Tokens that are bound: to a client certificate (RFC 8705), to a DPoP key (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{House, has_entry, now};

use super::desk::{Desk, merge, proof};
use super::{GATEWAY, UNIT, accepted, bearer, probe, refused};

/// `x5t#S256` of a certificate of the installation.
pub(super) fn certificate_hash(house: &House, name: &str) -> String {
    let file = house.directory().join(format!("tls/{name}.pem"));
    let pem = std::fs::read_to_string(file).unwrap();
    let inside = |line: &&str| !line.starts_with("-----");
    let text: String = pem.lines().filter(inside).collect();
    URL_SAFE_NO_PAD.encode(Sha256::digest(STANDARD.decode(text).unwrap()))
}

/// Where units reach the vault, and its gateway.
pub(super) fn reachable(house: &House) {
    let urls = format!(
        "[dpop]\npublic_urls = [\"https://localhost:{}\"]\n\n[ledger]\n",
        house.port()
    );
    house.edit("jinku.toml", "[ledger]\n", &urls);
    let uri = "certificate_uri = \"spiffe://jinku.example/gateway/city-gateway\"";
    let more = format!("{uri}\npublic_urls = [\"https://api.city.example/open\"]");
    house.edit("policies/units.toml", uri, &more);
}

pub(super) fn dpop(token: &str, proof: &str) -> Vec<String> {
    vec![
        format!("authorization: DPoP {token}"),
        format!("dpop: {proof}"),
    ]
}

fn htu(house: &House) -> Value {
    json!({ "htu": format!("https://localhost:{}/v1/detokenize", house.port()) })
}

#[test]
fn a_certificate_bound_token_is_whose_certificate_comes_with_it() {
    let mut desk = Desk::open(&["ed"]);
    desk.serve();
    let mut house = desk.house("");
    let bound = |name: &str| {
        let cnf = json!({ "cnf": { "x5t#S256": certificate_hash(&house, name) } });
        bearer(&desk.token("ed", cnf))
    };
    let (own, gateways) = (bound(UNIT), bound(GATEWAY));
    accepted("its own", &probe(&house, Some(UNIT), &own));
    let elsewhere = "token-bound-elsewhere";
    refused("no certificate", &probe(&house, None, &own), 401, elsewhere);
    let other = probe(&house, Some("parking-office"), &own);
    refused("another's", &other, 401, elsewhere);
    // The unit's connection ended at the gateway: nothing that the gateway says shows its certificate.
    let carried = probe(&house, Some(GATEWAY), &own);
    refused("behind a gateway", &carried, 401, elsewhere);
    accepted(
        "bound to the gateway",
        &probe(&house, Some(GATEWAY), &gateways),
    );
    let stolen = probe(&house, None, &gateways);
    refused("stolen from the gateway", &stolen, 401, elsewhere);
    let mut both = own.clone();
    both.push("client-cert: :AAAA:".to_owned());
    let said = probe(&house, Some(GATEWAY), &both);
    refused("a gateway's word", &said, 401, elsewhere);
    let facts = [
        ("operation", "auth-refused"),
        ("gateway", GATEWAY),
        ("reason", elsewhere),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

#[test]
fn an_issuer_and_a_unit_may_each_ask_for_more_than_a_bearer() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let jkt = desk.thumbprints["ec-unit"].clone();
    for (constraint, certificate, key) in [
        ("certificate", 200, 401),
        ("dpop", 401, 200),
        ("any", 200, 200),
        ("none", 200, 200),
    ] {
        let mut house = House::install();
        reachable(&house);
        desk.believed_by(&house, &format!("sender_constraint = \"{constraint}\""));
        house.serve();
        let plain = bearer(&desk.token("ed", json!({})));
        let expected = if constraint == "none" { 200 } else { 401 };
        assert_eq!(
            probe(&house, Some(UNIT), &plain).status,
            expected,
            "{constraint}"
        );
        let cnf = json!({ "cnf": { "x5t#S256": certificate_hash(&house, UNIT) } });
        let bound = probe(&house, Some(UNIT), &bearer(&desk.token("ed", cnf)));
        assert_eq!(bound.status, certificate, "{constraint}");
        let token = desk.token("ed", json!({ "cnf": { "jkt": jkt } }));
        let proof = desk.proof("ec-unit", htu(&house), Some(&token));
        let shown = probe(&house, None, &dpop(&token, &proof));
        assert_eq!(shown.status, key, "{constraint}: {shown:?}");
    }
    let mut house = House::install();
    desk.believed_by(&house, "");
    let subject = "token_subject = \"tax-bureau\"";
    let more = format!("{subject}\noauth = {{ bearer = \"refused\" }}");
    house.edit("policies/units.toml", subject, &more);
    house.serve();
    let plain = desk.token("ed", json!({}));
    let reply = probe(&house, None, &bearer(&plain));
    refused("the unit refuses", &reply, 401, "token-unbound");
    let other = desk.token("ed", json!({ "sub": "treasury" }));
    assert_eq!(probe(&house, None, &bearer(&other)).code(), "not-permitted");
}

/// A house that believes the desk, and a token bound to the key `ec-unit`.
fn possessed(desk: &Desk) -> (House, String) {
    let mut house = House::install();
    reachable(&house);
    desk.believed_by(&house, "");
    house.serve();
    let jkt = desk.thumbprints["ec-unit"].clone();
    let token = desk.token("ed", json!({ "cnf": { "jkt": jkt } }));
    (house, token)
}

#[test]
fn who_is_refused_at_the_door_keeps_the_proof_and_replays_take_nothing_of_the_rate() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let mut house = House::install();
    reachable(&house);
    desk.believed_by(&house, "");
    let rate =
        |number: u32| format!("token_subject = \"tax-bureau\"\nrequests_per_second = {number}");
    house.edit("policies/units.toml", &rate(500), &rate(1));
    house.serve();
    let jkt = desk.thumbprints["ec-unit"].clone();
    let token = desk.token("ed", json!({ "cnf": { "jkt": jkt } }));
    let wishes = [(); 8].map(|()| proof("ec-unit", htu(&house), Some(&token)));
    let proofs = desk.made(&wishes);
    let shown = |proof: &str| probe(&house, None, &dpop(&token, proof));
    // The first one that comes too soon.
    let late = proofs.iter().find(|proof| shown(proof).status == 429);
    let late = late.expect("no request came too soon");
    let started = std::time::Instant::now();
    let reply = loop {
        let reply = shown(late);
        if reply.status != 429 {
            break reply;
        }
        assert!(started.elapsed().as_secs() < 60, "it is never let in");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    accepted("the same proof, in time", &reply);
    // The rate is used up by now: a replay is told of for what it is.
    for _ in 0..3 {
        refused("a replay", &shown(late), 401, "proof-replayed");
    }
    house.audited();
}

#[test]
fn of_many_requests_with_one_proof_at_the_same_moment_one_is_let_through() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let (mut house, token) = possessed(&desk);
    for _ in 0..3 {
        let proof = desk.proof("ec-unit", htu(&house), Some(&token));
        let (asked, shown) = (&house, dpop(&token, &proof));
        let replies = std::thread::scope(|scope| {
            let asking = [(); 8].map(|()| scope.spawn(|| probe(asked, None, &shown)));
            asking.map(|one| one.join().unwrap())
        });
        let through = replies.iter().filter(|reply| reply.status == 200);
        assert_eq!(through.count(), 1, "{replies:?}");
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            refused("a twin", reply, 401, "proof-replayed");
        }
    }
    house.audited();
}

#[test]
fn a_proof_counts_once_and_not_again_after_a_restart() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let (mut house, token) = possessed(&desk);
    let first = desk.proof("ec-unit", htu(&house), Some(&token));
    let second = desk.proof("ec-unit", htu(&house), Some(&token));
    let mut with_query = htu(&house);
    let url = format!("{}?x=1#y", with_query["htu"].as_str().unwrap());
    with_query["htu"] = url.replace("https://localhost", "HTTPS://LOCALHOST").into();
    let third = desk.proof("ec-unit", with_query, Some(&token));
    accepted("the first", &probe(&house, None, &dpop(&token, &first)));
    let again = probe(&house, None, &dpop(&token, &first));
    refused("again", &again, 401, "proof-replayed");
    accepted("the second", &probe(&house, None, &dpop(&token, &second)));
    accepted(
        "a query is no matter",
        &probe(&house, None, &dpop(&token, &third)),
    );
    house.kill();
    house.serve();
    let again = probe(&house, None, &dpop(&token, &second));
    refused("after a crash", &again, 401, "proof-replayed");
    assert_eq!(house.sql("select count(*) from spent_proof"), "3");
    let facts = [
        ("operation", "auth-refused"),
        ("unit", UNIT),
        ("reason", "proof-replayed"),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

#[test]
fn a_proof_is_for_one_request_token_time_and_key() {
    let mut desk = Desk::open(&["ed", "ec-unit", "ed-other"]);
    desk.serve();
    let (house, token) = possessed(&desk);
    let with = |claims: Value, token: &str| {
        let mut wish = proof("ec-unit", htu(&house), Some(token));
        merge(&mut wish["claims"], claims);
        wish
    };
    let header = |name: &str, value: Value| {
        let mut wish = with(json!({}), &token);
        merge(&mut wish["header"], json!({ name: value }));
        wish
    };
    let set = |name: &str, value: Value| {
        let mut wish = with(json!({}), &token);
        wish[name] = value;
        wish
    };
    let mut other_key = with(json!({}), &token);
    other_key["key"] = "ed-other".into();
    other_key["header"]["alg"] = "EdDSA".into();
    let mut hmac = header("alg", "HS256".into());
    hmac["by"] = "hmac".into();
    let mut none = header("alg", "none".into());
    none["by"] = "none".into();
    let elsewhere = format!("https://elsewhere.example:{}/v1/detokenize", house.port());
    let broken = [
        ("another method", with(json!({ "htm": "GET" }), &token)),
        ("another place", with(json!({ "htu": elsewhere }), &token)),
        (
            "another path",
            with(
                json!({ "htu": format!("https://localhost:{}/v1/tokenize", house.port()) }),
                &token,
            ),
        ),
        ("another token", with(json!({}), "another")),
        ("no token", proof("ec-unit", htu(&house), None)),
        ("too old", with(json!({ "iat": now() - 120 }), &token)),
        ("too early", with(json!({ "iat": now() + 120 }), &token)),
        ("no name", with(json!({ "jti": null }), &token)),
        ("an empty name", with(json!({ "jti": "" }), &token)),
        ("another key", other_key),
        ("another type", header("typ", "JWT".into())),
        ("no type", header("typ", "".into())),
        ("an HMAC", hmac),
        ("no algorithm", none),
        ("no key", set("own_jwk", false.into())),
        ("a private key", {
            let mut wish = set("own_jwk", false.into());
            wish["private_jwk"] = true.into();
            wish
        }),
        ("another's key", {
            let mut wish = set("own_jwk", false.into());
            wish["jwk_of"] = "ed-other".into();
            wish
        }),
    ];
    let wanted: Vec<Value> = broken.iter().map(|(_, wish)| wish.clone()).collect();
    for ((what, _), proof) in broken.iter().zip(desk.made(&wanted)) {
        let reply = probe(&house, None, &dpop(&token, &proof));
        refused(what, &reply, 401, "dpop-invalid");
        assert!(
            !reply.body.contains(&proof) && !reply.body.contains(&token),
            "{what}"
        );
    }
    let good = desk.proof("ec-unit", htu(&house), Some(&token));
    let mut twice = dpop(&token, &good);
    twice.push(format!("dpop: {good}"));
    refused(
        "two proofs",
        &probe(&house, None, &twice),
        401,
        "dpop-invalid",
    );
    let alone = [format!("authorization: DPoP {token}")];
    refused(
        "no proof",
        &probe(&house, None, &alone),
        401,
        "dpop-missing",
    );
    let mut as_bearer = bearer(&token);
    as_bearer.push(format!("dpop: {good}"));
    refused(
        "as a bearer",
        &probe(&house, None, &as_bearer),
        401,
        "dpop-missing",
    );
    let unbound = desk.token("ed", json!({}));
    let own = desk.proof("ec-unit", htu(&house), Some(&unbound));
    refused(
        "bound to nothing",
        &probe(&house, None, &dpop(&unbound, &own)),
        401,
        "token-invalid",
    );
    accepted(
        "good all the same",
        &probe(&house, None, &dpop(&token, &good)),
    );
    let curl = house.curl(
        None,
        "/v1/receipts/1",
        &["--header", &alone[0], "--include"],
    );
    assert!(
        curl.body.contains("www-authenticate: DPoP algs="),
        "{curl:?}"
    );
}

#[test]
fn a_proof_that_a_gateway_carries_was_made_for_the_gateway() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let (house, token) = possessed(&desk);
    let made = |url: &str| {
        let proof = desk.proof("ec-unit", json!({ "htu": url, "htm": "PUT" }), Some(&token));
        dpop(&token, &proof)
    };
    let own = htu(&house)["htu"].as_str().unwrap().to_owned();
    for (url, good) in [
        ("https://api.city.example/open/payments/tax", true),
        ("https://api.city.example/closed", false),
        ("https://api.city.example.evil.test/open/", false),
        (own.as_str(), false),
    ] {
        let reply = probe(&house, Some(GATEWAY), &made(url));
        if good {
            accepted(url, &reply);
        } else {
            refused(url, &reply, 401, "dpop-invalid");
        }
    }
    let for_gateway = made("https://api.city.example/open/payments/tax");
    let past_it = probe(&house, None, &for_gateway);
    refused("past the gateway", &past_it, 401, "dpop-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_forwards_a_proof_and_the_upstream_sees_none() {
    let mut desk = Desk::open(&["ed", "ec-unit"]);
    desk.serve();
    let (house, token) = possessed(&desk);
    let upstream = tests::Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let url = format!("{}/payments/tax", house.gateway_url());
    let claims = json!({ "htu": "https://api.city.example/open/payments/tax" });
    let proof = desk.proof("ec-unit", claims, Some(&token));
    let headers = dpop(&token, &proof);
    let arguments = [
        "--header",
        "content-type: application/json",
        "--header",
        &headers[0],
        "--header",
        &headers[1],
    ];
    let body = tests::sample("tax");
    let reply = tests::post_to(&url, &arguments, body.as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].header("dpop").is_empty() && seen[0].header("authorization").is_empty());
    let again = tests::post_to(&url, &arguments, body.as_bytes());
    assert_eq!(
        (again.status, again.code().as_str()),
        (401, "proof-replayed"),
        "{again:?}"
    );
    drop(proxy);
}
