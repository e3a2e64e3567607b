//! A set of a thousand policies about ten thousand units is read again while requests go on: none is lost.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tests::House;

use super::{REVENUE, a_name, add_policy, view};

const UNITS: usize = 10_000;
const POLICIES: usize = 1_000;
const RELOADS: usize = 3;

fn large_house() -> House {
    let mut house = House::install();
    let mut units = String::new();
    for n in 0..UNITS {
        let group = n % POLICIES;
        let _ = write!(
            units,
            "\n[[unit]]\nname = \"unit-{n}\"\ntitle_zh = \"單位\"\ntitle_en = \"Unit\"\n\
             clearance = \"internal\"\ngroups = [\"group-{group}\"]\ntoken_subject = \"unit-{n}\"\n"
        );
    }
    let path = house.directory().join("policies/units.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // The callers ask as fast as they are answered.
    let text = text.replace(
        "requests_per_second = 500\n",
        "requests_per_second = 1000000\n",
    );
    std::fs::write(path, text + &units).unwrap();
    // A window for each of so many units would be more than the vault keeps.
    let budgets = "[[budget]]\nname = \"all\"\nshare = \"together\"\nwindow_seconds = 3600\nvalues_max = 1000\n";
    std::fs::write(house.directory().join("policies/budgets.toml"), budgets).unwrap();
    add_policy(&house, &policies(0));
    house.serve();
    house
}

/// So many policies, each for a group and a purpose of its own; each round says something else.
fn policies(round: usize) -> String {
    let mut text = String::new();
    for n in 0..POLICIES {
        let _ = writeln!(
            text,
            "@id(\"more-{n}\")\npermit (principal, action == Jinku::Action::\"DetokenizeToken\", resource)\n\
             when {{ principal.groups.contains(\"group-{n}\") && context.purpose == \"work-{round}\" }};"
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_of_a_thousand_policies_loses_no_request() {
    let mut house = large_house();
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    let over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, token) = (client.clone(), token.clone());
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(view(&client, &token).await, "plain");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut during = Vec::new();
    for round in 1..=RELOADS {
        add_policy(&house, &policies(round));
        let before = answered.load(Ordering::Relaxed);
        house = tokio::task::spawn_blocking(move || {
            house.hang_up("new policies decide");
            house
        })
        .await
        .unwrap();
        during.push(answered.load(Ordering::Relaxed) - before);
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    // They were answered while the set was read, not only before and after.
    assert!(during.iter().all(|count| *count > 0), "{during:?}");
}
