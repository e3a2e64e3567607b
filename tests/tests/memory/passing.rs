//! What passes through the vault and stays with its callers: data keys, payloads, values. It is in
//! memory while its request is under way, and gone when its connection has ended.

use api::v1::{
    DecryptItem, DecryptRequest, EncryptItem, EncryptRequest, GenerateDataKeyRequest,
    data_key_result, decrypt_result, encrypt_result,
};
use serde_json::{Value, json};
use tests::{House, detokenize, tokenize};

use super::image::{self, Wanted};
use super::{KEEPER, REVENUE, act, ask, base64, bytes, hex, text, wait_until};

/// Large enough for the way that large bodies take, in bytes.
const LARGE: usize = 200 * 1024;

#[derive(Default)]
struct Passed(Vec<Wanted>);

impl Passed {
    /// Raw, and as it was spelled on the wire.
    fn note(&mut self, name: &str, secret: &[u8]) {
        let part = &secret[..secret.len().min(48)];
        self.0.push(Wanted::raw(name, part));
        self.0
            .push(Wanted::spelled(format!("{name}, base64"), base64(part)));
        self.0
            .push(Wanted::spelled(format!("{name}, hexadecimal"), hex(part)));
    }

    fn drawn(&mut self, name: &str, length: usize) -> Vec<u8> {
        let secret: Vec<u8> = std::iter::repeat_with(rand::random).take(length).collect();
        self.note(name, &secret);
        secret
    }

    fn value(&mut self, name: &str) -> String {
        let value = hex(&rand::random::<[u8; 16]>());
        self.0.push(Wanted::spelled(name, value.clone()));
        value
    }
}

fn new_key(house: &House, kind: &str) -> String {
    let body = json!({ "kind": kind, "tags": { "group": "revenue" } });
    text(&ask(house, KEEPER, "/v1/keys", &body)["key"]["id"])
}

fn over_rest(house: &House, key: &str, passed: &mut Passed) {
    let on_key = |name: &str, body: Value| act(house, REVENUE, key, name, &body);
    let short = passed.drawn("rest: a plaintext", 48);
    let large = passed.drawn("rest: a large plaintext", LARGE);
    for plain in [short, large] {
        let made = on_key("encrypt", json!({ "plaintext": base64(plain) }));
        let sealed = json!({ "ciphertext": made["ciphertext"] });
        on_key("decrypt", sealed.clone());
        on_key("decrypt", json!({ "items": [sealed, sealed] }));
        on_key("re-encrypt", sealed);
    }
    let data = on_key("data-key", json!({ "bytes": 32 }));
    passed.note("rest: a data key", &bytes(&data["plaintext"]));
    let many = on_key(
        "data-key",
        json!({ "items": [{ "bytes": 32 }, { "bytes": 1024 }] }),
    );
    for item in many["items"].as_array().unwrap() {
        passed.note("rest: a data key of a batch", &bytes(&item["plaintext"]));
    }
    let drawn = ask(house, REVENUE, "/v1/random", &json!({ "bytes": 32 }));
    passed.note("rest: random bytes", &bytes(&drawn["bytes"]));
    for (kind, name) in [("hmac-sha-256", "mac"), ("ed25519", "sign")] {
        let message = passed.drawn(&format!("rest: a message to {name}"), 48);
        let message = json!({ "message": base64(message) });
        act(house, REVENUE, &new_key(house, kind), name, &message);
    }
    let value = passed.value("rest: a value");
    let body = json!({ "domain": "city", "items": [{ "class": "name", "value": value }] });
    let token = ask(house, REVENUE, "/v1/tokenize", &body)["tokens"][0].clone();
    let body = json!({ "domain": "city", "purpose": "tax-assessment", "tokens": [token] });
    let shown = ask(house, REVENUE, "/v1/detokenize", &body);
    assert_eq!(shown["items"][0]["value"], json!(value));
}

async fn over_grpc(house: &House, key: &str, passed: &mut Passed) {
    let keys = house.keys(Some(REVENUE));
    let plain = passed.drawn("grpc: a plaintext", 48);
    let request = EncryptRequest {
        key: key.to_owned(),
        items: vec![EncryptItem {
            plaintext: plain,
            ..EncryptItem::default()
        }],
        ..EncryptRequest::default()
    };
    let made = keys.encrypt(request, None).await.unwrap().items.remove(0);
    let Some(encrypt_result::Result::Encrypted(made)) = made.result else {
        panic!("not encrypted")
    };
    let request = DecryptRequest {
        key: key.to_owned(),
        items: vec![DecryptItem {
            ciphertext: made.ciphertext,
            ..DecryptItem::default()
        }],
        ..DecryptRequest::default()
    };
    let opened = keys.decrypt(request, None).await.unwrap().items.remove(0);
    assert!(matches!(
        opened.result,
        Some(decrypt_result::Result::Decrypted(_))
    ));
    let request = GenerateDataKeyRequest {
        key: key.to_owned(),
        items: vec![api::v1::DataKeyItem {
            bytes: 32,
            ..api::v1::DataKeyItem::default()
        }],
        ..GenerateDataKeyRequest::default()
    };
    let made = keys
        .generate_data_key(request, None)
        .await
        .unwrap()
        .items
        .remove(0);
    let Some(data_key_result::Result::DataKey(made)) = made.result else {
        panic!("no data key")
    };
    passed.note("grpc: a data key", &made.plaintext.unwrap());
    let value = passed.value("grpc: a value");
    let tokens = house.client(Some(REVENUE));
    let issued = tokens.tokenize(tokenize("name", &[&value]), None).await;
    let request = detokenize("tax-assessment", &issued.unwrap().tokens);
    tokens.detokenize(request, None).await.unwrap();
}

// Invariant 11
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_passed_through_stays() {
    let house = House::open();
    let key = new_key(&house, "aes-256");
    let mut passed = Passed::default();
    over_grpc(&house, &key, &mut passed).await;
    tokio::task::block_in_place(|| {
        over_rest(&house, &key, &mut passed);
        // A connection keeps its last frames until it ends; the vault sees the end a moment later.
        let searched = || image::search(house.vault(), &passed.0);
        wait_until(|| searched().is_none_or(|found| found.is_empty()));
    });
}

// The search finds what is there: a request that waits for the ledger holds what it may not give out yet.
#[test]
fn what_a_request_holds_is_found_while_it_waits_and_gone_when_it_is_answered() {
    let house = House::open();
    let key = new_key(&house, "aes-256");
    let mut passed = Passed::default();
    let plain = passed.drawn("a plaintext", 48);
    let body = json!({ "plaintext": base64(plain) });
    let made = act(&house, REVENUE, &key, "encrypt", &body);
    // The vault sees a moment later that the connection ended, and with it go its last frames.
    let mut is_refused = false;
    wait_until(|| {
        let found = image::search(house.vault(), &passed.0);
        is_refused = found.is_none();
        found.is_none_or(|found| found.is_empty())
    });
    if is_refused {
        return;
    }
    let lock = house.lock_database();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let body = json!({ "ciphertext": made["ciphertext"] });
            act(&house, REVENUE, &key, "decrypt", &body)
        });
        let held = || image::search(house.vault(), &passed.0).unwrap();
        wait_until(|| held().contains_key("a plaintext"));
        drop(lock);
        asked.join().unwrap();
    });
    let found = image::search(house.vault(), &passed.0).unwrap();
    assert!(found.is_empty(), "left in memory: {found:#?}");
}
