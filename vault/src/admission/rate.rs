//! How fast a unit asks: requests a second with a burst, of all and of single groups of routes (GCRA, crate `governor`).
//!
//! A refused request costs nothing of the rate that refused it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::model::{Clock, Pace, RouteGroup, Unit};

/// Our clock, as `governor` asks for the time.
#[derive(Clone)]
pub(super) struct Ticking(pub(super) Arc<dyn Clock>);

impl GovernorClock for Ticking {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Rate = RateLimiter<NotKeyed, InMemoryState, Ticking, NoOpMiddleware<Duration>>;

/// A unit's rates, and what they were made of.
pub(super) struct Rates {
    requests_per_second: NonZeroU32,
    burst: Option<NonZeroU32>,
    paces: BTreeMap<RouteGroup, Pace>,
    clock: Ticking,
    all: Rate,
    groups: BTreeMap<RouteGroup, Rate>,
}

impl Rates {
    pub(super) fn new(unit: &Unit, clock: &Arc<dyn Clock>) -> Self {
        let clock = Ticking(Arc::clone(clock));
        let paces = paces(unit).collect();
        let rate = |pace: Pace| {
            let quota = Quota::per_second(pace.requests_per_second).allow_burst(pace.burst);
            RateLimiter::direct_with_clock(quota, clock.clone())
        };
        let groups = paces_of(&paces).map(|(group, pace)| (group, rate(pace)));
        Self {
            requests_per_second: unit.requests_per_second,
            burst: unit.allowance.burst,
            groups: groups.collect(),
            all: rate(unit.allowance.pace(unit.requests_per_second)),
            paces,
            clock,
        }
    }

    /// Whether they are what the unit's registration says today.
    pub(super) fn fit(&self, unit: &Unit) -> bool {
        self.requests_per_second == unit.requests_per_second
            && self.burst == unit.allowance.burst
            && paces_of(&self.paces).eq(paces(unit))
    }

    /// Lets one request of the group through, or says after how long it may come again.
    pub(super) fn check(&self, group: RouteGroup) -> Result<(), Duration> {
        // The narrower one first: what it refuses costs nothing of the wider one.
        if let Some(rate) = self.groups.get(&group) {
            self.passed(rate)?;
        }
        self.passed(&self.all)
    }

    fn passed(&self, rate: &Rate) -> Result<(), Duration> {
        let now = self.clock.now();
        rate.check().map_err(|until| until.wait_time_from(now))
    }
}

fn paces(unit: &Unit) -> impl Iterator<Item = (RouteGroup, Pace)> {
    let groups = unit.allowance.groups.iter();
    groups.filter_map(|(group, allowance)| Some((*group, allowance.pace?)))
}

fn paces_of(paces: &BTreeMap<RouteGroup, Pace>) -> impl Iterator<Item = (RouteGroup, Pace)> {
    paces.iter().map(|(group, pace)| (*group, *pace))
}
