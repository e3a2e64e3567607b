//! Honeytokens: they look like any other token, whoever presents one is told of, and may be locked out.

use std::collections::BTreeSet;

use api::v1::PlantHoneytokensRequest;
use serde_json::{Value, json};
use tests::{House, Receiver, has_entry, tokenize};

use super::{
    GUARD, NOBODY, REVENUE, TAX, alerts_to, an_hour, ask, done, house_with, new_signing_key, read,
    refused, views,
};

fn plant(house: &House, class: &str, count: usize, lock: bool) -> Vec<String> {
    let body = json!({ "domain": "city", "class": class, "count": count, "lock": lock });
    let planted = done(&ask(house, GUARD, "/v1/honeytokens", &body));
    let tokens = planted["tokens"].as_array().unwrap().iter();
    tokens
        .map(|token| token.as_str().unwrap().to_owned())
        .collect()
}

fn types(receiver: &Receiver, count: usize) -> Vec<String> {
    let mut types: Vec<String> = receiver
        .wait_for(count)
        .iter()
        .map(|seen| seen.json()["type"].as_str().unwrap().to_owned())
        .collect();
    types.sort();
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presented_honeytoken_gives_an_ordinary_answer_an_alert_and_a_lock() {
    let receiver = Receiver::start();
    let mut house = house_with(&an_hour(100), &alerts_to(&receiver, ""));
    house.serve();
    new_signing_key(&house);
    let soft = plant(&house, "national-id", 2, false);
    let hard = plant(&house, "national-id", 1, true);
    let client = house.client(Some(REVENUE));
    let real = client
        .tokenize(tokenize("national-id", &["A123456789"]), None)
        .await
        .unwrap()
        .tokens;
    assert_eq!(real[0].len(), soft[0].len());
    assert_eq!(views(&read(&house, REVENUE, &real)), ["plain"]);

    let answer = done(&read(&house, REVENUE, &soft));
    for item in answer["items"].as_array().unwrap() {
        assert_eq!(
            (&item["view"], &item["class"]),
            (&json!("plain"), &json!("national-id"))
        );
        assert_eq!(item["value"].as_str().unwrap().len(), 10);
    }
    assert_eq!(types(&receiver, 1), ["jinku.alert.honeytoken"]);
    let told = receiver.seen()[0].json();
    assert_eq!(told["data"]["entry"], answer["entry"]);
    assert_eq!(told["data"]["unit"], REVENUE);

    house.wait_until_it_said("an alert waits no longer");

    // Through a power cut, beside real tokens, and the unit is out from the next request on.
    house.kill();
    house.serve();
    let mixed = [&real[..], &hard[..]].concat();
    assert_eq!(views(&read(&house, REVENUE, &mixed)), ["plain"; 2]);
    refused(&read(&house, REVENUE, &real), 403, "unit-locked");
    let three = [
        "jinku.alert.honeytoken",
        "jinku.alert.honeytoken",
        "jinku.alert.unit_locked",
    ];
    assert_eq!(types(&receiver, 3), three);
    house.kill();
    house.serve();
    refused(&read(&house, REVENUE, &real), 403, "unit-locked");
    done(&ask(
        &house,
        GUARD,
        "/v1/units/tax-bureau/unlock",
        &json!({}),
    ));
    assert_eq!(views(&read(&house, REVENUE, &real)), ["plain"]);

    let entries = house.audited();
    for reason in ["honeytoken", "honeytoken-unit-locked"] {
        let facts = [
            ("operation", "detokenize"),
            ("outcome", "ok"),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_see_nothing_or_no_more_is_told_of_too() {
    let receiver = Receiver::start();
    let kinds = "kinds = [\"honeytoken\", \"unit-locked\"]\n";
    let limit = "[limits]\ndetokenize_items_without_grant = 2\n";
    let mut house = house_with(&an_hour(1), &(alerts_to(&receiver, kinds) + limit));
    house.serve();
    new_signing_key(&house);
    let planted = plant(&house, "national-id", 2, false);
    refused(&read(&house, NOBODY, &planted), 403, "not-permitted");
    receiver.wait_for(1);
    refused(&read(&house, REVENUE, &planted), 429, "budget-exceeded");
    let seen = receiver.wait_for(2);
    let units: BTreeSet<String> = seen
        .iter()
        .map(|seen| seen.json()["data"]["unit"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        units,
        BTreeSet::from([NOBODY.to_owned(), REVENUE.to_owned()])
    );
    let three = [&planted[..], &planted[..1]].concat();
    refused(&read(&house, REVENUE, &three), 403, "grant-needed");
    receiver.wait_for(3);
    // In another domain it is no token at all.
    let body = json!({ "domain": "bank", "purpose": TAX, "tokens": planted });
    let elsewhere = ask(&house, REVENUE, "/v1/detokenize", &body);
    assert_eq!(views(&elsewhere), ["not-available"; 2]);
    house.stop();
    assert_eq!(receiver.seen().len(), 3);
}

// Neither rows nor entries tell which tokens they are: what the planting says is said of nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_disk_says_which_tokens_they_are() {
    let mut house = house_with(&an_hour(100), "");
    house.serve();
    let planted = plant(&house, "national-id", 3, true);
    let client = house.client(Some(REVENUE));
    let real = client
        .tokenize(tokenize("national-id", &["A123456789"]), None)
        .await
        .unwrap()
        .tokens;
    assert_eq!(views(&read(&house, REVENUE, &real)), ["plain"]);
    assert_eq!(views(&read(&house, REVENUE, &planted)), ["plain"; 3]);
    house.stop();
    // A row of the one looks as a row of the other.
    let looks = "select count(distinct (typeof(blind_index) || length(sealed))) from token";
    assert_eq!(house.sql(looks), "1");
    let shared = "select count(*) from honeytoken, token where mark in (fingerprint, blind_index)";
    assert_eq!(house.sql(shared), "0");
    assert_eq!(house.sql("select count(*) from honeytoken"), "3");

    let archive = house.export("archive");
    let entries = house.entries(&archive);
    let planting = entries
        .iter()
        .find(|entry| entry["operation"] == "honeytoken-plant");
    let planting = planting.unwrap();
    assert_eq!(
        (&planting["unit"], &planting["outcome"]),
        (&json!(GUARD), &json!("ok"))
    );
    let said = |entry: &Value| -> BTreeSet<String> {
        let items = entry["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item["pseudonym"].to_string())
            .collect()
    };
    let of_planting = said(planting);
    for entry in entries
        .iter()
        .filter(|entry| entry["seq"] != planting["seq"])
    {
        assert!(of_planting.is_disjoint(&said(entry)), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planting_over_grpc_and_by_command_and_what_can_t_be_planted() {
    let mut house = house_with(&an_hour(100), "");
    house.serve();
    let request = |class: &str, count| PlantHoneytokensRequest {
        domain: "city".to_owned(),
        class: class.to_owned(),
        count,
        lock: false,
        reason: None,
    };
    let guard = house.guard(Some(GUARD));
    let planted = guard.plant_honeytokens(request("email", 2), None).await;
    assert_eq!(planted.unwrap().tokens.len(), 2);
    let command = [
        "honeytoken",
        "plant",
        "--domain",
        "city",
        "--class",
        "pan",
        "--count",
        "3",
        "--installation",
        ".",
        "--unit",
        GUARD,
    ];
    let (out, said) = house.jinku(&command, "");
    assert!(out, "{said}");
    assert_eq!(
        said.lines().filter(|line| line.len() == 16).count(),
        3,
        "{said}"
    );

    let body =
        |class: &str, count: usize| json!({ "domain": "city", "class": class, "count": count });
    let ask = |by: &str, body: &Value| ask(&house, by, "/v1/honeytokens", body);
    refused(&ask(GUARD, &body("name", 1)), 422, "honeytoken-kind");
    refused(&ask(GUARD, &body("pan", 0)), 422, "batch-empty");
    refused(&ask(GUARD, &body("pan", 1_001)), 422, "batch-too-long");
    refused(&ask(GUARD, &body("nothing", 1)), 422, "class-unknown");
    refused(&ask(REVENUE, &body("pan", 1)), 403, "not-permitted");
}
