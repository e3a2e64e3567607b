//! What was decided after a backup holds after the restore too: off is off, held is held, locked out is locked out.

use api::v1::{DetokenizeRequest, HoldRequest, TokensRequest, UnitRequest};
use tests::{House, detokenize, refusal};

use super::*;

const OFFICE: &str = "privacy-office";
const GUARD: &str = "guard-office";
const LIBRARY: &str = "public-library";

/// A hold for one matter, on tokens or on the subject.
fn hold(tokens: &[String], subject: Option<&str>) -> HoldRequest {
    HoldRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: "legal-hold".to_owned(),
        matter: "court-7".to_owned(),
        tokens: tokens.to_vec(),
        subject: subject.map(str::to_owned),
    }
}

async fn library_is_refused_as(house: &House, code: &str) {
    let request: DetokenizeRequest = detokenize(TAX, &["jk1_nothing".to_owned()]);
    let refused = house.client(Some(LIBRARY)).detokenize(request, None).await;
    assert_eq!(refusal(&refused.unwrap_err()).1, code);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_off_held_or_locked_since_is_so_after_the_restore() {
    let mut house = House::open();
    let tokens = issued(&house, "name", &["甲停用", "乙扣留"], None).await;
    let about = issued(&house, "name", &["丙當事"], Some(SUBJECT)).await;
    let (good, said) = house.jinku(&["backup", "--to", "backup"], "");
    assert!(good, "{said}");

    let office = house.tokens(Some(OFFICE));
    let off = TokensRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: "token-care".to_owned(),
        tokens: tokens[..1].to_vec(),
    };
    office.disable_tokens(off, None).await.unwrap();
    office
        .place_hold(hold(&tokens[1..], None), None)
        .await
        .unwrap();
    office
        .place_hold(hold(&[], Some(SUBJECT)), None)
        .await
        .unwrap();
    let library = || UnitRequest {
        unit: LIBRARY.to_owned(),
        reason: None,
    };
    let guard = house.guard(Some(GUARD));
    guard.lock_unit(library(), None).await.unwrap();
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(good, "{said}");
    house.serve();

    assert_eq!(redeemed(&house, &tokens[0]).await, "");
    assert_eq!(redeemed(&house, &tokens[1]).await, "乙扣留");
    let held = erase(&house, by_tokens(&tokens[1..])).await;
    assert_eq!((held.erased, held.items[0]), (0, 2));
    let officer = house.tokens(Some(OFFICE));
    let refused = officer.erase_tokens(by_subject(SUBJECT), None).await;
    assert_eq!(refusal(&refused.unwrap_err()).1, "held");
    assert_eq!(redeemed(&house, &about[0]).await, "丙當事");
    library_is_refused_as(&house, "unit-locked").await;
    let guard = house.guard(Some(GUARD));
    guard.unlock_unit(library(), None).await.unwrap();
    library_is_refused_as(&house, "not-permitted").await;
    house.audited();
}
