//! Signatures, verified by OpenSSL, which nobody here wrote.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tests::House;

use super::{
    NOBODY, REVENUE, act, base64, bytes, done, house_with, keep, new_key, refused, text, used,
};

const MESSAGE: &str = "繳費通知 2026-11";

/// The public half of a version.
fn public(house: &House, key: &str, version: u32) -> Value {
    let path = format!("/v1/keys/{key}/public?version={version}");
    done(&house.curl(Some(REVENUE), &path, &[]))
}

/// Whether `openssl ARGUMENTS` with these files in its directory ends well.
fn openssl(files: &[(&str, &[u8])], arguments: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    run(folder.path(), arguments).0
}

fn run(folder: &Path, arguments: &[&str]) -> (bool, Vec<u8>) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.expect("`openssl` is missing: install Debian's package openssl");
    (output.status.success(), output.stdout)
}

fn openssl_verifies(kind: &str, pem: &str, signature: &[u8], message: &[u8]) -> bool {
    let files = [
        ("pem", pem.as_bytes()),
        ("signature", signature),
        ("message", message),
    ];
    match kind {
        "ed25519" => openssl(
            &files,
            &[
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                "pem",
                "-rawin",
                "-in",
                "message",
                "-sigfile",
                "signature",
            ],
        ),
        _ => openssl(
            &files,
            &[
                "dgst",
                "-sha256",
                "-verify",
                "pem",
                "-signature",
                "signature",
                "message",
            ],
        ),
    }
}

fn sha256(message: &str) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, message.as_bytes())
        .as_ref()
        .to_vec()
}

#[test]
fn openssl_verifies_what_every_version_signs() {
    let house = house_with("");
    for (kind, form) in [("ed25519", "raw"), ("ecdsa-p256", "der")] {
        let key = new_key(&house, kind);
        keep(&house, &key, "rotate", &json!({}));
        for version in [1, 2] {
            let body = json!({ "message": base64(MESSAGE), "form": form, "version": version });
            let made = used(&house, &key, "sign", &body);
            assert_eq!(
                (&made["version"], &made["algorithm"]),
                (&json!(version), &json!(kind))
            );
            let signature = bytes(&made["signature"]);
            let pem = text(&public(&house, &key, version)["pem"]);
            assert!(
                openssl_verifies(kind, &pem, &signature, MESSAGE.as_bytes()),
                "{kind}"
            );
            assert!(
                !openssl_verifies(kind, &pem, &signature, b"another"),
                "{kind}"
            );
            let other = text(&public(&house, &key, 3 - version)["pem"]);
            assert!(
                !openssl_verifies(kind, &other, &signature, MESSAGE.as_bytes()),
                "{kind}"
            );
        }
    }
}

#[test]
fn a_digest_is_signed_as_its_message_would_be() {
    let house = house_with("");
    let key = new_key(&house, "ecdsa-p256");
    let digest = base64(sha256(MESSAGE));
    let made = used(
        &house,
        &key,
        "sign",
        &json!({ "digest": digest, "form": "der" }),
    );
    let pem = text(&public(&house, &key, 1)["pem"]);
    assert!(openssl_verifies(
        "ecdsa-p256",
        &pem,
        &bytes(&made["signature"]),
        MESSAGE.as_bytes()
    ));
    let verify =
        json!({ "message": base64(MESSAGE), "signature": made["signature"], "form": "der" });
    assert_eq!(used(&house, &key, "verify", &verify)["valid"], true);
    let verify = json!({ "digest": digest, "signature": made["signature"], "form": "der" });
    assert_eq!(used(&house, &key, "verify", &verify)["valid"], true);

    for short in [vec![0; 31], vec![0; 33], vec![]] {
        let body = json!({ "digest": base64(short) });
        refused(&act(&house, REVENUE, &key, "sign", &body), 400, "digest");
    }
    let both = json!({ "digest": digest, "message": base64("x") });
    refused(
        &act(&house, REVENUE, &key, "sign", &both),
        400,
        "body-shape",
    );
    refused(
        &act(&house, REVENUE, &key, "sign", &json!({})),
        400,
        "body-shape",
    );
    // Ed25519 signs messages, not digests (RFC 8032 section 8.5).
    let edwards = new_key(&house, "ed25519");
    refused(
        &act(
            &house,
            REVENUE,
            &edwards,
            "sign",
            &json!({ "digest": digest }),
        ),
        422,
        "item-input",
    );
}

