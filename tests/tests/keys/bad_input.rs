//! What no key takes, and how it is told.

use serde_json::{Value, json};

use super::{
    JSON, KEEPER, REVENUE, act, ask, base64, bytes, done, house_with, keep, new_key, opening,
    refused, sealed, text, used,
};

// Invariant 5: an altered ciphertext, a cut one and a longer one are told as a wrong context is.
#[test]
fn every_altered_byte_is_answered_as_a_wrong_context_is() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let ciphertext = sealed(&house, &key, "small");
    let whole = bytes(&json!(ciphertext));
    let wrong = json!({ "ciphertext": ciphertext, "context": { "a": "b" } });
    let expected = |reply: &tests::Reply| {
        let mut body = reply.json();
        body["instance"] = Value::Null;
        (reply.status, body)
    };
    let wrong = expected(&act(&house, REVENUE, &key, "decrypt", &wrong));
    assert_eq!((wrong.0, &wrong.1["code"]), (422, &json!("unopened")));

    let mut altered: Vec<Vec<u8>> = Vec::new();
    for place in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut other = whole.clone();
            other[place] ^= bit;
            altered.push(other);
        }
    }
    altered.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    altered.push([whole.as_slice(), &[0]].concat());
    altered.push([whole.as_slice(), &whole].concat());
    let items: Vec<Value> = altered
        .iter()
        .map(|one| json!({ "ciphertext": base64(one) }))
        .collect();
    let answer = used(&house, &key, "decrypt", &json!({ "items": items }));
    let answers = answer["items"].as_array().unwrap();
    assert_eq!(answers.len(), altered.len());
    for (place, item) in answers.iter().enumerate() {
        let error = &item["error"];
        assert_eq!(
            (&error["code"], &error["detail"]),
            (&wrong.1["code"], &wrong.1["detail"]),
            "{place}"
        );
    }
    // One by one it is the same problem, byte for byte.
    for place in [0, 4, 5, 20, 21, 24, 25, 49, 80, whole.len() - 1] {
        let altered = base64(&altered[place * 2]);
        assert_eq!(
            expected(&opening(&house, &key, &altered)),
            wrong,
            "byte {place}"
        );
    }
}

#[test]
fn bytes_have_one_spelling() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    // "f" is `Zg==`; the others are what lenient readers take for it.
    for spelling in [
        "Zg", "Zg=", "Zh==", "Zg==\n", " Zg==", "Zg===", "Zg==Zg==", "Z g==", "金", "Zg%3D%3D",
    ] {
        let reply = act(
            &house,
            REVENUE,
            &key,
            "encrypt",
            &json!({ "plaintext": spelling }),
        );
        refused(&reply, 400, "base64");
    }
    for url_safe in ["-_-_", "+_+_"] {
        refused(
            &act(
                &house,
                REVENUE,
                &key,
                "encrypt",
                &json!({ "plaintext": url_safe }),
            ),
            400,
            "base64",
        );
    }
    let code = new_key(&house, "hmac-sha-256");
    let body = json!({ "message": "", "mac": "AA" });
    refused(
        &act(&house, REVENUE, &code, "verify-mac", &body),
        400,
        "base64",
    );
    let items = json!({ "items": [{ "plaintext": "Zg==" }, { "plaintext": "Zg" }] });
    let reply = act(&house, REVENUE, &key, "encrypt", &items);
    refused(&reply, 400, "base64");
    assert_eq!(reply.json()["item"], 1);
}

