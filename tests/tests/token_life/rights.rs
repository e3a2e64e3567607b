//! Who may do what: and that what one may not, looks like what is not there.

use api::v1::{HoldRequest, ListHoldsRequest, MoveTokensRequest, TokenizeRequest};
use serde_json::json;
use tests::{Reply, refusal};

use super::*;

/// Looks after the class `plain` only.
const HALF: &str = "parking-office";

fn rest(house: &House, unit: &str, act: &str, body: &serde_json::Value) -> Reply {
    let path = format!("/v1/tokens/{act}");
    let json = "content-type: application/json";
    house.post(
        Some(unit),
        &path,
        &["--header", json],
        body.to_string().as_bytes(),
    )
}

/// The acts on given tokens, with what else their bodies need.
fn acts() -> Vec<(&'static str, &'static str, serde_json::Value)> {
    vec![
        ("describe", CARE, json!({})),
        ("disable", CARE, json!({})),
        ("enable", CARE, json!({})),
        ("replace", CARE, json!({})),
        ("move", CARE, json!({ "to_class": "plain" })),
        ("hold", HOLD, json!({ "matter": "m" })),
        ("release", HOLD, json!({ "matter": "m" })),
        ("holds", HOLD, json!({})),
    ]
}

fn body(purpose: &str, tokens: &[String], more: &serde_json::Value) -> serde_json::Value {
    let mut body = json!({ "domain": "lab", "purpose": purpose, "tokens": tokens });
    let fields = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    body
}

