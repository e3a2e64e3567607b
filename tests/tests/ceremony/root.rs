//! Another root key: every key version moves to it while the vault is stopped, broken off and taken up again.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::{House, Reply, binary, has_entry, hsm_module};

use super::{after_a_ceremony, drilled};

const KEEPER: &str = "key-office";
const USER: &str = "tax-bureau";
const JSON: &str = "content-type: application/json";
/// 民國一一五年, in base64.
const PLAINTEXT: &str = "5rCR5ZyL5LiA5LiA5LqU5bm0";
const ROTATE: [&str; 4] = ["key", "rotate-root", "--from", "jinku-root"];

fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["-H", JSON], body.as_bytes())
}

#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// What a vault keeps under its root key: ciphertexts of two versions of a key, a token, a key's backup.
struct Kept {
    ciphertexts: Vec<Value>,
    token: Value,
    backup: Value,
}

fn kept(house: &House) -> Kept {
    let tags = json!({ "group": "revenue" });
    let new = json!({ "kind": "aes-256", "alias": "files", "tags": tags });
    done(&ask(house, KEEPER, "/v1/keys", &new));
    let seal = || {
        let body = json!({ "plaintext": PLAINTEXT });
        done(&ask(house, USER, "/v1/keys/files/encrypt", &body))["ciphertext"].clone()
    };
    let first = seal();
    done(&ask(house, KEEPER, "/v1/keys/files/rotate", &json!({})));
    let ciphertexts = vec![first, seal()];
    let item = json!({ "class": "national-id", "value": "A123456789" });
    let body = json!({ "domain": "city", "items": [item] });
    let token = done(&ask(house, USER, "/v1/tokenize", &body))["tokens"][0].clone();
    let backup = done(&ask(house, KEEPER, "/v1/keys/files/backup", &json!({})))["backup"].clone();
    Kept {
        ciphertexts,
        token,
        backup,
    }
}

/// Everything that was kept opens, and new things are made.
#[track_caller]
fn opens(house: &House, kept: &Kept) {
    for ciphertext in &kept.ciphertexts {
        let body = json!({ "ciphertext": ciphertext });
        let opened = done(&ask(house, USER, "/v1/keys/files/decrypt", &body));
        assert_eq!(opened["plaintext"], PLAINTEXT);
    }
    let body = json!({ "domain": "city", "purpose": "tax-assessment", "tokens": [kept.token] });
    let shown = done(&ask(house, USER, "/v1/detokenize", &body));
    assert_eq!(shown["items"][0]["value"], "A123456789");
    done(&ask(house, KEEPER, "/v1/keys/files/rotate", &json!({})));
}

/// The configuration names another root key from now on.
fn name_root(house: &House, label: &str) {
    let line = format!("root_label = \"{label}\"\ntoken_label = ");
    house.edit("jinku.toml", "token_label = ", &line);
}

/// The wrapped versions, as they lie in the database.
fn stored(house: &House) -> Vec<Vec<u8>> {
    let versions =
        "select hex(wrapped) from key_material where wrapped is not null order by key, version";
    let hex = house.sql(versions);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.lines()
        .map(|line| line.as_bytes().chunks(2).map(byte).collect())
        .collect()
}

