//! Policy sets on real binaries: the rule of two, a reload under load, the command line, and other engines of Cedar.

#[path = "policy/approval.rs"]
mod approval;
#[path = "policy/commands.rs"]
mod commands;
#[path = "policy/outside.rs"]
mod outside;
#[path = "policy/reload.rs"]
mod reload;

use std::process::{Command, Output};

use api::Client;
use serde_json::Value;
use tests::{House, binary, detokenize, tokenize};

/// Sees names plainly for [`TAX`].
const REVENUE: &str = "tax-bureau";
const TAX: &str = "tax-assessment";

/// Takes names from everyone.
const NO_NAMES: &str = "@id(\"no-names\")\nforbid (principal, action == Jinku::Action::\"DetokenizePlain\", \
    resource == Jinku::DataClass::\"name\");\n";

fn jinku(arguments: &[&str]) -> Output {
    Command::new(binary("jinku"))
        .args(arguments)
        .current_dir(tests::workspace())
        .output()
        .unwrap()
}

/// The exit code, and what stands on the standard output.
fn said(arguments: &[&str]) -> (i32, String) {
    let output = jinku(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

/// The same, where the output must be JSON.
#[track_caller]
fn document(arguments: &[&str]) -> (i32, Value) {
    let output = jinku(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_str(&text);
    let document = document.unwrap_or_else(|_| panic!("no JSON: {text}\n{errors}"));
    (output.status.code().unwrap(), document)
}

async fn a_name(client: &Client) -> String {
    let issued = client.tokenize(tokenize("name", &["王測試"]), None).await;
    issued.unwrap().tokens.remove(0)
}

/// The view that the tax bureau is given of a name.
async fn view(client: &Client, token: &str) -> String {
    let request = detokenize(TAX, &[token.to_owned()]);
    let answer = client.detokenize(request, None).await.unwrap();
    let view = answer.items[0].view();
    format!("{view:?}").to_lowercase()
}

/// Another policy in the installation's directory.
fn add_policy(house: &House, text: &str) {
    let path = house.directory().join("policies/policies/99-more.cedar");
    std::fs::write(path, text).unwrap();
}
