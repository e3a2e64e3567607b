//! Requests with a name: done once, answered again, and never mistaken for another's.

use std::time::{Duration, Instant};

use api::v1::{ReplaceTokensRequest, TokenizeRequest};
use serde_json::{Value, json};
use tests::{House, Reply, refusal, tokenize};

fn named(key: &str, values: &[&str]) -> TokenizeRequest {
    TokenizeRequest {
        idempotency_key: key.to_owned(),
        ..tokenize("name", values)
    }
}

/// An installation with these limits, running.
fn house_with(limits: &str) -> House {
    let mut house = House::install();
    let more = format!("\n[limits]\n{limits}\n[keys]\nupkeep_interval_ms = 20\n\n[ledger]\n");
    house.edit("jinku.toml", "\n[ledger]\n", &more);
    house.serve();
    house
}

fn post(house: &House, headers: &[&str], value: &str) -> Reply {
    let mut arguments = vec!["--header", "content-type: application/json"];
    for header in headers {
        arguments.extend(["--header", header]);
    }
    let body = json!({ "domain": "city", "items": [{ "class": "name", "value": value }] });
    house.post(
        Some("tax-bureau"),
        "/v1/tokenize",
        &arguments,
        body.to_string().as_bytes(),
    )
}

// Invariant 1: a repeat has an entry of its own before its tokens leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_gets_the_same_tokens_and_an_entry_of_its_own() {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    let first = client
        .tokenize(named("a", &["王", "陳", "王"]), None)
        .await
        .unwrap();
    let again = client
        .tokenize(named("a", &["王", "陳", "王"]), None)
        .await
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(house.rows(), 3);
    // A name belongs to a unit and a domain; without one, each request is one of its own.
    let parking = house.client(Some("parking-office"));
    let other = parking.tokenize(named("a", &["林"]), None).await.unwrap();
    let bank = TokenizeRequest {
        domain: "bank".to_owned(),
        ..named("a", &["林"])
    };
    let bank = client.tokenize(bank, None).await;
    let unnamed = client
        .tokenize(tokenize("name", &["王"]), None)
        .await
        .unwrap();
    assert!(!first.tokens.contains(&other.tokens[0]) && !first.tokens.contains(&unnamed.tokens[0]));
    let rows = 3 + 1 + u64::from(bank.is_ok()) + 1;
    assert_eq!(house.rows(), rows);
    let stored = house.sql("select group_concat(hex(sealed) || hex(request)) from idempotency");
    let hex: String = first.tokens[0]
        .bytes()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert!(!stored.contains(&hex), "a token stands in the database");
    let entries = house.audited();
    let repeat: Vec<&Value> = entries
        .iter()
        .filter(|e| e["reason"] == "idempotent-repeat")
        .collect();
    assert_eq!(repeat.len(), 1);
    assert_eq!(
        (&repeat[0]["operation"], &repeat[0]["outcome"]),
        (&"tokenize".into(), &"ok".into())
    );
    assert_eq!(repeat[0]["unit"], "tax-bureau");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_request_under_the_same_name_is_refused() {
    let house = House::open();
    let client = house.client(Some("tax-bureau"));
    client
        .tokenize(named("a", &["王", "陳"]), None)
        .await
        .unwrap();
    let mut wished = named("a", &["王", "陳"]);
    wished.items[0].ttl_seconds = Some(60);
    let mut classed = named("a", &["王", "陳"]);
    classed.items[1].class = "case-note".to_owned();
    let others = [
        named("a", &["陳", "王"]),
        named("a", &["王"]),
        named("a", &["王陳", ""]),
        wished,
        classed,
    ];
    for other in others {
        let refused = client.tokenize(other, None).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "idempotency-mismatch");
    }
    assert_eq!(house.rows(), 2);
    // A request that was refused has left no answer.
    let wrong = client.tokenize(named("b", &[""]), None).await.unwrap_err();
    assert_eq!(refusal(&wrong).1, "value-invalid");
    client.tokenize(named("b", &["林"]), None).await.unwrap();
    let long = "k".repeat(129);
    for key in ["a b", "鍵", &long] {
        let refused = client
            .tokenize(named(key, &["王"]), None)
            .await
            .unwrap_err();
        assert_eq!(refusal(&refused).1, "idempotency-key-invalid", "{key}");
    }
}

