//! Grants for many values: a second person's approval, what they cover, and that they are spent for good.

use api::v1::{GrantRequest, RequestGrantRequest};
use serde_json::{Value, json};
use tests::{House, Receiver, Reply, has_entry};

use super::{
    GUARD, NOBODY, REVENUE, TAX, alerts_to, an_hour, ask, done, house_with, names, new_signing_key,
    read, refused, views,
};

fn wish(values_max: u64) -> Value {
    json!({
        "domain": "city", "purpose": TAX, "classes": ["name", "national-id"],
        "values_max": values_max, "ttl_seconds": 600,
    })
}

fn requested(house: &House, values_max: u64) -> String {
    let answer = done(&ask(house, REVENUE, "/v1/grants", &wish(values_max)));
    let grant = &answer["grant"];
    assert_eq!(
        (&grant["state"], &grant["unit"]),
        (&json!("pending"), &json!(REVENUE))
    );
    grant["id"].as_str().unwrap().to_owned()
}

fn act(house: &House, by: &str, id: &str, act: &str) -> Reply {
    ask(house, by, &format!("/v1/grants/{id}/{act}"), &json!({}))
}

fn shown(house: &House, by: &str, id: &str) -> Value {
    done(&house.curl(Some(by), &format!("/v1/grants/{id}"), &[]))["grant"].clone()
}

/// Entries that say that an act on a grant was refused, for this reason.
fn denials(entries: &[Value], (operation, unit): (&str, &str), reason: &str, grant: &str) -> usize {
    let of = |entry: &&Value| {
        entry["operation"] == operation
            && (&entry["unit"], &entry["outcome"]) == (&json!(unit), &json!("denied"))
            && (&entry["reason"], &entry["commitment"]) == (&json!(reason), &json!(grant))
    };
    entries.iter().filter(of).count()
}