// Invariant 8: absent, mistyped, foreign, uncovered: one answer, one entry, for every act.
#[tokio::test(flavor = "multi_thread")]
async fn inv_08_what_one_may_not_touch_looks_like_what_is_not_there() {
    let mut house = lab();
    let uncovered = token(&house, "memo", "x").await;
    let request = TokenizeRequest {
        domain: "annex".to_owned(),
        items: vec![item("memo", "x")],
        ..TokenizeRequest::default()
    };
    let foreign = house
        .client(Some(BUREAU))
        .tokenize(request, None)
        .await
        .unwrap()
        .tokens
        .remove(0);
    let absent = replaced(&house, std::slice::from_ref(&uncovered)).await;
    let tokens = [
        uncovered,
        foreign,
        "jk1_mistyped".to_owned(),
        absent[0].clone(),
    ];
    // The last one stands, in a class that the unit does not look after.
    let all = "select hex(fingerprint), class, disabled, hex(sealed) from token order by rowid";
    let rows = house.sql(all);
    for (act, purpose, more) in acts() {
        let reply = rest(&house, HALF, act, &body(purpose, &tokens, &more));
        assert_eq!(reply.status, 200, "{act}: {}", reply.body);
        let items = reply.json()["items"].clone();
        for item in items.as_array().unwrap() {
            assert_eq!(item, &items[0], "{act}");
            assert_eq!(item["error"]["code"], "not-available", "{act}");
        }
    }
    assert_eq!(house.sql(all), rows);
    assert_eq!(house.sql("select count(*) from hold"), "0");
    let entries = house.audited();
    let by_half = entries.iter().filter(|entry| entry["unit"] == HALF);
    assert_eq!(by_half.count(), acts().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_goes_through_rest_and_is_an_entry_of_its_own() {
    let mut house = lab();
    for (act, purpose, more) in acts() {
        let token = token(&house, "plain", act).await;
        if act == "release" {
            let held = body(
                HOLD,
                std::slice::from_ref(&token),
                &json!({ "matter": "m" }),
            );
            assert_eq!(rest(&house, HALF, "hold", &held).status, 200);
        }
        let reply = rest(&house, HALF, act, &body(purpose, &[token], &more));
        assert_eq!(reply.status, 200, "{act}: {}", reply.body);
        let answer = reply.json();
        assert!(answer["items"][0]["error"].is_null(), "{act}: {answer}");
        assert!(answer["entry"].as_u64().unwrap() > 0);
    }
    let purge = json!({
        "domain": "lab", "purpose": RETENTION, "created_before": "2020-01-01T00:00:00Z", "limit": 10,
    });
    let reply = rest(&house, HALF, "purge", &purge);
    assert_eq!(
        (reply.status, reply.json()["purged"].as_u64()),
        (200, Some(0)),
        "{}",
        reply.body
    );
    let search = json!({ "domain": "lab", "purpose": TAX, "class": "alike", "value": "x" });
    let reply = rest(&house, BUREAU, "search", &search);
    assert_eq!(
        (reply.status, &reply.json()["tokens"]),
        (200, &json!([])),
        "{}",
        reply.body
    );
    let reindex = json!({ "domain": "lab", "purpose": CARE, "class": "alike", "limit": 10 });
    let reply = rest(&house, CUSTODIAN, "reindex", &reindex);
    assert_eq!(
        (reply.status, reply.json()["remaining"].as_u64()),
        (200, Some(0)),
        "{}",
        reply.body
    );
    let entries = house.audited();
    for operation in [
        "token-read",
        "token-disable",
        "token-enable",
        "token-replace",
        "token-move",
        "hold-place",
        "hold-lift",
        "token-purge",
        "search",
        "reindex",
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", "ok"),
            ("domain", "lab"),
        ];
        assert!(tests::has_entry(&entries, &facts), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_nothing_is_told_so_and_the_ledger_knows() {
    let mut house = lab();
    let token = token(&house, "memo", "x").await;
    for (act, purpose, more) in acts() {
        // No right; a right for another purpose; a class outside of it; none at all.
        for (unit, purpose) in [("public-library", purpose), (CUSTODIAN, "curiosity")] {
            let reply = rest(
                &house,
                unit,
                act,
                &body(purpose, std::slice::from_ref(&token), &more),
            );
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (403, "not-permitted"),
                "{act}"
            );
        }
        let reply = rest(
            &house,
            CUSTODIAN,
            act,
            &body("", std::slice::from_ref(&token), &more),
        );
        assert_eq!(reply.code(), "purpose-missing", "{act}");
        let mut elsewhere = body(purpose, std::slice::from_ref(&token), &more);
        elsewhere["domain"] = json!("nowhere");
        let reply = rest(&house, CUSTODIAN, act, &elsewhere);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "domain-unknown"),
            "{act}"
        );
    }
    // A subject's tokens are of any class: who looks after one may not.
    let whole = HoldRequest {
        reason: None,
        domain: "lab".to_owned(),
        purpose: HOLD.to_owned(),
        matter: "m".to_owned(),
        subject: Some("someone".to_owned()),
        ..HoldRequest::default()
    };
    let half = house.tokens(Some(HALF));
    assert_eq!(
        refusal(&half.place_hold(whole.clone(), None).await.unwrap_err()).1,
        "not-permitted"
    );
    let list = ListHoldsRequest {
        domain: "lab".to_owned(),
        purpose: HOLD.to_owned(),
        subject: Some("someone".to_owned()),
        ..ListHoldsRequest::default()
    };
    assert_eq!(
        refusal(&half.list_holds(list, None).await.unwrap_err()).1,
        "not-permitted"
    );
    // The right is needed on the class that tokens move to as well.
    let moving = MoveTokensRequest {
        domain: "lab".to_owned(),
        purpose: CARE.to_owned(),
        tokens: vec![token],
        to_class: "memo".to_owned(),
        reason: None,
    };
    assert_eq!(
        refusal(&half.move_tokens(moving, None).await.unwrap_err()).1,
        "not-permitted"
    );
    let entries = house.audited();
    for (operation, unit) in [
        ("token-move", HALF),
        ("hold-place", HALF),
        ("token-read", "public-library"),
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", "denied"),
            ("unit", unit),
        ];
        assert!(tests::has_entry(&entries, &facts), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_and_changes_nothing() {
    let house = lab();
    let token = token(&house, "plain", "x").await;
    let many = vec![token.clone(); 1_001];
    let long = vec!["j".repeat(257)];
    for (tokens, code) in [
        (&many, "batch-too-long"),
        (&Vec::new(), "batch-empty"),
        (&long, "token-too-long"),
    ] {
        let reply = rest(
            &house,
            CUSTODIAN,
            "disable",
            &body(CARE, tokens, &json!({})),
        );
        assert_eq!((reply.status, reply.code().as_str()), (422, code));
    }
    for (act, wrong, code) in [
        ("disable", json!({ "tokens": token }), "body-shape"),
        ("disable", json!({ "more": 1 }), "body-shape"),
        ("move", json!({}), "body-shape"),
        ("move", json!({ "to_class": "No Class" }), "class-invalid"),
        ("hold", json!({ "matter": "Case 1" }), "matter-invalid"),
        (
            "hold",
            json!({ "matter": "m", "subject": "both" }),
            "body-shape",
        ),
        ("purge", json!({}), "body-shape"),
        ("forget", json!({}), "path-unknown"),
    ] {
        let reply = rest(
            &house,
            CUSTODIAN,
            act,
            &body(CARE, std::slice::from_ref(&token), &wrong),
        );
        assert_eq!(reply.code(), code, "{act} {wrong}");
    }
    let purge = |age: &str| json!({ "domain": "lab", "purpose": RETENTION, "created_before": age, "limit": 1 });
    for age in ["2020-01-01", "", "1960-01-01T00:00:00Z"] {
        assert_eq!(
            rest(&house, CUSTODIAN, "purge", &purge(age)).code(),
            "instant",
            "{age}"
        );
    }
    assert_eq!(value(&house, &token).await.as_deref(), Some("x"));
}