#[test]
fn the_header_is_a_string_or_bare_and_there_once() {
    let house = House::open();
    let first = post(&house, &["idempotency-key: \"order-7\""], "王");
    assert_eq!(first.status, 200, "{}", first.body);
    let bare = post(&house, &["Idempotency-Key: order-7"], "王");
    assert_eq!(bare.json(), first.json());
    let other = post(&house, &["idempotency-key: order-7"], "陳");
    assert_eq!(
        (other.status, other.code().as_str()),
        (422, "idempotency-mismatch")
    );
    let wrong: [&[&str]; 4] = [
        &["idempotency-key: a", "idempotency-key: a"],
        &["idempotency-key: \"a"],
        &["idempotency-key: a b"],
        &["idempotency-key: \"\""],
    ];
    for headers in wrong {
        let refused = post(&house, headers, "王");
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "idempotency-key-invalid"),
            "{headers:?}"
        );
    }
    assert_eq!(house.rows(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_requests_at_once_one_is_done() {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.tokenize(named("race", &["王", "陳"]), None).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(house.rows(), 2);
    let entries = house.audited();
    let repeats = entries
        .iter()
        .filter(|entry| entry["reason"] == "idempotent-repeat");
    assert_eq!(repeats.count(), 11);
}

/// Waits until the vault has done something by itself.
fn wait(house: &House, statement: &str, said: &str) {
    let started = Instant::now();
    while house.sql(statement) != said {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "`{statement}` is not {said}"
        );
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_given_for_its_time_and_survives_a_power_cut() {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    let first = client.tokenize(named("a", &["王"]), None).await.unwrap();
    house.kill();
    house.serve();
    let again = house
        .client(Some("tax-bureau"))
        .tokenize(named("a", &["王"]), None)
        .await;
    assert_eq!(again.unwrap(), first);
    let house = house_with("idempotency_seconds = 1");
    let client = house.client(Some("tax-bureau"));
    let first = client.tokenize(named("a", &["王"]), None).await.unwrap();
    wait(&house, "select count(*) from idempotency", "0");
    let later = client.tokenize(named("a", &["王"]), None).await.unwrap();
    assert_ne!(first.tokens, later.tokens);
}

// Invariants 5 and 15: an answer opens under its own name only, and its key stays as long as it serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_bound_to_its_name_and_keeps_its_key() {
    let house = house_with("request_timeout_ms = 500\nidempotency_seconds = 3");
    let client = house.client(Some("tax-bureau"));
    let first = client.tokenize(named("a", &["王"]), None).await.unwrap();
    client.tokenize(named("b", &["王"]), None).await.unwrap();
    let act = |act: &str, body: &Value| {
        let path = format!("/v1/keys/value.city/{act}");
        let json = ["--header", "content-type: application/json"];
        house.post(
            Some("key-office"),
            &path,
            &json,
            body.to_string().as_bytes(),
        )
    };
    assert_eq!(act("rotate", &json!({})).status, 200);
    assert_eq!(
        act("reseal", &json!({ "place": 0, "limit": 100 })).status,
        200
    );
    let early = act("destroy-version", &json!({ "version": 1 }));
    assert_eq!(
        (early.status, early.code().as_str()),
        (409, "key-fresh"),
        "{}",
        early.body
    );
    assert_eq!(
        client.tokenize(named("a", &["王"]), None).await.unwrap(),
        first
    );
    house.sql("update idempotency set sealed = (select sealed from idempotency where rowid = 1)");
    let moved = client
        .tokenize(named("b", &["王"]), None)
        .await
        .unwrap_err();
    assert_eq!(refusal(&moved).1, "not-ready");
    wait(&house, "select count(*) from idempotency", "0");
    let destroyed = act("destroy-version", &json!({ "version": 1 }));
    assert_eq!(destroyed.status, 200, "{}", destroyed.body);
}

fn replacing(key: &str, tokens: &[String]) -> ReplaceTokensRequest {
    ReplaceTokensRequest {
        domain: "city".to_owned(),
        purpose: "token-care".to_owned(),
        tokens: tokens.to_vec(),
        idempotency_key: key.to_owned(),
        ..ReplaceTokensRequest::default()
    }
}

// The old tokens are gone with the first answer: whoever lost it gets the new ones again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_is_done_once_and_its_answer_outlasts_a_power_cut() {
    let mut house = House::open();
    let bureau = house.client(Some("tax-bureau"));
    let mut old = bureau
        .tokenize(tokenize("name", &["王小明", "陳"]), None)
        .await
        .unwrap()
        .tokens;
    // One that is not there fails by itself, and does so again.
    old.insert(1, "nothing".to_owned());
    let office = house.tokens(Some("privacy-office"));
    let first = office
        .replace_tokens(replacing("r", &old), None)
        .await
        .unwrap();
    let code = |at: usize| first.items[at].error.clone().unwrap_or_default().code;
    assert_eq!((code(0).as_str(), code(1).as_str()), ("", "not-available"));
    let rows = house.rows();
    house.kill();
    house.serve();
    let office = house.tokens(Some("privacy-office"));
    let again = office
        .replace_tokens(replacing("r", &old), None)
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(house.rows(), rows);
    let bureau = house.client(Some("tax-bureau"));
    let new = [first.items[0].token.clone(), first.items[2].token.clone()];
    let seen = bureau
        .detokenize(tests::detokenize("tax-assessment", &new), None)
        .await
        .unwrap();
    assert_eq!(tests::values(&seen.items), ["王小明", "陳"]);
    // Without the key it would have been lost; under it nothing else is done.
    let unnamed = office
        .replace_tokens(replacing("", &old[..1]), None)
        .await
        .unwrap();
    assert_eq!(
        unnamed.items[0].error.clone().unwrap().code,
        "not-available"
    );
    let mut wished = replacing("r", &old);
    wished.ttl_seconds = Some(60);
    for other in [replacing("r", &old[..1]), replacing("r", &new), wished] {
        let refused = office.replace_tokens(other, None).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "idempotency-mismatch");
    }
    let refused = office
        .replace_tokens(replacing("a b", &old), None)
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).1, "idempotency-key-invalid");
    // On REST the name is in the header.
    let body = json!({ "domain": "city", "purpose": "token-care", "tokens": new });
    let over_rest = || {
        let headers = [
            "--header",
            "content-type: application/json",
            "--header",
            "idempotency-key: s",
        ];
        house.post(
            Some("privacy-office"),
            "/v1/tokens/replace",
            &headers,
            body.to_string().as_bytes(),
        )
    };
    let (first, again) = (over_rest(), over_rest());
    assert_eq!(
        (first.status, first.json()),
        (200, again.json()),
        "{}",
        first.body
    );
    let entries = house.audited();
    let repeats = entries.iter().filter(|entry| {
        entry["operation"] == "token-replace" && entry["reason"] == "idempotent-repeat"
    });
    assert_eq!(repeats.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_kept_for_as_long_as_its_caller_needs_it() {
    let house = house_with("idempotency_seconds = 100\n");
    let client = house.client(Some("tax-bureau"));
    for (key, seconds) in [("a", 0), ("b", 30), ("c", 1_000)] {
        let request = TokenizeRequest {
            idempotency_seconds: seconds,
            ..named(key, &["王"])
        };
        client.tokenize(request, None).await.unwrap();
    }
    let lives = "select group_concat((expires_us - created_us) / 1000000) \
                 from (select * from idempotency order by rowid)";
    assert_eq!(house.sql(lives).trim(), "100,30,100");
}
