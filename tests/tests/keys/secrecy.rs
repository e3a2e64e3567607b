//! What goes through the key service and must lie nowhere.

use std::path::Path;

use serde_json::json;
use tests::House;

use super::{JSON, KEEPER, REVENUE, act, ask, base64, bytes, house_with, new_key, text, used};

/// Everything that was sent or given out and is secret, as bytes.
struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: impl AsRef<[u8]>) {
        assert!(
            secret.as_ref().len() >= 8,
            "{name} is too short to be searched for"
        );
        self.0.push((name, secret.as_ref().to_vec()));
    }

    /// Every file below a folder that holds one of them: raw, in hexadecimal or in base64.
    fn found(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(self.found(&path));
                continue;
            }
            // The HSM's socket lies there, and holds nothing.
            if !path.is_file() {
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            for (name, secret) in &self.0 {
                if spellings(secret)
                    .iter()
                    .any(|spelling| holds(&content, spelling))
                {
                    found.push(format!("{} holds {name}", path.display()));
                }
            }
        }
        found
    }
}

/// Raw, hexadecimal, and the part of its base64 that is the same wherever it stands in a longer text.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![secret.to_vec(), hex.into_bytes()];
    all.extend((0..3).map(|shift| {
        let shifted = base64([vec![0; shift].as_slice(), secret].concat());
        let end = shifted.len() - 4;
        shifted.as_bytes()[if shift == 0 { 0 } else { 4 }..end].to_vec()
    }));
    all
}

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

fn good_acts(house: &House, secrets: &mut Secrets) {
    let (key, code) = (new_key(house, "aes-256"), new_key(house, "hmac-sha-256"));
    let signer = new_key(house, "ecdsa-p256");
    let (plain, context) = ("PLAIN-甲乙丙-7731", "CONTEXT-丁戊己-9042");
    let body = json!({ "plaintext": base64(plain), "context": { context: context } });
    let ciphertext = used(house, &key, "encrypt", &body)["ciphertext"].clone();
    used(
        house,
        &key,
        "decrypt",
        &json!({ "ciphertext": ciphertext, "context": { context: context } }),
    );
    used(
        house,
        &key,
        "re-encrypt",
        &json!({ "ciphertext": ciphertext, "context": { context: context } }),
    );
    let made = used(house, &key, "data-key", &json!({ "bytes": 32 }));
    let mac = used(
        house,
        &code,
        "mac",
        &json!({ "message": base64("MESSAGE-庚辛壬-1188") }),
    );
    let signature = used(
        house,
        &signer,
        "sign",
        &json!({ "message": base64("SIGNED-子丑寅-2266") }),
    );
    let random = super::done(&ask(house, REVENUE, "/v1/random", &json!({ "bytes": 32 })));
    secrets.add("a plaintext", plain);
    secrets.add("a context", context);
    secrets.add("a ciphertext", bytes(&ciphertext));
    secrets.add("a data key", bytes(&made["plaintext"]));
    secrets.add("a wrapped data key", bytes(&made["ciphertext"]));
    secrets.add("a message", "MESSAGE-庚辛壬-1188");
    secrets.add("a code", bytes(&mac["mac"]));
    secrets.add("a signed message", "SIGNED-子丑寅-2266");
    secrets.add("a signature", bytes(&signature["signature"]));
    secrets.add("random bytes", bytes(&random["bytes"]));
}

