//! Registered units prove themselves in every way that the file's do: what they are given takes a second person, and
//! what is taken from them goes at once.

use tests::{Signer, Unsigned};

use super::*;

const TOKENIZE: &str = "/v1/tokenize";

/// One request for the vault, signed.
fn sent(house: &House, signer: &Signer) -> Reply {
    let item = json!({ "class": "name", "value": "王測試" });
    let body = json!({ "domain": "city", "items": [item] }).to_string();
    let request = Unsigned::post(house, TOKENIZE, body.as_bytes());
    house.send(None, TOKENIZE, &request.signed(signer), body.as_bytes())
}

/// A pair, and its public half as a document has it.
fn pair(keyid: &str) -> (Signer, Value) {
    let (signer, jwk) = Signer::ed25519(keyid);
    let table: toml::Table = toml::from_str(&format!("key = {jwk}")).unwrap();
    (signer, serde_json::to_value(&table["key"]).unwrap())
}

#[test]
fn a_signing_key_takes_a_second_person_and_counts_until_its_unit_is_suspended_or_loses_it() {
    let house = open();
    registered(&house, &bureau());
    let (signer, jwk) = pair("tax-2026");
    refused(&sent(&house, &signer), 401, "signature-invalid");

    let id = proposed(&set(
        &house,
        REGISTRAR,
        &bureau_with("signing_jwk", jwk.clone()),
    ));
    refused(&sent(&house, &signer), 401, "signature-invalid");
    done(&decide(&house, GUARD, &id, "approve"));
    done(&sent(&house, &signer));

    done(&act(&house, REGISTRAR, TAX, "suspend"));
    refused(&sent(&house, &signer), 401, "suspended");
    let id = proposed(&act(&house, REGISTRAR, TAX, "resume"));
    refused(&sent(&house, &signer), 401, "suspended");
    done(&decide(&house, GUARD, &id, "approve"));
    done(&sent(&house, &signer));

    // Another key in its place widens; none in its place does not.
    let (other, other_jwk) = pair("tax-2027");
    let id = proposed(&set(
        &house,
        REGISTRAR,
        &bureau_with("signing_jwk", other_jwk),
    ));
    done(&sent(&house, &signer));
    refused(&sent(&house, &other), 401, "signature-invalid");
    done(&decide(&house, REGISTRAR, &id, "withdraw"));
    let without = done(&set(&house, REGISTRAR, &bureau()));
    assert_eq!(
        (&without["outcome"], &without["keys"]),
        (&json!("done"), &json!(["signing_jwk"]))
    );
    refused(&sent(&house, &signer), 401, "signature-invalid");
}

#[test]
fn a_key_that_one_unit_has_is_no_other_s() {
    let house = open();
    let (signer, jwk) = pair("tax-2026");
    registered(&house, &bureau_with("signing_jwk", jwk.clone()));
    let mut other = bureau_with("signing_jwk", jwk);
    other["name"] = json!("second-bureau");
    other["certificate_uri"] = json!("spiffe://jinku.example/unit/second-bureau");
    other["token_subject"] = json!("second-bureau");
    refused(&set(&house, REGISTRAR, &other), 422, "unit-invalid");
    done(&sent(&house, &signer));

    // Bearer tokens are refused at once; they are let in again with a second person.
    let bound = bureau_with("oauth", json!({ "bearer": "refused" }));
    let mut bound = bound;
    bound["signing_jwk"] = other["signing_jwk"].clone();
    let narrowed = done(&set(&house, REGISTRAR, &bound));
    assert_eq!(
        (&narrowed["outcome"], &narrowed["keys"]),
        (&json!("done"), &json!(["oauth"]))
    );
    bound["oauth"] = json!({});
    proposed(&set(&house, REGISTRAR, &bound));

    // A retired unit's key is free.
    done(&act(&house, REGISTRAR, TAX, "retire"));
    refused(&sent(&house, &signer), 401, "signature-invalid");
    let entries = registered(&house, &other);
    assert_eq!(entries["outcome"], "done");
}
