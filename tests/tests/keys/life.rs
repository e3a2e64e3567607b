//! Keys are made, named, listed, changed, switched off and on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    JSON, KEEPER, REVENUE, act, ask, base64, described, done, house_with, keep, new_key,
    new_key_with, opened, opening, refused, sealed, text, used, wait_until,
};

/// Kinds, usages, and whether a kind takes a digest.
const KINDS: [(&str, &str); 6] = [
    ("aes-256", "encrypt"),
    ("hmac-sha-256", "mac"),
    ("hmac-sha-384", "mac"),
    ("hmac-sha-512", "mac"),
    ("ed25519", "sign"),
    ("ecdsa-p256", "sign"),
];

/// Every use there is, a body for it, and the usage it needs.
fn uses() -> Vec<(&'static str, Value, &'static str)> {
    let message = base64("a message");
    vec![
        ("encrypt", json!({ "plaintext": message }), "encrypt"),
        ("decrypt", json!({ "ciphertext": message }), "encrypt"),
        ("re-encrypt", json!({ "ciphertext": message }), "encrypt"),
        ("data-key", json!({ "bytes": 32 }), "encrypt"),
        ("wrapped-data-key", json!({ "bytes": 32 }), "encrypt"),
        ("mac", json!({ "message": message }), "mac"),
        (
            "verify-mac",
            json!({ "message": message, "mac": message }),
            "mac",
        ),
        ("sign", json!({ "message": message }), "sign"),
        (
            "verify",
            json!({ "message": message, "signature": message }),
            "sign",
        ),
    ]
}

#[test]
fn a_key_made_for_one_thing_refuses_every_other() {
    let house = house_with("");
    for (kind, usage) in KINDS {
        let key = new_key(&house, kind);
        let seen = described(&house, &key);
        assert_eq!(
            (&seen["kind"], &seen["usage"]),
            (&json!(kind), &json!(usage))
        );
        assert_eq!(
            (&seen["state"], &seen["current_version"]),
            (&json!("active"), &json!(1))
        );
        assert_eq!(seen["owner"], KEEPER);
        for (name, body, needs) in uses() {
            let reply = act(&house, REVENUE, &key, name, &body);
            if needs != usage {
                refused(&reply, 422, "key-usage");
            } else if matches!(name, "decrypt" | "re-encrypt") {
                refused(&reply, 422, "unopened");
            } else {
                done(&reply);
            }
        }
        let public = house.curl(Some(REVENUE), &format!("/v1/keys/{key}/public"), &[]);
        if usage == "sign" {
            done(&public);
        } else {
            refused(&public, 422, "key-usage");
        }
    }
}

#[test]
fn an_alias_belongs_to_one_key_and_moves_at_once() {
    let house = house_with("");
    let first = new_key_with(&house, "aes-256", &json!({ "alias": "payments" }));
    let second = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, "payments", "by its alias");
    assert_eq!(opened(&house, &first, &ciphertext), "by its alias");

    let taken = json!({ "kind": "aes-256", "alias": "payments" });
    refused(&ask(&house, KEEPER, "/v1/keys", &taken), 409, "alias-taken");
    let both = json!({ "aliases": ["other", "payments"] });
    refused(
        &act(&house, KEEPER, &second, "set", &both),
        409,
        "alias-taken",
    );
    assert_eq!(described(&house, &second)["aliases"], json!([]));
    assert_eq!(described(&house, "payments")["id"], json!(first));

    keep(&house, "payments", "set", &json!({ "aliases": ["former"] }));
    let gone = house.curl(Some(KEEPER), "/v1/keys/payments", &[]);
    refused(&gone, 404, "key-unknown");
    keep(&house, &second, "set", &both);
    // The name is another key's now: what the first key encrypted does not open by it.
    refused(&opening(&house, "payments", &ciphertext), 422, "unopened");
    assert_eq!(opened(&house, "former", &ciphertext), "by its alias");
    assert_eq!(described(&house, "payments")["id"], json!(second));
    assert_eq!(
        described(&house, &second)["aliases"],
        json!(["other", "payments"])
    );
}

