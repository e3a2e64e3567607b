//! Who is let in next: a fair queue with weights in front of a fixed number of slots. Pure: no clock, lock or task.
//!
//! Self-clocked fair queueing (Golestani: INFOCOM 1994) over units. A unit's share of the slots that come free is its
//! weight among those that wait, however many requests it sends; within a unit the first is the first. Only the first of
//! each unit has a tag, so one that goes away is charged nothing. While the first of unit `i` waits, each other unit `j` is
//! let in at most `weight j / weight i + 1` times: that is the bound on waiting (`nobody_waits_beyond_the_bound`).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// A unit, as the queue knows it.
pub(super) type Flow = u64;

/// Where a request waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    flow: Flow,
    number: u64,
}

/// What became of a request that came.
#[derive(Debug)]
pub(super) enum Entered<W> {
    /// It has a slot.
    Now(W),
    /// It waits. Where the queue was full, another unit's last one had to go for it.
    Waits(Place, Option<W>),
    /// The queue is full, and no unit waits for more than this one.
    Full(W),
}

/// Who has a slot that came free, and who has waited in vain.
#[derive(Debug)]
pub(super) struct HandedOn<W> {
    /// The next one; without one the slot is free.
    pub(super) next: Option<W>,
    /// Those whose time was over.
    pub(super) late: Vec<W>,
}

pub(super) struct Queue<W> {
    free: usize,
    waiting: usize,
    waiting_max: usize,
    /// Virtual time: the tag of the last one that was let in.
    time: u64,
    flows: HashMap<Flow, Waiting<W>>,
    /// The first of each unit that waits: by tag, then by arrival.
    heads: BTreeSet<(u64, u64, Flow)>,
    arrivals: u64,
}

/// A unit's requests that wait.
struct Waiting<W> {
    /// Virtual time that one of its requests takes.
    cost: u64,
    /// Tag of its first one: the virtual time at which its turn is over.
    tag: u64,
    requests: VecDeque<Request<W>>,
}

struct Request<W> {
    number: u64,
    deadline: Duration,
    ticket: W,
}

/// What weights divide.
const COST: u64 = 1 << 16;

impl<W> Queue<W> {
    pub(super) fn new(slots: usize, waiting_max: usize) -> Self {
        Self {
            free: slots,
            waiting: 0,
            waiting_max,
            time: 0,
            flows: HashMap::new(),
            heads: BTreeSet::new(),
            arrivals: 0,
        }
    }

    /// Slots that nobody has.
    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a slot, if one is free and nobody waits for it.
    pub(super) fn enter_now(&mut self) -> bool {
        let free = self.free > 0 && self.waiting == 0;
        if free {
            self.free -= 1;
        }
        free
    }

    /// A request of a unit comes.
    pub(super) fn enter(
        &mut self,
        flow: Flow,
        weight: u64,
        deadline: Duration,
        ticket: W,
    ) -> Entered<W> {
        if self.enter_now() {
            return Entered::Now(ticket);
        }
        let cost = COST / weight.clamp(1, COST);
        let displaced = if self.waiting < self.waiting_max {
            None
        } else {
            match self.displaced_for(flow, cost) {
                Some(last) => Some(last),
                None => return Entered::Full(ticket),
            }
        };
        let number = self.arrivals;
        self.arrivals += 1;
        let time = self.time;
        let waiting = self.flows.entry(flow).or_insert_with(|| Waiting {
            cost,
            tag: time + cost,
            requests: VecDeque::new(),
        });
        waiting.cost = cost;
        if waiting.requests.is_empty() {
            self.heads.insert((waiting.tag, number, flow));
        }
        waiting.requests.push_back(Request {
            number,
            deadline,
            ticket,
        });
        self.waiting += 1;
        Entered::Waits(Place { flow, number }, displaced)
    }

    /// The last request of the unit that waits for the most by its weight, and for more than this one would. A unit's
    /// only request stays: who waits is not pushed out by a crowd.
    fn displaced_for(&mut self, flow: Flow, cost: u64) -> Option<W> {
        let beyond_first = |waiting: &Waiting<W>| {
            let more = u64::try_from(waiting.requests.len()).unwrap_or(u64::MAX);
            more.saturating_sub(1).saturating_mul(waiting.cost)
        };
        let own = self.flows.get(&flow).map_or(0, |waiting| {
            let length = u64::try_from(waiting.requests.len()).unwrap_or(u64::MAX);
            length.saturating_mul(cost)
        });
        let largest = self
            .flows
            .iter()
            .map(|(flow, waiting)| (beyond_first(waiting), *flow));
        let (most, greedy) = largest.max()?;
        if most <= own {
            return None;
        }
        let last = self.flows.get_mut(&greedy)?.requests.pop_back()?;
        self.waiting -= 1;
        Some(last.ticket)
    }

    /// A slot comes back, and goes to the next one whose time is not over.
    pub(super) fn hand_on(&mut self, now: Duration) -> HandedOn<W> {
        let mut late = Vec::new();
        while let Some((tag, _, flow)) = self.heads.pop_first() {
            let Some(waiting) = self.flows.get_mut(&flow) else {
                continue;
            };
            let Some(request) = waiting.requests.pop_front() else {
                continue;
            };
            self.waiting -= 1;
            let in_time = now < request.deadline;
            if in_time {
                self.time = tag;
                waiting.tag = tag + waiting.cost;
            }
            self.next_of(flow);
            if in_time {
                return HandedOn {
                    next: Some(request.ticket),
                    late,
                };
            }
            late.push(request.ticket);
        }
        self.free += 1;
        HandedOn { next: None, late }
    }

    /// A request goes away. Nothing, where it is gone already.
    pub(super) fn leave(&mut self, place: Place) -> Option<W> {
        let waiting = self.flows.get_mut(&place.flow)?;
        let numbers = waiting
            .requests
            .binary_search_by_key(&place.number, |one| one.number);
        let index = numbers.ok()?;
        let tag = waiting.tag;
        let request = waiting.requests.remove(index)?;
        self.waiting -= 1;
        if index == 0 {
            self.heads.remove(&(tag, place.number, place.flow));
            self.next_of(place.flow);
        }
        Some(request.ticket)
    }

    /// The unit's next request is its first one now. A unit of which nobody waits is forgotten: coming back, it has
    /// the tag that it would have had.
    fn next_of(&mut self, flow: Flow) {
        let Some(waiting) = self.flows.get_mut(&flow) else {
            return;
        };
        if let Some(first) = waiting.requests.front() {
            self.heads.insert((waiting.tag, first.number, flow));
        } else {
            self.flows.remove(&flow);
        }
    }
}

#[cfg(test)]
mod tests;
