//! Keys whose material their owners bring: what a compromised version still does, and what it waits for.

use serde_json::{Value, json};
use tests::{House, wrapped};

use super::{
    KEEPER, REVENUE, act, base64, bytes, described, done, house_with, keep, new_key_with, opened,
    opening, refused, sealed, states, text, used,
};

fn external(house: &House, kind: &str) -> String {
    new_key_with(house, kind, &json!({ "origin": "external" }))
}

/// Brings material in, as the next version.
#[track_caller]
fn bring(house: &House, key: &str, material: &[u8]) -> Value {
    let given = done(&act(house, KEEPER, key, "import-parameters", &json!({})));
    let wrapped = wrapped(&text(&given["public_key"]), material);
    let body = json!({ "ticket": given["ticket"], "wrapped": base64(wrapped) });
    keep(house, key, "import", &body)
}

#[test]
fn compromised_material_opens_and_protects_nothing_until_its_owner_brings_another() {
    let mut house = house_with("");
    let key = external(&house, "aes-256");
    let body = json!({ "version": 1 });
    refused(
        &act(
            &house,
            KEEPER,
            &key,
            "compromise-version",
            &json!({ "version": 0 }),
        ),
        422,
        "key-version",
    );
    bring(&house, &key, b"the first material of 32 bytes..");
    let old = sealed(&house, &key, "old");
    let seen = keep(&house, &key, "compromise-version", &body);
    assert_eq!(states(&seen), ["compromised"]);
    assert_eq!(
        (&seen["state"], &seen["current_version"]),
        (&json!("active"), &json!(1))
    );
    refused(
        &act(&house, KEEPER, &key, "compromise-version", &body),
        422,
        "key-version",
    );

    // NIST SP 800-57 part 1 section 7.4, now and after a restart: it opens, and that is all.
    for _ in 0..2 {
        assert_eq!(opened(&house, &key, &old), "old");
        let plain = base64("new");
        for (name, body) in [
            ("encrypt", json!({ "plaintext": plain })),
            ("encrypt", json!({ "plaintext": plain, "version": 1 })),
            ("re-encrypt", json!({ "ciphertext": old })),
            ("data-key", json!({ "bytes": 32 })),
            ("wrapped-data-key", json!({ "bytes": 32 })),
        ] {
            let reply = act(&house, REVENUE, &key, name, &body);
            refused(&reply, 409, "key-compromised");
        }
        house.kill();
        house.serve();
    }
    let seen = bring(&house, &key, b"another material of 32 bytes....");
    assert_eq!(states(&seen), ["compromised", "active"]);
    let moved = used(&house, &key, "re-encrypt", &json!({ "ciphertext": old }));
    assert_eq!(moved["version"], 2);
    assert_eq!(opened(&house, &key, &text(&moved["ciphertext"])), "old");
    assert_eq!(states(&described(&house, &key)), ["compromised", "active"]);
    // And the next one retires as ever.
    let seen = bring(&house, &key, b"a third material of 32 bytes....");
    assert_eq!(states(&seen), ["compromised", "deactivated", "active"]);
    let answer = done(&opening(&house, &key, &old));
    assert_eq!(bytes(&answer["plaintext"]), b"old");
    house.audited();
}

#[test]
fn a_code_of_compromised_material_is_judged_and_no_new_one_is_made() {
    let house = house_with("");
    let key = external(&house, "hmac-sha-256");
    bring(&house, &key, b"material of an authentication key");
    let message = base64("a message");
    let made = used(&house, &key, "mac", &json!({ "message": message }));
    keep(&house, &key, "compromise-version", &json!({ "version": 1 }));
    let check = json!({ "message": message, "mac": made["mac"] });
    assert_eq!(used(&house, &key, "verify-mac", &check)["valid"], true);
    let reply = act(&house, REVENUE, &key, "mac", &json!({ "message": message }));
    refused(&reply, 409, "key-compromised");
}
