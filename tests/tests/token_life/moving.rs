//! Tokens move to another class in place.

use api::v1::MoveTokensRequest;
use tests::refusal;

use super::*;

async fn moved(house: &House, tokens: &[String], to_class: &str) -> Vec<String> {
    let request = MoveTokensRequest {
        domain: "lab".to_owned(),
        purpose: CARE.to_owned(),
        tokens: tokens.to_vec(),
        to_class: to_class.to_owned(),
        reason: None,
    };
    codes(&custodian(house).move_tokens(request, None).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_token_keeps_its_text_and_its_value() {
    let mut house = lab();
    let token = token(&house, "plain", "text").await;
    let batch = [token.clone(), token.clone()];
    assert_eq!(moved(&house, &batch, "memo").await, ["", ""]);
    let memo = described(&house, &token).await.unwrap();
    assert_eq!((memo.class.as_str(), memo.searchable), ("memo", true));
    assert_eq!(value(&house, &token).await.as_deref(), Some("text"));
    // Again is nothing new; and back, and to a class that equal values share.
    assert_eq!(moved(&house, &batch, "memo").await, ["", ""]);
    assert_eq!(moved(&house, &batch[..1], "plain").await, [""]);
    assert!(!described(&house, &token).await.unwrap().searchable);
    assert_eq!(moved(&house, &batch[..1], "alike").await, [""]);
    assert_eq!(super::token(&house, "alike", "text").await, token);
    assert_eq!(value(&house, &token).await.as_deref(), Some("text"));
    // A class with a maximum ends it.
    assert_eq!(moved(&house, &batch[..1], "brief").await, [""]);
    assert!(
        described(&house, &token)
            .await
            .unwrap()
            .expires_at_us
            .is_some()
    );
    house.stop();
    house.serve();
    assert_eq!(value(&house, &token).await.as_deref(), Some("text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_equal_values_the_one_that_came_later_steps_aside() {
    let house = lab();
    let standing = token(&house, "alike", "same").await;
    let items = vec![
        item("plain", "same"),
        item("plain", "same"),
        item("plain", "other"),
        item("plain", "other"),
    ];
    let tokens = issued(&house, items).await;
    assert_eq!(moved(&house, &tokens, "alike").await, ["", "", "", ""]);
    assert_eq!(token(&house, "alike", "same").await, standing);
    assert_eq!(token(&house, "alike", "other").await, tokens[2]);
    for (token, text) in tokens.iter().zip(["same", "same", "other", "other"]) {
        assert_eq!(value(&house, token).await.as_deref(), Some(text));
    }
    assert_eq!(house.rows(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_class_stays_where_it_is() {
    let house = lab();
    let items = vec![
        item("plain", "letters"),
        item("code", "1234567"),
        item("once", "counted"),
        item("bound", "kept"),
        item("coded", "7654321"),
    ];
    let tokens = issued(&house, items).await;
    let code =
        async |at: usize, class: &str| moved(&house, &tokens[at..=at], class).await.remove(0);
    // Not a value of the class; not a look of it; a promise that can't be made later.
    assert_eq!(code(0, "code").await, "value-unfit");
    assert_eq!(code(1, "coded").await, "token-unfit");
    assert_eq!(code(4, "code").await, "token-unfit");
    assert_eq!(code(0, "bound").await, "token-unfit");
    assert_eq!(code(2, "alike").await, "life-unfit");
    // From a bound class it can go: it opens with its text, as before.
    assert_eq!(code(3, "memo").await, "");
    let texts = ["letters", "1234567", "counted", "kept", "7654321"];
    for (token, text) in tokens.iter().zip(texts) {
        assert_eq!(value(&house, token).await.as_deref(), Some(text));
    }
    let request = MoveTokensRequest {
        domain: "lab".to_owned(),
        purpose: CARE.to_owned(),
        tokens: tokens[..1].to_vec(),
        to_class: "name".to_owned(),
        reason: None,
    };
    let other = custodian(&house)
        .move_tokens(request, None)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&other).1,
        "not-permitted",
        "a class of another domain"
    );
}
