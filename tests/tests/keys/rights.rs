//! Who may do what to which key.

use serde_json::{Value, json};
use tests::{House, Reply};

use super::{
    JSON, KEEPER, NOBODY, REVENUE, SETTLEMENT, act, ask, base64, done, house_with, keep, new_key,
    new_key_with, refused, sealed, used,
};

/// Every act on one key: its method's body, or `None` for a GET.
fn acts() -> Vec<(&'static str, Option<Value>)> {
    let message = base64("m");
    let posts = [
        ("/encrypt", json!({ "plaintext": message })),
        ("/decrypt", json!({ "ciphertext": message })),
        ("/re-encrypt", json!({ "ciphertext": message })),
        ("/data-key", json!({ "bytes": 32 })),
        ("/wrapped-data-key", json!({ "bytes": 32 })),
        ("/mac", json!({ "message": message })),
        ("/verify-mac", json!({ "message": message, "mac": message })),
        ("/sign", json!({ "message": message })),
        (
            "/verify",
            json!({ "message": message, "signature": message }),
        ),
        ("/set", json!({ "description": "mine" })),
        ("/enable", json!({})),
        ("/disable", json!({})),
        ("/rotate", json!({})),
        ("/compromise-version", json!({ "version": 1 })),
        ("/destroy-version", json!({ "version": 1 })),
        ("/schedule-deletion", json!({ "waiting_seconds": 999_999 })),
        ("/cancel-deletion", json!({})),
        ("/import-parameters", json!({})),
        ("/import", json!({ "ticket": message, "wrapped": message })),
        ("/backup", json!({})),
        ("/reseal", json!({ "limit": 1 })),
    ];
    let posts = posts.into_iter().map(|(path, body)| (path, Some(body)));
    posts.chain([("", None), ("/public", None)]).collect()
}

fn send(house: &House, unit: &str, path: &str, body: Option<&Value>, more: &[&str]) -> Reply {
    match body {
        Some(body) => {
            let arguments = [&["--header", JSON], more].concat();
            house.post(Some(unit), path, &arguments, body.to_string().as_bytes())
        }
        None => house.curl(Some(unit), path, more),
    }
}

/// An answer with its headers, without what is the request's own.
fn without_its_name(reply: &Reply) -> String {
    let lines = reply.body.lines();
    let id = lines
        .clone()
        .find_map(|line| line.strip_prefix("x-request-id: "))
        .unwrap()
        .trim()
        .to_owned();
    let kept = lines.filter(|line| !line.starts_with("date: "));
    kept.collect::<Vec<_>>().join("\n").replace(&id, "ID")
}

// Invariant 8: whether a key exists is nothing that a unit without rights learns, by no act.
#[test]
fn inv_08_a_unit_without_rights_gets_the_same_answer_for_a_key_that_exists_and_one_that_does_not() {
    let house = house_with("");
    let keys = [
        new_key_with(&house, "aes-256", &json!({ "alias": "exists" })),
        new_key(&house, "hmac-sha-256"),
        new_key(&house, "ed25519"),
    ];
    let absent = "0189f7ea-6f2c-4bd1-8a2b-3c4d5e6f7a8b";
    for unit in [NOBODY, SETTLEMENT] {
        for (path, body) in acts() {
            let answer = |key: &str| {
                let reply = send(
                    &house,
                    unit,
                    &format!("/v1/keys/{key}{path}"),
                    body.as_ref(),
                    &["--include"],
                );
                assert_eq!(reply.status, 403, "{unit} {path}: {}", reply.body);
                without_its_name(&reply)
            };
            let expected = answer(absent);
            assert!(expected.contains("not-permitted"), "{expected}");
            assert_eq!(answer("exists"), expected, "{path}");
            if unit == NOBODY {
                assert_eq!(answer("absent"), expected, "{path}");
                for key in &keys {
                    assert_eq!(answer(key), expected, "{path}");
                }
                assert_eq!(answer("value.city"), expected, "{path}");
            }
        }
    }
    let ciphertext = sealed(&house, &keys[0], "x");
    refused(
        &ask(
            &house,
            NOBODY,
            "/v1/decrypt",
            &json!({ "ciphertext": ciphertext }),
        ),
        403,
        "not-permitted",
    );
    refused(
        &ask(&house, NOBODY, "/v1/keys", &json!({ "kind": "aes-256" })),
        403,
        "not-permitted",
    );
    refused(
        &house.curl(Some(NOBODY), "/v1/keys", &[]),
        403,
        "not-permitted",
    );
    refused(
        &ask(&house, NOBODY, "/v1/random", &json!({ "bytes": 1 })),
        403,
        "not-permitted",
    );
}

