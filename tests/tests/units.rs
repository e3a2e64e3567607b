//! Registered units on real binaries: proposed by one, approved by another, in force at once, kept under a key.

#[path = "units/altered.rs"]
mod altered;
#[path = "units/bounds.rs"]
mod bounds;
#[path = "units/carried.rs"]
mod carried;
#[path = "units/command.rs"]
mod command;
#[path = "units/file.rs"]
mod file;
#[path = "units/life.rs"]
mod life;
#[path = "units/limits.rs"]
mod limits;
#[path = "units/persons.rs"]
mod persons;
#[path = "units/proofs.rs"]
mod proofs;
#[path = "units/restored.rs"]
mod restored;

use serde_json::{Value, json};
use tests::{House, Reply};

/// Proposes, suspends, retires.
const REGISTRAR: &str = "registry-office";
/// Approves.
const GUARD: &str = "guard-office";
/// Is registered in these tests, with the certificate that the installation has for it.
const TAX: &str = "tax-bureau";
const TAXES: &str = "tax-assessment";
/// A known unit that may nothing.
const NOBODY: &str = "public-library";

const JSON: &str = "content-type: application/json";
const ID: &str = "A123456789";

/// An installation whose file does not have the tax bureau, with more settings. It does not run.
fn installed(settings: &str) -> House {
    let house = House::install();
    without(&house, &[TAX]);
    std::fs::write(house.directory().join("policies/budgets.toml"), "").unwrap();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{settings}\n[ledger]\n"),
    );
    house
}

fn open() -> House {
    let mut house = installed("");
    house.serve();
    house
}

/// Takes units out of the installation's file.
fn without(house: &House, names: &[&str]) {
    let path = house.directory().join("policies/units.toml");
    let mut file: toml::Table = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let units = file["unit"].as_array_mut().unwrap();
    units.retain(|unit| !names.contains(&unit["name"].as_str().unwrap()));
    std::fs::write(path, toml::to_string(&file).unwrap()).unwrap();
}

/// Sets a key of a unit of the installation's file.
fn in_file(house: &House, name: &str, key: &str, value: toml::Value) {
    let path = house.directory().join("policies/units.toml");
    let mut file: toml::Table = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let units = file["unit"].as_array_mut().unwrap();
    let unit = units
        .iter_mut()
        .find(|unit| unit["name"].as_str() == Some(name));
    let unit = unit.unwrap().as_table_mut().unwrap();
    unit.insert(key.to_owned(), value);
    std::fs::write(path, toml::to_string(&file).unwrap()).unwrap();
}

/// The tax bureau as the sample has it.
fn bureau() -> Value {
    json!({
        "name": TAX, "title_zh": "稅捐稽徵處", "title_en": "Revenue Service Office", "contact": "02-2394-9211",
        "clearance": "restricted", "compartments": ["tax"], "groups": ["city", "intake", "revenue"],
        "certificate_uri": "spiffe://jinku.example/unit/tax-bureau", "token_subject": "tax-bureau",
        "requests_per_second": 500,
    })
}

/// The bureau with one key set.
fn bureau_with(key: &str, value: impl Into<Value>) -> Value {
    let mut document = bureau();
    document[key] = value.into();
    document
}

fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
}

fn set(house: &House, by: &str, document: &Value) -> Reply {
    ask(house, by, "/v1/units", &json!({ "document": document }))
}

fn act(house: &House, by: &str, unit: &str, act: &str) -> Reply {
    ask(house, by, &format!("/v1/units/{unit}/{act}"), &json!({}))
}

fn decide(house: &House, by: &str, id: &str, act: &str) -> Reply {
    let path = format!("/v1/unit-proposals/{id}/{act}");
    ask(house, by, &path, &json!({}))
}

/// The id of what is proposed by this.
#[track_caller]
fn proposed(reply: &Reply) -> String {
    let said = done(reply);
    assert_eq!(said["outcome"], "proposed");
    said["proposal"]["id"].as_str().unwrap().to_owned()
}

/// Proposes, and has the guard approve.
#[track_caller]
fn registered(house: &House, document: &Value) -> Value {
    let id = proposed(&set(house, REGISTRAR, document));
    done(&decide(house, GUARD, &id, "approve"))
}

#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
}

/// Has the bureau's identity number tokenized by a unit that may.
fn token(house: &House) -> String {
    let body = json!({ "domain": "city", "items": [{ "class": "national-id", "value": ID }] });
    let answer = done(&ask(house, "service-counter", "/v1/tokenize", &body));
    answer["tokens"][0].as_str().unwrap().to_owned()
}

/// What the bureau is answered for a token.
fn asked_for(house: &House, token: &str) -> Reply {
    let body = json!({ "domain": "city", "purpose": TAXES, "tokens": [token] });
    ask(house, TAX, "/v1/detokenize", &body)
}

#[track_caller]
fn view(house: &House, token: &str) -> String {
    let answer = done(&asked_for(house, token));
    answer["items"][0]["view"].as_str().unwrap().to_owned()
}
