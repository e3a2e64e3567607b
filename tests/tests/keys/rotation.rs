//! Versions: new ones protect, older ones open, some no longer.

use serde_json::json;
use tests::{House, now};

use super::{
    JSON, KEEPER, REVENUE, act, base64, busy_house, bytes, described, done, house_with, keep,
    new_key, new_key_with, opened, opening, refused, sealed, states, text, used, wait_until,
};

#[test]
fn older_ciphertexts_open_after_a_rotation_and_new_ones_use_the_new_version() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let mut older = vec![sealed(&house, &key, "version 1")];
    for version in 2..=4 {
        let seen = keep(&house, &key, "rotate", &json!({}));
        assert_eq!(seen["current_version"], version);
        let made = used(
            &house,
            &key,
            "encrypt",
            &json!({ "plaintext": base64(format!("version {version}")) }),
        );
        assert_eq!(made["version"], version);
        older.push(text(&made["ciphertext"]));
    }
    for (place, ciphertext) in older.iter().enumerate() {
        let answer = done(&opening(&house, &key, ciphertext));
        assert_eq!(answer["version"], place + 1);
        assert_eq!(
            bytes(&answer["plaintext"]),
            format!("version {}", place + 1).as_bytes()
        );
    }
    let seen = described(&house, &key);
    assert_eq!(
        states(&seen),
        ["deactivated", "deactivated", "deactivated", "active"]
    );

    // An older version protects only where it is asked for by number.
    let named = used(
        &house,
        &key,
        "encrypt",
        &json!({ "plaintext": base64("x"), "version": 2 }),
    );
    assert_eq!(named["version"], 2);
    for version in [0, 5, 4_000_000_000u32] {
        let body = json!({ "plaintext": base64("x"), "version": version });
        refused(
            &act(&house, REVENUE, &key, "encrypt", &body),
            422,
            "key-version",
        );
    }
}

#[test]
fn codes_and_signatures_name_the_version_that_made_them() {
    let house = house_with("");
    let message = base64("a message");
    for (kind, make, verify, field) in [
        ("hmac-sha-256", "mac", "verify-mac", "mac"),
        ("ed25519", "sign", "verify", "signature"),
        ("ecdsa-p256", "sign", "verify", "signature"),
    ] {
        let key = new_key(&house, kind);
        let old = used(&house, &key, make, &json!({ "message": message }));
        assert_eq!(old["version"], 1);
        keep(&house, &key, "rotate", &json!({}));
        let new = used(&house, &key, make, &json!({ "message": message }));
        assert_eq!(new["version"], 2);
        let verdict = |made: &serde_json::Value, version: Option<u32>| {
            let body = json!({ "message": message, field: made[field], "version": version });
            used(&house, &key, verify, &body)["valid"].clone()
        };
        assert_eq!(verdict(&old, Some(1)), true, "{kind}");
        assert_eq!(verdict(&new, Some(2)), true, "{kind}");
        assert_eq!(verdict(&new, None), true, "{kind}");
        // Other versions are not tried.
        assert_eq!(verdict(&old, None), false, "{kind}");
        assert_eq!(verdict(&new, Some(1)), false, "{kind}");
        keep(&house, &key, "set", &json!({ "open_from": 2 }));
        let body = json!({ "message": message, field: old[field], "version": 1 });
        refused(
            &act(&house, REVENUE, &key, verify, &body),
            422,
            "key-version",
        );
    }
}

#[test]
fn versions_below_the_lowest_do_not_open() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let old = sealed(&house, &key, "old");
    keep(&house, &key, "rotate", &json!({}));
    let new = sealed(&house, &key, "new");
    assert_eq!(opened(&house, &key, &old), "old");
    assert_eq!(
        keep(&house, &key, "set", &json!({ "open_from": 2 }))["open_from"],
        2
    );
    refused(&opening(&house, &key, &old), 422, "key-version");
    let again = json!({ "ciphertext": old });
    refused(
        &act(&house, REVENUE, &key, "re-encrypt", &again),
        422,
        "key-version",
    );
    let named = json!({ "plaintext": base64("x"), "version": 1 });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &named),
        422,
        "key-version",
    );
    assert_eq!(opened(&house, &key, &new), "new");
    refused(
        &act(&house, KEEPER, &key, "set", &json!({ "open_from": 3 })),
        422,
        "range",
    );
    keep(&house, &key, "set", &json!({ "open_from": 1 }));
    assert_eq!(opened(&house, &key, &old), "old");
}

