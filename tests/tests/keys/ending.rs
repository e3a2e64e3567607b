//! Keys and versions come to their ends: scheduled, called off, done, and never undone.

use serde_json::json;

use super::{
    KEEPER, REVENUE, act, ask, base64, busy_house, described, house_with, keep, new_key,
    new_key_with, opened, opening, refused, sealed, states, wait_until,
};

const WEEK: u64 = 7 * 24 * 3600;

#[test]
fn a_deletion_waits_its_period_and_can_be_called_off() {
    let house = busy_house();
    let key = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, &key, "still here");
    for seconds in [0, WEEK - 1, 365 * 24 * 3600 + 1] {
        let body = json!({ "waiting_seconds": seconds });
        refused(
            &act(&house, KEEPER, &key, "schedule-deletion", &body),
            422,
            "range",
        );
    }
    refused(
        &act(&house, KEEPER, &key, "cancel-deletion", &json!({})),
        409,
        "key-state",
    );
    let seen = keep(
        &house,
        &key,
        "schedule-deletion",
        &json!({ "waiting_seconds": WEEK }),
    );
    assert_eq!(seen["state"], "deactivated");
    assert!(seen["deleted_at"].is_string());
    refused(&opening(&house, &key, &ciphertext), 409, "key-state");
    refused(
        &act(&house, KEEPER, &key, "rotate", &json!({})),
        409,
        "key-state",
    );
    refused(
        &act(&house, KEEPER, &key, "enable", &json!({})),
        409,
        "key-state",
    );
    let seen = keep(&house, &key, "cancel-deletion", &json!({}));
    assert_eq!(seen["state"], "suspended");
    assert!(seen.get("deleted_at").is_none());
    keep(&house, &key, "enable", &json!({}));
    assert_eq!(opened(&house, &key, &ciphertext), "still here");
}

#[test]
fn a_schedule_that_is_set_meanwhile_brings_no_deletion_forward() {
    let house = busy_house();
    let key = new_key(&house, "aes-256");
    keep(
        &house,
        &key,
        "schedule-deletion",
        &json!({ "waiting_seconds": WEEK }),
    );
    keep(&house, &key, "set", &json!({ "rotation_seconds": 3600 }));
    // As if the hour had passed, and not the week. Another key that is due shows that a round has come after.
    house.sql("update key set rotate_at_us = 1 where rotate_at_us is not null");
    let witness = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    house.sql(&format!(
        "update key set rotate_at_us = 1 where id = '{witness}'"
    ));
    wait_until(
        || described(&house, &witness),
        |seen| seen["current_version"] == 2,
    );
    assert_eq!(
        house.sql(&format!("select state from key where id = '{key}'")),
        "deactivated"
    );
    assert_eq!(
        keep(&house, &key, "cancel-deletion", &json!({}))["state"],
        "suspended"
    );
}

#[test]
fn a_destroyed_key_is_gone_for_good_and_its_alias_is_free() {
    let house = house_with("[keys]\nupkeep_interval_ms = 20\ndeletion_wait_seconds_min = 0\n");
    let key = new_key_with(&house, "aes-256", &json!({ "alias": "ending" }));
    keep(&house, &key, "rotate", &json!({}));
    let ciphertext = sealed(&house, &key, "lost");
    let backup = act(&house, KEEPER, &key, "backup", &json!({})).json();
    keep(
        &house,
        &key,
        "schedule-deletion",
        &json!({ "waiting_seconds": 0 }),
    );
    let seen = wait_until(
        || described(&house, &key),
        |seen| seen["state"] == "destroyed",
    );
    assert_eq!(states(&seen), ["destroyed", "destroyed"]);
    assert_eq!(seen["aliases"], json!([]));
    let wrapped =
        format!("select count(*) from key_material where key = '{key}' and wrapped is not null");
    assert_eq!(house.sql(&wrapped), "0");

    refused(&opening(&house, &key, &ciphertext), 409, "key-state");
    let encrypt = json!({ "plaintext": base64("x") });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &encrypt),
        409,
        "key-state",
    );
    for (name, body) in [
        ("enable", json!({})),
        ("disable", json!({})),
        ("rotate", json!({})),
        ("cancel-deletion", json!({})),
        ("set", json!({ "description": "back" })),
        ("schedule-deletion", json!({ "waiting_seconds": 0 })),
    ] {
        refused(&act(&house, KEEPER, &key, name, &body), 409, "key-state");
    }
    refused(
        &house.curl(Some(KEEPER), "/v1/keys/ending", &[]),
        404,
        "key-unknown",
    );
    new_key_with(&house, "aes-256", &json!({ "alias": "ending" }));
    let restore = json!({ "backup": backup["backup"] });
    refused(
        &ask(&house, KEEPER, "/v1/restore-key", &restore),
        409,
        "key-stands",
    );
    assert_eq!(described(&house, &key)["state"], "destroyed");
}

#[test]
fn only_a_version_below_the_lowest_is_destroyed_and_never_comes_back() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let old = sealed(&house, &key, "old");
    keep(&house, &key, "rotate", &json!({}));
    let new = sealed(&house, &key, "new");
    let destroy = |version: u32| {
        act(
            &house,
            KEEPER,
            &key,
            "destroy-version",
            &json!({ "version": version }),
        )
    };
    for version in [0, 1, 2, 3] {
        refused(&destroy(version), 422, "key-version");
    }
    keep(&house, &key, "set", &json!({ "open_from": 2 }));
    assert_eq!(destroy(1).status, 200);
    refused(&destroy(1), 422, "key-version");
    assert_eq!(states(&described(&house, &key)), ["destroyed", "active"]);
    keep(&house, &key, "set", &json!({ "open_from": 1 }));
    refused(&opening(&house, &key, &old), 422, "key-version");
    let compromise = json!({ "version": 1 });
    refused(
        &act(&house, KEEPER, &key, "compromise-version", &compromise),
        422,
        "key-version",
    );
    assert_eq!(opened(&house, &key, &new), "new");
}
