//! Power cuts: `kill -9` in the middle of a load, again and again, and nothing acknowledged is lost.

#[path = "crash/publishing.rs"]
mod publishing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rand::RngExt;
use tests::{House, detokenize, tokenize, values};

/// How often the vault is killed.
const ROUNDS: usize = 20;
/// Clients at once.
const CLIENTS: usize = 6;

/// Values and their acknowledged tokens.
type Acknowledged = Arc<Mutex<Vec<(String, String)>>>;

/// Tokenizes until the vault is gone, and notes what was acknowledged.
async fn load(
    client: api::Client,
    prefix: String,
    acknowledged: Acknowledged,
    calls: Arc<AtomicUsize>,
) {
    for call in 0.. {
        let batch: Vec<String> = (0..4)
            .map(|item| format!("{prefix}-{call}-{item}"))
            .collect();
        let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
        let Ok(answer) = client.tokenize(tokenize("name", &texts), None).await else {
            return;
        };
        acknowledged
            .lock()
            .unwrap()
            .extend(batch.into_iter().zip(answer.tokens));
        calls.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sum of the batches that the ledger records as tokenized.
fn tokens_in_ledger(entries: &[serde_json::Value]) -> u64 {
    let batches = entries
        .iter()
        .filter(|entry| entry["operation"] == "tokenize" && entry["outcome"] == "ok");
    batches
        .map(|entry| entry["batch"]["count"].as_u64().unwrap())
        .sum()
}

// Invariants 2 and 3: an acknowledged token survives `kill -9` and opens; rows and entries agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_token_survives_twenty_power_cuts() {
    let mut house = House::open();
    let mut everything: Vec<(String, String)> = Vec::new();
    for round in 0..ROUNDS {
        let acknowledged: Acknowledged = Arc::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = house.client(Some("tax-bureau"));
                let prefix = format!("r{round}-c{number}");
                tokio::spawn(load(
                    client,
                    prefix,
                    Arc::clone(&acknowledged),
                    Arc::clone(&calls),
                ))
            })
            .collect();
        // The moment is random, and counted in acknowledgements: a slow machine waits as long as it needs.
        let moment = rand::rng().random_range(1..120);
        while calls.load(Ordering::SeqCst) < moment {
            assert!(
                !clients.iter().all(tokio::task::JoinHandle::is_finished),
                "the load ended"
            );
            tokio::task::yield_now().await;
        }
        house.kill();
        for client in clients {
            client.await.unwrap();
        }
        house.serve();
        let fresh = std::mem::take(&mut *acknowledged.lock().unwrap());
        assert!(!fresh.is_empty());
        everything.extend(fresh);
        all_open(&house, &everything).await;
    }
    let recorded = tokens_in_ledger(&house.audited());
    assert_eq!(recorded, house.rows(), "rows and entries disagree");
    assert!(recorded >= everything.len() as u64);
}

// Readiness is announced once signals are taken: who stops a vault that listens sees it end in order.
#[test]
fn a_vault_that_listens_ends_in_order() {
    let mut house = House::install();
    for _ in 0..ROUNDS {
        house.serve();
        house.stop();
    }
    house.serve();
    house.audited();
}

async fn all_open(house: &House, everything: &[(String, String)]) {
    let client = house.client(Some("tax-bureau"));
    for chunk in everything.chunks(500) {
        let tokens: Vec<String> = chunk.iter().map(|(_, token)| token.clone()).collect();
        let answer = client
            .detokenize(detokenize("tax-assessment", &tokens), None)
            .await
            .unwrap();
        let expected: Vec<&str> = chunk.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(values(&answer.items), expected);
    }
}
