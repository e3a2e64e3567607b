//! Power cuts in the middle of erasures: what was erased stays so, and its keys are destroyed in the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rand::RngExt;
use tests::House;

use super::*;

/// How often the vault is killed.
const ROUNDS: usize = 10;

/// Subjects whose erasure was acknowledged, with their tokens.
type Acknowledged = Arc<Mutex<Vec<(usize, Vec<String>)>>>;

/// Erases subject after subject until the vault is gone.
async fn load(
    officer: api::TokensClient,
    subjects: Vec<(usize, Vec<String>)>,
    acknowledged: Acknowledged,
    calls: Arc<AtomicUsize>,
) {
    for (number, tokens) in subjects {
        calls.fetch_add(1, Ordering::SeqCst);
        let request = by_subject(&format!("subject-{number}"));
        let Ok(answer) = officer.erase_tokens(request, None).await else {
            return;
        };
        assert_eq!(answer.erased, 3);
        acknowledged.lock().unwrap().push((number, tokens));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_survives_ten_power_cuts_whole() {
    let mut house = House::install();
    // A certificate is not waited for: more erasures fall between two checkpoints.
    house.edit(
        "jinku.toml",
        "[ledger]",
        "[ledger]\npublish_interval_ms = 5",
    );
    house.serve();
    let (mut number, mut gone) = (0, Vec::new());
    for _ in 0..ROUNDS {
        let mut subjects = Vec::new();
        for _ in 0..12 {
            number += 1;
            let subject = format!("subject-{number}");
            let values = ["王一", "王二", "王三"];
            subjects.push((
                number,
                issued(&house, "name", &values, Some(&subject)).await,
            ));
        }
        let everything: Vec<String> = subjects.iter().flat_map(|(_, all)| all.clone()).collect();
        let acknowledged: Acknowledged = Arc::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let second = subjects.split_off(6);
        let officers: Vec<_> = [subjects, second]
            .into_iter()
            .map(|subjects| {
                let officer = house.tokens(Some("privacy-office"));
                let (acknowledged, calls) = (Arc::clone(&acknowledged), Arc::clone(&calls));
                tokio::spawn(load(officer, subjects, acknowledged, calls))
            })
            .collect();
        // The moment is random, and counted in calls.
        let moment = rand::rng().random_range(2..12);
        while calls.load(Ordering::SeqCst) < moment {
            tokio::task::yield_now().await;
        }
        house.kill();
        for officer in officers {
            officer.await.unwrap();
        }
        house.serve();
        let fresh = std::mem::take(&mut *acknowledged.lock().unwrap());
        gone.extend(fresh.into_iter().flat_map(|(_, tokens)| tokens));
        for token in &gone {
            assert_eq!(redeemed(&house, token).await, "", "an erased token is back");
        }
        whole_or_absent(&house, &everything).await;
        keys_of_rows_alone_stand(&house);
    }
    house.audited();
}

/// Of each subject all three values stand, or none.
async fn whole_or_absent(house: &House, tokens: &[String]) {
    for of_one in tokens.chunks(3) {
        let mut standing = 0;
        for token in of_one {
            standing += usize::from(!redeemed(house, token).await.is_empty());
        }
        assert!(
            standing == 0 || standing == 3,
            "half of a subject is erased"
        );
    }
}

/// Whatever was due is destroyed after a start; what rows need is not.
fn keys_of_rows_alone_stand(house: &House) {
    let slots = |sql: &str| -> Vec<u64> {
        house
            .sql(sql)
            .lines()
            .map(|slot| slot.parse().unwrap())
            .collect()
    };
    for due in slots("select slot from shred_due") {
        assert_eq!(
            shred_key(house, due),
            [0; 32],
            "slot {due} is due and stands"
        );
    }
    for needed in slots("select shred from token") {
        assert_ne!(shred_key(house, needed), [0; 32], "slot {needed} is needed");
    }
}