#[test]
fn a_signature_is_read_in_the_form_it_is_said_to_have() {
    let house = house_with("");
    let key = new_key(&house, "ecdsa-p256");
    let sign = |form: Option<&str>| {
        let body = json!({ "message": base64(MESSAGE), "form": form });
        bytes(&used(&house, &key, "sign", &body)["signature"])
    };
    let (raw, der) = (sign(None), sign(Some("der")));
    assert_eq!(raw.len(), 64);
    assert_eq!(der[0], 0x30);
    let valid = |signature: &[u8], form: &str| {
        let body =
            json!({ "message": base64(MESSAGE), "signature": base64(signature), "form": form });
        used(&house, &key, "verify", &body)["valid"] == true
    };
    assert!(valid(&raw, "raw") && valid(&der, "der"));
    assert!(!valid(&raw, "der") && !valid(&der, "raw"));
    let trailing = |signature: &[u8]| [signature, &[0]].concat();
    assert!(!valid(&trailing(&der), "der") && !valid(&trailing(&raw), "raw"));
    assert!(!valid(&[], "der") && !valid(&[], "raw") && !valid(&[0; 64], "raw"));
    let pem = text(&public(&house, &key, 1)["pem"]);
    for place in 0..der.len() {
        let mut altered = der.clone();
        altered[place] ^= 1;
        let message = MESSAGE.as_bytes();
        assert!(!openssl_verifies("ecdsa-p256", &pem, &altered, message));
        assert!(!valid(&altered, "der"), "byte {place}");
    }
    let body = json!({ "message": base64("x"), "form": "hex" });
    refused(
        &act(&house, REVENUE, &key, "sign", &body),
        400,
        "body-shape",
    );
}

#[test]
fn a_public_key_reads_alike_as_pem_and_as_jwk() {
    let house = house_with("");
    for kind in ["ed25519", "ecdsa-p256"] {
        let key = new_key(&house, kind);
        let answer = public(&house, &key, 1);
        assert_eq!(
            (&answer["key"], &answer["version"]),
            (&json!(key), &json!(1))
        );
        let jwk = &answer["jwk"];
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pem"), text(&answer["pem"])).unwrap();
        let (read, der) = run(
            folder.path(),
            &["pkey", "-pubin", "-in", "pem", "-outform", "DER"],
        );
        assert!(read, "OpenSSL does not read the PEM");
        let point = if kind == "ed25519" {
            assert_eq!(
                (&jwk["kty"], &jwk["crv"], &jwk["alg"]),
                (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
            );
            assert!(jwk.get("y").is_none());
            coordinate("x")
        } else {
            assert_eq!(
                (&jwk["kty"], &jwk["crv"], &jwk["alg"]),
                (&json!("EC"), &json!("P-256"), &json!("ES256"))
            );
            [coordinate("x"), coordinate("y")].concat()
        };
        assert!(der.ends_with(&point), "PEM and JWK are two keys");
        assert_eq!(
            (&jwk["use"], &jwk["kid"]),
            (&json!("sig"), &json!(format!("{key}:v1")))
        );
        assert!(jwk.get("d").is_none(), "the private half is shown");
        for wrong in [0, 2] {
            let reply = house.curl(
                Some(REVENUE),
                &format!("/v1/keys/{key}/public?version={wrong}"),
                &[],
            );
            refused(&reply, 422, "key-version");
        }
        let reply = house.curl(
            Some(REVENUE),
            &format!("/v1/keys/{key}/public?version=one"),
            &[],
        );
        refused(&reply, 400, "query");
        let reply = house.curl(Some(NOBODY), &format!("/v1/keys/{key}/public"), &[]);
        refused(&reply, 403, "not-permitted");
    }
}
