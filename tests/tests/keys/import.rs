//! Material that its owner brings: wrapped for the HSM, with a permission that serves once.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tests::{House, Reply, has_entry, wrapped};

use super::{
    KEEPER, REVENUE, act, base64, bytes, described, done, house_with, keep, new_key_with, opened,
    refused, sealed, states, text, used,
};

fn external(house: &House, kind: &str) -> String {
    new_key_with(house, kind, &json!({ "origin": "external" }))
}

/// What the owner needs.
#[track_caller]
fn parameters(house: &House, key: &str) -> Value {
    let given = done(&act(house, KEEPER, key, "import-parameters", &json!({})));
    assert_eq!(given["algorithm"], "RSA-OAEP-SHA256+AES-KWP");
    given
}

fn brought(house: &House, key: &str, given: &Value, material: &[u8]) -> Reply {
    let wrapped = wrapped(given["public_key"].as_str().unwrap(), material);
    let body = json!({ "ticket": given["ticket"], "wrapped": base64(wrapped) });
    act(house, KEEPER, key, "import", &body)
}

/// The whole of it; the key as it is then.
#[track_caller]
fn imported(house: &House, key: &str, material: &[u8]) -> Value {
    let given = parameters(house, key);
    done(&brought(house, key, &given, material))["key"].clone()
}

fn coded(house: &House, key: &str, message: &str) -> Value {
    used(house, key, "mac", &json!({ "message": base64(message) }))
}

#[test]
fn imported_keys_work_as_their_owners_do_and_the_next_import_is_the_next_version() {
    let mut house = house_with("");
    let key = external(&house, "hmac-sha-256");
    assert_eq!(described(&house, &key)["state"], "pre-activation");
    let body = json!({ "message": base64("m") });
    refused(&act(&house, REVENUE, &key, "mac", &body), 409, "key-state");

    let (first, second): ([u8; 32], [u8; 64]) = (rand::random(), rand::random());
    let seen = imported(&house, &key, &first);
    assert_eq!(
        (&seen["state"], &seen["origin"]),
        (&json!("active"), &json!("external"))
    );
    let owner = |material: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, material);
        hmac::sign(&key, b"form").as_ref().to_vec()
    };
    let old = coded(&house, &key, "form");
    assert_eq!(bytes(&old["mac"]), owner(&first));
    refused(
        &act(&house, KEEPER, &key, "rotate", &json!({})),
        409,
        "key-origin",
    );
    assert_eq!(
        states(&imported(&house, &key, &second)),
        ["deactivated", "active"]
    );
    let new = coded(&house, &key, "form");
    assert_eq!(
        (bytes(&new["mac"]), &new["version"]),
        (owner(&second), &json!(2))
    );
    let check = json!({ "message": base64("form"), "mac": old["mac"], "version": 1 });
    assert_eq!(used(&house, &key, "verify-mac", &check)["valid"], true);

    let entries = house.audited();
    let of_key: Vec<Value> = entries
        .into_iter()
        .filter(|entry| entry["key"]["id"] == key)
        .collect();
    let import = [
        ("operation", "key-import"),
        ("outcome", "ok"),
        ("unit", KEEPER),
    ];
    assert!(has_entry(&of_key, &import));
}

#[test]
fn imported_ciphers_and_signers_are_their_owners() {
    let house = house_with("");
    let cipher = external(&house, "aes-256");
    imported(&house, &cipher, &rand::random::<[u8; 32]>());
    let ciphertext = sealed(&house, &cipher, "form");
    assert_eq!(opened(&house, &cipher, &ciphertext), "form");

    let public = |key: &str| {
        let path = format!("/v1/keys/{key}/public");
        done(&house.curl(Some(REVENUE), &path, &[]))["jwk"].clone()
    };
    let member = |jwk: &Value, name: &str| {
        use base64::Engine as _;
        let text = jwk[name].as_str().unwrap();
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap()
    };
    let seed: [u8; 32] = rand::random();
    let signer = external(&house, "ed25519");
    imported(&house, &signer, &seed);
    let owner = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    assert_eq!(member(&public(&signer), "x"), owner.public_key().as_ref());
    let made = used(
        &house,
        &signer,
        "sign",
        &json!({ "message": base64("form") }),
    );
    assert_eq!(bytes(&made["signature"]), owner.sign(b"form").as_ref());

    let pkcs8 =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pkcs8 = pkcs8.unwrap();
    let owner = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        pkcs8.as_ref(),
        &SystemRandom::new(),
    );
    let point = owner.unwrap().public_key().as_ref().to_vec();
    // SEC 1's private key is a 32-byte OCTET STRING after `version 1` (RFC 5915).
    let at = pkcs8
        .as_ref()
        .windows(5)
        .position(|w| w == [0x02, 0x01, 0x01, 0x04, 0x20]);
    let scalar = &pkcs8.as_ref()[at.unwrap() + 5..][..32];
    let signer = external(&house, "ecdsa-p256");
    imported(&house, &signer, scalar);
    let jwk = public(&signer);
    assert_eq!(
        [vec![4], member(&jwk, "x"), member(&jwk, "y")].concat(),
        point
    );
}

#[test]
fn what_is_not_rightly_brought_changes_nothing_and_uses_no_permission_up() {
    let house = house_with("");
    let (key, other) = (
        external(&house, "hmac-sha-256"),
        external(&house, "hmac-sha-256"),
    );
    let (given, others) = (parameters(&house, &key), parameters(&house, &other));
    let material: [u8; 32] = rand::random();
    refused(
        &brought(&house, &key, &others, &material),
        422,
        "import-ticket",
    );
    for wrong in [&material[..31], &[7; 32], &[0; 129]] {
        refused(
            &brought(&house, &key, &given, wrong),
            422,
            "import-material",
        );
    }
    for wrapped in [vec![], vec![1; 383], vec![1; 424]] {
        let body = json!({ "ticket": given["ticket"], "wrapped": base64(wrapped) });
        refused(
            &act(&house, KEEPER, &key, "import", &body),
            422,
            "import-material",
        );
    }
    let seen = described(&house, &key);
    assert_eq!(seen["state"], "pre-activation");
    assert!(seen.get("versions").is_none(), "{seen}");
    done(&brought(&house, &key, &given, &material));
    // It serves once, and not for long.
    refused(
        &brought(&house, &key, &given, &material),
        422,
        "import-ticket",
    );
    house.sql("update key_import set expires_us = 1");
    refused(
        &brought(&house, &other, &others, &material),
        422,
        "import-ticket",
    );
    let made = new_key_with(&house, "hmac-sha-256", &json!({}));
    let reply = act(&house, KEEPER, &made, "import-parameters", &json!({}));
    refused(&reply, 409, "key-origin");
    keep(&house, &key, "disable", &json!({}));
    let reply = act(&house, KEEPER, &key, "import-parameters", &json!({}));
    refused(&reply, 409, "key-state");
    assert_eq!(text(&described(&house, &other)["state"]), "pre-activation");
}