#[test]
fn a_ciphertext_moves_to_a_newer_version_another_key_and_another_context_unseen() {
    let house = house_with("");
    let (from, to) = (new_key(&house, "aes-256"), new_key(&house, "aes-256"));
    let context = json!({ "file": "a" });
    let body = json!({ "plaintext": base64("hidden words"), "context": context });
    let start = text(&used(&house, &from, "encrypt", &body)["ciphertext"]);
    keep(&house, &from, "rotate", &json!({}));
    let unseen = |reply: &tests::Reply| {
        assert!(!reply.body.contains(&base64("hidden words")) && !reply.body.contains("hidden"));
        assert!(reply.json().get("plaintext").is_none());
    };
    let open = |key: &str, ciphertext: &str, context: &serde_json::Value| {
        let body = json!({ "ciphertext": ciphertext, "context": context });
        act(&house, REVENUE, key, "decrypt", &body)
    };

    let body = json!({ "ciphertext": start, "context": context });
    let reply = act(&house, REVENUE, &from, "re-encrypt", &body);
    unseen(&reply);
    let newest = done(&reply);
    assert_eq!(
        (&newest["from_version"], &newest["version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(newest["key"], json!(from));
    let newest = text(&newest["ciphertext"]);
    assert_eq!(
        bytes(&done(&open(&from, &newest, &context))["plaintext"]),
        b"hidden words"
    );

    let body = json!({ "ciphertext": newest, "context": context, "to": to, "new_context": { "file": "b" } });
    let reply = act(&house, REVENUE, &from, "re-encrypt", &body);
    unseen(&reply);
    let moved = done(&reply);
    assert_eq!((&moved["key"], &moved["version"]), (&json!(to), &json!(1)));
    let moved = text(&moved["ciphertext"]);
    let there = open(&to, &moved, &json!({ "file": "b" }));
    assert_eq!(bytes(&done(&there)["plaintext"]), b"hidden words");
    refused(&open(&to, &moved, &context), 422, "unopened");
    refused(
        &open(&from, &moved, &json!({ "file": "b" })),
        422,
        "unopened",
    );

    // The context it was made in is needed to move it, and an empty new one is a context, too.
    let wrong = json!({ "ciphertext": moved, "context": context, "new_context": {} });
    refused(
        &act(&house, REVENUE, &to, "re-encrypt", &wrong),
        422,
        "unopened",
    );
    let bare = json!({ "ciphertext": moved, "context": { "file": "b" }, "new_context": {} });
    let bare = text(&used(&house, &to, "re-encrypt", &bare)["ciphertext"]);
    assert_eq!(opened(&house, &to, &bare), "hidden words");
    let mac = new_key(&house, "hmac-sha-256");
    let body = json!({ "ciphertext": bare, "to": mac });
    refused(
        &act(&house, REVENUE, &to, "re-encrypt", &body),
        422,
        "key-usage",
    );
}

#[test]
fn a_compromised_version_opens_and_protects_nothing_new() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let first = sealed(&house, &key, "first");
    // The current one: the key gets a new version with it.
    let seen = keep(&house, &key, "compromise-version", &json!({ "version": 1 }));
    assert_eq!(states(&seen), ["compromised", "active"]);
    assert_eq!(
        used(
            &house,
            &key,
            "encrypt",
            &json!({ "plaintext": base64("x") })
        )["version"],
        2
    );
    assert_eq!(opened(&house, &key, &first), "first");
    let named = json!({ "plaintext": base64("x"), "version": 1 });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &named),
        422,
        "key-version",
    );
    // An older one.
    let second = sealed(&house, &key, "second");
    keep(&house, &key, "rotate", &json!({}));
    let seen = keep(&house, &key, "compromise-version", &json!({ "version": 2 }));
    assert_eq!(states(&seen), ["compromised", "compromised", "active"]);
    assert_eq!(seen["current_version"], 3);
    assert_eq!(opened(&house, &key, &second), "second");
    let named = json!({ "plaintext": base64("x"), "version": 2 });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &named),
        422,
        "key-version",
    );
    for version in [0, 1, 4] {
        let body = json!({ "version": version });
        refused(
            &act(&house, KEEPER, &key, "compromise-version", &body),
            422,
            "key-version",
        );
    }
}

