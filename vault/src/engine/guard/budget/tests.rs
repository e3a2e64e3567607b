//! Sliding windows: what counts, for how long, for whom, and what comes back.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::{Catalogue, Hand, Registry};

fn budget(text: &str) -> (Arc<Budget>, Arc<Hand>) {
    let catalogue = Catalogue::parse(include_str!("../../../../../policies/classes.toml")).unwrap();
    let units = include_str!("../../../../../policies/units.toml");
    let registry = Registry::parse(units, &catalogue).unwrap();
    let budgets = Budgets::parse(text, &catalogue, &registry).unwrap();
    let hand = Arc::new(Hand::default());
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
    (Arc::new(Budget::new(&budgets, clock)), hand)
}

fn small() -> (Arc<Budget>, Arc<Hand>) {
    budget("[[budget]]\nname = \"small\"\nwindow_seconds = 10\nvalues_max = 3\n")
}

fn unit(name: &str) -> UnitName {
    UnitName::parse(name).unwrap()
}

fn ids(values: &[u8]) -> Vec<(ValueId, &'static str)> {
    values.iter().map(|value| ([*value; 16], "name")).collect()
}

fn ask(budget: &Arc<Budget>, values: &[u8]) -> Result<Reservation, OverBudget> {
    budget.reserve(&unit("tax-bureau"), &ids(values).into_iter())
}

fn show(budget: &Arc<Budget>, values: &[u8]) -> Result<(), OverBudget> {
    ask(budget, values).map(|places| drop(places.sent()))
}

fn retry(result: Result<(), OverBudget>) -> Option<u64> {
    result.unwrap_err().retry_after.map(|time| time.as_secs())
}

#[test]
fn a_value_shown_again_costs_nothing_and_counts_from_its_last_showing() {
    let (budget, hand) = small();
    show(&budget, &[1, 2, 3, 1]).unwrap();
    show(&budget, &[3, 2, 1]).unwrap();
    assert_eq!(retry(show(&budget, &[4])), Some(10));
    hand.at(9);
    show(&budget, &[1]).unwrap();
    hand.at(10);
    // 2 and 3 have gone; 1 was shown a second ago.
    show(&budget, &[4, 5]).unwrap();
    assert_eq!(retry(show(&budget, &[6])), Some(9));
    hand.at(19);
    show(&budget, &[6]).unwrap();
}

#[test]
fn a_refused_request_takes_no_place_and_is_told_when_it_fits() {
    let (budget, hand) = small();
    show(&budget, &[1]).unwrap();
    hand.at(4);
    show(&budget, &[2, 3]).unwrap();
    hand.at(5);
    assert_eq!(retry(show(&budget, &[4])), Some(5));
    assert_eq!(retry(show(&budget, &[4, 5])), Some(9));
    // The first of them keeps its place, since it is asked for again.
    assert_eq!(retry(show(&budget, &[1, 4])), Some(9));
    assert_eq!(retry(show(&budget, &[4, 5, 6, 7])), None);
    show(&budget, &[1, 2, 3]).unwrap();
}

#[test]
fn two_at_once_can_t_both_take_the_last_place() {
    let (budget, _) = small();
    show(&budget, &[1, 2]).unwrap();
    let first = ask(&budget, &[3]).unwrap();
    assert!(ask(&budget, &[4]).is_err());
    first.give_back();
    let second = ask(&budget, &[4]).unwrap();
    drop(second);
    let third = ask(&budget, &[5]).unwrap().sent();
    third.give_back();
    let fourth = ask(&budget, &[6]).unwrap();
    drop(fourth.sent());
    assert!(ask(&budget, &[7]).is_err());
}

#[test]
fn what_a_request_holds_does_not_expire_under_it() {
    let (budget, hand) = small();
    show(&budget, &[1, 2, 3]).unwrap();
    let places = ask(&budget, &[1]).unwrap();
    hand.at(10);
    show(&budget, &[4, 5]).unwrap();
    assert!(show(&budget, &[6]).is_err());
    places.give_back();
    show(&budget, &[6]).unwrap();
}

#[test]
fn each_unit_has_its_own_or_they_share_and_classes_are_told_apart() {
    let (budget, _) = budget(
        "[[budget]]\nname = \"own\"\nclasses = [\"name\"]\nwindow_seconds = 9\nvalues_max = 2\n\
         [[budget]]\nname = \"all\"\nshare = \"together\"\nwindow_seconds = 9\nvalues_max = 3\n",
    );
    let show = |by: &str, id: u8, class: &str| {
        let places = budget.reserve(&unit(by), &[([id; 16], class)].into_iter());
        places
            .map(|places| drop(places.sent()))
            .map_err(|over| over.budget.to_string())
    };
    show("tax-bureau", 1, "name").unwrap();
    show("tax-bureau", 2, "name").unwrap();
    assert_eq!(show("tax-bureau", 3, "name").unwrap_err(), "own");
    show("treasury", 3, "name").unwrap();
    assert_eq!(show("tax-bureau", 4, "pan").unwrap_err(), "all");
    show("tax-bureau", 3, "pan").unwrap();
}

#[test]
fn what_the_ledger_recalls_counts_and_no_more_than_a_budgets_worth_is_kept() {
    let (budget, hand) = small();
    let bureau = unit("tax-bureau");
    let now = Timestamp(1_767_225_600_000_000);
    let before = |seconds: u64| Timestamp(now.0 - seconds * 1_000_000);
    // Newest first; one of them from a clock that was ahead, one too old to count.
    budget.recall(&bureau, "name", [1; 16], Timestamp(now.0 + 5_000_000));
    budget.recall(&bureau, "name", [2; 16], before(4));
    budget.recall(&bureau, "name", [1; 16], before(6));
    budget.recall(&bureau, "name", [3; 16], before(8));
    budget.recall(&bureau, "name", [4; 16], before(9));
    budget.recall(&bureau, "name", [5; 16], before(10));
    let held = budget
        .windows()
        .values()
        .map(|window| window.values.len())
        .max();
    assert_eq!(held, Some(3));
    assert_eq!(retry(show(&budget, &[9])), Some(2));
    hand.at(2);
    show(&budget, &[9]).unwrap();
    assert_eq!(retry(show(&budget, &[8])), Some(4));
}

proptest! {
    // Whatever is asked and when: within any window no more distinct values are shown than the budget.
    #[test]
    fn no_stretch_of_the_windows_length_shows_more(
        steps in prop::collection::vec((0_u64..6, prop::collection::vec(0_u8..12, 1..5), 0_u8..4), 1..60),
    ) {
        let (budget, hand) = small();
        let (mut time, mut shown, mut pending) = (0, Vec::new(), Vec::new());
        for (wait, values, fate) in steps {
            time += wait;
            hand.at(time);
            if let Ok(places) = ask(&budget, &values) {
                match fate {
                    0 => places.give_back(),
                    1 => pending.push((places, values)),
                    _ => {
                        drop(places.sent());
                        shown.extend(values.into_iter().map(|value| (time, value)));
                    }
                }
            }
            if fate == 3 {
                for (places, values) in pending.drain(..) {
                    drop(places.sent());
                    shown.extend(values.into_iter().map(|value| (time, value)));
                }
            }
            let within: BTreeSet<u8> = shown
                .iter()
                .filter(|(at, _)| at + 10 > time)
                .map(|(_, value)| *value)
                .collect();
            prop_assert!(within.len() <= 3, "{within:?} at {time}");
        }
    }
}
