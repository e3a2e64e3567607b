//! The key service over gRPC, beside REST: every call of the contract, and `jinku key` on top of it.

#[path = "keys_grpc/life.rs"]
mod life;
#[path = "keys_grpc/officer.rs"]
mod officer;
#[path = "keys_grpc/payload.rs"]
mod payload;

use std::collections::BTreeMap;

use api::v1::{CreateKeyRequest, Key, KeyRequest};
use api::{ClientError, KeysClient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tests::{House, refusal};

/// Looks after keys, and uses none.
const KEEPER: Option<&str> = Some("key-office");
/// Uses keys that are tagged with its group.
const USER: Option<&str> = Some("tax-bureau");

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    list.iter().map(owned).collect()
}

fn of(key: &str) -> KeyRequest {
    let key = key.to_owned();
    KeyRequest { key, reason: None }
}

/// Makes a key that the tax bureau may use.
async fn made(keeper: &KeysClient, kind: &str, alias: &str) -> Key {
    let request = CreateKeyRequest {
        kind: kind.to_owned(),
        alias: alias.to_owned(),
        tags: pairs(&[("group", "revenue")]),
        ..CreateKeyRequest::default()
    };
    keeper.create_key(request, None).await.unwrap().key.unwrap()
}

/// The stable code of a call that must be refused.
fn code<T>(answer: Result<T, ClientError>) -> String {
    refusal(&answer.err().expect("it was answered")).1
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn unbase64(value: &serde_json::Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// An act over REST, as the tax bureau.
fn rest(house: &House, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let json = ["--header", "content-type: application/json"];
    let reply = house.post(USER, path, &json, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_contract_is_answered() {
    let mut house = House::open();
    life::a_key_lives_over_grpc(&house).await;
    life::a_list_is_read_page_by_page(&house).await;
    life::material_comes_in_with_its_ticket_only(&house).await;
    life::stored_values_move_to_a_newer_version(&house).await;
    payload::ciphertexts_cross_the_faces(&house).await;
    payload::an_item_that_fails_stands_alone(&house).await;
    payload::data_keys_open_again(&house).await;
    payload::codes_are_the_same_on_both_faces(&house).await;
    payload::signatures_are_the_same_on_both_faces(&house).await;
    payload::refusals_say_why(&house).await;
    life::a_backup_comes_back(&mut house).await;
    life::every_act_is_an_entry(&mut house);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_officer_works_from_the_command_line() {
    let house = House::open();
    officer::keys_are_looked_after(&house);
    officer::files_are_sealed_and_opened(&house);
    officer::signatures_and_codes_are_judged(&house);
    officer::stored_values_are_resealed(&house).await;
    officer::who_asks_is_proven_by_files(&house);
    officer::errors_say_the_code_and_the_remedy(&house);
    officer::what_failed_is_no_file(&house);
}
