//! Whole vaults under each vendor's habits: keys made, used, brought in, rotated, and all of it after a restart.

use serde_json::{Value, json};
use tests::{House, hsm_module, wrapped};

use super::{Server, gcm_iv, reach, reach_through};

const KEEPER: &str = "key-office";
const USER: &str = "tax-bureau";
/// 民國一一五年, in base64.
const PLAINTEXT: &str = "5rCR5ZyL5LiA5LiA5LqU5bm0";
const MATERIAL: [u8; 32] = *b"material that its owner brings!!";

#[track_caller]
fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Value {
    let json = ["-H", "content-type: application/json"];
    let reply = house.post(Some(unit), path, &json, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

/// A house whose token has a vendor's habits, and whose configuration says so.
fn house_of(profile: &str, setting: &str) -> House {
    let mut house = House::install();
    reach(&mut house, &hsm_module());
    house.set_environment("JINKU_HSM_PROFILE", profile);
    house.edit(
        "jinku.toml",
        "token_label = ",
        &format!("gcm_iv = \"{setting}\"\ntoken_label = "),
    );
    house
}

fn works_over_a_restart(mut house: House) {
    house.serve();
    let make = |alias: &str, kind: &str, origin: &str| {
        let tags = json!({ "group": "revenue" });
        let body = json!({ "kind": kind, "alias": alias, "origin": origin, "tags": tags });
        ask(&house, KEEPER, "/v1/keys", &body);
    };
    make("files", "aes-256", "vault");
    make("stamp", "ed25519", "vault");
    make("brought", "hmac-sha-256", "external");
    let encrypt = || {
        let body = json!({ "plaintext": PLAINTEXT });
        ask(&house, USER, "/v1/keys/files/encrypt", &body)["ciphertext"].clone()
    };
    let old = encrypt();
    ask(&house, KEEPER, "/v1/keys/files/rotate", &json!({}));
    let new = encrypt();
    let message = json!({ "message": PLAINTEXT });
    let signed = ask(&house, USER, "/v1/keys/stamp/sign", &message);

    let path = "/v1/keys/brought/import-parameters";
    let parameters = ask(&house, KEEPER, path, &json!({}));
    let pem = parameters["public_key"].as_str().unwrap();
    let body =
        json!({ "ticket": parameters["ticket"], "wrapped": base64(&wrapped(pem, &MATERIAL)) });
    ask(&house, KEEPER, "/v1/keys/brought/import", &body);
    let code = ask(&house, USER, "/v1/keys/brought/mac", &message)["mac"].clone();
    let expected = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &MATERIAL);
    let expected = ring::hmac::sign(&expected, &unbase64(PLAINTEXT));
    assert_eq!(code, json!(base64(expected.as_ref())));

    let item = json!({ "class": "national-id", "value": "A123456789" });
    let body = json!({ "domain": "city", "items": [item] });
    let tokens = ask(&house, USER, "/v1/tokenize", &body)["tokens"].clone();

    house.kill();
    house.serve();
    for ciphertext in [old, new] {
        let body = json!({ "ciphertext": ciphertext });
        let opened = ask(&house, USER, "/v1/keys/files/decrypt", &body);
        assert_eq!(opened["plaintext"], PLAINTEXT);
    }
    let body = json!({ "message": PLAINTEXT, "signature": signed["signature"] });
    let verdict = ask(&house, USER, "/v1/keys/stamp/verify", &body);
    assert_eq!(verdict["valid"], true);
    let again = ask(&house, USER, "/v1/keys/brought/mac", &message)["mac"].clone();
    assert_eq!(again, code);
    let body = json!({ "domain": "city", "purpose": "tax-assessment", "tokens": tokens });
    let shown = ask(&house, USER, "/v1/detokenize", &body);
    assert_eq!(shown["items"][0]["value"], "A123456789");
    house.audited();
}

fn in_process(profile: &str) {
    works_over_a_restart(house_of(profile, gcm_iv(profile)));
}

fn through_a_server(profile: &str) {
    let mut house = house_of(profile, gcm_iv(profile));
    let server = Server::of_tokens(&house.directory().join("hsm"), profile);
    reach_through(&mut house, &server);
    works_over_a_restart(house);
    assert!(server.program.is_some());
}

macro_rules! under {
    ($($name:ident: $way:ident $profile:literal;)*) => {
        $(#[test]
        fn $name() {
            $way($profile);
        })*
    };
}

under! {
    a_vault_works_with_a_strict_module: in_process "strict";
    a_vault_works_with_the_habits_of_softhsm: in_process "softhsm";
    a_vault_works_with_the_habits_of_luna: in_process "luna";
    a_vault_works_with_the_habits_of_nshield: in_process "nshield";
    a_vault_works_with_the_habits_of_cloudhsm: in_process "cloudhsm";
    a_vault_works_with_the_habits_of_luna_behind_a_server: through_a_server "luna";
    a_vault_works_with_the_habits_of_nshield_behind_a_server: through_a_server "nshield";
}

/// What would make keys that nobody can open is noticed at the first one, and the setting is named. What `nshield`
/// overwrites it overwrites whatever is there.
#[test]
fn a_setting_that_is_not_the_modules_is_refused_before_anything_is_stored() {
    for (profile, setting) in [
        ("strict", "zero-buffer"),
        ("strict", "appended"),
        ("luna", "caller"),
        ("luna", "zero-buffer"),
        ("nshield", "appended"),
        ("cloudhsm", "caller"),
    ] {
        let house = house_of(profile, setting);
        let said = house.refuses_to_serve();
        assert!(
            said.contains("in the way that `hsm.gcm_iv` names"),
            "{profile} with {setting}: {said}"
        );
        assert_eq!(house.sql("select count(*) from key"), "0");
    }
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Vec<u8> {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}