fn read_under(house: &House, by: &str, grant: &str, tokens: &[String]) -> Reply {
    let body = json!({ "domain": "city", "purpose": TAX, "tokens": tokens, "grant": grant });
    ask(house, by, "/v1/detokenize", &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_takes_a_second_person_goes_beyond_the_budget_and_is_spent_for_good() {
    let receiver = Receiver::start();
    let mut house = house_with(
        &an_hour(2),
        &alerts_to(&receiver, "kinds = [\"grant-approved\"]\n"),
    );
    house.serve();
    new_signing_key(&house);
    let tokens = names(&house.client(Some(REVENUE)), 6).await;
    refused(&read(&house, REVENUE, &tokens[..3]), 429, "budget-exceeded");

    let id = requested(&house, 4);
    refused(
        &read_under(&house, REVENUE, &id, &tokens[..3]),
        409,
        "grant-state",
    );
    refused(&act(&house, REVENUE, &id, "approve"), 403, "not-permitted");
    refused(&act(&house, NOBODY, &id, "approve"), 403, "not-permitted");
    let approved = done(&act(&house, GUARD, &id, "approve"))["grant"].clone();
    assert_eq!(
        (&approved["state"], &approved["approved_by"]),
        (&json!("active"), &json!([GUARD]))
    );
    refused(&act(&house, GUARD, &id, "approve"), 409, "grant-state");
    let told = receiver.wait_for(1)[0].json();
    assert_eq!(told["type"], "jinku.alert.grant_approved");
    assert_eq!(told["data"]["subject"], json!(id));

    assert_eq!(
        views(&read_under(&house, REVENUE, &id, &tokens[..3])),
        ["plain"; 3]
    );
    house.kill();
    house.serve();
    assert_eq!(shown(&house, REVENUE, &id)["values_spent"], 3);
    refused(
        &read_under(&house, REVENUE, &id, &tokens[3..5]),
        403,
        "grant-spent",
    );
    // What was read under it took nothing of the budget, before and after the restart.
    assert_eq!(views(&read(&house, REVENUE, &tokens[4..6])), ["plain"; 2]);
    assert_eq!(
        views(&read_under(&house, REVENUE, &id, &tokens[3..4])),
        ["plain"]
    );
    assert_eq!(shown(&house, GUARD, &id)["state"], "spent");
    refused(
        &read_under(&house, REVENUE, &id, &tokens[3..4]),
        409,
        "grant-state",
    );

    let entries = house.audited();
    for operation in ["grant-request", "grant-approve", "detokenize"] {
        let facts = [
            ("operation", operation),
            ("outcome", "ok"),
            ("commitment", id.as_str()),
        ];
        assert!(has_entry(&entries, &facts), "{operation}");
    }
    let facts = [
        ("operation", "detokenize"),
        ("outcome", "denied"),
        ("reason", "grant-spent"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_can_t_spend_the_same_values() {
    let mut house = house_with(&an_hour(1), "");
    house.serve();
    let client = house.client(Some(REVENUE));
    let tokens = names(&client, 32).await;
    let id = requested(&house, 5);
    done(&act(&house, GUARD, &id, "approve"));
    let each = tokens.into_iter().map(|token| {
        let request = api::v1::DetokenizeRequest {
            grant: id.clone(),
            ..tests::detokenize(TAX, &[token])
        };
        let client = client.clone();
        tokio::spawn(async move { client.detokenize(request, None).await.is_ok() })
    });
    let mut answered = 0;
    for one in each.collect::<Vec<_>>() {
        answered += usize::from(one.await.unwrap());
    }
    assert_eq!(answered, 5);
    assert_eq!(shown(&house, REVENUE, &id)["values_spent"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_its_units_and_covers_its_classes_domain_and_purpose_only() {
    let mut house = house_with(&an_hour(100), "");
    house.serve();
    let client = house.client(Some(REVENUE));
    let name = names(&client, 1).await;
    let mobile = client.tokenize(tests::tokenize("mobile", &["0912345678"]), None);
    let mobile = mobile.await.unwrap().tokens;
    let id = requested(&house, 10);
    done(&act(&house, GUARD, &id, "approve"));
    refused(
        &read_under(&house, REVENUE, &id, &mobile),
        403,
        "grant-class",
    );
    let body = json!({ "domain": "bank", "purpose": TAX, "tokens": name, "grant": id });
    refused(
        &ask(&house, REVENUE, "/v1/detokenize", &body),
        403,
        "grant-unknown",
    );
    let body =
        json!({ "domain": "city", "purpose": "medical-billing", "tokens": name, "grant": id });
    let other = ask(&house, "health-bureau", "/v1/detokenize", &body);
    refused(&other, 403, "grant-unknown");
    refused(
        &read_under(&house, REVENUE, &"0".repeat(64), &name),
        403,
        "grant-unknown",
    );
    refused(
        &read_under(&house, REVENUE, "x", &name),
        422,
        "grant-invalid",
    );
    // What policy does not permit stays unseen under any grant.
    refused(
        &read_under(&house, NOBODY, &id, &name),
        403,
        "not-permitted",
    );

    done(&act(&house, REVENUE, &id, "revoke"));
    refused(&read_under(&house, REVENUE, &id, &name), 409, "grant-state");
    refused(&act(&house, GUARD, &id, "revoke"), 409, "grant-state");
    refused(&act(&house, GUARD, &id, "approve"), 409, "grant-state");
    let entries = house.audited();
    for operation in ["grant-revoke", "grant-approve"] {
        let denials = denials(&entries, (operation, GUARD), "grant-state", &id);
        assert_eq!(denials, 1, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_the_budgets_say_must_approve_each_another_and_never_who_asks() {
    let budgets = an_hour(1) + "[grants]\napprovals = 2\n";
    let mut house = house_with(&budgets, "");
    let guard = "groups = [\"city\", \"guards\"]";
    // The library guards too here, and so does the bureau that asks.
    house.edit(
        "policies/units.toml",
        "clearance = \"internal\"\ngroups = [\"city\"]",
        &format!("clearance = \"internal\"\n{guard}"),
    );
    house.edit(
        "policies/units.toml",
        "groups = [\"city\", \"intake\", \"revenue\"]",
        "groups = [\"city\", \"intake\", \"revenue\", \"guards\"]",
    );
    house.serve();
    let id = requested(&house, 5);
    refused(&act(&house, REVENUE, &id, "approve"), 403, "grant-own");
    let once = done(&act(&house, GUARD, &id, "approve"))["grant"].clone();
    assert_eq!(
        (&once["state"], &once["approvals_needed"]),
        (&json!("pending"), &json!(2))
    );
    refused(
        &act(&house, GUARD, &id, "approve"),
        409,
        "grant-approved-already",
    );
    let twice = done(&act(&house, NOBODY, &id, "approve"))["grant"].clone();
    assert_eq!(twice["state"], "active");
    let entries = house.audited();
    for (unit, reason) in [(REVENUE, "grant-own"), (GUARD, "grant-approved-already")] {
        let denials = denials(&entries, ("grant-approve", unit), reason, &id);
        assert_eq!(denials, 1, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_items_need_a_grant_and_it_can_be_had_over_grpc_and_by_command() {
    let limit = "[limits]\ndetokenize_items_without_grant = 2\ngrant_ttl_seconds_max = 900\n";
    let mut house = house_with(&an_hour(100), limit);
    house.serve();
    let client = house.client(Some(REVENUE));
    let tokens = names(&client, 3).await;
    refused(&read(&house, REVENUE, &tokens), 403, "grant-needed");
    assert_eq!(views(&read(&house, REVENUE, &tokens[..2])), ["plain"; 2]);

    let request = RequestGrantRequest {
        domain: "city".to_owned(),
        purpose: TAX.to_owned(),
        classes: vec!["name".to_owned()],
        values_max: 3,
        ttl_seconds: 900,
        reason: None,
    };
    let asker = house.guard(Some(REVENUE));
    let grant = asker.request_grant(request.clone(), None).await.unwrap();
    let id = grant.grant.unwrap().id;
    let (out, said) = house.jinku(
        &[
            "grant",
            "approve",
            &id,
            "--installation",
            ".",
            "--unit",
            GUARD,
        ],
        "",
    );
    assert!(out && said.contains("active"), "{said}");
    let named = GrantRequest {
        id: id.clone(),
        reason: None,
    };
    let described = asker.describe_grant(named, None).await.unwrap();
    assert!(described.entry.is_none());
    assert_eq!(described.grant.unwrap().state, "active");
    assert_eq!(
        views(&read_under(&house, REVENUE, &id, &tokens)),
        ["plain"; 3]
    );

    let long = RequestGrantRequest {
        ttl_seconds: 901,
        ..request.clone()
    };
    let (_, reason) = tests::refusal(&asker.request_grant(long, None).await.unwrap_err());
    assert_eq!(reason, "range");
    let none = RequestGrantRequest {
        values_max: 0,
        ..request
    };
    let (_, reason) = tests::refusal(&asker.request_grant(none, None).await.unwrap_err());
    assert_eq!(reason, "range");
    refused(
        &ask(&house, NOBODY, "/v1/grants", &wish(1)),
        403,
        "not-permitted",
    );
}
