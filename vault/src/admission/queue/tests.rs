//! Fairness, shown on the queue itself: no clock but a number, no threads.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const LATER: Duration = Duration::MAX;

fn hand_on<W>(queue: &mut Queue<W>) -> Option<W> {
    queue.hand_on(Duration::ZERO).next
}

/// A queue whose one slot is taken.
fn full(waiting_max: usize) -> Queue<(Flow, usize)> {
    let mut queue = Queue::new(1, waiting_max);
    assert!(queue.enter_now());
    queue
}

fn wait(queue: &mut Queue<(Flow, usize)>, flow: Flow, weight: u64, nth: usize) -> Place {
    match queue.enter(flow, weight, LATER, (flow, nth)) {
        Entered::Waits(place, None) => place,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_free_slot_is_taken_at_once_and_a_unit_s_requests_keep_their_order() {
    let mut queue = Queue::new(2, 10);
    assert!(matches!(queue.enter(1, 4, LATER, 'a'), Entered::Now('a')));
    assert!(queue.enter_now());
    for ticket in ['b', 'c', 'd'] {
        assert!(matches!(
            queue.enter(1, 4, LATER, ticket),
            Entered::Waits(_, None)
        ));
    }
    let order: Vec<_> = (0..4).map(|_| hand_on(&mut queue)).collect();
    assert_eq!(order, [Some('b'), Some('c'), Some('d'), None]);
    assert_eq!((queue.free(), queue.waiting()), (1, 0));
    assert!(queue.flows.is_empty());
}

#[test]
fn shares_are_as_the_weights() {
    let mut queue = full(10_000);
    let weights = [(1, 16), (2, 4), (3, 1), (4, 4)];
    for nth in 0..1_000 {
        for (flow, weight) in weights {
            wait(&mut queue, flow, weight, nth);
        }
    }
    let mut served = HashMap::<Flow, u64>::new();
    for _ in 0..250 {
        *served.entry(hand_on(&mut queue).unwrap().0).or_default() += 1;
    }
    for (flow, weight) in weights {
        assert!(
            served[&flow].abs_diff(weight * 10) <= 1,
            "{flow}: {served:?}"
        );
    }
}

// A unit that sends a thousand requests gains nothing on one that sends few.
#[test]
fn a_crowd_of_one_unit_does_not_hold_up_another() {
    let mut queue = full(10_000);
    for nth in 0..1_000 {
        wait(&mut queue, 1, 4, nth);
    }
    for _ in 0..100 {
        hand_on(&mut queue);
    }
    wait(&mut queue, 2, 4, 0);
    let next: Vec<_> = (0..2).map(|_| hand_on(&mut queue).unwrap().0).collect();
    assert!(next.contains(&2), "{next:?}");
}

#[test]
fn who_left_or_is_late_gets_no_slot_and_is_charged_nothing() {
    let mut queue = full(100);
    let first = wait(&mut queue, 1, 1, 0);
    let second = wait(&mut queue, 1, 1, 1);
    wait(&mut queue, 1, 1, 2);
    wait(&mut queue, 2, 1, 0);
    assert_eq!(queue.leave(second), Some((1, 1)));
    assert_eq!(queue.leave(first), Some((1, 0)));
    assert_eq!(queue.leave(first), None);
    assert_eq!(hand_on(&mut queue), Some((1, 2)));
    assert_eq!(hand_on(&mut queue), Some((2, 0)));

    let mut queue = full(100);
    let second = Duration::from_secs(1);
    for (nth, deadline) in [(0, second), (1, second), (2, second * 3)] {
        assert!(matches!(
            queue.enter(7, 1, deadline, (7, nth)),
            Entered::Waits(..)
        ));
    }
    let handed = queue.hand_on(second);
    assert_eq!(handed.next, Some((7, 2)));
    assert_eq!(handed.late, [(7, 0), (7, 1)]);
}

#[test]
fn a_full_queue_sheds_the_greediest_and_never_a_unit_s_only_request() {
    let mut queue = full(4);
    for nth in 0..3 {
        wait(&mut queue, 1, 4, nth);
    }
    wait(&mut queue, 2, 1, 0);
    // The unit with three goes first, and its last one of them.
    match queue.enter(3, 4, LATER, (3, 0)) {
        Entered::Waits(_, Some(shed)) => assert_eq!(shed, (1, 2)),
        other => panic!("{other:?}"),
    }
    // Who would be the greediest is shed itself.
    assert!(matches!(
        queue.enter(1, 4, LATER, (1, 3)),
        Entered::Full((1, 3))
    ));
    match queue.enter(4, 16, LATER, (4, 0)) {
        Entered::Waits(_, Some(shed)) => assert_eq!(shed, (1, 1)),
        other => panic!("{other:?}"),
    }
    // Four units with one each: the light one stays.
    assert!(matches!(
        queue.enter(5, 16, LATER, (5, 0)),
        Entered::Full((5, 0))
    ));
    let order: Vec<_> = (0..4)
        .filter_map(|_| hand_on(&mut queue))
        .map(|(flow, _)| flow)
        .collect();
    assert!(order.contains(&2), "{order:?}");
    let mut none = full(0);
    assert!(matches!(none.enter(1, 4, LATER, (1, 0)), Entered::Full(_)));
}

#[derive(Clone, Debug)]
enum Step {
    Enter(Flow),
    Leave(usize),
    HandOn,
}

const WEIGHTS: [u64; 6] = [16, 16, 4, 4, 1, 1];

fn weight(flow: Flow) -> u64 {
    WEIGHTS[usize::try_from(flow).unwrap()]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_u64).prop_map(Step::Enter),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => Just(Step::HandOn),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    // Whoever comes, leaves and is let in: slots and requests are all accounted for.
    #[test]
    fn no_slot_and_no_request_is_lost(steps in steps(), slots in 1..4_usize, most in 0..20_usize) {
        let mut queue = Queue::new(slots, most);
        let (mut held, mut waiting, mut next) = (0_usize, Vec::<(Place, usize)>::new(), 0);
        for step in steps {
            match step {
                Step::Enter(flow) => {
                    next += 1;
                    match queue.enter(flow, weight(flow), LATER, next) {
                        Entered::Now(ticket) => {
                            prop_assert_eq!(ticket, next);
                            held += 1;
                        }
                        Entered::Waits(place, displaced) => {
                            waiting.push((place, next));
                            if let Some(displaced) = displaced {
                                let before = waiting.len();
                                waiting.retain(|(_, ticket)| *ticket != displaced);
                                prop_assert_eq!(waiting.len(), before - 1);
                            }
                        }
                        Entered::Full(ticket) => {
                            prop_assert_eq!(ticket, next);
                            prop_assert_eq!(waiting.len(), most);
                        }
                    }
                }
                Step::Leave(any) if !waiting.is_empty() => {
                    let (place, ticket) = waiting.swap_remove(any % waiting.len());
                    prop_assert_eq!(queue.leave(place), Some(ticket));
                    prop_assert_eq!(queue.leave(place), None);
                }
                Step::HandOn if held > 0 => match hand_on(&mut queue) {
                    Some(ticket) => {
                        let before = waiting.len();
                        waiting.retain(|(_, known)| *known != ticket);
                        prop_assert_eq!(waiting.len(), before - 1);
                    }
                    None => held -= 1,
                },
                Step::Leave(_) | Step::HandOn => {}
            }
            prop_assert_eq!(queue.free() + held, slots);
            prop_assert_eq!(queue.waiting(), waiting.len());
            prop_assert!(queue.waiting() <= most);
            // Nobody waits while a slot is free.
            prop_assert!(queue.free() == 0 || waiting.is_empty());
            prop_assert_eq!(queue.waiting() == 0, queue.heads.is_empty());
        }
    }

    // The bound on waiting that the module's head states.
    #[test]
    fn nobody_waits_beyond_the_bound(steps in steps()) {
        let mut queue = full(10_000);
        // Of each unit's first request: how often the others were let in since it became the first.
        let mut since = HashMap::<Flow, HashMap<Flow, u64>>::new();
        let mut lines = HashMap::<Flow, VecDeque<Place>>::new();
        for (nth, step) in steps.into_iter().enumerate() {
            match step {
                Step::Enter(flow) => {
                    let place = wait(&mut queue, flow, weight(flow), nth);
                    lines.entry(flow).or_default().push_back(place);
                    since.entry(flow).or_default();
                }
                Step::Leave(any) => {
                    let flow = u64::try_from(any % 6).unwrap();
                    if let Some(place) = lines.get_mut(&flow).and_then(VecDeque::pop_back) {
                        queue.leave(place);
                        if lines[&flow].is_empty() {
                            since.remove(&flow);
                        }
                    }
                }
                Step::HandOn => {
                    let Some((flow, _)) = hand_on(&mut queue) else {
                        prop_assert!(queue.enter_now());
                        continue;
                    };
                    for (waiting, seen) in &mut since {
                        if *waiting != flow {
                            *seen.entry(flow).or_default() += 1;
                            let bound = weight(flow) / weight(*waiting) + 1;
                            prop_assert!(seen[&flow] <= bound, "{flow} passed {waiting} {} times", seen[&flow]);
                        }
                    }
                    since.remove(&flow);
                    let line = lines.get_mut(&flow).unwrap();
                    line.pop_front();
                    if !line.is_empty() {
                        since.insert(flow, HashMap::new());
                    }
                }
            }
        }
    }
}