/// Due keys that cannot be done, and more of them than one round takes.
#[test]
fn keys_that_fail_for_ever_hold_no_other_up() {
    const MANY: usize = 120;
    let house = busy_house();
    let body = r#"{"kind":"hmac-sha-256","origin":"external"}"#;
    let arguments = ["--header", JSON, "--data-binary", body];
    house.curl(Some(KEEPER), &format!("/v1/keys?[1-{MANY}]"), &arguments);
    let failing = "update key set state = 'active', rotation_seconds = 3600, rotate_at_us = 1 \
                   where origin = 'external'";
    house.sql(failing);
    let due = "select count(*) from key where rotate_at_us = 1";
    assert_eq!(house.sql(due), MANY.to_string());
    let key = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    house.sql(&format!(
        "update key set rotate_at_us = 2 where id = '{key}'"
    ));
    wait_until(
        || described(&house, &key),
        |seen| seen["current_version"] == 2,
    );
    assert_eq!(house.sql(due), MANY.to_string(), "they were no hindrance");
}

#[test]
fn a_scheduled_rotation_comes_when_it_is_due_and_the_next_one_is_set() {
    let house = busy_house();
    let key = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    let off = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    keep(&house, &off, "disable", &json!({}));
    let old = sealed(&house, &key, "old");
    assert_eq!(described(&house, &key)["current_version"], 1);
    // As if its hour had passed.
    house.sql("update key set rotate_at_us = 1 where rotate_at_us is not null");
    let seen = wait_until(
        || described(&house, &key),
        |seen| seen["current_version"] == 2,
    );
    assert_eq!(states(&seen), ["deactivated", "active"]);
    let next: u64 = house
        .sql(&format!("select rotate_at_us from key where id = '{key}'"))
        .parse()
        .unwrap();
    assert!(
        next > 1_000_000_000_000_000,
        "the next rotation is not scheduled"
    );
    assert_eq!(opened(&house, &key, &old), "old");
    assert_eq!(
        used(
            &house,
            &key,
            "encrypt",
            &json!({ "plaintext": base64("x") })
        )["version"],
        2
    );
    // One that is switched off is put off.
    let due = format!("select count(*) from key where id = '{off}' and rotate_at_us = 1");
    wait_until(|| house.sql(&due), |count| count == "0");
    assert_eq!(described(&house, &off)["current_version"], 1);
    let said = || house.vault().said();
    wait_until(said, |said| said.contains("put_off=1"));
    let counted: usize = said()
        .split("rotated=")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(counted, 1, "what was put off is counted as rotated");
    // And one that shall not rotate by itself no longer does.
    let seen = keep(&house, &key, "set", &json!({ "rotation_seconds": 0 }));
    assert!(seen.get("rotates_at").is_none() && seen.get("rotation_seconds").is_none());
}

#[test]
fn a_rotation_that_is_due_while_its_key_is_off_is_put_off_by_one_period() {
    let mut house = busy_house();
    let key = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    let due = |house: &House| {
        let id = key.as_str();
        house.sql(&format!(
            "update key set rotate_at_us = 1 where id = '{id}'"
        ));
    };
    let next = |house: &House| -> u64 {
        let sql = format!("select rotate_at_us / 1000000 from key where id = '{key}'");
        house.sql(&sql).parse().unwrap()
    };
    keep(&house, &key, "disable", &json!({}));
    let before = now();
    due(&house);
    let put_off = wait_until(|| next(&house), |next| *next > 0);
    assert!((before + 3600..=now() + 3600).contains(&put_off));
    let seen = described(&house, &key);
    assert_eq!(
        (states(&seen), &seen["state"]),
        (vec!["active"], &json!("suspended"))
    );

    // Nothing is made up for when it is switched on; then it rotates when it is due.
    let seen = keep(&house, &key, "enable", &json!({}));
    assert_eq!((states(&seen), next(&house)), (vec!["active"], put_off));
    due(&house);
    wait_until(
        || described(&house, &key),
        |seen| seen["current_version"] == 2,
    );

    let entries = house.audited();
    let by_itself: Vec<&str> = entries
        .iter()
        .filter(|entry| entry["key"]["id"] == key && entry["unit"].is_null())
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect();
    assert_eq!(by_itself, ["key-set", "key-rotate"]);
}
