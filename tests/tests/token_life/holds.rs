//! Legal holds, and purging by age.

use api::v1::purge_tokens_request::Age;
use api::v1::{HoldRequest, ListHoldsRequest, PurgeTokensRequest, PurgeTokensResponse};
use tests::refusal;

use super::*;

fn holding(matter: &str, tokens: &[String], subject: Option<&str>) -> HoldRequest {
    HoldRequest {
        reason: None,
        domain: "lab".to_owned(),
        purpose: HOLD.to_owned(),
        matter: matter.to_owned(),
        tokens: tokens.to_vec(),
        subject: subject.map(str::to_owned),
    }
}

fn now_us() -> u64 {
    let clock = vault::model::SystemClock::new();
    vault::model::Clock::now(&clock).0
}

fn purging(age: Age) -> PurgeTokensRequest {
    PurgeTokensRequest {
        domain: "lab".to_owned(),
        purpose: RETENTION.to_owned(),
        age: Some(age),
        limit: 1_000,
        ..PurgeTokensRequest::default()
    }
}

fn dry(request: PurgeTokensRequest) -> PurgeTokensRequest {
    PurgeTokensRequest {
        dry_run: true,
        ..request
    }
}

async fn purged(house: &House, request: PurgeTokensRequest) -> PurgeTokensResponse {
    custodian(house).purge_tokens(request, None).await.unwrap()
}

