//! Exact search, and values that are indexed anew.

use std::collections::BTreeSet;

use api::v1::{ReindexTokensRequest, ReindexTokensResponse, SearchRequest};
use tests::refusal;

use super::*;

fn searching(class: &str, value: &str) -> SearchRequest {
    SearchRequest {
        domain: "lab".to_owned(),
        purpose: TAX.to_owned(),
        class: class.to_owned(),
        value: value.to_owned(),
    }
}

async fn found(house: &House, class: &str, value: &str) -> Vec<String> {
    let answer = house
        .tokens(Some(BUREAU))
        .search(searching(class, value), None)
        .await;
    answer.unwrap().tokens
}

async fn not_found(house: &House, request: SearchRequest) -> String {
    let refused = house.tokens(Some(BUREAU)).search(request, None).await;
    refusal(&refused.unwrap_err()).1
}

fn set(tokens: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    tokens.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_s_tokens_that_serve_are_found_and_no_others() {
    let mut house = lab();
    let items = vec![
        item("alike", "needle"),
        item("memo", "needle"),
        item("memo", "needle"),
        item("memo", "needle 2"),
    ];
    let tokens = issued(&house, items).await;
    assert_eq!(found(&house, "alike", "needle").await, tokens[..1]);
    assert_eq!(
        set(found(&house, "memo", "needle").await),
        set(tokens[1..3].to_vec())
    );
    // Exactly: neither a part nor more of it.
    for value in ["needl", "needle 3", "NEEDLE"] {
        assert!(found(&house, "memo", value).await.is_empty(), "{value}");
    }
    let off = about(CARE, &tokens[1..2]);
    custodian(&house).disable_tokens(off, None).await.unwrap();
    assert_eq!(found(&house, "memo", "needle").await, tokens[2..3]);
    let new = replaced(&house, &tokens[2..3]).await;
    assert_eq!(found(&house, "memo", "needle").await, new);
    assert_eq!(
        not_found(&house, searching("plain", "needle")).await,
        "not-searchable"
    );
    assert_eq!(
        not_found(&house, searching("memo", "")).await,
        "value-invalid"
    );
    // In the other domain nothing of it.
    let other = SearchRequest {
        domain: "annex".to_owned(),
        ..searching("memo", "needle")
    };
    let answer = house
        .tokens(Some(BUREAU))
        .search(other, None)
        .await
        .unwrap();
    assert!(answer.tokens.is_empty());
    let denied = SearchRequest {
        domain: "city".to_owned(),
        ..searching("name", "王測試")
    };
    assert_eq!(not_found(&house, denied).await, "not-permitted");

    let entries = house.audited();
    let searches: Vec<_> = entries
        .iter()
        .filter(|entry| entry["operation"] == "search" && entry["outcome"] == "ok")
        .collect();
    assert!(searches.len() >= 7);
    assert!(searches.iter().all(|entry| entry["commitment"].is_string()));
    // The same value, the same commitment; another, another.
    let commitments: BTreeSet<_> = searches
        .iter()
        .map(|entry| entry["commitment"].as_str().unwrap())
        .collect();
    assert_eq!(commitments.len(), 6);
    let archive = house.directory().join("archive");
    assert!(tests::leaks(&archive, &["needle".to_owned(), "王測試".to_owned()]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_a_hundred_tokens_at_most_and_says_so() {
    let house = lab();
    issued(&house, vec![item("memo", "often"); 101]).await;
    let answer = house
        .tokens(Some(BUREAU))
        .search(searching("memo", "often"), None)
        .await
        .unwrap();
    assert_eq!((answer.tokens.len(), answer.more), (100, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_have_a_rate_of_their_own() {
    let mut house = lab_installed();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        "\n[limits]\nsearches_per_minute = 3\n\n[ledger]\n",
    );
    house.serve();
    for _ in 0..3 {
        assert!(found(&house, "memo", "x").await.is_empty());
    }
    assert_eq!(
        not_found(&house, searching("memo", "x")).await,
        "search-rate"
    );
    // Other calls go on.
    token(&house, "memo", "x").await;
    let body = br#"{"domain":"lab","purpose":"tax-assessment","class":"memo","value":"x"}"#;
    let reply = house.post(
        Some(BUREAU),
        "/v1/tokens/search",
        &["--header", "content-type: application/json"],
        body,
    );
    assert_eq!((reply.status, reply.code().as_str()), (429, "search-rate"));
    let entries = house.audited();
    let refused = [
        ("operation", "search"),
        ("outcome", "error"),
        ("reason", "search-rate"),
    ];
    assert!(tests::has_entry(&entries, &refused));
}

async fn reindexed(house: &House, class: &str, place: i64, limit: u32) -> ReindexTokensResponse {
    let request = ReindexTokensRequest {
        domain: "lab".to_owned(),
        purpose: CARE.to_owned(),
        class: class.to_owned(),
        place,
        limit,
        reason: None,
    };
    custodian(house)
        .reindex_tokens(request, None)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_the_normal_form_values_are_indexed_anew() {
    let mut house = lab();
    // The first form tells white space apart, the second does not.
    let older = token(&house, "alike", "a  b").await;
    let younger = token(&house, "alike", "a b").await;
    assert_ne!(older, younger);
    let memos = issued(&house, vec![item("memo", "a  b"), item("memo", "a b")]).await;
    let third = token(&house, "alike", "c").await;
    house.stop();
    for class in ["alike", "memo"] {
        let from = format!("name = \"{class}\"\nlevel = \"internal\"\n");
        house.edit(
            "policies/classes.toml",
            &from,
            &format!("{from}normal_form = 2\n"),
        );
    }
    house.serve();
    // Before: found by both forms, as they were written.
    assert_eq!(
        set(found(&house, "memo", "a b").await),
        set(memos[1..].to_vec())
    );
    let (mut place, mut moved, mut steps) = (0, 0, 0);
    let remaining = loop {
        let step = reindexed(&house, "alike", place, 2).await;
        (moved, steps) = (moved + step.moved, steps + 1);
        match step.next {
            Some(next) => place = next,
            None => break step.remaining,
        }
    };
    assert_eq!((moved, remaining, steps), (3, Some(0), 2));
    let step = reindexed(&house, "memo", 0, 10_000).await;
    assert_eq!((step.moved, step.remaining, step.next), (2, Some(0), None));
    // The older one is what equal values get; the younger one serves on, and is found.
    assert_eq!(token(&house, "alike", "a   b").await, older);
    assert_eq!(
        set(found(&house, "alike", "a b").await),
        set([older.clone(), younger.clone()])
    );
    assert_eq!(set(found(&house, "memo", "a b").await), set(memos.clone()));
    assert_eq!(token(&house, "alike", "c").await, third);
    assert_eq!(value(&house, &older).await.as_deref(), Some("a  b"));
    assert_eq!(value(&house, &younger).await.as_deref(), Some("a b"));
    assert!(described(&house, &older).await.unwrap().repeatable);
    assert!(!described(&house, &younger).await.unwrap().repeatable);
    let again = reindexed(&house, "alike", 0, 10).await;
    assert_eq!((again.moved, again.remaining), (0, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_written_meanwhile_steps_aside_for_the_older_one() {
    let mut house = lab();
    let older = token(&house, "alike", "a  b").await;
    house.stop();
    let from = "name = \"alike\"\nlevel = \"internal\"\n";
    house.edit(
        "policies/classes.toml",
        from,
        &format!("{from}normal_form = 2\n"),
    );
    house.serve();
    // Its first form is its own: the older one is not found by it.
    let younger = token(&house, "alike", "a b").await;
    assert_ne!(older, younger);
    assert_eq!(reindexed(&house, "alike", 0, 10).await.moved, 1);
    assert_eq!(token(&house, "alike", "a b").await, older);
    assert_eq!(value(&house, &younger).await.as_deref(), Some("a b"));
}
