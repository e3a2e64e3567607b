//! Time, uses, repeatability, subjects: what tokens are issued with, and what becomes of it.

use api::v1::{DetokenizeRequest, TokenizeRequest, View};
use tests::refusal;

use super::*;

/// An item with a life of its own.
fn living(class: &str, value: &str, ttl: Option<u64>, uses: Option<u32>) -> TokenizeItem {
    TokenizeItem {
        ttl_seconds: ttl,
        uses,
        ..item(class, value)
    }
}

fn about_someone(class: &str, value: &str, subject: &str) -> TokenizeItem {
    TokenizeItem {
        subject: Some(subject.to_owned()),
        ..item(class, value)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time() {
    let house = lab();
    let items = vec![
        living("plain", "short", Some(2), None),
        living("brief", "long", None, None),
        living("plain", "endless", None, None),
    ];
    let tokens = issued(&house, items).await;
    let values: Vec<String> = seen(&house, &tokens)
        .await
        .into_iter()
        .map(|item| item.value)
        .collect();
    assert_eq!(values, ["short", "long", "endless"]);
    wait_until(async || value(&house, &tokens[0]).await, Option::is_none).await;
    // Who looks after tokens sees that it stands, and serves no longer.
    let short = described(&house, &tokens[0]).await.unwrap();
    assert_eq!((short.serves, short.disabled), (false, false));
    let long = described(&house, &tokens[1]).await.unwrap();
    assert!(long.serves);
    let seconds = (long.expires_at_us.unwrap() - long.created_at_us) / 1_000_000;
    assert_eq!(
        seconds, 3_600,
        "the class's maximum ends what has no time of its own"
    );
    assert_eq!(
        described(&house, &tokens[2]).await.unwrap().expires_at_us,
        None
    );
    assert_eq!(value(&house, &tokens[1]).await.as_deref(), Some("long"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_that_the_class_does_not_give_is_refused_and_nothing_is_kept() {
    let house = lab();
    for (wish, code) in [
        (living("brief", "x", Some(3_601), None), "ttl-invalid"),
        (living("plain", "x", Some(0), None), "ttl-invalid"),
        (living("plain", "x", None, Some(0)), "uses-invalid"),
        (living("plain", "x", None, Some(1_000_001)), "uses-invalid"),
        (living("alike", "x", None, Some(1)), "uses-repeatable"),
        (about_someone("plain", "x", ""), "subject-invalid"),
        (
            about_someone("plain", "x", &"s".repeat(257)),
            "subject-invalid",
        ),
    ] {
        let refused = asked(&house, vec![item("plain", "beside"), wish]).await;
        assert_eq!(refusal(&refused.unwrap_err()).1, code);
    }
    assert_eq!(house.rows(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_redeem_a_single_use_one_sees_the_value() {
    let house = lab();
    for round in 0..3 {
        let token = token(&house, "once", &format!("secret {round}")).await;
        let request = DetokenizeRequest {
            domain: "lab".to_owned(),
            purpose: TAX.to_owned(),
            tokens: vec![token.clone()],
            ..DetokenizeRequest::default()
        };
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let (client, request) = (house.client(Some(BUREAU)), request.clone());
                tokio::spawn(async move { client.detokenize(request, None).await.unwrap() })
            })
            .collect();
        let mut shown = 0;
        for one in tries {
            let item = one.await.unwrap().items.remove(0);
            shown += usize::from(item.view() == View::Plain);
        }
        assert_eq!(shown, 1);
        let used = described(&house, &token).await.unwrap();
        assert_eq!((used.uses_left, used.serves), (Some(0), false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_count_within_one_batch_too() {
    let house = lab();
    let items = vec![item("once", "a"), living("once", "b", None, Some(3))];
    let tokens = issued(&house, items).await;
    let (a, b) = (tokens[0].clone(), tokens[1].clone());
    let batch = [a.clone(), b.clone(), a, b.clone(), b.clone(), b];
    let views: Vec<View> = seen(&house, &batch)
        .await
        .iter()
        .map(|item| item.view())
        .collect();
    let (plain, none) = (View::Plain, View::NotAvailable);
    assert_eq!(views, [plain, plain, none, plain, plain, none]);
    // Who is refused takes no use.
    let other = token(&house, "once", "c").await;
    let request = DetokenizeRequest {
        domain: "lab".to_owned(),
        purpose: TAX.to_owned(),
        tokens: vec![other.clone()],
        ..DetokenizeRequest::default()
    };
    let library = house.client(Some("public-library"));
    library.detokenize(request, None).await.unwrap_err();
    assert_eq!(described(&house, &other).await.unwrap().uses_left, Some(1));
    assert_eq!(value(&house, &other).await.as_deref(), Some("c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_wish_of_a_batch_counts_wherever_it_stands() {
    let house = lab();
    let wish = |ttl: u64| living("alike", "thrice", Some(ttl), None);
    let ends = async |token: &str| described(&house, token).await.unwrap().expires_at_us;
    // The value is new to the first batch, and stands before the second.
    let tokens = issued(&house, vec![wish(100), wish(2_000), wish(500)]).await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let first = ends(&tokens[0]).await.unwrap();
    let brief = issued(&house, vec![living("alike", "brief", Some(100), None)]).await;
    assert!(first > ends(&brief[0]).await.unwrap() + 1_800_000_000);
    issued(&house, vec![wish(3_000), wish(9_000), wish(4_000)]).await;
    assert!(ends(&tokens[0]).await.unwrap() > first + 6_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeatable_value_s_time_is_prolonged_and_ends_with_a_new_token() {
    let house = lab();
    let wish = |ttl| vec![living("alike", "again", ttl, None)];
    let first = issued(&house, wish(Some(100))).await.remove(0);
    let ends = async |token: &str| described(&house, token).await.unwrap().expires_at_us;
    let before = ends(&first).await.unwrap();
    // A shorter wish takes nothing away; a longer one counts; one without end is the longest.
    assert_eq!(
        issued(&house, wish(Some(1))).await,
        std::slice::from_ref(&first)
    );
    assert_eq!(ends(&first).await, Some(before));
    assert_eq!(
        issued(&house, wish(Some(1_000))).await,
        std::slice::from_ref(&first)
    );
    assert!(ends(&first).await.unwrap() > before + 800_000_000);
    assert_eq!(
        issued(&house, wish(None)).await,
        std::slice::from_ref(&first)
    );
    assert_eq!(ends(&first).await, None);
    // Once its time is over, the value gets a new token, and the old one shows nothing for good.
    let brief = |ttl| vec![living("alike", "soon over", ttl, None)];
    let old = issued(&house, brief(Some(1))).await.remove(0);
    wait_until(async || value(&house, &old).await, Option::is_none).await;
    let new = issued(&house, brief(Some(1_000))).await.remove(0);
    assert_ne!(old, new);
    assert_eq!(value(&house, &new).await.as_deref(), Some("soon over"));
    assert_eq!(value(&house, &old).await, None);
    assert!(!described(&house, &old).await.unwrap().repeatable);
    assert!(described(&house, &new).await.unwrap().repeatable);
    assert_eq!(issued(&house, brief(None)).await, [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_opens_with_its_text() {
    let house = lab();
    let tokens = issued(&house, vec![item("bound", "x"), item("bound", "x")]).await;
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(value(&house, &tokens[0]).await.as_deref(), Some("x"));
    let bound = described(&house, &tokens[1]).await.unwrap();
    assert!(bound.bound && !bound.searchable && !bound.repeatable);
    // Its text is nowhere on disk: neither in the row nor sealed beside it. And without it, the vault itself
    // does not open the row.
    house.sql("update token set bound = 0");
    // The vault is the one writer: after a change of its own it looks anew, and sees this one too.
    token(&house, "plain", "y").await;
    assert_eq!(value(&house, &tokens[0]).await, None);
    house.sql("update token set bound = 1");
    token(&house, "plain", "z").await;
    assert_eq!(value(&house, &tokens[0]).await.as_deref(), Some("x"));
    assert_eq!(
        house.sql("select count(*) from token where sealed_token is not null"),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_says_for_itself_whether_tokens_repeat() {
    let house = lab();
    assert_eq!(
        token(&house, "alike", "v").await,
        token(&house, "alike", "v").await
    );
    let request = TokenizeRequest {
        domain: "annex".to_owned(),
        items: vec![item("alike", "v"), item("alike", "v")],
        ..TokenizeRequest::default()
    };
    let tokens = house
        .client(Some(BUREAU))
        .tokenize(request, None)
        .await
        .unwrap()
        .tokens;
    assert_ne!(tokens[0], tokens[1]);
}

// Invariant 13: a subject stands nowhere in its own words.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_about_whoever_it_was_said_to_be_about() {
    let mut house = lab();
    let subject = "A123456789-citizen";
    let items = vec![
        about_someone("alike", "shared", subject),
        about_someone("alike", "shared", "another"),
        about_someone("plain", "own", subject),
        item("plain", "nobody's"),
    ];
    let tokens = issued(&house, items).await;
    assert_eq!(tokens[0], tokens[1]);
    let about = "select count(*), count(distinct handle), count(distinct fingerprint) from subject";
    assert_eq!(house.sql(about), "3|2|2");
    assert!(described(&house, &tokens[0]).await.unwrap().has_subjects);
    assert!(described(&house, &tokens[2]).await.unwrap().has_subjects);
    assert!(!described(&house, &tokens[3]).await.unwrap().has_subjects);
    house.stop();
    let found = tests::leaks(&house.directory(), &[subject.to_owned()]);
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_all_of_it() {
    let mut house = lab();
    let items = vec![
        living("plain", "until", Some(1_000), None),
        living("once", "uses", None, Some(2)),
        item("plain", "off"),
        item("alike", "again"),
        item("bound", "bound"),
    ];
    let tokens = issued(&house, items).await;
    value(&house, &tokens[1]).await.unwrap();
    let off = about(CARE, &tokens[2..3]);
    custodian(&house).disable_tokens(off, None).await.unwrap();
    let mut before = Vec::new();
    for token in &tokens {
        before.push(described(&house, token).await.unwrap());
    }
    house.stop();
    house.serve();
    for (token, before) in tokens.iter().zip(before) {
        assert_eq!(described(&house, token).await.unwrap(), before);
    }
    assert_eq!(token(&house, "alike", "again").await, tokens[3]);
    assert_eq!(value(&house, &tokens[0]).await.as_deref(), Some("until"));
    assert_eq!(value(&house, &tokens[1]).await.as_deref(), Some("uses"));
    assert_eq!(value(&house, &tokens[1]).await, None);
    assert_eq!(value(&house, &tokens[2]).await, None);
    assert_eq!(value(&house, &tokens[4]).await.as_deref(), Some("bound"));
}
