//! What was acknowledged stands after a restart and after a power cut.

use serde_json::json;

use super::{
    REVENUE, act, base64, described, done, house_with, keep, new_key, new_key_with, opened,
    opening, refused, sealed, states, text, used,
};

// Invariants 2 and 3, for keys: an acknowledged one survives `kill -9`, and so does each change of it.
#[test]
fn an_acknowledged_change_of_a_key_survives_a_power_cut() {
    let mut house = house_with("");
    let key = new_key_with(&house, "aes-256", &json!({ "alias": "kept" }));
    house.kill();
    house.serve();
    assert_eq!(described(&house, "kept")["id"], json!(key));
    let first = sealed(&house, &key, "first");
    for version in 2..=4 {
        keep(&house, &key, "rotate", &json!({}));
        house.kill();
        house.serve();
        assert_eq!(described(&house, &key)["current_version"], version);
        assert_eq!(opened(&house, &key, &first), "first");
    }
    let newest = used(
        &house,
        &key,
        "encrypt",
        &json!({ "plaintext": base64("x") }),
    );
    assert_eq!(newest["version"], 4);
    keep(
        &house,
        &key,
        "set",
        &json!({ "open_from": 2, "aliases": ["renamed"] }),
    );
    house.kill();
    house.serve();
    refused(&opening(&house, "renamed", &first), 422, "key-version");
    refused(
        &opening(&house, "kept", &text(&newest["ciphertext"])),
        403,
        "not-permitted",
    );
    keep(&house, &key, "destroy-version", &json!({ "version": 1 }));
    keep(&house, &key, "disable", &json!({}));
    house.kill();
    house.serve();
    let body = json!({ "plaintext": base64("x") });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &body),
        409,
        "key-state",
    );
    let seen = keep(&house, &key, "enable", &json!({}));
    assert_eq!(
        states(&seen),
        ["destroyed", "deactivated", "deactivated", "active"]
    );
    let entries = house.audited();
    let rotations = entries
        .iter()
        .filter(|entry| entry["operation"] == "key-rotate");
    assert_eq!(rotations.count(), 3);
}

#[test]
fn keys_of_every_kind_do_the_same_after_a_restart() {
    let mut house = house_with("");
    let message = base64("m");
    let (key, code) = (new_key(&house, "aes-256"), new_key(&house, "hmac-sha-384"));
    let (edwards, ecdsa) = (new_key(&house, "ed25519"), new_key(&house, "ecdsa-p256"));
    let ciphertext = sealed(&house, &key, "before");
    let mac = used(&house, &code, "mac", &json!({ "message": message }))["mac"].clone();
    let signatures =
        [&edwards, &ecdsa].map(|key| used(&house, key, "sign", &json!({ "message": message })));
    let public = |house: &tests::House, key: &str| {
        let mut public = done(&house.curl(Some(REVENUE), &format!("/v1/keys/{key}/public"), &[]));
        public["entry"] = json!(null);
        public
    };
    let publics = [&edwards, &ecdsa].map(|key| public(&house, key));
    house.stop();
    house.serve();
    assert_eq!(opened(&house, &key, &ciphertext), "before");
    assert_eq!(
        used(&house, &code, "mac", &json!({ "message": message }))["mac"],
        mac
    );
    for (place, key) in [&edwards, &ecdsa].into_iter().enumerate() {
        assert_eq!(public(&house, key), publics[place]);
        let body = json!({ "message": message, "signature": signatures[place]["signature"] });
        assert_eq!(used(&house, key, "verify", &body)["valid"], true);
    }
}

#[test]
fn keys_serve_from_a_cache_that_holds_hardly_any() {
    let house = house_with("[keys]\ncache_keys_max = 2\ncache_ttl_ms = 1\n");
    let keys: Vec<String> = (0..6).map(|_| new_key(&house, "aes-256")).collect();
    let sealed: Vec<String> = keys.iter().map(|key| sealed(&house, key, key)).collect();
    for _ in 0..2 {
        for (key, ciphertext) in keys.iter().zip(&sealed) {
            assert_eq!(opened(&house, key, ciphertext), *key);
        }
    }
    keep(&house, &keys[0], "disable", &json!({}));
    refused(&opening(&house, &keys[0], &sealed[0]), 409, "key-state");
    assert_eq!(opened(&house, &keys[1], &sealed[1]), keys[1]);
}