/// Whether bytes lie in the database's file or its write-ahead log.
fn is_in_database(house: &House, bytes: &[u8]) -> bool {
    ["vault.db", "vault.db-wal"].iter().any(|name| {
        let file = std::fs::read(house.directory().join("data").join(name)).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn every_key_moves_to_a_new_root_and_opens_under_it_alone() {
    let mut house = House::open();
    let kept = kept(&house);
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(
        !well && said.contains("name the new one there first"),
        "{said}"
    );
    name_root(&house, "second-root");
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(!well && said.contains("in use by another vault"), "{said}");
    house.stop();
    assert!(
        house
            .refuses_to_serve()
            .contains("no root key `second-root`")
    );
    let unknown = ["key", "rotate-root", "--from", "third-root"];
    let (well, said) = house.jinku(&unknown, "");
    assert!(!well && said.contains("no root key `third-root`"), "{said}");

    let stored = stored(&house);
    assert!(stored.iter().all(|blob| is_in_database(&house, blob)));
    let versions = house.sql("select count(*) from key_material where wrapped is not null");
    let (well, said) = house.jinku(&ROTATE, "");
    let moved = format!("{versions} key versions moved");
    assert!(well && said.contains(&moved), "{said}");
    assert!(!stored.iter().any(|blob| is_in_database(&house, blob)));
    house.serve();
    opens(&house, &kept);
    let old = ask(
        &house,
        KEEPER,
        "/v1/restore-key",
        &json!({ "backup": kept.backup }),
    );
    assert_eq!((old.status, old.code().as_str()), (422, "backup-invalid"));
    let entries = house.audited();
    let step = |entry: &&Value| entry["operation"] == "root-rotate";
    let steps: Vec<&Value> = entries.iter().filter(step).collect();
    assert!(
        steps.len() == 1 && steps[0]["key"]["id"] == "second-root",
        "{steps:?}"
    );

    // Nothing is left to the old root: neither for a second run, nor for a vault.
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(well && said.contains(" 0 key versions moved"), "{said}");
    house.edit("jinku.toml", "root_label = \"second-root\"\n", "");
    let said = house.refuses_to_serve();
    assert!(said.contains("can't be opened"), "{said}");
}

#[test]
fn a_rotation_that_was_broken_off_goes_on_where_it_ended() {
    let mut house = House::install();
    let file = house.directory().join("jinku.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let line = settings.lines().find(|line| line.starts_with("module = "));
    let module = format!("module = \"{}\"", hsm_module().display());
    house.edit("jinku.toml", line.unwrap(), &module);
    house.edit(
        "policies/units.toml",
        "requests_per_second = 100\n",
        "requests_per_second = 5000\n",
    );
    house.serve();
    let kept = kept(&house);
    let body = r#"{"kind":"hmac-sha-256","tags":{"group":"revenue"}}"#;
    let arguments = ["--header", JSON, "--data-binary", body];
    house.curl(Some(KEEPER), "/v1/keys?[1-220]", &arguments);
    house.stop();
    name_root(&house, "second-root");

    let stored = stored(&house);
    // Slow enough that the second step does not end before it is broken off.
    let hsm = house.directory().join("hsm");
    let fault = |arguments: &[&str]| {
        let mut command = Command::new(binary("jinku-hsm"));
        let command = command.arg("fault").args(arguments).arg("--dir").arg(&hsm);
        assert!(command.output().unwrap().status.success());
    };
    fault(&["latency", "--ms", "10", "--function", "C_Encrypt"]);
    let mut rotation = Command::new(binary("jinku"))
        .args(ROTATE)
        .env("JINKU_CONFIG", &file)
        .env("JINKU_HSM_DIR", &hsm)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(rotation.stderr.take().unwrap());
    let mut lines = said.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("200 key versions moved")));
    rotation.kill().unwrap();
    rotation.wait().unwrap();
    fault(&["clear"]);
    // What has moved has left no trace that the old root would open.
    let standing: Vec<bool> = stored
        .iter()
        .map(|blob| is_in_database(&house, blob))
        .collect();
    assert!(!standing[..200].contains(&true) && !standing[200..].contains(&false));

    // The vault's own keys come last: no vault serves with half of its keys.
    let said = house.refuses_to_serve();
    assert!(said.contains("can't be opened"), "{said}");
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(well && said.contains(", 200 had moved before"), "{said}");
    house.serve();
    opens(&house, &kept);
    let entries = house.audited();
    let steps = entries
        .iter()
        .filter(|entry| entry["operation"] == "root-rotate");
    assert_eq!(steps.count(), 2);
}

#[test]
fn a_root_with_shares_is_followed_by_one_with_shares() {
    let mut house = after_a_ceremony();
    house.serve();
    let kept = kept(&house);
    house.stop();
    name_root(&house, "second-root");
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(!well && said.contains("hold a ceremony"), "{said}");
    let renamed = "recovery_file = \"second-recovery\"\ntoken_label = ";
    house.edit("jinku.toml", "token_label = ", renamed);
    for entry in std::fs::read_dir(house.directory().join("shares")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let ceremony = ["key", "ceremony", "--threshold", "2", "--shares", "3"];
    let ceremony = [&ceremony[..], &["--share-dir", "shares"]].concat();
    let (well, said) = house.jinku(&ceremony, "");
    assert!(well, "{said}");
    let (well, said) = house.jinku(&ROTATE, "");
    assert!(well && said.contains("jinku key drill"), "{said}");
    let (well, said) = drilled(&house, &[1, 3]);
    assert!(well && said.contains("holds the HSM's root key"), "{said}");
    house.serve();
    opens(&house, &kept);
    assert!(has_entry(&house.audited(), &[("operation", "root-rotate")]));
}