#[test]
fn an_alias_that_reads_as_an_id_or_is_misspelt_is_refused() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let aliases = [
        (key.as_str(), "key-word-invalid"),
        ("0189f7ea-6f2c-4bd1-8a2b-3c4d5e6f7a8b", "key-word-invalid"),
        ("value.city", "key-word-invalid"),
        ("index.none", "key-word-invalid"),
        ("Payments", "key-name-invalid"),
        ("", "key-name-invalid"),
        ("a b", "key-name-invalid"),
        ("ａ", "key-name-invalid"),
    ];
    for (alias, code) in aliases {
        let body = json!({ "kind": "aes-256", "alias": alias });
        refused(&ask(&house, KEEPER, "/v1/keys", &body), 422, code);
        refused(
            &act(&house, KEEPER, &key, "set", &json!({ "aliases": [alias] })),
            422,
            code,
        );
    }
}

#[test]
fn descriptions_tags_and_schedules_have_limits() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let many = |count: usize| {
        let tag = |n: usize| (n.to_string(), json!("x"));
        Value::Object((0..count).map(tag).collect())
    };
    let good = [
        json!({ "description": "金".repeat(341) }),
        json!({ "tags": many(50) }),
        json!({ "tags": { "n".repeat(128): "v".repeat(256) } }),
        json!({ "rotation_seconds": 3600 }),
        json!({ "rotation_seconds": 0 }),
        json!({}),
    ];
    for body in good {
        keep(&house, &key, "set", &body);
    }
    let bad = [
        (
            json!({ "description": "金".repeat(342) }),
            "key-word-invalid",
        ),
        (json!({ "description": "two\nlines" }), "key-word-invalid"),
        (json!({ "tags": many(51) }), "key-word-invalid"),
        (
            json!({ "tags": { "n".repeat(129): "" } }),
            "key-word-invalid",
        ),
        (
            json!({ "tags": { "n": "v".repeat(257) } }),
            "key-word-invalid",
        ),
        (json!({ "tags": { "a=b": "" } }), "key-word-invalid"),
        (json!({ "tags": { "": "" } }), "key-word-invalid"),
        (json!({ "rotation_seconds": 3599 }), "range"),
        (json!({ "rotation_seconds": 315_360_001u64 }), "range"),
        (json!({ "open_from": 0 }), "range"),
        (json!({ "open_from": 2 }), "range"),
    ];
    let before = described(&house, &key);
    for (body, code) in bad {
        refused(&act(&house, KEEPER, &key, "set", &body), 422, code);
    }
    assert_eq!(described(&house, &key), before);
    assert_eq!(before["description"], json!("金".repeat(341)));
    assert_eq!(before["tags"], json!({ "n".repeat(128): "v".repeat(256) }));
    let external = json!({ "kind": "aes-256", "origin": "external", "rotation_seconds": 3600 });
    refused(
        &ask(&house, KEEPER, "/v1/keys", &external),
        409,
        "key-origin",
    );
}

