//! Epochs of the ledger's pseudonyms: each has a key of its own, and one that is erased is erased for good.

#[path = "epochs/backups.rs"]
mod backups;
#[path = "epochs/budgets.rs"]
mod budgets;

use std::path::PathBuf;
use std::process::Command;

use api::v1::{EraseTokensRequest, TokenizeItem, TokenizeRequest, TokensRequest};
use serde_json::Value;
use tests::{House, binary, detokenize, has_entry};

const TAX: &str = "tax-assessment";
const OFFICER: &str = "privacy-office";
const CARE: &str = "token-care";

async fn issued(house: &House, values: &[&str], subject: Option<&str>) -> Vec<String> {
    let item = |value: &&str| TokenizeItem {
        class: "name".to_owned(),
        value: (*value).to_owned(),
        subject: subject.map(str::to_owned),
        ..TokenizeItem::default()
    };
    let request = TokenizeRequest {
        domain: "city".to_owned(),
        items: values.iter().map(item).collect(),
        ..TokenizeRequest::default()
    };
    let client = house.client(Some("tax-bureau"));
    client.tokenize(request, None).await.unwrap().tokens
}

async fn redeemed(house: &House, token: &str) -> String {
    let client = house.client(Some("tax-bureau"));
    let request = detokenize(TAX, &[token.to_owned()]);
    let answer = client.detokenize(request, None).await.unwrap();
    answer.items[0].value.clone()
}

fn of(tokens: &[String]) -> TokensRequest {
    TokensRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: CARE.to_owned(),
        tokens: tokens.to_vec(),
    }
}

async fn erase(house: &House, tokens: &[String], subject: Option<&str>) -> u64 {
    let request = EraseTokensRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: "erasure-request".to_owned(),
        tokens: tokens.to_vec(),
        subject: subject.map(str::to_owned),
    };
    let officer = house.tokens(Some(OFFICER));
    officer.erase_tokens(request, None).await.unwrap().erased
}

async fn disable(house: &House, tokens: &[String]) {
    let officer = house.tokens(Some(OFFICER));
    let answer = officer.disable_tokens(of(tokens), None).await.unwrap();
    assert!(answer.items.iter().all(|item| item.error.is_none()));
}

/// What stands for a token in the ledger, as the officer is told.
async fn pseudonyms(house: &House, token: &str) -> Vec<String> {
    let officer = house.tokens(Some(OFFICER));
    let asked = of(&[token.to_owned()]);
    let answer = officer.describe_tokens(asked, None).await.unwrap();
    answer.items[0].token.clone().unwrap().pseudonyms
}

#[track_caller]
fn does(house: &House, arguments: &[&str], said: &str) -> String {
    let (good, all) = house.jinku(arguments, "");
    assert!(good && all.contains(said), "{arguments:?}: {all}");
    all
}

#[track_caller]
fn refuses(house: &House, arguments: &[&str], said: &str) {
    let (good, all) = house.jinku(arguments, "");
    assert!(!good && all.contains(said), "{arguments:?}: {all}");
}

fn next(house: &House) {
    does(house, &["ledger", "next-epoch"], "is open");
}

fn erase_epoch(house: &House, number: &str) {
    let erase = ["ledger", "erase-epoch", number, "--yes", "--no-backup"];
    does(house, &erase, "is erased");
}

/// The entries with this pseudonym, as the auditor looks for them.
fn filtered(house: &House, archive: &str, pseudonyms: &[String]) -> Vec<Value> {
    let mut command = Command::new(binary("jinku-ledger"));
    command
        .arg("filter")
        .arg(house.directory().join(archive))
        .arg("--json");
    for pseudonym in pseudonyms {
        command.args(["--token", pseudonym]);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["seq"].is_u64()).collect()
}

fn epoch_shred(house: &House, number: u32) -> Vec<u8> {
    let slot = house.sql(&format!(
        "select slot from pseudonym_epoch where number = {number}"
    ));
    let file = std::fs::read(data(house).join("shreds")).unwrap();
    let at = 32 + slot.parse::<usize>().unwrap() * 32;
    file[at..at + 32].to_vec()
}

