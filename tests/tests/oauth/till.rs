//! A house whose vault issues tokens, and what clients ask it for.

use serde_json::json;
use tests::{House, Reply};

use super::bound::reachable;
use super::desk::{Desk, merge};

pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Reads {"token", "jwks", "issuer", "audience"}, and prints what PyPI's `pyjwt` reads in the token.
pub(super) const READ: &str = r#"
import json, sys, jwt
asked = json.load(sys.stdin)
header = jwt.get_unverified_header(asked["token"])
keys = jwt.PyJWKSet.from_dict(asked["jwks"])
claims = jwt.decode(asked["token"], keys[header["kid"]].key, algorithms=["EdDSA"],
    audience=asked["audience"], issuer=asked["issuer"], options={"require": ["exp", "iat", "jti", "sub", "client_id"]})
json.dump({"header": header, "claims": claims}, sys.stdout)
"#;

pub(super) fn issuer(house: &House) -> String {
    format!("https://localhost:{}", house.port())
}

/// A house whose vault issues tokens; `desk` is whose keys sign assertions and proofs.
pub(super) fn issuing(desk: &Desk) -> House {
    let mut house = House::install();
    reachable(&house);
    let mut key = desk.public("ec-unit").clone();
    merge(&mut key, json!({ "alg": null, "use": null, "kid": null }));
    let member = |name: &str| format!("{name} = {}", key[name]);
    let table: Vec<String> = ["kty", "crv", "x", "y"].map(member).to_vec();
    let subject = "token_subject = \"tax-bureau\"";
    let more = format!(
        "{subject}\noauth = {{ assertion_key = {{ {} }} }}",
        table.join(", ")
    );
    house.edit("policies/units.toml", subject, &more);
    let oauth = format!(
        "[oauth]\nissuer = \"{}\"\naudience = \"https://vault.jinku.example\"\nkey = \"token-signer\"\n\n[ledger]\n",
        issuer(&house)
    );
    house.edit("jinku.toml", "[ledger]\n", &oauth);
    house.serve();
    let key = [
        "create",
        "ed25519",
        "--alias",
        "token-signer",
        "--tag",
        "group=revenue",
    ];
    house.officer("key-office", &key).text();
    house
}

pub(super) fn ask(
    house: &House,
    name: Option<&str>,
    parameters: &[(&str, &str)],
    headers: &[String],
) -> Reply {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut arguments = Vec::new();
    for pair in &pairs {
        arguments.extend(["--data-urlencode", pair.as_str()]);
    }
    for header in headers {
        arguments.extend(["--header", header.as_str()]);
    }
    house.curl(name, "/oauth/token", &arguments)
}

#[track_caller]
pub(super) fn granted(what: &str, reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{what}: {reply:?}");
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// The `error` of RFC 6749, and the vault's own code.
#[track_caller]
pub(super) fn told(what: &str, reply: &Reply, status: u16, error: &str, code: &str) {
    let said = reply.json();
    let found = (reply.status, said["error"].as_str(), said["code"].as_str());
    assert_eq!(
        found,
        (status, Some(error), Some(code)),
        "{what}: {reply:?}"
    );
}

pub(super) fn exchange(
    house: &House,
    name: Option<&str>,
    token: &str,
    headers: &[String],
) -> Reply {
    let parameters = [
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    ask(house, name, &parameters, headers)
}

pub(super) const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];