#[test]
fn a_list_of_many_keys_misses_none_and_shows_none_twice() {
    const MANY: usize = 250;
    let house = house_with("");
    let body = r#"{"kind":"hmac-sha-256"}"#;
    let arguments = ["--header", JSON, "--data-binary", body];
    let made = house.curl(Some(KEEPER), &format!("/v1/keys?[1-{MANY}]"), &arguments);
    let made: BTreeSet<String> = made
        .body
        .split("{\"id\":\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(made.len(), MANY);

    let (mut seen, mut own) = (Vec::new(), 0);
    let mut path = "/v1/keys?limit=100".to_owned();
    let mut pages = 0;
    loop {
        let page = done(&house.curl(Some(KEEPER), &path, &[]));
        pages += 1;
        for key in page["keys"].as_array().unwrap() {
            own += usize::from(key["owner"] == "vault:own");
            seen.push(text(&key["id"]));
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/keys?limit=100&after={next}");
    }
    assert_eq!(pages, 3);
    assert!(seen.is_sorted(), "keys come by id");
    let different: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(different.len(), seen.len(), "a key is listed twice");
    assert!(made.is_subset(&different), "a key is missing");
    assert_eq!(seen.len(), MANY + own);
    assert!(own > 0, "the vault's own keys are listed");

    for limit in ["0", "1001"] {
        let page = house.curl(Some(KEEPER), &format!("/v1/keys?limit={limit}"), &[]);
        refused(&page, 422, "range");
    }
    for query in ["limit=x", "after=A+B", "limit=-1", "after=x&after=y"] {
        refused(
            &house.curl(Some(KEEPER), &format!("/v1/keys?{query}"), &[]),
            400,
            "query",
        );
    }
}

#[test]
fn a_change_of_what_was_read_meets_what_stands_or_is_refused() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let seen = described(&house, &key);
    let change = |description: &str, seen: &Value| {
        let body = json!({ "description": description, "revision": seen["revision"] });
        act(&house, KEEPER, &key, "set", &body)
    };
    let first = done(&change("first", &seen))["key"].clone();
    assert_ne!(first["revision"], seen["revision"]);
    // Another officer read the same, and comes later.
    refused(&change("second", &seen), 409, "key-changed");
    assert_eq!(described(&house, &key)["description"], "first");
    // Whatever changes a key counts, and a change that says nothing of it meets what stands.
    keep(&house, &key, "rotate", &json!({}));
    refused(&change("second", &first), 409, "key-changed");
    keep(&house, &key, "set", &json!({ "description": "third" }));
    let last = described(&house, &key);
    assert_eq!(done(&change("fourth", &last))["key"]["current_version"], 2);
}

#[test]
fn a_key_that_is_switched_off_does_nothing_from_then_on() {
    let house = house_with("");
    let key = new_key_with(&house, "aes-256", &json!({ "alias": "switch" }));
    for _ in 0..3 {
        let ciphertext = sealed(&house, "switch", "on");
        assert_eq!(opened(&house, &key, &ciphertext), "on");
        let seen = keep(&house, &key, "disable", &json!({}));
        assert_eq!(seen["state"], "suspended");
        // By both names, for both directions: the opened key was in every cache.
        for name in [key.as_str(), "switch"] {
            refused(&opening(&house, name, &ciphertext), 409, "key-state");
            let body = json!({ "plaintext": base64("off") });
            refused(
                &act(&house, REVENUE, name, "encrypt", &body),
                409,
                "key-state",
            );
            refused(
                &act(&house, KEEPER, name, "rotate", &json!({})),
                409,
                "key-state",
            );
        }
        refused(
            &act(&house, KEEPER, &key, "disable", &json!({})),
            409,
            "key-state",
        );
        assert_eq!(keep(&house, &key, "enable", &json!({}))["state"], "active");
        refused(
            &act(&house, KEEPER, &key, "enable", &json!({})),
            409,
            "key-state",
        );
        assert_eq!(opened(&house, "switch", &ciphertext), "on");
    }
    let signer = new_key(&house, "ed25519");
    used(&house, &signer, "sign", &json!({ "message": base64("x") }));
    keep(&house, &signer, "disable", &json!({}));
    let body = json!({ "message": base64("x") });
    refused(
        &act(&house, REVENUE, &signer, "sign", &body),
        409,
        "key-state",
    );
}

#[test]
fn a_change_that_outlives_its_request_takes_effect_when_it_is_written() {
    let house = house_with("[limits]\nrequest_timeout_ms = 500\n");
    let key = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, &key, "on");
    let lock = house.lock_database();
    refused(
        &act(&house, KEEPER, &key, "disable", &json!({})),
        504,
        "timeout",
    );
    drop(lock);
    let state = format!("select state from key where id = '{key}'");
    wait_until(|| house.sql(&state), |state| state == "suspended");
    // Nobody waited for the answer, and the opened key leaves the caches all the same.
    let last = wait_until(
        || opening(&house, &key, &ciphertext),
        |reply| reply.status != 200,
    );
    refused(&last, 409, "key-state");
}
