//! Signed requests (RFC 9421) on real binaries over TLS: who is believed, who is not, and each of them once.

#[path = "signed/broken.rs"]
mod broken;
#[path = "signed/grpc.rs"]
mod grpc;
#[path = "signed/peers.rs"]
mod peers;
#[path = "signed/replays.rs"]
mod replays;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::{House, Reply, Signer, Unsigned, has_entry, wrapped};

const TAX: &str = "tax-bureau";
const HEALTH: &str = "health-bureau";
const KEEPER: &str = "key-office";
const TOKENIZE: &str = "/v1/tokenize";
const JSON: &str = "content-type: application/json";

/// One value to be replaced by a token.
fn body() -> Vec<u8> {
    let item = json!({ "class": "name", "value": "王測試" });
    json!({ "domain": "city", "items": [item] })
        .to_string()
        .into_bytes()
}

/// An installation in which the revenue unit signs with a pair of its own. It does not run.
fn installed() -> (House, Signer) {
    let house = House::install();
    let (signer, jwk) = Signer::ed25519("tax-2026");
    registered(&house, TAX, &format!("signing_jwk = {jwk}"));
    (house, signer)
}

/// The same, running.
fn open() -> (House, Signer) {
    let (mut house, signer) = installed();
    house.serve();
    (house, signer)
}

/// Adds a line to a unit's registration.
fn registered(house: &House, unit: &str, line: &str) {
    let subject = format!("token_subject = \"{unit}\"\n");
    house.edit(
        "policies/units.toml",
        &subject,
        &format!("{subject}{line}\n"),
    );
}

fn sent(house: &House, lines: &[String]) -> Reply {
    house.send(None, TOKENIZE, lines, &body())
}

#[track_caller]
fn refused(what: &str, reply: &Reply, status: u16, code: &str) {
    let found = (reply.status, reply.code());
    assert_eq!(found, (status, code.to_owned()), "{what}: {}", reply.body);
    assert_eq!(reply.media, "application/problem+json");
}

#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// Brings a secret into the key service as the key of this alias.
fn brought(house: &House, alias: &str, secret: &[u8]) {
    brought_as(house, "hmac-sha-256", alias, secret);
}

fn brought_as(house: &House, kind: &str, alias: &str, secret: &[u8]) {
    let ask = |path: &str, body: &Value| {
        let body = body.to_string();
        done(&house.post(Some(KEEPER), path, &["--header", JSON], body.as_bytes()))
    };
    let wish = json!({ "kind": kind, "origin": "external", "alias": alias });
    ask("/v1/keys", &wish);
    renewed(house, alias, secret);
}

/// Brings its next version.
fn renewed(house: &House, alias: &str, secret: &[u8]) {
    let ask = |act: &str, body: &Value| {
        let (path, body) = (format!("/v1/keys/{alias}/{act}"), body.to_string());
        done(&house.post(Some(KEEPER), &path, &["--header", JSON], body.as_bytes()))
    };
    let given = ask("import-parameters", &json!({}));
    let wrapped = wrapped(given["public_key"].as_str().unwrap(), secret);
    let body = json!({ "ticket": given["ticket"], "wrapped": STANDARD.encode(wrapped) });
    ask("import", &body);
}

