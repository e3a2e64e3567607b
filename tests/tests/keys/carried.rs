//! Backups leave wrapped, and come back under the same root key only.

use serde_json::{Value, json};
use tests::{House, Reply};

use super::{
    KEEPER, REVENUE, act, ask, base64, bytes, described, done, house_with, keep, new_key,
    new_key_with, opened, opening, refused, sealed, states, text, used,
};

fn backup(house: &House, key: &str) -> String {
    text(&done(&act(house, KEEPER, key, "backup", &json!({})))["backup"])
}

fn restored(house: &House, backup: &str) -> Reply {
    ask(
        house,
        KEEPER,
        "/v1/restore-key",
        &json!({ "backup": backup }),
    )
}

/// Another data directory under the same HSM, running.
fn moved_house(house: &mut House) {
    house.stop();
    house.edit("jinku.toml", "data = \"data\"", "data = \"data-2\"");
    house.serve();
}

#[test]
fn a_key_comes_back_from_its_backup_with_all_its_versions() {
    let mut house = house_with("");
    let more = json!({ "alias": "carried", "description": "帶走", "rotation_seconds": 3600 });
    let key = new_key_with(&house, "aes-256", &more);
    let first = sealed(&house, &key, "first");
    keep(&house, &key, "rotate", &json!({}));
    let second = sealed(&house, &key, "second");
    keep(&house, &key, "rotate", &json!({}));
    keep(&house, &key, "set", &json!({ "open_from": 2 }));
    keep(&house, &key, "destroy-version", &json!({ "version": 1 }));
    let third = sealed(&house, &key, "third");
    let before = described(&house, &key);
    let file = backup(&house, &key);
    refused(&restored(&house, &file), 409, "key-stands");

    moved_house(&mut house);
    let gone = house.curl(Some(KEEPER), &format!("/v1/keys/{key}"), &[]);
    refused(&gone, 404, "key-unknown");
    let back = done(&restored(&house, &file))["key"].clone();
    assert_eq!(back["state"], "suspended");
    assert_eq!(states(&back), ["destroyed", "deactivated", "active"]);
    for field in [
        "id",
        "kind",
        "owner",
        "origin",
        "aliases",
        "description",
        "tags",
        "current_version",
        "open_from",
        "rotation_seconds",
        "created_at",
        "versions",
    ] {
        assert_eq!(back[field], before[field], "{field}");
    }
    // It does nothing until someone who may says so.
    refused(&opening(&house, &key, &third), 409, "key-state");
    keep(&house, &key, "enable", &json!({}));
    assert_eq!(opened(&house, "carried", &third), "third");
    assert_eq!(opened(&house, &key, &second), "second");
    refused(&opening(&house, &key, &first), 422, "key-version");
    keep(&house, &key, "rotate", &json!({}));
    // Its schedule is alive again.
    assert!(described(&house, &key)["rotates_at"].is_string());
    refused(&restored(&house, &file), 409, "key-stands");
}

#[test]
fn a_restored_key_rotates_by_its_schedule_again() {
    let mut house = house_with("");
    let key = new_key_with(&house, "aes-256", &json!({ "rotation_seconds": 3600 }));
    let file = backup(&house, &key);
    moved_house(&mut house);
    done(&restored(&house, &file));
    assert!(keep(&house, &key, "enable", &json!({}))["rotates_at"].is_string());
}

#[test]
fn keys_of_every_kind_come_back() {
    let mut house = house_with("");
    let mut kept = Vec::new();
    for (kind, make, verify, field) in [
        ("hmac-sha-512", "mac", "verify-mac", "mac"),
        ("ed25519", "sign", "verify", "signature"),
        ("ecdsa-p256", "sign", "verify", "signature"),
    ] {
        let key = new_key(&house, kind);
        let made = used(&house, &key, make, &json!({ "message": base64("m") }));
        let check = json!({ "message": base64("m"), field: made[field] });
        kept.push((key.clone(), backup(&house, &key), verify, check));
    }
    moved_house(&mut house);
    for (key, file, verify, check) in kept {
        done(&restored(&house, &file));
        keep(&house, &key, "enable", &json!({}));
        assert_eq!(used(&house, &key, verify, &check)["valid"], true);
    }
}

