//! A unit's life: raised with a second person, lowered at once, suspended, resumed, retired.

use tests::{refusal, tokenize};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_unit_sees_less_in_its_next_request_and_a_raised_one_waits() {
    let house = open();
    let token = token(&house);
    registered(&house, &bureau());
    assert_eq!(view(&house, &token), "plain");
    let lowered = done(&set(
        &house,
        REGISTRAR,
        &bureau_with("clearance", "confidential"),
    ));
    assert_eq!(
        (&lowered["outcome"], &lowered["keys"], &lowered["revision"]),
        (&json!("done"), &json!(["clearance"]), &json!(2))
    );
    // Decided anew, though the same was decided a moment ago.
    assert_eq!(view(&house, &token), "masked");
    let again = done(&set(
        &house,
        REGISTRAR,
        &bureau_with("clearance", "confidential"),
    ));
    assert_eq!(again["outcome"], "unchanged");

    let raised = set(&house, REGISTRAR, &bureau());
    assert_eq!(done(&raised)["keys"], json!(["clearance"]));
    let id = proposed(&raised);
    assert_eq!(view(&house, &token), "masked");
    done(&decide(&house, GUARD, &id, "approve"));
    assert_eq!(view(&house, &token), "plain");

    // A proposal is about the unit as it was: once that has changed, it is another one.
    let id = proposed(&set(
        &house,
        REGISTRAR,
        &bureau_with("requests_per_second", 501),
    ));
    done(&set(
        &house,
        REGISTRAR,
        &bureau_with("requests_per_second", 10),
    ));
    refused(
        &decide(&house, GUARD, &id, "approve"),
        404,
        "proposal-unknown",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_unit_is_cut_off_on_its_open_connection_and_comes_back_by_two_persons() {
    let mut house = open();
    registered(&house, &bureau());
    let client = house.client(Some(TAX));
    let ask = async || client.tokenize(tokenize("name", &["王小明"]), None).await;
    ask().await.unwrap();
    done(&act(&house, REGISTRAR, TAX, "suspend"));
    assert_eq!(refusal(&ask().await.unwrap_err()).1, "suspended");
    assert_eq!(
        done(&act(&house, REGISTRAR, TAX, "suspend"))["outcome"],
        "unchanged"
    );
    // By its token, and after a power cut, too.
    house.kill();
    house.serve();
    let (nobody, proof) = (house.client(None), house.proof(TAX));
    let bearer = nobody.tokenize(tokenize("name", &["王"]), Some(&proof));
    assert_eq!(refusal(&bearer.await.unwrap_err()).1, "suspended");

    let id = proposed(&act(&house, REGISTRAR, TAX, "resume"));
    assert_eq!(refusal(&ask().await.unwrap_err()).1, "suspended");
    refused(
        &decide(&house, REGISTRAR, &id, "approve"),
        403,
        "proposal-own",
    );
    done(&decide(&house, GUARD, &id, "approve"));
    ask().await.unwrap();
    refused(
        &act(&house, REGISTRAR, TAX, "resume"),
        409,
        "unit-not-suspended",
    );
    // The same as a document.
    done(&set(
        &house,
        REGISTRAR,
        &bureau_with("standing", "suspended"),
    ));
    assert_eq!(refusal(&ask().await.unwrap_err()).1, "suspended");
    proposed(&set(&house, REGISTRAR, &bureau()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_unit_never_comes_back_and_leaves_its_credentials() {
    let house = open();
    let token = token(&house);
    registered(&house, &bureau());
    done(&act(&house, REGISTRAR, TAX, "retire"));
    refused(&asked_for(&house, &token), 401, "certificate-unknown");
    refused(&act(&house, REGISTRAR, TAX, "resume"), 409, "unit-retired");
    refused(&act(&house, REGISTRAR, TAX, "suspend"), 409, "unit-retired");
    refused(&set(&house, REGISTRAR, &bureau()), 409, "unit-retired");
    let again = bureau_with("standing", "retired");
    refused(&set(&house, REGISTRAR, &again), 409, "unit-retired");
    let heir = bureau_with("name", "revenue-service");
    registered(&house, &heir);
    assert_eq!(view(&house, &token), "plain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_not_changed_goes_on_as_it_was() {
    let house = open();
    let slow = bureau_with("requests_per_second", 1);
    registered(&house, &slow);
    let client = house.client(Some(TAX));
    let ask = async || {
        let answer = client.tokenize(tokenize("name", &["王"]), None).await;
        answer.err().map(|error| refusal(&error).1)
    };
    while ask().await.is_none() {}
    // Another change gives no new burst: of two at once the second is too fast, as before.
    let mut renamed = slow;
    renamed["contact"] = json!("somebody else");
    done(&set(&house, REGISTRAR, &renamed));
    let answers = [ask().await, ask().await];
    assert!(answers.contains(&Some("rate".to_owned())), "{answers:?}");
}
