//! What keys do, one by one and in batches: encryption, data keys, codes, random bytes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    REVENUE, act, ask, base64, bytes, done, house_with, keep, new_key, refused, sealed, text, used,
};

#[test]
fn a_ciphertext_opens_in_its_own_context_whatever_the_order_of_its_pairs() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let plaintext = base64("王小明的病歷");
    let send = |name: &str, field: &str, value: &str, context: &str| {
        // Written by hand: the order of the pairs is what is sent.
        let body = format!(r#"{{"{field}":"{value}","context":{context}}}"#);
        let path = format!("/v1/keys/{key}/{name}");
        house.post(
            Some(REVENUE),
            &path,
            &["--header", super::JSON],
            body.as_bytes(),
        )
    };
    let made = done(&send(
        "encrypt",
        "plaintext",
        &plaintext,
        r#"{"a":"1","b":"2"}"#,
    ));
    assert_eq!(made["key"], json!(key));
    let ciphertext = text(&made["ciphertext"]);
    for same in [
        r#"{"a":"1","b":"2"}"#,
        r#"{"b":"2","a":"1"}"#,
        r#"{ "b":"\u0032", "\u0061":"1" }"#,
    ] {
        let answer = done(&send("decrypt", "ciphertext", &ciphertext, same));
        assert_eq!(text(&answer["plaintext"]), plaintext);
    }
    let others = [
        "{}",
        r#"{"a":"1"}"#,
        r#"{"a":"2","b":"1"}"#,
        r#"{"a":"1","b":"2","c":""}"#,
        r#"{"a":"12","b":""}"#,
        r#"{"a1":"","b":"2"}"#,
        r#"{"A":"1","b":"2"}"#,
        r#"{"a":"1","b":"2 "}"#,
    ];
    for other in others {
        refused(
            &send("decrypt", "ciphertext", &ciphertext, other),
            422,
            "unopened",
        );
    }
    // None and the empty one are the same context.
    let bare = sealed(&house, &key, "x");
    done(&send("decrypt", "ciphertext", &bare, "{}"));
}

#[test]
fn plaintexts_of_every_length_come_back_and_no_two_ciphertexts_are_alike() {
    let house = house_with("[keys]\nitem_bytes_max = 100000\n");
    let key = new_key(&house, "aes-256");
    let mut seen = BTreeSet::new();
    for length in [0, 1, 15, 16, 17, 1_000, 65_536, 65_537, 100_000] {
        let plaintext = base64(vec![0xA5; length]);
        let made = used(&house, &key, "encrypt", &json!({ "plaintext": plaintext }));
        let ciphertext = text(&made["ciphertext"]);
        assert_eq!(bytes(&made["ciphertext"]).len(), length + 97);
        let answer = used(
            &house,
            &key,
            "decrypt",
            &json!({ "ciphertext": ciphertext }),
        );
        assert_eq!(text(&answer["plaintext"]), plaintext, "{length} bytes");
        assert!(seen.insert(ciphertext));
    }
    let same = |_| sealed(&house, &key, "the same");
    assert_eq!((0..5).map(same).collect::<BTreeSet<_>>().len(), 5);
    let long = json!({ "plaintext": base64(vec![0; 100_001]) });
    refused(
        &act(&house, REVENUE, &key, "encrypt", &long),
        413,
        "item-too-long",
    );
    let code = new_key(&house, "hmac-sha-256");
    let long = json!({ "message": base64(vec![0; 100_001]) });
    refused(
        &act(&house, REVENUE, &code, "mac", &long),
        413,
        "item-too-long",
    );
    let signer = new_key(&house, "ed25519");
    refused(
        &act(&house, REVENUE, &signer, "sign", &long),
        413,
        "item-too-long",
    );
}

#[test]
fn a_ciphertext_that_names_its_key_needs_no_key_in_the_path() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, &key, "named");
    let one = done(&ask(
        &house,
        REVENUE,
        "/v1/decrypt",
        &json!({ "ciphertext": ciphertext }),
    ));
    assert_eq!(
        (bytes(&one["plaintext"]), &one["key"]),
        (b"named".to_vec(), &json!(key))
    );
    let other = sealed(&house, &new_key(&house, "aes-256"), "other");
    let items = json!({ "items": [{ "ciphertext": ciphertext }, { "ciphertext": other }] });
    let many = done(&ask(&house, REVENUE, "/v1/decrypt", &items));
    assert_eq!(bytes(&many["items"][0]["plaintext"]), b"named");
    // One call is about one key: the first.
    assert_eq!(many["items"][1]["error"]["code"], "unopened");
    for bad in ["", "AAAA", "bm8gY2lwaGVydGV4dA=="] {
        refused(
            &ask(
                &house,
                REVENUE,
                "/v1/decrypt",
                &json!({ "ciphertext": bad }),
            ),
            422,
            "unopened",
        );
    }
}

