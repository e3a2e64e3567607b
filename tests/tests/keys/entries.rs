//! Every act on a key, every refusal and every failure is one entry.

use serde_json::{Value, json};

use super::{
    KEEPER, NOBODY, REVENUE, act, ask, base64, done, house_with, keep, new_key, sealed, text,
    wait_until,
};

/// What an entry says: operation, outcome, unit, reason, key, version, items of its batch, purpose.
type Said = (String, String, Value, Value, Value, Value, Value, Value);

fn said(entry: &Value) -> Said {
    (
        text(&entry["operation"]),
        text(&entry["outcome"]),
        entry["unit"].clone(),
        entry["reason"].clone(),
        entry["key"]["id"].clone(),
        entry["key"]["version"].clone(),
        entry["batch"]["count"].clone(),
        entry["purpose"].clone(),
    )
}

/// What is done, and what its entry must say beside the unit.
struct Row {
    unit: &'static str,
    path: String,
    body: Value,
    operation: &'static str,
    outcome: &'static str,
    reason: Value,
    key: Value,
    version: Value,
    count: Value,
    purpose: Value,
}

impl Row {
    fn new(unit: &'static str, key: &str, act: &str, body: Value, operation: &'static str) -> Self {
        Self {
            unit,
            path: format!("/v1/keys/{key}/{act}"),
            body,
            operation,
            outcome: "ok",
            reason: Value::Null,
            key: json!(key),
            version: json!(1),
            count: Value::Null,
            purpose: Value::Null,
        }
    }

    /// Refused, or failed by itself.
    fn ends(self, outcome: &'static str, reason: &str) -> Self {
        let version = if outcome == "error" && !matches!(reason, "unopened" | "item-input") {
            json!(0)
        } else {
            self.version
        };
        Self {
            outcome,
            reason: json!(reason),
            version,
            ..self
        }
    }

    fn version(self, version: u32) -> Self {
        Self {
            version: json!(version),
            ..self
        }
    }

    fn many(self, count: u32) -> Self {
        Self {
            count: json!(count),
            ..self
        }
    }

    fn purpose(self, purpose: &str) -> Self {
        Self {
            purpose: json!(purpose),
            ..self
        }
    }

    fn expected(&self) -> Said {
        (
            self.operation.to_owned(),
            self.outcome.to_owned(),
            json!(self.unit),
            self.reason.clone(),
            self.key.clone(),
            self.version.clone(),
            self.count.clone(),
            self.purpose.clone(),
        )
    }
}

fn uses(cipher: &str, code: &str, signer: &str, ciphertext: &str) -> Vec<Row> {
    let message = base64("m");
    let made =
        |key: &str, act: &str, body: Value, operation| Row::new(REVENUE, key, act, body, operation);
    let plain = json!({ "plaintext": message });
    let sealed = json!({ "ciphertext": ciphertext });
    vec![
        made(cipher, "encrypt", plain.clone(), "encrypt"),
        made(
            cipher,
            "encrypt",
            json!({ "plaintext": message, "purpose": "tax-assessment" }),
            "encrypt",
        )
        .purpose("tax-assessment"),
        made(
            cipher,
            "encrypt",
            json!({ "items": [plain, plain, plain] }),
            "encrypt",
        )
        .many(3),
        made(cipher, "decrypt", sealed.clone(), "decrypt"),
        made(
            cipher,
            "decrypt",
            json!({ "items": [sealed, { "ciphertext": "AAAA" }] }),
            "decrypt",
        )
        .many(2),
        made(
            cipher,
            "decrypt",
            json!({ "ciphertext": ciphertext, "context": { "a": "b" } }),
            "decrypt",
        )
        .ends("error", "unopened"),
        made(cipher, "re-encrypt", sealed.clone(), "re-encrypt"),
        made(cipher, "data-key", json!({ "bytes": 32 }), "data-key"),
        made(
            cipher,
            "wrapped-data-key",
            json!({ "bytes": 32 }),
            "data-key",
        ),
        made(cipher, "data-key", json!({ "bytes": 0 }), "data-key").ends("error", "range"),
        made(cipher, "mac", json!({ "message": message }), "mac").ends("error", "key-usage"),
        made(cipher, "encrypt", json!({ "items": [] }), "encrypt").ends("error", "batch-empty"),
        made(
            cipher,
            "encrypt",
            json!({ "plaintext": message, "version": 7 }),
            "encrypt",
        )
        .ends("error", "key-version"),
        made(code, "mac", json!({ "message": message }), "mac"),
        made(
            code,
            "verify-mac",
            json!({ "message": message, "mac": message }),
            "mac-verify",
        ),
        made(signer, "sign", json!({ "message": message }), "sign"),
        made(signer, "sign", json!({ "digest": base64([0; 32]) }), "sign")
            .ends("error", "item-input"),
        made(
            signer,
            "verify",
            json!({ "message": message, "signature": message }),
            "verify",
        ),
        Row::new(KEEPER, cipher, "encrypt", plain.clone(), "encrypt")
            .ends("denied", "not-permitted"),
        Row::new(NOBODY, cipher, "decrypt", sealed, "decrypt").ends("denied", "not-permitted"),
        Row {
            key: Value::Null,
            ..Row::new(NOBODY, "nowhere", "encrypt", plain.clone(), "encrypt")
        }
        .ends("denied", "not-permitted"),
        Row {
            key: Value::Null,
            ..Row::new(KEEPER, "nowhere", "rotate", json!({}), "key-rotate")
        }
        .ends("denied", "key-unknown"),
    ]
}

