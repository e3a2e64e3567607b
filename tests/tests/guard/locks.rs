//! Units that are locked out: at once, through restarts, and until another unit lets them in again.

use api::v1::UnitRequest;
use serde_json::json;
use tests::{House, Receiver, has_entry, refusal, tokenize};

use super::{
    GUARD, NOBODY, REVENUE, alerts_to, an_hour, ask, done, house_with, names, new_signing_key,
    read, refused, views,
};

fn act(house: &House, by: &str, unit: &str, act: &str) -> tests::Reply {
    ask(house, by, &format!("/v1/units/{unit}/{act}"), &json!({}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_unit_is_refused_at_once_on_both_faces_and_after_a_power_cut() {
    let receiver = Receiver::start();
    let mut house = house_with(&an_hour(100), &alerts_to(&receiver, ""));
    house.serve();
    new_signing_key(&house);
    let client = house.client(Some(REVENUE));
    let tokens = names(&client, 1).await;

    let locked = done(&act(&house, GUARD, REVENUE, "lock"));
    assert_eq!(
        (&locked["unit"], &locked["locked"]),
        (&json!(REVENUE), &json!(true))
    );
    refused(&read(&house, REVENUE, &tokens), 403, "unit-locked");
    let over_grpc = client.tokenize(tokenize("name", &["王"]), None).await;
    let (code, reason) = refusal(&over_grpc.unwrap_err());
    assert_eq!(
        (code, reason.as_str()),
        (tonic::Code::PermissionDenied, "unit-locked")
    );
    // It can't let itself in again, nor can any unit without the right.
    refused(&act(&house, REVENUE, REVENUE, "unlock"), 403, "unit-locked");
    refused(
        &act(&house, NOBODY, REVENUE, "unlock"),
        403,
        "not-permitted",
    );

    let told = receiver.wait_for(1)[0].json();
    assert_eq!(told["type"], "jinku.alert.unit_locked");
    assert_eq!(told["data"]["unit"], REVENUE);
    assert_eq!(told["data"]["entry"], locked["entry"]);

    house.kill();
    house.serve();
    refused(&read(&house, REVENUE, &tokens), 403, "unit-locked");
    done(&act(&house, GUARD, REVENUE, "unlock"));
    assert_eq!(views(&read(&house, REVENUE, &tokens)), ["plain"]);
    house.kill();
    house.serve();
    assert_eq!(views(&read(&house, REVENUE, &tokens)), ["plain"]);

    let entries = house.audited();
    for (operation, outcome, unit, reason) in [
        ("unit-lock", "ok", GUARD, REVENUE),
        ("unit-unlock", "ok", GUARD, REVENUE),
        ("unit-unlock", "denied", NOBODY, "not-permitted"),
        ("admission-refused", "denied", REVENUE, "unit-locked"),
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", outcome),
            ("unit", unit),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "{facts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_over_grpc_and_by_command_and_what_can_t_be_locked() {
    let mut house = house_with(&an_hour(100), "");
    house.serve();
    let guard = house.guard(Some(GUARD));
    let request = |unit: &str| UnitRequest {
        unit: unit.to_owned(),
        reason: None,
    };
    let locked = guard.lock_unit(request(REVENUE), None).await.unwrap();
    assert!(locked.locked);
    // A second time is no error: it stays locked.
    guard.lock_unit(request(REVENUE), None).await.unwrap();
    refused(&read(&house, REVENUE, &[]), 403, "unit-locked");
    let (out, said) = house.jinku(
        &[
            "unit",
            "unlock",
            REVENUE,
            "--installation",
            ".",
            "--unit",
            GUARD,
        ],
        "",
    );
    assert!(out && said.contains("not locked"), "{said}");
    refused(&read(&house, REVENUE, &[]), 422, "batch-empty");

    refused(&act(&house, GUARD, "nobody", "lock"), 404, "unit-unknown");
    refused(&act(&house, GUARD, GUARD, "lock"), 403, "not-permitted");
    refused(&act(&house, GUARD, REVENUE, "burn"), 404, "path-unknown");
    refused(
        &act(&house, GUARD, "NOT-A-NAME", "lock"),
        422,
        "name-invalid",
    );
}
