//! What a vault refuses to start with: a lost key, a ledger taken away, a database of yesterday.

use std::path::Path;

use tests::{House, tokenize};

/// A house that has issued one token, with its vault stopped.
async fn used() -> House {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    house.stop();
    house
}

// Invariant 15: a key that rows need is not made anew where it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_refused_by_its_name() {
    for key in [
        "value.city",
        "fingerprint.city",
        "index.city",
        "pseudonym.1",
    ] {
        let house = used().await;
        house.sql(&format!(
            "delete from key_material where key = '{key}'; delete from key where id = '{key}'"
        ));
        let said = house.refuses_to_serve();
        assert!(
            said.contains(&format!("key `{key}` is missing, and tokens need it")),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_domain_without_tokens_is_made_anew() {
    let mut house = used().await;
    house.sql(
        "delete from key_material where key = 'value.bank'; delete from key where id = 'value.bank'",
    );
    house.serve();
    house.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_taken_away_is_missed() {
    let house = used().await;
    std::fs::remove_dir_all(house.directory().join("data/ledger")).unwrap();
    let said = house.refuses_to_serve();
    assert!(said.contains("the ledger directory is missing"), "{said}");
}

fn copy(folder: &Path, from: &str, to: &str) {
    std::fs::copy(folder.join(from), folder.join(to)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_older_than_its_ledger_is_refused() {
    let mut house = used().await;
    let data = house.directory().join("data");
    house.sql("pragma wal_checkpoint(truncate)");
    copy(&data, "vault.db", "yesterday.db");
    house.serve();
    house.stop();
    house.sql("pragma wal_checkpoint(truncate)");
    copy(&data, "yesterday.db", "vault.db");
    let said = house.refuses_to_serve();
    assert!(
        said.contains("the database does not hold the entries that were published"),
        "{said}"
    );
}

#[test]
fn a_vault_that_starts_before_its_hsm_waits_for_it() {
    let mut house = House::install();
    house.stop_hsm();
    house.serve_until_it_says("waiting up to 30s for the HSM");
    let address = house.directory().join("vault.address");
    assert!(!address.exists(), "it listens without its HSM");
    house.serve_hsm();
    house.wait_until_it_listens();
    assert_eq!(house.curl(None, "/readyz", &[]).status, 200);
}
