//! The vault while its HSM misbehaves, by `jinku-hsm fault …`: warm keys serve, nothing is lost, and what
//! does not work says why.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tests::{House, Reply, binary, tokenize};

const PLAINTEXT: &str = "5rCR5ZyL5LiA5LiA5LqU5bm0";

/// A house whose opened keys are asked of the HSM again after `ttl_ms`, and bridge an outage for `grace_ms`.
fn house(ttl_ms: u32, grace_ms: u32) -> House {
    let mut house = House::install();
    let keys = format!("\n[keys]\ncache_ttl_ms = {ttl_ms}\noutage_grace_ms = {grace_ms}\n[ledger]");
    house.edit("jinku.toml", "\n[ledger]", &keys);
    house.serve();
    house
}

fn fault(house: &House, arguments: &[&str]) {
    let output = Command::new(binary("jinku-hsm"))
        .arg("fault")
        .args(arguments)
        .env("JINKU_HSM_DIR", house.directory().join("hsm"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

fn send(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let json = ["-H", "content-type: application/json"];
    house.post(Some(unit), path, &json, body.to_string().as_bytes())
}

fn create(house: &House, alias: &str) -> Reply {
    let body = json!({"kind": "aes-256", "alias": alias, "tags": {"group": "revenue"}});
    send(house, "key-office", "/v1/keys", &body)
}

fn encrypt(house: &House, alias: &str) -> Reply {
    let path = format!("/v1/keys/{alias}/encrypt");
    send(house, "tax-bureau", &path, &json!({"plaintext": PLAINTEXT}))
}

fn decrypts(house: &House, alias: &str, sealed: &Reply) {
    let path = format!("/v1/keys/{alias}/decrypt");
    let body = json!({"ciphertext": sealed.json()["ciphertext"]});
    let opened = send(house, "tax-bureau", &path, &body);
    assert_eq!(opened.json()["plaintext"], PLAINTEXT, "{}", opened.body);
}

/// What is answered once the HSM is back and the key is asked for again, which has its backoff.
#[track_caller]
fn encrypted_again(house: &House, alias: &str) -> Reply {
    let mut answer = encrypt(house, alias);
    for _ in 0..200 {
        if answer.status == 200 {
            break;
        }
        // pacing: the backoff is 50 ms and more
        std::thread::sleep(std::time::Duration::from_millis(50));
        answer = encrypt(house, alias);
    }
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// A key that was used: it is open in the vault's memory.
fn warm(house: &House, alias: &str) -> Reply {
    assert_eq!(create(house, alias).status, 200);
    let sealed = encrypt(house, alias);
    assert_eq!(sealed.status, 200, "{}", sealed.body);
    sealed
}

fn readiness(house: &House) -> Reply {
    house.curl(None, "/readyz", &[])
}

#[test]
fn lost_sessions_and_logins_are_found_again_within_the_call() {
    let house = house(300_000, 0);
    for (number, what) in ["lose-sessions", "lose-logins"].iter().enumerate() {
        fault(&house, &[what]);
        let made = create(&house, &format!("after-{number}"));
        assert_eq!(made.status, 200, "{what}: {}", made.body);
    }
    assert_eq!(readiness(&house).body, "ready\n");
}

#[test]
fn a_slow_hsm_delays_who_needs_it_and_nobody_else() {
    let house = house(300_000, 0);
    let sealed = warm(&house, "warm");
    assert_eq!(create(&house, "cold").status, 200);
    fault(
        &house,
        &["latency", "--ms", "3000", "--function", "C_Decrypt"],
    );
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let slow = encrypt(&house, "cold");
            done.store(true, Ordering::SeqCst);
            slow
        });
        for _ in 0..3 {
            decrypts(&house, "warm", &sealed);
        }
        assert!(
            !done.load(Ordering::SeqCst),
            "the warm key waited for the cold one"
        );
        assert_eq!(slow.join().unwrap().status, 200);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_hsm_degrades_the_vault_and_comes_back_without_a_restart() {
    let house = house(1, 60_000);
    let sealed = warm(&house, "warm");
    assert_eq!(create(&house, "cold").status, 200);
    fault(&house, &["remove"]);
    decrypts(&house, "warm", &sealed);
    let cold = encrypt(&house, "cold");
    assert_eq!(
        (cold.status, cold.code().as_str()),
        (503, "hsm-unavailable")
    );
    let new = create(&house, "new");
    assert_eq!((new.status, new.code().as_str()), (503, "hsm-unavailable"));
    let ready = readiness(&house);
    assert!(
        ready.status == 200 && ready.body.starts_with("degraded: "),
        "{}",
        ready.body
    );
    // Tokens need no HSM while the domains' keys are open.
    let client = house.client(Some("tax-bureau"));
    client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();

    fault(&house, &["insert"]);
    assert_eq!(readiness(&house).body, "ready\n");
    assert_eq!(create(&house, "new").status, 200);
    decrypts(&house, "warm", &sealed);
    // The key that failed is asked for again after its backoff.
    decrypts(&house, "cold", &encrypted_again(&house, "cold"));
}

#[test]
fn without_a_grace_an_outage_stops_warm_keys_and_readiness_says_so() {
    let house = house(1, 0);
    let sealed = warm(&house, "warm");
    fault(&house, &["remove"]);
    let refused = encrypt(&house, "warm");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "hsm-unavailable")
    );
    assert_eq!(readiness(&house).status, 503);
    fault(&house, &["insert"]);
    assert_eq!(readiness(&house).body, "ready\n");
    encrypted_again(&house, "warm");
    decrypts(&house, "warm", &sealed);
}

#[test]
fn a_key_that_is_disabled_during_an_outage_serves_nobody() {
    let house = house(1, 60_000);
    warm(&house, "warm");
    fault(&house, &["remove"]);
    assert_eq!(encrypt(&house, "warm").status, 200);
    let disabled = send(&house, "key-office", "/v1/keys/warm/disable", &json!({}));
    assert_eq!(disabled.status, 200, "{}", disabled.body);
    let refused = encrypt(&house, "warm");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "key-state")
    );
}