fn counts(answer: &PurgeTokensResponse) -> (u64, u64, u64) {
    (answer.matching, answer.held, answer.purged)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hold_covers_is_neither_purged_nor_replaced() {
    let mut house = lab();
    let about_her = |value: &str| TokenizeItem {
        subject: Some("her".to_owned()),
        ..item("plain", value)
    };
    let items = vec![
        item("plain", "held"),
        about_her("hers"),
        item("plain", "free"),
    ];
    let tokens = issued(&house, items).await;
    let client = custodian(&house);
    let of = async |token: &str| described(&house, token).await.unwrap().held;
    let first = holding("case-1", &tokens[..1], None);
    for _ in 0..2 {
        let batch = HoldRequest {
            reason: None,
            tokens: vec![tokens[0].clone(); 2],
            ..first.clone()
        };
        assert_eq!(
            codes(&client.place_hold(batch, None).await.unwrap()),
            ["", ""]
        );
    }
    client
        .place_hold(holding("case-2", &tokens[..1], None), None)
        .await
        .unwrap();
    client
        .place_hold(holding("case-1", &[], Some("her")), None)
        .await
        .unwrap();
    assert_eq!(
        (
            of(&tokens[0]).await,
            of(&tokens[1]).await,
            of(&tokens[2]).await
        ),
        (true, true, false)
    );

    let answer = client
        .replace_tokens(replacing(&tokens[..2]), None)
        .await
        .unwrap();
    assert!(
        answer
            .items
            .iter()
            .all(|item| item.error.clone().unwrap().code == "held")
    );
    let old = Age::CreatedBeforeUs(now_us());
    assert_eq!(counts(&purged(&house, dry(purging(old))).await), (3, 2, 0));
    assert_eq!(counts(&purged(&house, purging(old)).await), (3, 2, 1));
    assert_eq!(value(&house, &tokens[0]).await.as_deref(), Some("held"));
    assert_eq!(value(&house, &tokens[1]).await.as_deref(), Some("hers"));
    assert_eq!(value(&house, &tokens[2]).await, None);
    assert!(described(&house, &tokens[2]).await.is_none());

    let list = ListHoldsRequest {
        domain: "lab".to_owned(),
        purpose: HOLD.to_owned(),
        tokens: tokens.clone(),
        subject: None,
    };
    let listed = client.list_holds(list.clone(), None).await.unwrap();
    let matters = |at: usize| -> Vec<String> {
        listed.items[at]
            .holds
            .iter()
            .map(|hold| hold.matter.clone())
            .collect()
    };
    assert_eq!(matters(0), ["case-1", "case-2"]);
    // A subject's holds are the subject's.
    assert!(matters(1).is_empty() && listed.items[1].error.is_none());
    assert_eq!(listed.items[2].error.clone().unwrap().code, "not-available");
    let hers = ListHoldsRequest {
        tokens: Vec::new(),
        subject: Some("her".to_owned()),
        ..list
    };
    assert_eq!(
        client.list_holds(hers, None).await.unwrap().items[0]
            .holds
            .len(),
        1
    );

    // Lifted one by one: the last one counts. What does not stand can't be lifted.
    let lifted = client.lift_hold(first.clone(), None).await.unwrap();
    assert_eq!(codes(&lifted), [""]);
    assert!(of(&tokens[0]).await);
    assert_eq!(
        codes(&client.lift_hold(first, None).await.unwrap()),
        ["hold-unknown"]
    );
    client
        .lift_hold(holding("case-2", &tokens[..1], None), None)
        .await
        .unwrap();
    assert!(!of(&tokens[0]).await);
    let unknown = client
        .lift_hold(holding("case-9", &[], Some("her")), None)
        .await
        .unwrap_err();
    assert_eq!(refusal(&unknown).1, "hold-unknown");
    client
        .lift_hold(holding("case-1", &[], Some("her")), None)
        .await
        .unwrap();
    assert_eq!(counts(&purged(&house, purging(old)).await), (2, 0, 2));
    assert_eq!(house.rows(), 0);

    let entries = house.audited();
    for operation in ["hold-place", "hold-lift", "token-purge"] {
        assert!(
            tests::has_entry(&entries, &[("operation", operation), ("unit", CUSTODIAN)]),
            "{operation}"
        );
    }
    let dry_run = [
        ("operation", "token-purge"),
        ("reason", "dry-run"),
        ("outcome", "ok"),
    ];
    assert!(tests::has_entry(&entries, &dry_run));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_about_a_held_subject_is_held_too() {
    let house = lab();
    custodian(&house)
        .place_hold(holding("m", &[], Some("him")), None)
        .await
        .unwrap();
    let later = TokenizeItem {
        subject: Some("him".to_owned()),
        ..item("alike", "later")
    };
    let token = issued(&house, vec![item("alike", "later")]).await.remove(0);
    assert!(!described(&house, &token).await.unwrap().held);
    issued(&house, vec![later]).await;
    assert!(described(&house, &token).await.unwrap().held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_goes_step_by_step_through_one_class_or_all() {
    let house = lab();
    let values =
        |class: &'static str, count: usize| (0..count).map(move |n| item(class, &format!("v{n}")));
    issued(
        &house,
        values("plain", 25).chain(values("memo", 7)).collect(),
    )
    .await;
    let between = now_us();
    issued(&house, values("bound", 5).collect()).await;
    let request = PurgeTokensRequest {
        class: Some("plain".to_owned()),
        limit: 10,
        ..purging(Age::CreatedBeforeUs(between))
    };
    let slots = house.sql("select shred from token where class = 'plain'");
    let (mut place, mut steps, mut gone) = (0, 0, 0);
    loop {
        let step = purged(
            &house,
            PurgeTokensRequest {
                place,
                ..request.clone()
            },
        )
        .await;
        (steps, gone) = (steps + 1, gone + step.purged);
        let Some(next) = step.next else { break };
        place = next;
    }
    assert_eq!((steps, gone), (3, 25));
    for slot in slots.lines() {
        assert_eq!(shred_key(&house, slot.parse().unwrap()), [0; 32]);
    }
    assert_eq!(house.rows(), 12);
    assert_eq!(
        counts(
            &purged(
                &house,
                PurgeTokensRequest {
                    class: None,
                    ..request.clone()
                }
            )
            .await
        ),
        (7, 0, 7)
    );
    assert_eq!(
        counts(&purged(&house, purging(Age::CreatedBeforeUs(between))).await),
        (0, 0, 0)
    );
    assert_eq!(house.rows(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_purged_and_what_serves_is_not() {
    let house = lab();
    let short = TokenizeItem {
        ttl_seconds: Some(1),
        ..item("plain", "short")
    };
    let long = TokenizeItem {
        ttl_seconds: Some(1_000),
        ..item("plain", "long")
    };
    let tokens = issued(&house, vec![short, long, item("plain", "endless")]).await;
    wait_until(async || value(&house, &tokens[0]).await, Option::is_none).await;
    assert_eq!(
        counts(&purged(&house, purging(Age::ExpiredBeforeUs(now_us()))).await),
        (1, 0, 1)
    );
    assert_eq!(value(&house, &tokens[1]).await.as_deref(), Some("long"));
    assert!(described(&house, &tokens[0]).await.is_none());
    let later = now_us() + 1_000_000_000;
    for age in [Age::ExpiredBeforeUs(later), Age::CreatedBeforeUs(later)] {
        let refused = custodian(&house)
            .purge_tokens(purging(age), None)
            .await
            .unwrap_err();
        assert_eq!(refusal(&refused).1, "range");
    }
    for limit in [0, 10_001] {
        let request = PurgeTokensRequest {
            limit,
            ..purging(Age::ExpiredBeforeUs(0))
        };
        let refused = custodian(&house)
            .purge_tokens(request, None)
            .await
            .unwrap_err();
        assert_eq!(refusal(&refused).1, "range");
    }
    let none = PurgeTokensRequest {
        age: None,
        ..purging(Age::ExpiredBeforeUs(0))
    };
    let refused = custodian(&house)
        .purge_tokens(none, None)
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).1, "body-shape");
    assert_eq!(house.rows(), 2);
}
