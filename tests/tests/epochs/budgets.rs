//! Budgets count distinct values, whatever epoch is opened while the vault runs.

use api::v1::Revealed;
use tests::refusal;

use super::*;

const BUDGET: &str = "[[budget]]\nname = \"hourly\"\nwindow_seconds = 3600\nvalues_max = 2\n";

async fn shown(house: &House, token: &str) -> Result<Vec<Revealed>, String> {
    let client = house.client(Some("tax-bureau"));
    let answer = client.detokenize(detokenize(TAX, &[token.to_owned()]), None);
    let answer = answer.await.map_err(|error| refusal(&error).1);
    answer.map(|answer| answer.items)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_counts_once_across_epochs_and_at_most_twice_after_a_restart() {
    let mut house = House::install();
    std::fs::write(house.directory().join("policies/budgets.toml"), BUDGET).unwrap();
    let often = "[keys]\nupkeep_interval_ms = 20\n\n[ledger]";
    house.edit("jinku.toml", "[ledger]", often);
    house.serve();
    let tokens = issued(&house, &["王一", "林二", "陳三"], None).await;
    assert!(shown(&house, &tokens[0]).await.is_ok());
    house.sql("update pseudonym_epoch set opened_us = 1");
    house.wait_until_it_said("a new epoch of pseudonyms is open");
    assert_eq!(pseudonyms(&house, &tokens[0]).await.len(), 2);
    // The same value is the same place; another one is the second and last.
    assert!(shown(&house, &tokens[0]).await.is_ok());
    assert!(shown(&house, &tokens[1]).await.is_ok());
    let over = || Err("budget-exceeded".to_owned());
    assert_eq!(shown(&house, &tokens[2]).await.map(drop), over());
    // From the ledger alone: the first value has two names. Counted too often, and never too seldom.
    house.kill();
    house.serve();
    assert_eq!(shown(&house, &tokens[2]).await.map(drop), over());
    house.audited();
}