#[test]
fn a_body_says_what_is_asked_for_once_and_nothing_else() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let post = |path: &str, unit: &str, body: &str| {
        house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
    };
    let encrypt = format!("/v1/keys/{key}/encrypt");
    let shapes = [
        r#"{}"#,
        r#"{"items":[{"plaintext":""}],"plaintext":""}"#,
        r#"{"items":[{"plaintext":""}],"context":{}}"#,
        r#"{"plaintext":"","more":1}"#,
        r#"{"items":[{"plaintext":"","more":1}]}"#,
        r#"{"items":[[""]]}"#,
        r#"{"items":{"plaintext":""}}"#,
        r#"{"plaintext":"","plaintext":""}"#,
        r#"{"plaintext":"","context":{"a":"1","a":"2"}}"#,
        r#"{"plaintext":"","context":{"a":"1","\u0061":"1"}}"#,
        r#"{"items":[{"plaintext":"","context":{"a":"1","a":"2"}}]}"#,
        r#"{"plaintext":"","context":{"a":1}}"#,
        r#"{"plaintext":"","context":["a"]}"#,
        r#"{"plaintext":"","version":-1}"#,
        r#"{"plaintext":"","version":"1"}"#,
        r#"{"plaintext":"","version":4294967296}"#,
        r#"[""]"#,
        r#""""#,
    ];
    for shape in shapes {
        refused(&post(&encrypt, REVENUE, shape), 400, "body-shape");
    }
    for broken in [
        "",
        "{",
        r#"{"plaintext":""}}"#,
        r#"{"plaintext":""} {}"#,
        "\u{feff}{}",
    ] {
        refused(&post(&encrypt, REVENUE, broken), 400, "body-not-json");
    }
    let tags = r#"{"kind":"aes-256","tags":{"group":"revenue","group":"settlement"}}"#;
    refused(&post("/v1/keys", KEEPER, tags), 400, "body-shape");
    let set = format!("/v1/keys/{key}/set");
    refused(
        &post(&set, KEEPER, r#"{"tags":{"a":"1","a":"2"}}"#),
        400,
        "body-shape",
    );
    refused(
        &post(&set, KEEPER, r#"{"state":"active"}"#),
        400,
        "body-shape",
    );
    for name in ["rotate", "enable", "disable", "cancel-deletion", "backup"] {
        let path = format!("/v1/keys/{key}/{name}");
        refused(&post(&path, KEEPER, r#"{"force":true}"#), 400, "body-shape");
        refused(&post(&path, KEEPER, ""), 400, "body-not-json");
    }
    let plain = house.post(
        Some(REVENUE),
        &encrypt,
        &["--header", "content-type: text/plain"],
        b"{}",
    );
    refused(&plain, 415, "media-type");
    let items = r#"{"items":[{"plaintext":"","version":1},{"plaintext":""}]}"#;
    refused(&post(&encrypt, REVENUE, items), 400, "items-differ");
}

#[test]
fn unknown_words_are_refused_by_name() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    for kind in ["aes-128", "AES-256", "rsa-2048", ""] {
        let reply = ask(&house, KEEPER, "/v1/keys", &json!({ "kind": kind }));
        refused(&reply, 422, "range");
        assert!(
            reply.body.contains("ecdsa-p256"),
            "the remedy: {}",
            reply.body
        );
    }
    let origin = json!({ "kind": "aes-256", "origin": "elsewhere" });
    refused(&ask(&house, KEEPER, "/v1/keys", &origin), 422, "range");
    for act_name in [
        "encrypts",
        "delete",
        "",
        "tokenize",
        "Encrypt",
        "encrypt/now",
    ] {
        let reply = act(&house, KEEPER, &key, act_name, &json!({}));
        refused(&reply, 404, "path-unknown");
    }
    let path = format!("/v1/keys/{key}");
    for (method, path) in [
        ("DELETE", path.as_str()),
        ("PUT", "/v1/keys"),
        ("GET", "/v1/random"),
    ] {
        refused(
            &house.curl(Some(KEEPER), path, &["--request", method]),
            405,
            "method",
        );
    }
    for name in ["..", "A", "%00", "-a", "x%2Fy"] {
        let reply = house.curl(
            Some(KEEPER),
            &format!("/v1/keys/{name}/public"),
            &["--path-as-is"],
        );
        refused(&reply, 422, "key-name-invalid");
    }
    refused(
        &act(&house, KEEPER, "absent", "rotate", &json!({})),
        404,
        "key-unknown",
    );
    for purpose in ["Tax", "", "a b"] {
        let body = json!({ "plaintext": "", "purpose": purpose });
        refused(
            &act(&house, REVENUE, &key, "encrypt", &body),
            422,
            "purpose-invalid",
        );
    }
}

#[test]
fn contexts_have_limits() {
    let house = house_with("");
    let key = new_key(&house, "aes-256");
    let many = |count: usize| {
        let pair = |n: usize| (n.to_string(), json!(""));
        Value::Object((0..count).map(pair).collect())
    };
    let encrypt = |context: Value| {
        let body = json!({ "plaintext": "", "context": context });
        act(&house, REVENUE, &key, "encrypt", &body)
    };
    done(&encrypt(many(64)));
    done(&encrypt(json!({ "a": "x".repeat(8191) })));
    for bad in [
        many(65),
        json!({ "a": "x".repeat(8192) }),
        json!({ "": "x" }),
    ] {
        refused(&encrypt(bad), 422, "key-word-invalid");
    }
    // Just over: a sender that is refused while it still sends may miss the answer.
    let empty = json!({ "plaintext": "", "context": { "a": "" } })
        .to_string()
        .len();
    let reply = encrypt(json!({ "a": "x".repeat(1_048_577 - empty) }));
    refused(&reply, 413, "body-too-large");
}

#[test]
fn a_ciphertext_of_another_key_or_version_is_not_believed() {
    let house = house_with("");
    let (one, other) = (new_key(&house, "aes-256"), new_key(&house, "aes-256"));
    let ciphertext = sealed(&house, &one, "x");
    refused(&opening(&house, &other, &ciphertext), 422, "unopened");
    keep(&house, &one, "rotate", &json!({}));
    // Its version, in the header, is another one that stands, one that never was, and none.
    let place = 4 + 1 + 16 + 3;
    for version in [0, 2, 3, 255] {
        let mut altered = bytes(&json!(ciphertext));
        assert_eq!(altered[place], 1);
        altered[place] = version;
        refused(&opening(&house, &one, &base64(&altered)), 422, "unopened");
    }
    assert_eq!(
        text(&done(&opening(&house, &one, &ciphertext))["plaintext"]),
        base64("x")
    );
}