#[test]
fn a_wrapped_data_key_opens_to_the_plain_one() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let mut seen = BTreeSet::new();
    for length in [1, 16, 32, 64, 1024] {
        let body = json!({ "bytes": length, "context": { "for": "disk" } });
        let made = used(&house, &key, "data-key", &body);
        let plain = bytes(&made["plaintext"]);
        assert_eq!(plain.len(), length);
        assert!(length < 16 || seen.insert(plain.clone()));
        let open = json!({ "ciphertext": made["ciphertext"], "context": { "for": "disk" } });
        assert_eq!(
            bytes(&used(&house, &key, "decrypt", &open)["plaintext"]),
            plain
        );
        let elsewhere = json!({ "ciphertext": made["ciphertext"] });
        refused(
            &act(&house, REVENUE, &key, "decrypt", &elsewhere),
            422,
            "unopened",
        );

        let wrapped = used(&house, &key, "wrapped-data-key", &body);
        assert!(wrapped.get("plaintext").is_none(), "it was shown");
        let open = json!({ "ciphertext": wrapped["ciphertext"], "context": { "for": "disk" } });
        let plain = bytes(&used(&house, &key, "decrypt", &open)["plaintext"]);
        assert_eq!(plain.len(), length);
        assert!(length < 16 || seen.insert(plain));
    }
    for length in [0, 1025] {
        for name in ["data-key", "wrapped-data-key"] {
            refused(
                &act(&house, REVENUE, &key, name, &json!({ "bytes": length })),
                422,
                "range",
            );
        }
    }
}

#[test]
fn a_code_is_its_messages_alone() {
    let house = house_with("");
    for (kind, length) in [
        ("hmac-sha-256", 32),
        ("hmac-sha-384", 48),
        ("hmac-sha-512", 64),
    ] {
        let key = new_key(&house, kind);
        let message = base64("a message");
        let made = used(&house, &key, "mac", &json!({ "message": message }));
        assert_eq!(
            (&made["algorithm"], &made["version"]),
            (&json!(kind), &json!(1))
        );
        let code = bytes(&made["mac"]);
        assert_eq!(code.len(), length);
        assert_eq!(
            used(&house, &key, "mac", &json!({ "message": message }))["mac"],
            made["mac"]
        );
        let valid = |message: &str, code: &[u8]| {
            let body = json!({ "message": base64(message), "mac": base64(code) });
            used(&house, &key, "verify-mac", &body)["valid"] == true
        };
        assert!(valid("a message", &code));
        assert!(!valid("another", &code));
        let mut altered = code.clone();
        altered[length - 1] ^= 1;
        let longer = [code.as_slice(), &[0]].concat();
        for wrong in [&altered, &code[..length - 1], &longer, &code[..16], &[]] {
            assert!(!valid("a message", wrong), "{} bytes", wrong.len());
        }
        let other = used(
            &house,
            &new_key(&house, kind),
            "mac",
            &json!({ "message": message }),
        );
        assert_ne!(other["mac"], made["mac"], "two keys have one material");
    }
}

#[test]
fn random_bytes_are_as_many_as_asked_for_and_never_the_same() {
    let house = house_with("");
    let draw = |length: i64| ask(&house, REVENUE, "/v1/random", &json!({ "bytes": length }));
    let mut seen = BTreeSet::new();
    for length in [1, 32, 1024, 32, 32] {
        let drawn = bytes(&done(&draw(length))["bytes"]);
        assert_eq!(drawn.len() as i64, length);
        assert!(length < 16 || seen.insert(drawn));
    }
    for length in [0, 1025, 1 << 40] {
        refused(&draw(length), 422, "range");
    }
    refused(&draw(-1), 400, "body-shape");
}

/// A batch's outcomes: `ok`, or an error's code.
fn outcomes(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    let outcome = |item: &Value| match item.get("error") {
        None => "ok".to_owned(),
        Some(error) => {
            assert!(error["detail"].is_string() && item.as_object().unwrap().len() == 1);
            text(&error["code"])
        }
    };
    items.iter().map(outcome).collect()
}

