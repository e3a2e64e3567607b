//! Off and on, and other tokens in their place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_off_shows_nothing_until_it_is_on() {
    let mut house = lab();
    let on = token(&house, "plain", "on and off").await;
    let batch = [on.clone(), on.clone()];
    for _ in 0..2 {
        let answer = custodian(&house)
            .disable_tokens(about(CARE, &batch), None)
            .await;
        assert_eq!(codes(&answer.unwrap()), ["", ""]);
        assert_eq!(value(&house, &on).await, None);
        let token = described(&house, &on).await.unwrap();
        assert_eq!((token.disabled, token.serves), (true, false));
    }
    for _ in 0..2 {
        let answer = custodian(&house)
            .enable_tokens(about(CARE, &batch), None)
            .await;
        assert_eq!(codes(&answer.unwrap()), ["", ""]);
        assert_eq!(value(&house, &on).await.as_deref(), Some("on and off"));
    }
    let entries = house.audited();
    for operation in ["token-disable", "token-enable", "token-read"] {
        let facts = [
            ("operation", operation),
            ("unit", CUSTODIAN),
            ("purpose", CARE),
        ];
        assert!(tests::has_entry(&entries, &facts), "{operation}");
    }
}

/// Slots of the shred keys of a class's tokens.
fn slots(house: &House, class: &str) -> Vec<u64> {
    let found = house.sql(&format!(
        "select shred from token where class = '{class}' order by rowid"
    ));
    found.lines().map(|slot| slot.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_stops_for_good_and_its_key_is_destroyed() {
    let house = lab();
    let items = vec![item("plain", "one"), item("bound", "two")];
    let old = issued(&house, items).await;
    let keys = [slots(&house, "plain"), slots(&house, "bound")].concat();
    assert!(keys.iter().all(|slot| shred_key(&house, *slot) != [0; 32]));
    let new = replaced(&house, &old).await;
    assert_eq!(new.iter().chain(&old).collect::<HashSet<_>>().len(), 4);
    for (token, text) in new.iter().zip(["one", "two"]) {
        assert_eq!(value(&house, token).await.as_deref(), Some(text));
    }
    assert!(described(&house, &new[1]).await.unwrap().bound);
    for token in &old {
        assert_eq!(value(&house, token).await, None);
        assert!(described(&house, token).await.is_none());
    }
    assert!(keys.iter().all(|slot| shred_key(&house, *slot) == [0; 32]));
    assert_eq!(house.sql("select count(*) from gone"), "2");
    // What was due is taken off the list with the next removal.
    assert_eq!(house.sql("select count(*) from shred_due"), "2");
    replaced(&house, &new[..1]).await;
    assert_eq!(house.sql("select count(*) from shred_due"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_takes_what_was_due_off_the_list() {
    let mut house = lab();
    let old = token(&house, "plain", "x").await;
    let new = replaced(&house, &[old]).await;
    house.kill();
    house.serve();
    assert_eq!(house.sql("select count(*) from shred_due"), "1");
    replaced(&house, &new).await;
    assert_eq!(house.sql("select count(*) from shred_due"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_token_takes_over_what_the_old_one_was() {
    let house = lab();
    let item = TokenizeItem {
        subject: Some("someone".to_owned()),
        ttl_seconds: Some(1_000),
        ..item("alike", "again")
    };
    let old = issued(&house, vec![item]).await;
    let before = described(&house, &old[0]).await.unwrap();
    let new = replaced(&house, &old).await;
    let after = described(&house, &new[0]).await.unwrap();
    assert_eq!(after.expires_at_us, before.expires_at_us);
    assert!(after.has_subjects && after.repeatable);
    assert_eq!(token(&house, "alike", "again").await, new[0]);
    // And what is wished for anew.
    let wish = ReplaceTokensRequest {
        ttl_seconds: Some(10),
        ..replacing(&new)
    };
    let answer = custodian(&house).replace_tokens(wish, None).await.unwrap();
    let anew = described(&house, &answer.items[0].token).await.unwrap();
    assert!(anew.expires_at_us.unwrap() < before.expires_at_us.unwrap());
    // Uses that are left stay; a token that is off stays off.
    let once = token(&house, "once", "x").await;
    custodian(&house)
        .disable_tokens(about(CARE, std::slice::from_ref(&once)), None)
        .await
        .unwrap();
    let once = replaced(&house, &[once]).await;
    let once = described(&house, &once[0]).await.unwrap();
    assert_eq!((once.uses_left, once.disabled), (Some(1), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_once_in_a_batch_and_by_one_of_many() {
    let house = lab();
    let old = token(&house, "plain", "x").await;
    let twice = replacing(&[old.clone(), old]);
    let answer = custodian(&house).replace_tokens(twice, None).await.unwrap();
    assert_eq!(answer.items[0].error, None);
    assert_eq!(answer.items[1].error.clone().unwrap().code, "not-available");
    let contested = token(&house, "alike", "y").await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (client, request) = (
                custodian(&house),
                replacing(std::slice::from_ref(&contested)),
            );
            tokio::spawn(async move { client.replace_tokens(request, None).await.unwrap() })
        })
        .collect();
    let mut new = Vec::new();
    for one in tries {
        let item = one.await.unwrap().items.remove(0);
        match item.error {
            None => new.push(item.token),
            Some(error) => assert_eq!(error.code, "not-available"),
        }
    }
    assert_eq!(new.len(), 1);
    assert_eq!(token(&house, "alike", "y").await, new[0]);
    assert_eq!(house.rows(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_given_a_token_that_was_replaced_before() {
    let house = Arc::new(lab());
    let mut current = token(&house, "alike", "busy").await;
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..6)
        .map(|_| {
            let (house, over) = (Arc::clone(&house), Arc::clone(&over));
            tokio::spawn(async move {
                let client = house.client(Some(BUREAU));
                let mut given = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let request = TokenizeRequest {
                        domain: "lab".to_owned(),
                        items: vec![item("alike", "busy")],
                        ..TokenizeRequest::default()
                    };
                    let mut answer = client.tokenize(request, None).await.unwrap();
                    given.push((answer.tokens.remove(0), answer.entry));
                }
                given
            })
        })
        .collect();
    let mut gone = HashMap::new();
    for _ in 0..40 {
        let request = replacing(std::slice::from_ref(&current));
        let mut answer = custodian(&house)
            .replace_tokens(request, None)
            .await
            .unwrap();
        let new = answer.items.remove(0).token;
        gone.insert(std::mem::replace(&mut current, new), answer.entry);
    }
    over.store(true, Ordering::Relaxed);
    let mut met = HashSet::new();
    for one in asking {
        for (token, entry) in one.await.unwrap() {
            // Entries have one order: what was given came before what took it away.
            assert!(gone.get(&token).is_none_or(|gone| entry < *gone));
            met.insert(token);
        }
    }
    assert!(met.len() > 5, "they did not meet");
    assert_eq!(token(&house, "alike", "busy").await, current);
    assert_eq!(house.rows(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_gets_a_token_of_another_class_that_accepts_it() {
    let house = lab();
    let items = vec![
        item("code", "1234567"),
        item("plain", "no digits"),
        item("once", "7654321"),
    ];
    let old = issued(&house, items).await;
    let into = |class: &str| ReplaceTokensRequest {
        to_class: Some(class.to_owned()),
        ..replacing(&old)
    };
    let answer = custodian(&house)
        .replace_tokens(into("coded"), None)
        .await
        .unwrap();
    let code = |at: usize| answer.items[at].error.clone().unwrap_or_default().code;
    assert_eq!(
        (code(0), code(1), code(2)),
        (String::new(), "value-unfit".to_owned(), String::new())
    );
    let coded = &answer.items[0].token;
    assert!(coded.len() == 12 && coded.bytes().all(|digit| digit.is_ascii_digit()));
    assert_eq!(value(&house, coded).await.as_deref(), Some("1234567"));
    assert_eq!(described(&house, coded).await.unwrap().class, "coded");
    // What was not done changed nothing.
    assert_eq!(value(&house, &old[1]).await.as_deref(), Some("no digits"));
    // Counted uses are not for tokens that equal values share.
    let counted = ReplaceTokensRequest {
        to_class: Some("alike".to_owned()),
        ..replacing(
            &answer.items[2..]
                .iter()
                .map(|item| item.token.clone())
                .collect::<Vec<_>>(),
        )
    };
    let answer = custodian(&house)
        .replace_tokens(counted, None)
        .await
        .unwrap();
    assert_eq!(answer.items[0].error.clone().unwrap().code, "life-unfit");
}
