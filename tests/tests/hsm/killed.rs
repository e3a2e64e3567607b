//! A vault whose HSM lives in other processes, which die: a call fails once at most and says why, the vault goes
//! on without a restart, and nothing that was acknowledged is lost.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{House, Reply, binary};

use super::{Server, reach_through};

const KEEPER: &str = "key-office";
const USER: &str = "tax-bureau";
const PLAINTEXT: &str = "5rCR5ZyL5LiA5LiA5LqU5bm0";

/// A vault behind a server. Opened keys are asked of the HSM again at once.
fn house() -> (House, Server) {
    let mut house = House::install();
    let server = Server::of_tokens(&house.directory().join("hsm"), "strict");
    reach_through(&mut house, &server);
    let keys = "\n[keys]\ncache_ttl_ms = 1\noutage_grace_ms = 0\n[ledger]";
    house.edit("jinku.toml", "\n[ledger]", keys);
    house.serve();
    (house, server)
}

fn send(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let json = ["-H", "content-type: application/json"];
    house.post(Some(unit), path, &json, body.to_string().as_bytes())
}

fn create(house: &House, alias: &str) -> Reply {
    let body = json!({ "kind": "aes-256", "alias": alias, "tags": { "group": "revenue" } });
    send(house, KEEPER, "/v1/keys", &body)
}

fn encrypt(house: &House, alias: &str) -> Reply {
    let path = format!("/v1/keys/{alias}/encrypt");
    send(house, USER, &path, &json!({ "plaintext": PLAINTEXT }))
}

#[track_caller]
fn decrypts(house: &House, alias: &str, ciphertext: &Value) {
    let path = format!("/v1/keys/{alias}/decrypt");
    let opened = send(house, USER, &path, &json!({ "ciphertext": ciphertext }));
    assert_eq!(opened.status, 200, "{alias}: {}", opened.body);
    assert_eq!(opened.json()["plaintext"], PLAINTEXT);
}

/// The answer, or the next one: what fails says that it was the HSM.
#[track_caller]
fn once_more(ask: impl Fn(bool) -> Reply) -> Reply {
    let first = ask(false);
    if first.status == 200 {
        return first;
    }
    assert_eq!(
        (first.status, first.code().as_str()),
        (503, "hsm-unavailable")
    );
    let second = ask(true);
    assert_eq!(second.status, 200, "{}", second.body);
    second
}

fn fault(house: &House, arguments: &[&str]) {
    let output = Command::new(binary("jinku-hsm"))
        .arg("fault")
        .args(arguments)
        .arg("--dir")
        .arg(house.directory().join("hsm"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_worker_that_is_killed_costs_one_call_at_most() {
    let (house, server) = house();
    let mut made: Vec<(String, Value)> = Vec::new();
    let round = |number: usize, made: &mut Vec<(String, Value)>| {
        let name = |again| format!("key-{number}{}", if again { "-again" } else { "" });
        let key = once_more(|again| create(&house, &name(again))).json();
        let id = key["key"]["id"].as_str().unwrap().to_owned();
        let sealed = encrypt(&house, &id);
        assert_eq!(sealed.status, 200, "{}", sealed.body);
        made.push((id, sealed.json()["ciphertext"].clone()));
    };
    for number in 0..3 {
        assert!(server.kill_workers() > 0, "nobody held the token");
        round(number, &mut made);
        // A key that must be opened, not made.
        assert!(server.kill_workers() > 0, "nobody held the token");
        let (first, sealed) = &made[0];
        let path = format!("/v1/keys/{first}/decrypt");
        once_more(|_| send(&house, USER, &path, &json!({ "ciphertext": sealed })));
    }
    for (number, at) in ["call", "before-write", "after-write"].iter().enumerate() {
        fault(&house, &["crash", "--at", at]);
        round(3 + number, &mut made);
    }
    for (id, sealed) in &made {
        decrypts(&house, id, sealed);
    }
    assert_eq!(house.curl(None, "/readyz", &[]).body, "ready\n");
}

#[test]
fn a_server_that_is_killed_and_started_again_is_found_without_a_restart_of_the_vault() {
    let (house, mut server) = house();
    let before = create(&house, "before");
    assert_eq!(before.status, 200, "{}", before.body);
    let sealed = encrypt(&house, "before").json()["ciphertext"].clone();
    server.kill();
    for _ in 0..2 {
        let refused = create(&house, "meanwhile");
        let said = (refused.status, refused.code());
        assert_eq!(said, (503, "hsm-unavailable".to_owned()));
    }
    assert_eq!(house.curl(None, "/readyz", &[]).status, 503);
    server.serve();
    once_more(|_| create(&house, "meanwhile"));
    decrypts(&house, "before", &sealed);
    assert_eq!(house.curl(None, "/readyz", &[]).body, "ready\n");
}

/// Keys that were acknowledged, and a ciphertext of each where that was.
type Acknowledged = Mutex<Vec<(String, Option<Value>)>>;

/// How many work at once.
const WORKERS: usize = 2;

/// Tells the workers to stop when it goes.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes and uses keys until it is told to stop. What fails must say that it was the HSM.
fn work(house: &House, worker: usize, stop: &AtomicBool, kept: &Acknowledged) {
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let alias = format!("{worker}-{number}");
        let typed = |reply: &Reply| {
            let said = (reply.status, reply.code());
            assert_eq!(said, (503, "hsm-unavailable".to_owned()), "{}", reply.body);
        };
        let made = create(house, &alias);
        if made.status != 200 {
            typed(&made);
            continue;
        }
        let id = made.json()["key"]["id"].as_str().unwrap().to_owned();
        let sealed = encrypt(house, &id);
        let ciphertext = if sealed.status == 200 {
            Some(sealed.json()["ciphertext"].clone())
        } else {
            typed(&sealed);
            None
        };
        kept.lock().unwrap().push((id, ciphertext));
    }
}

/// Waits until more keys were acknowledged than before.
fn more_than(kept: &Acknowledged, before: usize) {
    let started = Instant::now();
    while kept.lock().unwrap().len() <= before {
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(60), "the vault does not go on");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_acknowledged_is_lost_while_the_hsms_processes_die() {
    let (mut house, mut server) = house();
    let (stop, kept) = (AtomicBool::new(false), Acknowledged::default());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (house, stop, kept) = (&house, &stop, &kept);
            scope.spawn(move || work(house, worker, stop, kept));
        }
        // Also where a step fails: the scope waits for its workers.
        let _stopping = Stopping(&stop);
        for round in 0..6 {
            // Each worker may have had one half done before.
            let seen = kept.lock().unwrap().len();
            more_than(&kept, seen + WORKERS);
            match round % 3 {
                0 => assert!(server.kill_workers() > 0, "nobody held the token"),
                1 => fault(&house, &["crash", "--at", "after-write"]),
                _ => {
                    server.kill();
                    server.serve();
                }
            }
        }
        let seen = kept.lock().unwrap().len();
        more_than(&kept, seen + WORKERS);
    });
    house.kill();
    house.serve();
    let kept = kept.into_inner().unwrap();
    for (id, ciphertext) in &kept {
        if let Some(ciphertext) = ciphertext {
            decrypts(&house, id, ciphertext);
        } else {
            assert_eq!(encrypt(&house, id).status, 200, "{id}");
        }
    }
    let sealed = kept.iter().filter(|(_, sealed)| sealed.is_some()).count();
    assert!(sealed > 0, "nothing was encrypted");
    house.audited();
}