#[test]
fn a_bad_item_of_a_batch_fails_alone() {
    let house = house_with("[keys]\nitem_bytes_max = 20\n");
    let key = new_key(&house, "aes-256");
    let plain = |text: &str| json!({ "plaintext": base64(text) });
    let items = json!({ "items": [plain("one"), plain(&"x".repeat(21)), plain("three")] });
    let made = used(&house, &key, "encrypt", &items);
    assert_eq!(outcomes(&made), ["ok", "item-too-long", "ok"]);

    let first = text(&made["items"][0]["ciphertext"]);
    keep(&house, &key, "rotate", &json!({}));
    let second = sealed(&house, &key, "second");
    let foreign = sealed(&house, &new_key(&house, "aes-256"), "foreign");
    let items = json!({ "items": [
        { "ciphertext": first }, { "ciphertext": foreign }, { "ciphertext": "AAAA" },
        { "ciphertext": second, "context": { "a": "b" } }, { "ciphertext": second },
    ] });
    let answer = used(&house, &key, "decrypt", &items);
    assert_eq!(
        outcomes(&answer),
        ["ok", "unopened", "unopened", "unopened", "ok"]
    );
    assert_eq!(bytes(&answer["items"][0]["plaintext"]), b"one");
    assert_eq!(answer["items"][0]["version"], 1);
    assert_eq!(bytes(&answer["items"][4]["plaintext"]), b"second");
    assert_eq!(
        outcomes(&used(&house, &key, "re-encrypt", &items)),
        outcomes(&answer)
    );
    keep(&house, &key, "set", &json!({ "open_from": 2 }));
    let answer = used(&house, &key, "decrypt", &items);
    assert_eq!(
        outcomes(&answer),
        ["key-version", "unopened", "unopened", "unopened", "ok"]
    );

    let code = new_key(&house, "hmac-sha-256");
    let made = used(
        &house,
        &code,
        "mac",
        &json!({ "items": [{ "message": base64("a") }, { "message": base64("b") }] }),
    );
    let mac = |place: usize| made["items"][place]["mac"].clone();
    let items = json!({ "items": [
        { "message": base64("a"), "mac": mac(0) }, { "message": base64("a"), "mac": mac(1) },
        { "message": base64("b"), "mac": mac(1), "version": 9 }, { "message": base64("b"), "mac": mac(1), "version": 1 },
    ] });
    let answer = used(&house, &code, "verify-mac", &items);
    assert_eq!(outcomes(&answer), ["ok", "ok", "key-version", "ok"]);
    let valid: Vec<&Value> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["valid"])
        .collect();
    assert_eq!(
        valid,
        [&json!(true), &json!(false), &Value::Null, &json!(true)]
    );

    let signer = new_key(&house, "ed25519");
    let items = json!({ "items": [{ "message": base64("a") }, { "digest": base64([0; 32]) }] });
    assert_eq!(
        outcomes(&used(&house, &signer, "sign", &items)),
        ["ok", "item-input"]
    );
    let keys = json!({ "items": [{ "bytes": 32 }, { "bytes": 16 }] });
    let keys = used(&house, &key, "data-key", &keys);
    assert_eq!(outcomes(&keys), ["ok", "ok"]);
    assert_ne!(keys["items"][0]["plaintext"], keys["items"][1]["plaintext"]);
}

#[test]
fn a_batch_has_its_cap_and_is_never_empty() {
    let house = house_with("[limits]\nbatch_items_max = 5\n");
    let (key, code) = (new_key(&house, "aes-256"), new_key(&house, "hmac-sha-256"));
    let signer = new_key(&house, "ed25519");
    let message = base64("m");
    let all = [
        (&key, "encrypt", json!({ "plaintext": message })),
        (&key, "decrypt", json!({ "ciphertext": message })),
        (&key, "re-encrypt", json!({ "ciphertext": message })),
        (&key, "data-key", json!({ "bytes": 32 })),
        (&key, "wrapped-data-key", json!({ "bytes": 32 })),
        (&code, "mac", json!({ "message": message })),
        (
            &code,
            "verify-mac",
            json!({ "message": message, "mac": message }),
        ),
        (&signer, "sign", json!({ "message": message })),
        (
            &signer,
            "verify",
            json!({ "message": message, "signature": message }),
        ),
    ];
    for (key, name, item) in all {
        let batch = |count: usize| json!({ "items": vec![&item; count] });
        assert_eq!(outcomes(&used(&house, key, name, &batch(5))).len(), 5);
        refused(
            &act(&house, REVENUE, key, name, &batch(6)),
            422,
            "batch-too-long",
        );
        refused(
            &act(&house, REVENUE, key, name, &batch(0)),
            422,
            "batch-empty",
        );
        let one = used(&house, key, name, &batch(1));
        assert!(one["items"].is_array(), "a list is answered by a list");
    }
}
