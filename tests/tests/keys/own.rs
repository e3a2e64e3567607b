//! The vault's own keys: rotated while they work, and never lost while a row needs them.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tests::{House, Reply};

use super::{
    KEEPER, REVENUE, act, ask, base64, described, done, house_with, keep, refused, states, text,
    wait_until,
};

const VALUES: &str = "value.city";
/// Short, so that a replaced version need not be kept for long after its last row has moved.
const SHORT: &str = "[limits]\nrequest_timeout_ms = 3000\n";

fn tokenized(house: &House, values: &[String]) -> Vec<String> {
    let item = |value: &String| json!({ "class": "name", "value": value });
    let items: Vec<Value> = values.iter().map(item).collect();
    let answer = done(&ask(
        house,
        REVENUE,
        "/v1/tokenize",
        &json!({ "domain": "city", "items": items }),
    ));
    answer["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

fn detokenized(house: &House, tokens: &[String]) -> Vec<String> {
    let body = json!({ "domain": "city", "purpose": "tax-assessment", "tokens": tokens });
    let answer = done(&ask(house, REVENUE, "/v1/detokenize", &body));
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(&item["value"]))
        .collect()
}

fn values(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// Rows that are sealed under each version of `value.city`.
fn rows_under(house: &House, version: u32) -> String {
    house.sql(&format!(
        "select count(*) from token where domain = 'city' and hex(substr(sealed, 6, 4)) = '{version:08X}'"
    ))
}

fn destroyed(house: &House, key: &str, version: u32) -> Reply {
    act(
        house,
        KEEPER,
        key,
        "destroy-version",
        &json!({ "version": version }),
    )
}

/// Asks for a version's destruction until it is no longer too fresh.
fn destroyed_in_time(house: &House, key: &str, version: u32) -> Reply {
    wait_until(
        || destroyed(house, key, version),
        |reply| reply.code() != "key-fresh",
    )
}

/// Moves all rows, some at a time; how many moved.
fn resealed(house: &House, limit: u32) -> u64 {
    let (mut place, mut moved) = (json!(0), 0);
    loop {
        let body = json!({ "place": place, "limit": limit });
        let step = done(&act(house, KEEPER, VALUES, "reseal", &body));
        moved += step["moved"].as_u64().unwrap();
        match step.get("next") {
            Some(next) => place = next.clone(),
            None => {
                assert_eq!(step["remaining"], 0);
                return moved;
            }
        }
    }
}

#[test]
fn a_rotation_while_tokens_are_drawn_loses_none_of_them() {
    let house = house_with(SHORT);
    let old = values("old", 20);
    let old_tokens = tokenized(&house, &old);
    let stop = AtomicBool::new(false);
    let drawn = std::thread::scope(|scope| {
        let drawing = scope.spawn(|| {
            let mut drawn = Vec::new();
            for round in 0.. {
                let batch = values(&format!("during{round}-"), 3);
                drawn.extend(batch.iter().cloned().zip(tokenized(&house, &batch)));
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
            drawn
        });
        for version in 2..=4 {
            assert_eq!(
                keep(&house, VALUES, "rotate", &json!({}))["current_version"],
                version
            );
            resealed(&house, 7);
        }
        stop.store(true, Ordering::SeqCst);
        drawing.join().unwrap()
    });
    let (sent, tokens): (Vec<String>, Vec<String>) = drawn.into_iter().unzip();
    assert_eq!(detokenized(&house, &tokens), sent);
    assert_eq!(detokenized(&house, &old_tokens), old);
    resealed(&house, 1000);
    for version in 1..=3 {
        assert_eq!(rows_under(&house, version), "0");
        assert_eq!(destroyed_in_time(&house, VALUES, version).status, 200);
    }
    assert_eq!(detokenized(&house, &tokens), sent);
    assert_eq!(detokenized(&house, &old_tokens), old);
    assert_eq!(
        states(&described(&house, VALUES)),
        ["destroyed", "destroyed", "destroyed", "active"]
    );
}

// Invariant 15: a version of the vault's own key stays while a row needs it.
#[test]
fn inv_15_a_version_that_rows_need_is_not_destroyed_and_one_that_none_needs_is() {
    let mut house = house_with(SHORT);
    let sent = values("row", 25);
    let tokens = tokenized(&house, &sent);
    refused(&destroyed(&house, VALUES, 1), 422, "key-version");
    keep(&house, VALUES, "rotate", &json!({}));
    let new = tokenized(&house, &["new".to_owned()]);
    let reply = destroyed(&house, VALUES, 1);
    refused(&reply, 409, "key-needed");
    assert!(reply.body.contains("25 stored values"), "{}", reply.body);

    // A version that no row is under may still be in a request's hands.
    keep(&house, "value.bank", "rotate", &json!({}));
    refused(&destroyed(&house, "value.bank", 1), 409, "key-fresh");
    assert_eq!(destroyed_in_time(&house, "value.bank", 1).status, 200);
    refused(&destroyed(&house, VALUES, 1), 409, "key-needed");

    // Everything survives a power cut between two steps.
    let step = done(&act(
        &house,
        KEEPER,
        VALUES,
        "reseal",
        &json!({ "limit": 10 }),
    ));
    assert_eq!(
        (&step["moved"], &step["remaining"]),
        (&json!(10), &json!(15))
    );
    house.kill();
    house.serve();
    assert_eq!(
        (rows_under(&house, 1), rows_under(&house, 2)),
        ("15".to_owned(), "11".to_owned())
    );
    assert_eq!(detokenized(&house, &tokens), sent);
    let reply = destroyed(&house, VALUES, 1);
    refused(&reply, 409, "key-needed");
    assert!(reply.body.contains("15 stored values"), "{}", reply.body);
    assert_eq!(resealed(&house, 4), 15);
    assert_eq!(destroyed_in_time(&house, VALUES, 1).status, 200);
    assert_eq!(detokenized(&house, &tokens), sent);
    house.kill();
    house.serve();
    assert_eq!(detokenized(&house, &tokens), sent);
    assert_eq!(detokenized(&house, &new), ["new"]);
    assert_eq!(states(&described(&house, VALUES)), ["destroyed", "active"]);
    assert_eq!(tokenized(&house, &["after".to_owned()]).len(), 1);
    house.audited();
}

#[test]
fn a_repeatable_value_keeps_its_token_through_rotation_and_resealing() {
    let mut house = house_with("");
    let body =
        json!({ "domain": "city", "items": [{ "class": "national-id", "value": "A123456789" }] });
    let token =
        |house: &House| text(&done(&ask(house, REVENUE, "/v1/tokenize", &body))["tokens"][0]);
    let first = token(&house);
    keep(&house, VALUES, "rotate", &json!({}));
    assert_eq!(token(&house), first);
    assert_eq!(resealed(&house, 10), 1);
    assert_eq!(token(&house), first);
    let versions = "select hex(substr(sealed, 6, 4)), hex(substr(sealed_token, 6, 4)) from token";
    assert_eq!(house.sql(versions), "00000002|00000002");
    house.stop();
    house.serve();
    assert_eq!(token(&house), first);
    assert_eq!(detokenized(&house, &[first]), ["A123456789"]);
    // Nothing is left to move.
    assert_eq!(resealed(&house, 10), 0);
}

#[test]
fn rows_are_found_by_keys_that_do_not_rotate() {
    let house = house_with("");
    for key in ["fingerprint.city", "index.city", "pseudonym.1"] {
        refused(
            &act(&house, KEEPER, key, "rotate", &json!({})),
            403,
            "key-own",
        );
        let body = json!({ "version": 1 });
        refused(
            &act(&house, KEEPER, key, "compromise-version", &body),
            403,
            "key-own",
        );
        refused(
            &act(&house, KEEPER, key, "reseal", &json!({ "limit": 1 })),
            403,
            "key-own",
        );
        refused(&destroyed(&house, key, 1), 422, "key-version");
        assert_eq!(states(&described(&house, key)), ["active"]);
    }
    for limit in [0, 10_001] {
        refused(
            &act(&house, KEEPER, VALUES, "reseal", &json!({ "limit": limit })),
            422,
            "range",
        );
    }
}

#[test]
fn no_request_uses_or_ends_a_key_of_the_vault_whatever_the_permits_say() {
    let mut house = house_with("[keys]\ndeletion_wait_seconds_min = 0\n");
    let permit = "@id(\"all\")\npermit (principal is Jinku::Unit, action, resource) when { principal.groups.contains(\"revenue\") };\n";
    std::fs::write(
        house.directory().join("policies/policies/90-all.cedar"),
        permit,
    )
    .unwrap();
    house.hang_up("new policies decide");
    let message = base64("m");
    let mine = json!({ "kind": "aes-256" });
    let mine = text(&done(&ask(&house, REVENUE, "/v1/keys", &mine))["key"]["id"]);
    let acts = [
        (VALUES, "encrypt", json!({ "plaintext": message })),
        (VALUES, "decrypt", json!({ "ciphertext": message })),
        (
            VALUES,
            "re-encrypt",
            json!({ "ciphertext": message, "to": mine }),
        ),
        (
            mine.as_str(),
            "re-encrypt",
            json!({ "ciphertext": message, "to": VALUES }),
        ),
        (VALUES, "data-key", json!({ "bytes": 32 })),
        ("index.city", "mac", json!({ "message": message })),
        ("pseudonym.1", "mac", json!({ "message": message })),
        (
            "fingerprint.city",
            "verify-mac",
            json!({ "message": message, "mac": message }),
        ),
        (VALUES, "set", json!({ "tags": { "group": "revenue" } })),
        (VALUES, "disable", json!({})),
        (VALUES, "schedule-deletion", json!({ "waiting_seconds": 0 })),
        (VALUES, "import-parameters", json!({})),
    ];
    for (key, name, body) in acts {
        refused(
            &act(&house, REVENUE, key, name, &body),
            403,
            "not-permitted",
        );
    }
    // The guardrails taken away, too: the engine has the last word.
    std::fs::remove_file(
        house
            .directory()
            .join("policies/policies/00-guardrails.cedar"),
    )
    .unwrap();
    house.hang_up("new policies decide");
    let uses = [
        (VALUES, "encrypt", json!({ "plaintext": message })),
        (VALUES, "decrypt", json!({ "ciphertext": message })),
        (VALUES, "data-key", json!({ "bytes": 32 })),
        (
            VALUES,
            "re-encrypt",
            json!({ "ciphertext": message, "to": mine }),
        ),
        (
            mine.as_str(),
            "re-encrypt",
            json!({ "ciphertext": message, "to": VALUES }),
        ),
        ("index.city", "mac", json!({ "message": message })),
        ("pseudonym.1", "mac", json!({ "message": message })),
        (VALUES, "disable", json!({})),
        (VALUES, "set", json!({ "aliases": ["mine"] })),
        (VALUES, "schedule-deletion", json!({ "waiting_seconds": 0 })),
    ];
    for (key, name, body) in uses {
        refused(&act(&house, REVENUE, key, name, &body), 403, "key-own");
    }
    assert_eq!(described(&house, VALUES)["state"], "active");
}

#[test]
fn a_rotation_that_outlives_its_request_seals_under_the_new_version() {
    let house = house_with("[limits]\nrequest_timeout_ms = 500\n");
    let lock = house.lock_database();
    refused(
        &act(&house, KEEPER, VALUES, "rotate", &json!({})),
        504,
        "timeout",
    );
    drop(lock);
    let current = "select current from key where id = 'value.city'";
    wait_until(|| house.sql(current), |version| version == "2");
    let drawn = || tokenized(&house, &["new".to_owned()]);
    wait_until(|| (drawn(), rows_under(&house, 2)).1, |rows| rows != "0");
    assert_eq!(
        states(&described(&house, VALUES)),
        ["deactivated", "active"]
    );
}