fn data(house: &House) -> PathBuf {
    house.directory().join("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_epoch_links_nothing_and_the_log_stays_whole() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一", "林二"], None).await;
    let first = pseudonyms(&house, &tokens[0]).await;
    assert!(first.len() == 1 && first[0].starts_with("1:"), "{first:?}");
    let (good, said) = house.jinku(&["ledger", "next-epoch"], "");
    assert!(!good && said.contains("in use by another vault"), "{said}");
    house.stop();
    next(&house);
    house.serve();
    assert_eq!(redeemed(&house, &tokens[0]).await, "王一");
    let both = pseudonyms(&house, &tokens[0]).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], first[0], "the first epoch's changed");
    assert!(both[1].starts_with("2:") && both[1][2..] != both[0][2..]);
    house.stop();
    house.export("both");
    // The auditor finds a token in both epochs, and in neither under the other's number.
    let found = |wanted: &[String]| filtered(&house, "both", wanted).len();
    assert_eq!((found(&both[..1]), found(&both[1..])), (2, 2));
    assert_eq!(found(&both), 4);
    assert_eq!(found(&[format!("2:{}", &both[0][2..])]), 0);
    assert_eq!(found(&[both[0][2..].to_owned()]), 2);

    // What can't be erased, and what must be said first.
    let erase = |number| ["ledger", "erase-epoch", number, "--yes"];
    refuses(&house, &erase("2"), "is the present one");
    refuses(&house, &erase("3"), "there is no epoch 3");
    refuses(&house, &erase("1"), "name a backup with --backup");
    let dry = ["ledger", "erase-epoch", "1", "--dry-run"];
    does(&house, &dry, "could be erased: nothing was done");
    does(&house, &["backup", "--to", "now"], "entries");
    let unasked = ["ledger", "erase-epoch", "1", "--backup", "now"];
    refuses(&house, &unasked, "say --yes");
    assert_ne!(epoch_shred(&house, 1), [0; 32]);
    does(&house, &[&unasked[..], &["--yes"]].concat(), "is erased");
    assert_eq!(epoch_shred(&house, 1), [0; 32], "its key stands");
    assert_ne!(epoch_shred(&house, 2), [0; 32]);
    refuses(
        &house,
        &[&erase("1")[..], &["--no-backup"]].concat(),
        "erased already",
    );
    let list = does(&house, &["ledger", "epoch"], "erased 20");
    assert!(
        list.contains("2  since") && list.contains("present"),
        "{list}"
    );

    // The vault can tell of the second only; the log verifies, and goes on.
    house.serve();
    assert_eq!(pseudonyms(&house, &tokens[0]).await, both[1..]);
    assert_eq!(redeemed(&house, &tokens[1]).await, "林二");
    let entries = house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "epoch-open"), ("outcome", "ok")]
    ));
    let erasures = entries
        .iter()
        .filter(|entry| entry["operation"] == "epoch-erase");
    let erasures: Vec<_> = erasures.collect();
    assert_eq!(erasures.len(), 1);
    assert_eq!(erasures[0]["key"]["version"], 1);
    house.serve();
}

// A hold may need what the ledger says of the tokens that it covers.
#[tokio::test(flavor = "multi_thread")]
async fn no_epoch_is_erased_under_a_hold() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一"], None).await;
    let officer = house.tokens(Some(OFFICER));
    let hold = api::v1::HoldRequest {
        reason: None,
        domain: "city".to_owned(),
        purpose: "legal-hold".to_owned(),
        matter: "case-1".to_owned(),
        tokens,
        subject: None,
    };
    officer.place_hold(hold.clone(), None).await.unwrap();
    house.stop();
    next(&house);
    let erase = ["ledger", "erase-epoch", "1", "--yes", "--no-backup"];
    refuses(&house, &erase, "1 legal holds stand");
    house.serve();
    house
        .tokens(Some(OFFICER))
        .lift_hold(hold, None)
        .await
        .unwrap();
    house.stop();
    erase_epoch(&house, "1");
    house.serve();
    house.audited();
}

