//! The rule of two: a set decides when another unit than the one that put it up has approved it, and stays.

use api::v1::ApprovePolicySetRequest;
use serde_json::{Value, json};
use tests::{House, Reply, has_entry, refusal};

use super::{NO_NAMES, REVENUE, a_name, add_policy, view};

const OFFICE: &str = "policy-office";
const ETHICS: &str = "ethics-office";
const JSON: &str = "content-type: application/json";

fn house() -> House {
    let mut house = House::install();
    let budgets = "budgets = \"policies/budgets.toml\"\n";
    let approval = format!("{budgets}activation = \"approval\"\n");
    house.edit("jinku.toml", budgets, &approval);
    house.serve();
    house
}

fn ask(house: &House, unit: &str, act: &str, body: &Value) -> Reply {
    let path = format!("/v1/policy-set/{act}");
    let body = body.to_string();
    house.post(Some(unit), &path, &["--header", JSON], body.as_bytes())
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    let found = (reply.status, reply.code());
    assert_eq!(found, (status, code.to_owned()), "{}", reply.body);
}

fn proposed(house: &House, unit: &str) -> String {
    let reply = ask(house, unit, "propose", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["digest"].as_str().unwrap().to_owned()
}

fn standing(house: &House) -> Value {
    let reply = house.curl(Some(OFFICE), "/v1/policy-set", &[]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_decides_once_another_unit_has_approved_it() {
    let mut house = house();
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    let before = standing(&house)["deciding"].clone();
    refused(
        &ask(&house, OFFICE, "propose", &json!({})),
        409,
        "policy-active",
    );

    add_policy(&house, NO_NAMES);
    refused(
        &ask(&house, REVENUE, "propose", &json!({})),
        403,
        "not-permitted",
    );
    let digest = proposed(&house, OFFICE);
    assert_eq!(view(&client, &token).await, "plain");
    let now = standing(&house);
    assert_eq!(now["deciding"], before);
    assert_eq!(now["waiting"]["digest"], digest.as_str());
    assert_eq!(now["waiting"]["proposed_by"], OFFICE);

    let approve =
        |unit: &str, digest: &str| ask(&house, unit, "approve", &json!({ "digest": digest }));
    refused(&approve(OFFICE, &digest), 403, "policy-own");
    refused(&approve(REVENUE, &digest), 403, "not-permitted");
    refused(
        &approve(ETHICS, before.as_str().unwrap()),
        409,
        "policy-not-waiting",
    );
    refused(&approve(ETHICS, "00"), 422, "digest-invalid");
    assert_eq!(view(&client, &token).await, "plain");
    let reply = approve(ETHICS, &digest);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(view(&client, &token).await, "masked");
    refused(&approve(ETHICS, &digest), 409, "policy-not-waiting");
    let now = standing(&house);
    assert_eq!(now["deciding"], digest.as_str());
    assert_eq!(now["active"]["approved_by"], ETHICS);
    let policy = now["policy"].as_str().unwrap().to_owned();

    let entries = house.audited();
    for facts in [
        [
            ("operation", "policy-propose"),
            ("unit", OFFICE),
            ("outcome", "ok"),
        ],
        [
            ("operation", "policy-approve"),
            ("unit", ETHICS),
            ("outcome", "ok"),
        ],
        [
            ("operation", "policy-approve"),
            ("unit", OFFICE),
            ("reason", "policy-own"),
        ],
        [
            ("operation", "policy-propose"),
            ("unit", OFFICE),
            ("reason", "policy-active"),
        ],
        [
            ("operation", "policy-approve"),
            ("unit", ETHICS),
            ("reason", "policy-not-waiting"),
        ],
        [
            ("operation", "policy-approve"),
            ("unit", REVENUE),
            ("reason", "not-permitted"),
        ],
    ] {
        assert!(has_entry(&entries, &facts), "{facts:?}");
    }
    for operation in ["policy-propose", "policy-approve"] {
        let facts = [("operation", operation), ("commitment", digest.as_str())];
        assert!(has_entry(&entries, &facts), "{operation}");
    }
    let facts = [("operation", "policy-set"), ("policy", policy.as_str())];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_approved_set_decides_again_after_a_start_whatever_lies_in_the_directory() {
    let mut house = house();
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    add_policy(&house, NO_NAMES);
    let digest = proposed(&house, ETHICS);
    let request = ApprovePolicySetRequest {
        digest: digest.clone(),
        reason: None,
    };
    let approve = |unit: &str| {
        let (client, request) = (house.policies(Some(unit)), request.clone());
        async move { client.approve_policy_set(request, None).await }
    };
    let own = approve(ETHICS).await.unwrap_err();
    assert_eq!(refusal(&own).1, "policy-own");
    approve(OFFICE).await.unwrap();

    for left in [
        "",
        "permit(",
        "@id(\"x\") permit(principal, action, resource);",
    ] {
        add_policy(&house, left);
        house.stop();
        house.serve();
        let client = house.client(Some(REVENUE));
        assert_eq!(view(&client, &token).await, "masked", "{left}");
        assert_eq!(standing(&house)["deciding"], digest.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_puts_the_set_up_and_any_officer_approves_it() {
    let mut house = house();
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    add_policy(&house, NO_NAMES);
    house.hang_up("a policy set waits for approval");
    assert_eq!(view(&client, &token).await, "plain");
    let digest = standing(&house)["waiting"]["digest"].clone();
    let digest = digest.as_str().unwrap().to_owned();
    // What waits is the set that was put up, not what lies in the directory by now.
    add_policy(&house, "");
    let directory = house.directory();
    let directory = directory.to_str().unwrap();
    let session = ["--installation", directory, "--unit"];
    let approve = [&["policy", "approve", &digest], &session[..], &[OFFICE]].concat();
    let (well, text) = house.jinku(&approve, "");
    assert!(well, "{text}");
    assert_eq!(view(&client, &token).await, "masked");
    let status = [&["policy", "status", "--json"], &session[..], &[OFFICE]].concat();
    let (well, text) = house.jinku(&status, "");
    assert!(well && text.contains(&digest), "{text}");

    // One that does not validate is not put up.
    add_policy(&house, "permit(");
    house.hang_up("no policy set was put up");
    assert!(standing(&house).get("waiting").is_none());
}

// A signal may come for the units' sake: then who put the set up must not be free to approve it alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_takes_no_proposal_from_who_made_it() {
    let mut house = house();
    house.hang_up("the policy set in the directory decides already");
    add_policy(&house, NO_NAMES);
    let digest = proposed(&house, OFFICE);
    house.hang_up("the policy set in the directory was put up before");
    let own = ask(&house, OFFICE, "approve", &json!({ "digest": digest }));
    refused(&own, 403, "policy-own");
    assert_eq!(standing(&house)["waiting"]["proposed_by"], OFFICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_altered_in_the_database_decides_nothing() {
    let mut house = house();
    add_policy(&house, NO_NAMES);
    let digest = proposed(&house, OFFICE);
    // Another proposer: then the one who put it up could approve it.
    house.sql("update policy_set set proposed_by = 'tax-bureau' where state = 'waiting'");
    let approve = ask(&house, OFFICE, "approve", &json!({ "digest": digest }));
    refused(&approve, 503, "policy-altered");
    house.sql("update policy_set set proposed_by = 'policy-office' where state = 'waiting'");
    house.stop();

    // The one that waits in the place of the one that decides.
    house.sql(
        "delete from policy_set where state = 'active'; update policy_set set state = 'active'",
    );
    let text = house.refuses_to_serve();
    assert!(text.contains("altered in the database"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_rule_nothing_is_put_up() {
    let house = House::open();
    add_policy(&house, NO_NAMES);
    refused(
        &ask(&house, OFFICE, "propose", &json!({})),
        409,
        "policy-not-by-approval",
    );
    assert_eq!(standing(&house)["activation"], "reload");
}

// What a writer that was too slow for its request leaves behind: a set that was approved, and does not decide yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_approved_decides_also_where_nobody_waited_for_it() {
    let mut house = house();
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        "[keys]\nupkeep_interval_ms = 200\n\n[ledger]\n",
    );
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    let approved = |house: &House, text: &str| {
        add_policy(house, text);
        let digest = proposed(house, OFFICE);
        let reply = ask(house, ETHICS, "approve", &json!({ "digest": digest }));
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    approved(&house, "");
    house.sql("create table first as select * from policy_set where state = 'active'");
    approved(&house, NO_NAMES);
    house.stop();
    house.sql(
        "create table second as select * from policy_set where state = 'active'; \
         delete from policy_set; insert into policy_set select * from first",
    );
    house.serve();
    let client = house.client(Some(REVENUE));
    assert_eq!(view(&client, &token).await, "plain");
    house.sql("delete from policy_set; insert into policy_set select * from second");
    house.wait_until_it_said("approved policies decide");
    assert_eq!(view(&client, &token).await, "masked");
}