fn life(cipher: &str) -> Vec<Row> {
    let kept = |act: &str, body: Value, operation| Row::new(KEEPER, cipher, act, body, operation);
    let nothing = || json!({});
    vec![
        kept("rotate", nothing(), "key-rotate").version(2),
        kept(
            "set",
            json!({ "description": "a", "open_from": 2 }),
            "key-set",
        )
        .version(2),
        kept("set", json!({ "open_from": 9 }), "key-set").ends("error", "range"),
        kept("disable", nothing(), "key-disable").version(2),
        kept("disable", nothing(), "key-disable").ends("error", "key-state"),
        kept("enable", nothing(), "key-enable").version(2),
        kept("destroy-version", json!({ "version": 1 }), "key-destroy").version(1),
        kept("destroy-version", json!({ "version": 1 }), "key-destroy")
            .ends("error", "key-version"),
        kept(
            "compromise-version",
            json!({ "version": 2 }),
            "key-compromise",
        )
        .version(2),
        kept("backup", nothing(), "key-backup").version(3),
        kept("import-parameters", nothing(), "key-import").ends("error", "key-origin"),
        kept("reseal", json!({ "limit": 1 }), "key-reseal").ends("error", "key-own"),
        kept(
            "schedule-deletion",
            json!({ "waiting_seconds": 3600 }),
            "key-schedule-deletion",
        )
        .version(3),
        kept(
            "schedule-deletion",
            json!({ "waiting_seconds": 9 }),
            "key-schedule-deletion",
        )
        .ends("error", "range"),
        kept("cancel-deletion", nothing(), "key-cancel-deletion").version(3),
        Row::new(REVENUE, cipher, "disable", nothing(), "key-disable")
            .version(3)
            .ends("denied", "not-permitted"),
    ]
}

#[test]
fn every_act_and_every_refusal_is_exactly_one_entry() {
    let mut house = house_with("[keys]\ndeletion_wait_seconds_min = 3600\n");
    let (cipher, code) = (new_key(&house, "aes-256"), new_key(&house, "hmac-sha-256"));
    let signer = new_key(&house, "ed25519");
    let ciphertext = sealed(&house, &cipher, "x");
    let described = done(&house.curl(Some(KEEPER), &format!("/v1/keys/{cipher}"), &[]));
    let first = described["entry"].as_u64().unwrap() + 1;
    let mut expected = Vec::new();
    let rows = uses(&cipher, &code, &signer, &ciphertext)
        .into_iter()
        .chain(life(&cipher));
    for row in rows {
        let reply = ask(&house, row.unit, &row.path, &row.body);
        let seq = first + expected.len() as u64;
        if row.outcome == "ok" {
            assert_eq!(done(&reply)["entry"], seq, "{}", row.path);
        } else {
            assert_eq!(row.reason, json!(reply.code()), "{}", row.path);
        }
        expected.push(row);
    }
    let entries = house.audited();
    let made = entries
        .iter()
        .filter(|entry| entry["seq"].as_u64().unwrap() >= first);
    let made: Vec<&Value> = made.collect();
    for (row, entry) in expected.iter().zip(&made) {
        let mut seen = said(entry);
        // An act that failed before a version was chosen names none, or 0: the key is what counts.
        if row.outcome != "ok" {
            seen.5 = row.version.clone();
        }
        assert_eq!(seen, row.expected(), "{} {}", row.path, row.body);
        assert!(entry["policy"].is_string() && entry["request"].is_string());
    }
    assert_eq!(made.len(), expected.len(), "there are other entries");
}

