//! A class whose format's space is nearly used up: a warning, then a clear error, and nothing half written.

use tests::{House, free_port, refusal, tokenize};

/// Its tokens keep the first six and last four digits: 900 are left of 13 digits.
const CARD: &str = "4222222222222";
const TOKENS: usize = 900;
const BATCH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_nearly_full_space_warns_then_refuses_and_writes_nothing_of_the_refused_batch() {
    let mut house = House::install();
    house.edit(
        "policies/classes.toml",
        "mask = { keep_first = 0, keep_last = 4 }\ntokens = \"repeatable\"",
        "mask = { keep_first = 0, keep_last = 4 }\nspace = { warn_percent = 30, full_percent = 60 }",
    );
    let address = format!("127.0.0.1:{}", free_port());
    let settings = format!("\n[metrics]\naddress = \"{address}\"\n\n[ledger]\n");
    house.edit("jinku.toml", "\n[ledger]\n", &settings);
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let mut issued = std::collections::BTreeSet::new();
    let refused = loop {
        match client.tokenize(tokenize("pan", &[CARD; BATCH]), None).await {
            Ok(answer) => issued.extend(answer.tokens),
            Err(error) => break error,
        }
        assert!(issued.len() < TOKENS, "more tokens than the space has");
    };
    assert_eq!(refusal(&refused).1, "space-exhausted");
    // Judged by the draws that met standing tokens: an estimate, here of some hundreds.
    let share = issued.len() * 100 / TOKENS;
    assert!((45..=85).contains(&share), "{share} percent were issued");
    assert_eq!(house.rows(), issued.len() as u64);
    let said = house.vault().said();
    assert_eq!(
        said.matches("is used up beyond its share").count(),
        1,
        "{said}"
    );
    let page = House::curl_plain(&format!("http://{address}/metrics"), &[]).body;
    assert!(
        page.contains("jinku_token_space_warnings_total 1\n"),
        "{page}"
    );
    let gauge = "jinku_token_space_used_percent{domain=\"city\",class=\"pan\"} ";
    let percent = page.lines().find_map(|line| line.strip_prefix(gauge));
    let percent: u64 = percent.unwrap().parse().unwrap();
    assert!((30..=85).contains(&percent), "{page}");
}