// The process ended between the entry and the key's destruction: as if the disk had never seen the zeros.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_is_destroyed_by_the_next_start() {
    let mut house = House::open();
    issued(&house, &["王一"], None).await;
    house.stop();
    next(&house);
    let shreds = data(&house).join("shreds");
    let before = std::fs::read(&shreds).unwrap();
    erase_epoch(&house, "1");
    std::fs::write(&shreds, before).unwrap();
    assert_ne!(epoch_shred(&house, 1), [0; 32]);
    house.serve();
    assert_eq!(epoch_shred(&house, 1), [0; 32]);
    house.audited();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_without_an_entry_is_missed() {
    let mut house = House::open();
    issued(&house, &["王一"], None).await;
    house.stop();
    let slot: usize = house
        .sql("select slot from pseudonym_epoch")
        .parse()
        .unwrap();
    let shreds = data(&house).join("shreds");
    let mut bytes = std::fs::read(&shreds).unwrap();
    bytes[32 + slot * 32..64 + slot * 32].fill(0);
    std::fs::write(&shreds, bytes).unwrap();
    let said = house.refuses_to_serve();
    assert!(
        said.contains("the key of pseudonym epoch 1 is not in"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_epoch_comes_by_itself_when_its_time_has_come() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一"], None).await;
    house.stop();
    house.serve();
    house.stop();
    assert_eq!(house.sql("select count(*) from pseudonym_epoch"), "1");
    house.sql("update pseudonym_epoch set opened_us = 1");
    house.serve();
    house.wait_until_it_said("a new epoch of pseudonyms is open");
    assert_eq!(pseudonyms(&house, &tokens[0]).await.len(), 2);
    house.stop();
    assert_eq!(house.sql("select count(*) from pseudonym_epoch"), "2");
    // Not where the settings say so.
    house.sql("update pseudonym_epoch set opened_us = 1");
    house.edit("jinku.toml", "[ledger]", "[ledger]\nepoch_days = 0");
    house.serve();
    house.audited();
    assert_eq!(house.sql("select count(*) from pseudonym_epoch"), "2");
    house.edit("jinku.toml", "epoch_days = 0", "epoch_days = 3651");
    let said = house.refuses_to_serve();
    assert!(said.contains("`ledger.epoch_days` must be 0"), "{said}");
}

// A database from before epochs: its only key is in every backup, so what comes goes into another epoch.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_goes_on_in_its_second_epoch() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一"], None).await;
    house.stop();
    house.sql("delete from pseudonym_epoch");
    house.serve();
    assert_eq!(redeemed(&house, &tokens[0]).await, "王一");
    let known = pseudonyms(&house, &tokens[0]).await;
    assert!(
        known[0].starts_with("1:") && known[1].starts_with("2:"),
        "{known:?}"
    );
    house.stop();
    next(&house);
    let erase = ["ledger", "erase-epoch", "1", "--yes", "--no-backup"];
    refuses(&house, &erase, "is from before there were epochs");
    does(&house, &["ledger", "epoch"], "can't be erased");
    erase_epoch(&house, "2");
    house.serve();
    house.audited();
}

// The key of the ledger's pseudonyms is wrapped as others are: another root changes no pseudonym.
#[tokio::test(flavor = "multi_thread")]
async fn another_root_key_changes_no_pseudonym() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一"], None).await;
    house.stop();
    next(&house);
    house.serve();
    let before = pseudonyms(&house, &tokens[0]).await;
    house.stop();
    let renamed = "root_label = \"second-root\"\ntoken_label = ";
    house.edit("jinku.toml", "token_label = ", renamed);
    does(
        &house,
        &["key", "rotate-root", "--from", "jinku-root"],
        "moved",
    );
    house.serve();
    assert_eq!(pseudonyms(&house, &tokens[0]).await, before);
    house.audited();
}
