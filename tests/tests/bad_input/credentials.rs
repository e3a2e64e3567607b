//! Credentials that prove nobody: the same answer on every face, and an entry where a certificate
//! had proven someone.

use ring::signature::Ed25519KeyPair;
use tests::{House, TokenParts, Upstream, detokenize, has_entry, now, post_to, refusal, sample};
use tonic::Code;

use super::{TAX, expect_problem};

const JSON: &str = "content-type: application/json";

/// `Authorization` headers that prove nobody, and the code that says why.
fn forgeries(house: &House) -> Vec<(&'static str, String, &'static str)> {
    let key = house.issuer_key();
    let other = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let good = TokenParts::of("tax-bureau");
    let bearer = |token: String| format!("Bearer {token}");
    let claim =
        |name: &str, value: serde_json::Value| bearer(good.clone().claim(name, value).signed(&key));
    let header = |name: &str, value: serde_json::Value| {
        bearer(good.clone().header(name, value).signed(&key))
    };
    let jwks = std::fs::read_to_string(house.directory().join("issuer/jwks.json")).unwrap();
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    // RFC 8725 section 2.1: the public key taken as an HMAC key.
    let hmac = good.clone().header("alg", "HS256");
    let public = jwks["keys"][0]["x"].as_str().unwrap();
    let tag = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes()),
        hmac.unsigned().as_bytes(),
    );
    let none = good.clone().header("alg", "none");
    let whole = good.signed(&key);
    let mut altered = TokenParts::of("treasury").signed(&key);
    altered.replace_range(
        altered.rfind('.').unwrap()..,
        &whole[whole.rfind('.').unwrap()..],
    );
    vec![
        (
            "expired",
            claim("exp", (now() - 60).into()),
            "token-expired",
        ),
        (
            "not yet valid",
            claim("nbf", (now() + 600).into()),
            "token-expired",
        ),
        (
            "issued in the future",
            claim("iat", (now() + 600).into()),
            "token-expired",
        ),
        (
            "for another",
            claim("aud", "https://elsewhere.example".into()),
            "token-invalid",
        ),
        (
            "for nobody",
            claim("aud", serde_json::Value::Null),
            "token-invalid",
        ),
        (
            "by another",
            claim("iss", "https://elsewhere.example".into()),
            "token-invalid",
        ),
        ("of nobody", claim("sub", "nobody".into()), "token-invalid"),
        (
            "of a gateway",
            claim("sub", "city-gateway".into()),
            "token-invalid",
        ),
        (
            "without an end",
            claim("exp", serde_json::Value::Null),
            "token-invalid",
        ),
        (
            "of another kind",
            header("typ", "JWT".into()),
            "token-invalid",
        ),
        (
            "of an unknown key",
            header("kid", "other".into()),
            "token-invalid",
        ),
        (
            "of another algorithm",
            header("alg", "ES256".into()),
            "token-invalid",
        ),
        (
            "of no algorithm",
            bearer(none.with_signature(b"")),
            "token-invalid",
        ),
        (
            "signed all the same",
            bearer(none.signed(&key)),
            "token-invalid",
        ),
        (
            "with an HMAC",
            bearer(hmac.with_signature(tag.as_ref())),
            "token-invalid",
        ),
        (
            "signed by another",
            bearer(good.signed(&other)),
            "token-invalid",
        ),
        ("with another's signature", bearer(altered), "token-invalid"),
        (
            "without a signature",
            bearer(good.unsigned()),
            "token-invalid",
        ),
        ("no token", bearer("x".to_owned()), "token-invalid"),
        ("too long", bearer("x".repeat(9_000)), "token-invalid"),
        (
            "a password",
            "Basic dGF4LWJ1cmVhdTp4".to_owned(),
            "token-invalid",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_proves_nobody_is_refused_on_every_face() {
    let mut house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let url = format!("{}/payments/tax", house.gateway_url());
    let gateway = house.client(Some("city-gateway"));
    let body = serde_json::json!({ "domain": "city", "purpose": TAX, "tokens": ["x"] }).to_string();
    for (what, authorization, code) in forgeries(&house) {
        let header = format!("authorization: {authorization}");
        let arguments = ["--header", JSON, "--header", &header];
        let reply = house.post(None, "/v1/detokenize", &arguments, body.as_bytes());
        expect_problem(what, &reply, 401, code);
        assert!(!reply.body.contains(&authorization), "{what}");
        let proof = api::UnitProof::authorization(authorization.as_bytes()).unwrap();
        let request = detokenize(TAX, &["x".to_owned()]);
        let error = gateway.detokenize(request, Some(&proof)).await.unwrap_err();
        assert_eq!(
            refusal(&error),
            (Code::Unauthenticated, code.to_owned()),
            "{what}"
        );
        let reply = post_to(&url, &arguments, sample("tax").as_bytes());
        expect_problem(what, &reply, 401, code);
    }
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(house.rows(), 0);
    let good = format!(
        "authorization: Bearer {}",
        TokenParts::of("tax-bureau").signed(&house.issuer_key())
    );
    let arguments = ["--header", JSON, "--header", &good];
    assert_eq!(
        house
            .post(None, "/v1/detokenize", &arguments, body.as_bytes())
            .status,
        200
    );
    assert_eq!(
        post_to(&url, &arguments, sample("tax").as_bytes()).status,
        200
    );
    drop((proxy, gateway));
    let entries = house.audited();
    for reason in ["token-expired", "token-invalid"] {
        let facts = [
            ("operation", "auth-refused"),
            ("outcome", "denied"),
            ("gateway", "city-gateway"),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_and_a_gateway_alone_are_refused_on_every_face() {
    let mut house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let post = |name: Option<&str>, more: &[&str]| {
        let arguments = [&["--header", JSON], more].concat();
        house.post(name, "/v1/detokenize", &arguments, b"{}")
    };
    expect_problem("nobody", &post(None, &[]), 401, "credential-missing");
    expect_problem(
        "a gateway alone",
        &post(Some("city-gateway"), &[]),
        401,
        "gateway-alone",
    );
    let asserted = [
        "--header",
        "x-jinku-unit: tax-bureau",
        "--header",
        "x-forwarded-client-cert: URI=spiffe://jinku.example/unit/tax-bureau",
    ];
    expect_problem(
        "a gateway's word",
        &post(Some("city-gateway"), &asserted),
        401,
        "gateway-alone",
    );
    let parking = format!(
        "authorization: Bearer {}",
        house.access_token("parking-office")
    );
    let two = post(Some("tax-bureau"), &["--header", &parking]);
    expect_problem("two units at once", &two, 401, "credentials-differ");
    let twice = post(None, &["--header", &parking, "--header", &parking]);
    expect_problem("two headers", &twice, 401, "token-invalid");
    for (name, code) in [
        (None, "credential-missing"),
        (Some("city-gateway"), "gateway-alone"),
    ] {
        let request = detokenize(TAX, &["x".to_owned()]);
        let error = house
            .client(name)
            .detokenize(request, None)
            .await
            .unwrap_err();
        assert_eq!(refusal(&error), (Code::Unauthenticated, code.to_owned()));
    }
    let url = format!("{}/payments/tax", house.gateway_url());
    let reply = post_to(&url, &["--header", JSON], sample("tax").as_bytes());
    expect_problem("nobody at the gateway", &reply, 401, "gateway-alone");
    let twice = ["--header", JSON, "--header", &parking, "--header", &parking];
    expect_problem(
        "two headers at the gateway",
        &post_to(&url, &twice, b"{}"),
        400,
        "header-repeated",
    );
    assert!(upstream.seen().is_empty());
    assert_eq!(house.rows(), 0);
    drop(proxy);
    let entries = house.audited();
    let rows = [
        ("gateway", "city-gateway", "gateway-alone"),
        ("unit", "tax-bureau", "credentials-differ"),
    ];
    for (who, name, reason) in rows {
        let facts = [
            ("operation", "auth-refused"),
            ("outcome", "denied"),
            (who, name),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
    assert!(
        !has_entry(&entries, &[("reason", "credential-missing")]),
        "noise of nobody's is chained"
    );
}