/// Requests that are refused, with a secret in every place that a caller might mistake.
fn bad_acts(house: &House, secrets: &mut Secrets) {
    const SECRET: &str = "MISPLACED-卯辰巳-5512";
    secrets.add("a misplaced secret", SECRET);
    let key = new_key(house, "aes-256");
    let (b64, plain) = (base64(SECRET), json!({ "plaintext": SECRET }));
    let bodies = [
        plain.clone(),
        json!({ "plaintext": b64, SECRET: 1 }),
        json!({ "plaintext": [SECRET] }),
        json!({ "plaintext": b64, "context": SECRET }),
        json!({ "plaintext": b64, "context": { SECRET: [SECRET] } }),
        json!({ "plaintext": b64, "purpose": SECRET }),
        json!({ "plaintext": b64, "version": SECRET }),
        json!({ "ciphertext": b64, "context": { SECRET: SECRET } }),
        json!({ "message": b64, "form": SECRET }),
        json!({ "ciphertext": b64, "to": SECRET }),
        json!({ "items": [{ "plaintext": b64 }, plain] }),
        json!({ "backup": SECRET }),
        json!({ "ticket": b64, "wrapped": b64 }),
        json!({ "waiting_seconds": SECRET }),
        json!({ "kind": SECRET, "alias": SECRET }),
        json!({ "kind": "aes-256", "alias": SECRET }),
        json!({ "kind": "aes-256", "origin": SECRET }),
        json!({ "aliases": [SECRET] }),
        json!(SECRET),
    ];
    let acts = [
        (REVENUE, "encrypt"),
        (REVENUE, "decrypt"),
        (REVENUE, "re-encrypt"),
        (REVENUE, "data-key"),
        (REVENUE, "mac"),
        (REVENUE, "verify-mac"),
        (REVENUE, "sign"),
        (KEEPER, "set"),
        (KEEPER, "import"),
        (KEEPER, "schedule-deletion"),
    ];
    let escaped = base64(SECRET);
    let silent = |reply: &tests::Reply, what: &str| {
        let told = [SECRET, "MISPLACED", "\\u536f", escaped.as_str()];
        // What was well sent may be answered; a refusal repeats nothing.
        if reply.status != 200 {
            assert!(
                !told.iter().any(|told| reply.body.contains(told)),
                "{what}: {}",
                reply.body
            );
        }
    };
    for body in &bodies {
        for (unit, name) in acts {
            silent(&act(house, unit, &key, name, body), name);
        }
        for path in ["/v1/keys", "/v1/decrypt", "/v1/random", "/v1/restore-key"] {
            silent(&ask(house, KEEPER, path, body), path);
        }
    }
    // In paths and queries, where a web server's log would have them.
    let path = base64(SECRET).replace(['+', '/', '='], "x");
    secrets.add("a path", &path);
    for path in [
        format!("/v1/keys/{path}"),
        format!("/v1/keys?after={path}"),
        format!("/v1/keys/{key}/public?version={path}"),
    ] {
        house.curl(Some(KEEPER), &path, &[]);
    }
    let path = format!("/v1/keys/{key}/{path}");
    house.post(Some(KEEPER), &path, &["--header", JSON], b"{}");
}

// Invariants 11 and 13: neither database nor ledger nor the most verbose log holds what went through.
#[test]
fn inv_11_and_13_nothing_that_went_through_a_key_lies_on_disk() {
    let mut house = House::install();
    house.set_environment("RUST_LOG", "trace");
    house.serve();
    let mut secrets = Secrets(Vec::new());
    good_acts(&house, &mut secrets);
    bad_acts(&house, &mut secrets);
    let entries = house.audited();
    assert!(
        entries
            .iter()
            .any(|entry| entry["operation"] == "encrypt" && entry["commitment"].is_string())
    );
    let log = std::fs::read_to_string(house.directory().join("vault.log")).unwrap();
    assert!(log.contains("TRACE"), "the vault's log is not verbose");
    assert_eq!(secrets.found(&house.directory()), Vec::<String>::new());
    // The search finds what is there.
    let mut planted = Secrets(Vec::new());
    planted.add("an owner", KEEPER);
    assert!(!planted.found(&house.directory().join("data")).is_empty());
}

#[test]
fn a_context_is_the_same_pseudonym_again_and_another_context_another_one() {
    let mut house = house_with("");
    let key = new_key(&house, "aes-256");
    let contexts = [
        json!({ "a": "1" }),
        json!({ "a": "1" }),
        json!({ "a": "2" }),
        json!({}),
    ];
    for context in &contexts {
        used(
            &house,
            &key,
            "encrypt",
            &json!({ "plaintext": "", "context": context }),
        );
    }
    let entries = house.audited();
    let made = entries
        .iter()
        .filter(|entry| entry["operation"] == "encrypt");
    let made: Vec<String> = made.map(|entry| text(&entry["commitment"])).collect();
    assert_eq!(made[0], made[1]);
    assert!(made[1] != made[2] && made[2] != made[3] && made[1] != made[3]);
}