#[test]
fn an_hsm_that_fails_now_and_then_loses_nothing_that_was_acknowledged() {
    let mut house = house(300_000, 0);
    fault(
        &house,
        &["failures", "--percent", "3", "--code", "CKR_DEVICE_ERROR"],
    );
    let mut made = Vec::new();
    for number in 0..30 {
        let alias = format!("key-{number}");
        let answer = create(&house, &alias);
        match answer.status {
            200 => made.push(alias),
            503 => assert!(answer.code().starts_with("hsm-"), "{}", answer.body),
            other => panic!("{other}: {}", answer.body),
        }
    }
    fault(&house, &["clear"]);
    assert!(!made.is_empty());
    house.kill();
    house.serve();
    for alias in &made {
        let sealed = encrypt(&house, alias);
        assert_eq!(sealed.status, 200, "{alias}: {}", sealed.body);
        decrypts(&house, alias, &sealed);
    }
    let listed = house.curl(Some("key-office"), "/v1/keys", &[]).json();
    let of_units = |key: &&Value| key["owner"] == "key-office";
    let count = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_units)
        .count();
    assert_eq!(count, made.len(), "a key stands that nobody was told of");
}

#[test]
fn a_tampered_hsm_is_said_plainly_and_warm_keys_outlive_it_for_the_grace() {
    let mut house = house(1, 60_000);
    let sealed = warm(&house, "warm");
    fault(&house, &["tamper", "--yes"]);
    decrypts(&house, "warm", &sealed);
    let refused = create(&house, "new");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(readiness(&house).body.starts_with("degraded: "));
    let _ = house.vault();
    house.kill();
    let said = house.refuses_to_serve();
    assert!(said.contains("HSM"), "{said}");
}

#[test]
fn a_locked_pin_is_not_tried_again_and_said_plainly() {
    let house = house(1, 0);
    warm(&house, "warm");
    fault(&house, &["lock-pin"]);
    fault(&house, &["lose-logins"]);
    let refused = create(&house, "new");
    assert_eq!(refused.status, 503, "{}", refused.body);
    let ready = readiness(&house);
    assert!(
        ready.status == 503 && ready.body.contains("PIN is locked"),
        "{}",
        ready.body
    );
}

#[test]
fn random_numbers_that_fail_make_no_key() {
    let house = house(300_000, 0);
    fault(&house, &["fail-random"]);
    let refused = create(&house, "new");
    assert_eq!(refused.status, 503, "{}", refused.body);
    fault(&house, &["clear"]);
    let unknown = send(&house, "key-office", "/v1/keys/new/rotate", &json!({}));
    assert_eq!(unknown.code(), "key-unknown");
    assert_eq!(create(&house, "new").status, 200);
}
