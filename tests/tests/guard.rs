//! The guard against quiet mass reading, on real binaries: budgets, alerts, locks, honeytokens, grants.

#[path = "guard/alerts.rs"]
mod alerts;
#[path = "guard/budgets.rs"]
mod budgets;
#[path = "guard/grants.rs"]
mod grants;
#[path = "guard/honeytokens.rs"]
mod honeytokens;
#[path = "guard/locks.rs"]
mod locks;

use api::Client;
use serde_json::{Value, json};
use tests::{House, Receiver, Reply, tokenize};

/// Sees names plainly for [`TAX`].
const REVENUE: &str = "tax-bureau";
const TAX: &str = "tax-assessment";
/// A known unit that may see nothing.
const NOBODY: &str = "public-library";

/// Watches over the others.
const GUARD: &str = "guard-office";

const JSON: &str = "content-type: application/json";

/// An installation with these budgets, and with more lines in its configuration. It does not run.
fn house_with(budgets: &str, more: &str) -> House {
    let house = House::install();
    std::fs::write(house.directory().join("policies/budgets.toml"), budgets).unwrap();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{more}\n[ledger]\n"),
    );
    house
}

/// Settings that send alerts to a receiver, signed with the key [`new_signing_key`] makes.
fn alerts_to(receiver: &Receiver, more: &str) -> String {
    format!(
        "[[alert]]\nname = \"soc\"\nurl = \"{}\"\nkey = \"alert-soc\"\n{more}\n",
        receiver.url()
    )
}

/// Makes the key that signs alerts.
fn new_signing_key(house: &House) {
    let body =
        json!({ "kind": "hmac-sha-256", "alias": "alert-soc", "tags": { "group": "revenue" } });
    done(&ask(house, "key-office", "/v1/keys", &body));
}

/// So many distinct values for each unit, within an hour.
fn an_hour(values_max: usize) -> String {
    format!("[[budget]]\nname = \"hourly\"\nwindow_seconds = 3600\nvalues_max = {values_max}\n")
}

/// Tokens of so many made-up names.
async fn names(client: &Client, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("王測試{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let issued = client.tokenize(tokenize("name", &names), None).await;
    issued.unwrap().tokens
}

/// Posts a body to a path.
fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
}

/// Asks for values over REST.
fn read(house: &House, unit: &str, tokens: &[String]) -> Reply {
    let body = json!({ "domain": "city", "purpose": TAX, "tokens": tokens });
    ask(house, unit, "/v1/detokenize", &body)
}

/// What an answer says, which must be one.
#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// An answer must be this problem.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
}

/// The views of an answer, which must be one.
#[track_caller]
fn views(reply: &Reply) -> Vec<String> {
    let items = done(reply)["items"].as_array().unwrap().clone();
    let view = |item: &Value| item["view"].as_str().unwrap().to_owned();
    items.iter().map(view).collect()
}