#[test]
fn an_altered_backup_is_refused_at_every_place() {
    let mut house = house_with("");
    let key = new_key_with(&house, "aes-256", &json!({ "alias": "carried" }));
    keep(&house, &key, "disable", &json!({}));
    let file = backup(&house, &key);
    moved_house(&mut house);
    let mut tried = 0;
    for place in (0..file.len()).step_by(5) {
        let mut altered = file.clone().into_bytes();
        altered[place] ^= 0x01;
        let altered = String::from_utf8(altered).unwrap();
        let reply = restored(&house, &altered);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "backup-invalid"),
            "byte {place}: {}",
            reply.body
        );
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
    let outer: Value = serde_json::from_str(&file).unwrap();
    let cuts = [
        file[..file.len() - 1].to_owned(),
        format!("{file}{{}}"),
        String::new(),
        json!({ "format": outer["format"], "payload": outer["payload"] }).to_string(),
        json!({ "format": outer["format"], "payload": "{}", "proof": outer["proof"] }).to_string(),
        json!({ "format": "jinku-key-backup/2", "payload": outer["payload"], "proof": outer["proof"] }).to_string(),
        // Two backups crossed: the payload of one, the proof of the other.
        {
            let other: Value = serde_json::from_str(&backup(&house, "value.city")).unwrap();
            json!({ "format": outer["format"], "payload": outer["payload"], "proof": other["proof"] }).to_string()
        },
    ];
    for cut in cuts {
        refused(&restored(&house, &cut), 422, "backup-invalid");
    }
    let gone = house.curl(Some(KEEPER), &format!("/v1/keys/{key}"), &[]);
    refused(&gone, 404, "key-unknown");
    assert_eq!(done(&restored(&house, &file))["key"]["id"], json!(key));
}

// Invariant 6: a backup alone opens nothing, and another HSM's root key does not open it.
#[test]
fn inv_06_a_backup_of_another_root_key_is_refused() {
    let (house, other) = (house_with(""), house_with(""));
    let key = new_key(&house, "aes-256");
    let file = backup(&house, &key);
    refused(&restored(&other, &file), 422, "backup-invalid");
    refused(
        &other.curl(Some(KEEPER), &format!("/v1/keys/{key}"), &[]),
        404,
        "key-unknown",
    );
}

#[test]
fn the_vaults_own_keys_do_not_come_in_by_a_backup() {
    let mut house = house_with("");
    let file = backup(&house, "value.city");
    moved_house(&mut house);
    refused(&restored(&house, &file), 403, "not-permitted");
    refused(
        &act(&house, REVENUE, "value.city", "backup", &json!({})),
        403,
        "not-permitted",
    );
}

#[test]
fn an_alias_that_is_taken_meanwhile_holds_a_restore_back() {
    let mut house = house_with("");
    let key = new_key_with(&house, "aes-256", &json!({ "alias": "carried" }));
    let ciphertext = sealed(&house, &key, "x");
    let file = backup(&house, &key);
    moved_house(&mut house);
    let holder = new_key_with(&house, "aes-256", &json!({ "alias": "carried" }));
    refused(&restored(&house, &file), 409, "alias-taken");
    assert_eq!(described(&house, "carried")["id"], json!(holder));
    keep(&house, &holder, "set", &json!({ "aliases": [] }));
    done(&restored(&house, &file));
    keep(&house, "carried", "enable", &json!({}));
    let answer = done(&opening(&house, "carried", &ciphertext));
    assert_eq!(bytes(&answer["plaintext"]), b"x");
}