#[test]
fn who_looks_after_a_key_can_not_use_it_and_who_uses_it_can_not_look_after_it() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    for (path, body) in acts() {
        let looks_after = body.is_none() || acts().iter().skip(9).any(|(later, _)| *later == path);
        let (allowed, denied) = if looks_after {
            (KEEPER, REVENUE)
        } else {
            (REVENUE, KEEPER)
        };
        let path = format!("/v1/keys/{key}{path}");
        if body.is_some() {
            refused(
                &send(&house, denied, &path, body.as_ref(), &[]),
                403,
                "not-permitted",
            );
        }
        let reply = send(&house, allowed, &path, body.as_ref(), &[]);
        assert_ne!(reply.code(), "not-permitted", "{allowed} {path}");
    }
    refused(
        &house.curl(Some(REVENUE), "/v1/keys", &[]),
        403,
        "not-permitted",
    );
    refused(
        &ask(&house, REVENUE, "/v1/keys", &json!({ "kind": "aes-256" })),
        403,
        "not-permitted",
    );
    refused(
        &ask(&house, KEEPER, "/v1/random", &json!({ "bytes": 1 })),
        403,
        "not-permitted",
    );
}

#[test]
fn a_key_serves_those_that_its_tags_name_and_a_move_needs_both_keys() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let body = json!({ "plaintext": base64("x") });
    used(&house, &key, "encrypt", &body);
    refused(
        &act(&house, SETTLEMENT, &key, "encrypt", &body),
        403,
        "not-permitted",
    );
    let ciphertext = sealed(&house, &key, "moved");
    let theirs = new_key_with(
        &house,
        "aes-256",
        &json!({ "tags": { "group": "settlement" } }),
    );
    done(&act(&house, SETTLEMENT, &theirs, "encrypt", &body));
    let away = json!({ "ciphertext": ciphertext, "to": theirs });
    refused(
        &act(&house, REVENUE, &key, "re-encrypt", &away),
        403,
        "not-permitted",
    );
    refused(
        &act(&house, SETTLEMENT, &key, "re-encrypt", &away),
        403,
        "not-permitted",
    );

    keep(
        &house,
        &key,
        "set",
        &json!({ "tags": { "group": "settlement" } }),
    );
    refused(
        &act(&house, REVENUE, &key, "encrypt", &body),
        403,
        "not-permitted",
    );
    done(&act(&house, SETTLEMENT, &key, "re-encrypt", &away));
    keep(&house, &key, "set", &json!({ "tags": {} }));
    for unit in [REVENUE, SETTLEMENT] {
        refused(
            &act(&house, unit, &key, "encrypt", &body),
            403,
            "not-permitted",
        );
    }
}

#[test]
fn a_policy_that_is_read_again_decides_at_once() {
    let mut house = house_with("");
    let key = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, &key, "x");
    let forbid = "@id(\"no-opening\")\nforbid (principal, action == Jinku::Action::\"Decrypt\", resource);\n";
    let file = house
        .directory()
        .join("policies/policies/90-no-opening.cedar");
    std::fs::write(&file, forbid).unwrap();
    assert_eq!(super::opened(&house, &key, &ciphertext), "x");
    house.hang_up("new policies decide");
    refused(
        &super::opening(&house, &key, &ciphertext),
        403,
        "not-permitted",
    );
    used(&house, &key, "encrypt", &json!({ "plaintext": "" }));
    std::fs::write(&file, "forbid (").unwrap();
    house.hang_up("the policies stay as they were");
    refused(
        &super::opening(&house, &key, &ciphertext),
        403,
        "not-permitted",
    );
    std::fs::remove_file(&file).unwrap();
    house.hang_up("new policies decide");
    assert_eq!(super::opened(&house, &key, &ciphertext), "x");
}