#[test]
fn a_signature_proves_its_unit_and_the_entry_names_it() {
    let (mut house, signer) = open();
    let whole = Unsigned::post(&house, TOKENIZE, &body());
    done(&sent(&house, &whole.signed(&signer)));
    let parts = [
        "content-digest",
        "@path",
        "@query",
        "@authority",
        "@method",
        "content-type",
    ];
    let parts = Unsigned::post(&house, TOKENIZE, &body()).covering(&parts);
    done(&sent(&house, &parts.signed(&signer)));
    let mut named = Unsigned::post(&house, TOKENIZE, &body());
    named.alg = Some("ed25519".to_owned());
    done(&sent(&house, &named.signed(&signer)));

    // Without a body there is no digest; the path's own handler answers.
    let mut receipt = Unsigned::post(&house, "/v1/receipts/99999", b"");
    receipt.method = http::Method::GET;
    receipt.fields.clear();
    let receipt = receipt.covering(&["@method", "@target-uri"]);
    let lines = receipt.signed(&signer);
    let headers: Vec<&str> = lines.iter().flat_map(|line| ["--header", line]).collect();
    let reply = house.curl(None, &receipt.target, &headers);
    refused("a receipt", &reply, 404, "entry-unknown");

    let again = Unsigned::post(&house, TOKENIZE, &body());
    let own = house.send(Some(TAX), TOKENIZE, &again.signed(&signer), &body());
    done(&own);
    let again = Unsigned::post(&house, TOKENIZE, &body());
    let other = house.send(
        Some("parking-office"),
        TOKENIZE,
        &again.signed(&signer),
        &body(),
    );
    refused(
        "another unit's certificate",
        &other,
        401,
        "credentials-differ",
    );
    let again = Unsigned::post(&house, TOKENIZE, &body());
    let carried = house.send(
        Some("city-gateway"),
        TOKENIZE,
        &again.signed(&signer),
        &body(),
    );
    refused(
        "a gateway's certificate",
        &carried,
        401,
        "signature-carried",
    );
    let bearer = format!("Bearer {}", house.access_token("parking-office"));
    let again = Unsigned::post(&house, TOKENIZE, &body()).with("authorization", &bearer);
    refused(
        "its token is not covered",
        &sent(&house, &again.signed(&signer)),
        401,
        "signature-coverage",
    );
    let mut again = again;
    again.covered.push("authorization".to_owned());
    refused(
        "another unit's token",
        &sent(&house, &again.signed(&signer)),
        401,
        "credentials-differ",
    );

    assert_eq!(house.rows(), 4);
    let entries = house.audited();
    let issued = [("operation", "tokenize"), ("outcome", "ok"), ("unit", TAX)];
    assert!(has_entry(&entries, &issued));
    for (who, name, reason) in [
        ("unit", "parking-office", "credentials-differ"),
        ("gateway", "city-gateway", "signature-carried"),
    ] {
        let facts = [
            ("operation", "auth-refused"),
            (who, name),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
}

#[test]
fn a_key_of_the_key_service_signs_for_the_unit_that_names_it_and_no_other() {
    let (mut house, tax) = installed();
    registered(&house, HEALTH, "signing_key = \"health-signs\"");
    registered(
        &house,
        "parking-office",
        "signing_key = \"nobody-made-this\"",
    );
    house.serve();
    let secret: [u8; 48] = rand::random();
    let signer = Signer::hmac("health-signs", &secret);
    let request = || Unsigned::post(&house, TOKENIZE, &body());
    refused(
        "no such key yet",
        &sent(&house, &request().signed(&signer)),
        401,
        "signature-invalid",
    );
    brought(&house, "health-signs", &secret);
    done(&sent(&house, &request().signed(&signer)));
    let mut named = request();
    named.alg = Some("hmac-sha256".to_owned());
    done(&sent(&house, &named.signed(&signer)));
    named = request();
    named.alg = Some("ed25519".to_owned());
    refused(
        "another algorithm",
        &sent(&house, &named.signed(&signer)),
        401,
        "signature-invalid",
    );

    // A key's name is its unit's: signing under another's name proves nothing.
    let posing = Signer::hmac("tax-2026", &secret);
    refused(
        "the other unit's name",
        &sent(&house, &request().signed(&posing)),
        401,
        "signature-invalid",
    );
    let nobody = Signer::hmac("nobody-made-this", &secret);
    refused(
        "a key that is not there",
        &sent(&house, &request().signed(&nobody)),
        401,
        "signature-invalid",
    );
    let unknown = Signer::hmac("unknown", &secret);
    refused(
        "a name that nobody has",
        &sent(&house, &request().signed(&unknown)),
        401,
        "signature-invalid",
    );
    let alias_of_id = Signer::hmac("Health-Signs", &secret);
    refused(
        "another spelling",
        &sent(&house, &request().signed(&alias_of_id)),
        401,
        "signature-invalid",
    );

    // The newest version alone speaks for the unit, and a key that is switched off does not.
    let next: [u8; 32] = rand::random();
    renewed(&house, "health-signs", &next);
    refused(
        "the old version",
        &sent(&house, &request().signed(&signer)),
        401,
        "signature-invalid",
    );
    let signer = Signer::hmac("health-signs", &next);
    done(&sent(&house, &request().signed(&signer)));
    let off = house.post(
        Some(KEEPER),
        "/v1/keys/health-signs/disable",
        &["--header", JSON],
        b"{}",
    );
    done(&off);
    refused(
        "switched off",
        &sent(&house, &request().signed(&signer)),
        401,
        "signature-invalid",
    );
    done(&sent(&house, &request().signed(&tax)));

    let entries = house.audited();
    for unit in [TAX, HEALTH] {
        let facts = [("operation", "tokenize"), ("outcome", "ok"), ("unit", unit)];
        assert!(has_entry(&entries, &facts), "{unit}");
    }
    // A signature that is wrong proves nobody: it is not chained under the name that it claims.
    assert!(!has_entry(&entries, &[("reason", "signature-invalid")]));
}

#[test]
fn without_a_name_of_its_own_a_vault_believes_no_signature() {
    let (mut house, signer) = installed();
    let toml = house.directory().join("jinku.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let (head, rest) = text.split_once("[signatures]").unwrap();
    let (_, tail) = rest.split_once("\n\n").unwrap();
    std::fs::write(&toml, format!("{head}{tail}")).unwrap();
    house.serve();
    let request = Unsigned::post(&house, TOKENIZE, &body());
    refused(
        "not set up",
        &sent(&house, &request.signed(&signer)),
        401,
        "signature-off",
    );
    let lines = request.signed(&signer);
    let with_certificate = house.send(Some(TAX), TOKENIZE, &lines, &body());
    refused(
        "not passed over either",
        &with_certificate,
        401,
        "signature-off",
    );
}

#[test]
fn a_key_of_the_key_service_may_be_a_pair_and_no_other_kind_signs() {
    let (mut house, _) = installed();
    registered(&house, HEALTH, "signing_key = \"health-signs\"");
    registered(&house, "parking-office", "signing_key = \"parking-signs\"");
    house.serve();
    let (seed, secret): ([u8; 32], [u8; 48]) = (rand::random(), rand::random());
    brought_as(&house, "ed25519", "health-signs", &seed);
    brought_as(&house, "hmac-sha-384", "parking-signs", &secret);
    let request = || Unsigned::post(&house, TOKENIZE, &body());
    let signer = Signer::seeded("health-signs", &seed);
    done(&sent(&house, &request().signed(&signer)));
    let mut named = request();
    named.alg = Some("hmac-sha256".to_owned());
    let reply = sent(&house, &named.signed(&signer.confused()));
    refused(
        "its public half as a secret",
        &reply,
        401,
        "signature-invalid",
    );
    let other = Signer::hmac("parking-signs", &secret);
    let reply = sent(&house, &request().signed(&other));
    refused("another hash", &reply, 401, "signature-invalid");
}

#[test]
fn settings_out_of_their_range_are_refused_by_their_name() {
    let house = House::install();
    let good = std::fs::read_to_string(house.directory().join("jinku.toml")).unwrap();
    let authorities = good
        .lines()
        .find(|line| line.starts_with("public_authorities"))
        .unwrap();
    let (listen, signatures) = ("\n[hsm]\n", authorities);
    for (at, line, words) in [
        (
            signatures,
            "public_authorities = []",
            "`signatures.public_authorities`",
        ),
        (
            signatures,
            "public_authorities = [\"a b\"]",
            "`signatures.public_authorities`",
        ),
        (
            signatures,
            "lifetime_seconds_max = 0",
            "`signatures.lifetime_seconds_max`",
        ),
        (
            signatures,
            "lifetime_seconds_max = 3601",
            "`signatures.lifetime_seconds_max`",
        ),
        (
            signatures,
            "clock_skew_seconds = 301",
            "`signatures.clock_skew_seconds`",
        ),
        (
            signatures,
            "nonces_per_unit_max = 0",
            "`signatures.nonces_per_unit_max`",
        ),
        (signatures, "other = 1", "unknown field"),
        (listen, "crl_outdated = \"never\"", "`listen.crl_outdated`"),
        (listen, "reload_seconds = 0", "`listen.reload_seconds`"),
        (listen, "crl = [\"tls/none.crl\"]", "tls/none.crl"),
        (listen, "crl = [\"tls/ca.pem\"]", "tls/ca.pem"),
    ] {
        let replaced = match line.starts_with("public_authorities") {
            true => line.to_owned(),
            false if at == listen => format!("{line}\n[hsm]\n"),
            false => format!("{at}\n{line}"),
        };
        let text = good.replacen(at, &replaced, 1);
        std::fs::write(house.directory().join("jinku.toml"), text).unwrap();
        let said = house.refuses_to_serve();
        assert!(said.contains(words), "{line}: {said}");
    }
}