/// What is permitted and cannot be is an entry; what cannot be read is an answer alone, as of tokens.
#[test]
fn a_key_that_can_not_be_made_is_an_entry() {
    let mut house = house_with("");
    let before = new_key(&house, "aes-256");
    let create = |unit, more: Value| {
        let mut body = json!({ "kind": "aes-256" });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        ask(&house, unit, "/v1/keys", &body).code()
    };
    let external = json!({ "origin": "external", "rotation_seconds": 3600 });
    let expected = [
        (KEEPER, json!({ "rotation_seconds": 1 }), "error range"),
        (KEEPER, external, "error key-origin"),
        (
            REVENUE,
            json!({ "rotation_seconds": 1 }),
            "denied not-permitted",
        ),
    ];
    for (unit, more, outcome) in &expected {
        let code = create(unit, more.clone());
        assert_eq!(Some(code.as_str()), outcome.split(' ').nth(1));
    }
    for unreadable in [
        json!({ "kind": "des" }),
        json!({ "alias": "No Name" }),
        json!({ "origin": "nowhere" }),
        json!({ "tags": { "": "x" } }),
    ] {
        assert!(!create(KEEPER, unreadable).is_empty());
    }
    let entries = house.audited();
    let at = |entry: &Value| entry["key"]["id"] == before;
    let after = entries.iter().position(at).unwrap() + 1;
    let made: Vec<String> = entries[after..]
        .iter()
        .map(|entry| {
            assert_eq!(entry["operation"], "key-create");
            format!("{} {}", text(&entry["outcome"]), text(&entry["reason"]))
        })
        .collect();
    let outcomes: Vec<&str> = expected.iter().map(|(_, _, outcome)| *outcome).collect();
    assert_eq!(made, outcomes);
}

#[test]
fn acts_on_the_service_and_what_the_vault_does_by_itself_are_entries() {
    let mut house = house_with("[keys]\nupkeep_interval_ms = 20\ndeletion_wait_seconds_min = 0\n");
    let key = new_key(&house, "aes-256");
    done(&ask(&house, REVENUE, "/v1/random", &json!({ "bytes": 8 })));
    ask(&house, REVENUE, "/v1/random", &json!({ "bytes": 0 }));
    ask(&house, NOBODY, "/v1/random", &json!({ "bytes": 8 }));
    done(&house.curl(Some(KEEPER), "/v1/keys?limit=1", &[]));
    house.curl(Some(REVENUE), "/v1/keys", &[]);
    ask(&house, REVENUE, "/v1/keys", &json!({ "kind": "aes-256" }));
    let backup = done(&act(&house, KEEPER, &key, "backup", &json!({})))["backup"].clone();
    ask(
        &house,
        KEEPER,
        "/v1/restore-key",
        &json!({ "backup": backup }),
    );
    ask(
        &house,
        NOBODY,
        "/v1/restore-key",
        &json!({ "backup": backup }),
    );
    keep(
        &house,
        &key,
        "schedule-deletion",
        &json!({ "waiting_seconds": 0 }),
    );
    wait_until(
        || house.sql(&format!("select state from key where id = '{key}'")),
        |state| state == "destroyed",
    );
    let entries = house.audited();
    let brief = |entry: &Value| {
        format!(
            "{} {} {} {}",
            text(&entry["operation"]),
            text(&entry["outcome"]),
            entry["unit"].as_str().unwrap_or("-"),
            entry["reason"].as_str().unwrap_or("-")
        )
    };
    let created = entries
        .iter()
        .position(|entry| entry["key"]["id"] == key)
        .unwrap();
    let made: Vec<String> = entries[created..].iter().map(brief).collect();
    let expected = [
        "key-create ok key-office -",
        "random ok tax-bureau -",
        "random error tax-bureau range",
        "random denied public-library not-permitted",
        "key-list ok key-office -",
        "key-list denied tax-bureau not-permitted",
        "key-create denied tax-bureau not-permitted",
        "key-backup ok key-office -",
        "key-restore error key-office key-stands",
        "key-restore denied public-library not-permitted",
        "key-schedule-deletion ok key-office -",
        "key-destroy ok - -",
    ];
    assert_eq!(made, expected);
}
