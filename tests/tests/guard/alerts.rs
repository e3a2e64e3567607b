//! Alerts: who is told, what it says, how it is signed, and that none is lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tests::{House, Receiver, Seen, has_entry, wrapped};

use super::{
    REVENUE, TAX, alerts_to, an_hour, ask, done, house_with, names, new_signing_key, read, refused,
    views,
};

/// A house whose revenue unit may see one value an hour, and two of its tokens.
async fn strict(receiver: &Receiver, more: &str) -> (House, Vec<String>) {
    let mut house = house_with(&an_hour(1), &alerts_to(receiver, more));
    house.serve();
    let tokens = names(&house.client(Some(REVENUE)), 2).await;
    assert_eq!(views(&read(&house, REVENUE, &tokens[..1])), ["plain"]);
    (house, tokens)
}

fn go_over(house: &House, tokens: &[String]) {
    refused(&read(house, REVENUE, tokens), 429, "budget-exceeded");
}

/// Whether the key service says that a message's signature is one of the key `alert-soc`.
fn is_vouched_for(house: &House, seen: &Seen) -> bool {
    let head = |name| seen.header(name).concat();
    let signed = format!(
        "{}.{}.{}",
        head("webhook-id"),
        head("webhook-timestamp"),
        seen.text()
    );
    let signature = head("webhook-signature");
    let code = signature.strip_prefix("v1,").unwrap();
    let body = json!({ "message": STANDARD.encode(signed), "mac": code });
    let verdict = ask(house, REVENUE, "/v1/keys/alert-soc/verify-mac", &body);
    done(&verdict)["valid"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_over_a_budget_is_told_of_once_and_signed() {
    let receiver = Receiver::start();
    let (mut house, tokens) = strict(&receiver, "").await;
    new_signing_key(&house);
    go_over(&house, &tokens);
    go_over(&house, &tokens);
    let seen = receiver.wait_for(1);
    assert_eq!(seen[0].target, "POST /hook");
    assert_eq!(seen[0].header("content-type"), ["application/json"]);
    let id = seen[0].header("webhook-id").concat();
    assert!(id.starts_with("msg_") && !id.contains('.'), "{id}");
    assert!(is_vouched_for(&house, &seen[0]));

    let body = seen[0].json();
    assert_eq!(body["type"], "jinku.alert.budget");
    let data = body["data"].as_object().unwrap();
    assert_eq!(data["unit"], REVENUE);
    assert_eq!(data["domain"], "city");
    assert_eq!(data["subject"], "hourly");
    assert_eq!(data["vault"], "jinku.example/development/node-1");
    let entry = data["entry"].as_u64().unwrap();
    assert_eq!(data.len(), 5);
    assert!(!seen[0].text().contains("王"));

    house.wait_until_it_said("an alert waits no longer");
    let entries = house.audited();
    let refused: Vec<u64> = entries
        .iter()
        .filter(|entry| entry["reason"] == "budget-exceeded")
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert_eq!((refused.len(), refused[0]), (2, entry));
    assert!(has_entry(
        &entries,
        &[("reason", "budget-exceeded"), ("purpose", TAX)]
    ));
    assert_eq!(receiver.seen().len(), 1);
    assert_eq!(house.sql("select count(*) from alert"), "0");
}

// A receiver that knows the secret checks by itself: the key was brought in.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_checks_with_the_secret_that_it_brought() {
    let receiver = Receiver::start();
    let (house, tokens) = strict(&receiver, "").await;
    let secret = *b"a secret of the receiver's own!!";
    let key = json!({
        "kind": "hmac-sha-256", "origin": "external", "alias": "alert-soc", "tags": { "group": "revenue" },
    });
    done(&ask(&house, "key-office", "/v1/keys", &key));
    let parameters = done(&ask(
        &house,
        "key-office",
        "/v1/keys/alert-soc/import-parameters",
        &json!({}),
    ));
    let material = wrapped(parameters["public_key"].as_str().unwrap(), &secret);
    let import = json!({ "ticket": parameters["ticket"], "wrapped": STANDARD.encode(material) });
    done(&ask(
        &house,
        "key-office",
        "/v1/keys/alert-soc/import",
        &import,
    ));
    go_over(&house, &tokens);
    let seen = receiver.wait_for(1);
    assert!(seen[0].is_signed_with(&secret));
    assert!(!seen[0].is_signed_with(b"another"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_waits_through_failures_redirects_and_power_cuts_and_keeps_its_name() {
    let receiver = Receiver::start();
    let (mut house, tokens) = strict(&receiver, "").await;
    // Nothing can be signed yet, and nothing goes unsigned; the vault goes on.
    go_over(&house, &tokens);
    house.kill();
    receiver.answers(500);
    house.serve();
    new_signing_key(&house);
    let first = receiver.wait_for(1);
    house.kill();
    receiver.answers(302);
    house.serve();
    let redirected = receiver.wait_for(first.len() + 1);
    receiver.answers(204);
    let delivered = receiver.wait_for(redirected.len() + 1);
    let name = |seen: &Seen| seen.header("webhook-id").concat();
    assert!(delivered.iter().all(|seen| name(seen) == name(&first[0])));
    assert!(delivered.iter().all(|seen| seen.body == first[0].body));
    assert_eq!(views(&read(&house, REVENUE, &tokens[..1])), ["plain"]);
    house.wait_until_it_said("an alert waits no longer");
    house.stop();
    assert_eq!(house.sql("select count(*) from alert"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_nobody_takes_is_given_up_and_said() {
    let receiver = Receiver::start();
    receiver.answers(503);
    let (mut house, tokens) = strict(&receiver, "attempts_max = 2\n").await;
    new_signing_key(&house);
    go_over(&house, &tokens);
    receiver.wait_for(2);
    house.wait_until_it_said("an alert waits no longer");
    house.stop();
    assert_eq!(receiver.seen().len(), 2);
    assert_eq!(house.sql("select count(*) from alert"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_told_of_its_kinds_only_and_one_that_is_gone_of_nothing() {
    let receiver = Receiver::start();
    let (mut house, tokens) = strict(&receiver, "kinds = [\"honeytoken\"]\n").await;
    new_signing_key(&house);
    go_over(&house, &tokens);
    house.stop();
    assert_eq!(house.sql("select count(*) from alert"), "0");
    assert!(receiver.seen().is_empty());

    house.edit("jinku.toml", "kinds = [\"honeytoken\"]\n", "");
    house.edit("jinku.toml", "alert-soc", "missing");
    house.serve();
    go_over(&house, &tokens);
    house.stop();
    assert_eq!(house.sql("select count(*) from alert"), "1");
    house.edit("jinku.toml", "name = \"soc\"", "name = \"other\"");
    house.serve();
    house.wait_until_it_said("alerts of places that the settings no longer name");
    house.stop();
    assert_eq!(house.sql("select count(*) from alert"), "0");
}

/// Numbers of 13 digits with a right Luhn digit, which share their ends in groups of 100.
fn cards() -> Vec<String> {
    let is_right = |card: &String| {
        let digit = |(at, byte): (usize, u8)| {
            let digit = u32::from(byte - b'0');
            match (at % 2, digit * 2) {
                (0, _) => digit,
                (_, twice) => twice / 10 + twice % 10,
            }
        };
        card.bytes().rev().enumerate().map(digit).sum::<u32>() % 10 == 0
    };
    let card = |number: u32| format!("40000{}{:03}1111", number / 1_000, number % 1_000);
    (0..6_000).map(card).filter(is_right).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_that_is_used_up_is_told_of_in_an_entry_of_its_own() {
    let receiver = Receiver::start();
    let settings = alerts_to(&receiver, "") + "[keys]\nupkeep_interval_ms = 20\n";
    let mut house = house_with(&an_hour(100), &settings);
    let pan = "kind = \"pan\"\nformat = \"pan\"\n";
    let tight = format!("{pan}space = {{ warn_percent = 1, full_percent = 80 }}\n");
    house.edit("policies/classes.toml", pan, &tight);
    house.serve();
    new_signing_key(&house);
    let cards = cards();
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let issued = house.client(Some(REVENUE));
    let issued = issued.tokenize(tests::tokenize("pan", &cards), None).await;
    assert_eq!(issued.unwrap().tokens.len(), 600);
    let told = receiver.wait_for(1)[0].json();
    assert_eq!(told["type"], "jinku.alert.space_warn");
    assert_eq!(
        (&told["data"]["domain"], &told["data"]["class"]),
        (&json!("city"), &json!("pan"))
    );
    let entry = told["data"]["entry"].as_u64().unwrap();
    let entries = house.audited();
    let own = entries.iter().find(|own| own["seq"] == entry).unwrap();
    assert_eq!(
        (&own["operation"], &own["reason"]),
        (&json!("alert"), &json!("space-warn"))
    );
}

#[test]
fn a_place_that_alerts_may_not_go_to_is_refused_at_start() {
    for (line, said) in [
        ("url = \"http://example.com/\"", "or `http://…` to loopback"),
        (
            "url = \"https://example.com/\"",
            "no usable certificate authority",
        ),
        (
            "url = \"http://127.0.0.1/\"\nkinds = [\"all\"]",
            "`alert.kinds` must be",
        ),
        (
            "url = \"http://127.0.0.1/\"\ntimeout_ms = 0",
            "`alert.timeout_ms` must be",
        ),
    ] {
        let lines = format!("[[alert]]\nname = \"soc\"\nkey = \"alert-soc\"\n{line}\n");
        let house = house_with(&an_hour(1), &lines);
        let refused = house.refuses_to_serve();
        assert!(refused.contains(said), "{line}: {refused}");
    }
}
