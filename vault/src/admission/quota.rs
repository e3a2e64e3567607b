//! How much a unit asks for in a day and in a month of its zone, also across restarts and power cuts.
//!
//! Requests are counted in leases: a part of the quota is written down durably as taken before any of it is given out, and
//! then given out from memory. So a unit never gets more than its quota; what a power cut loses is at most one lease of each
//! of its counts, and an orderly end loses nothing ([`Quotas::left_over`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Allowance, Period, RouteGroup, Timestamp, UnitName, Zone};

/// A lease is this part of a quota, and at least one request.
const LEASES: u64 = 100;
/// Most requests of a lease.
const LEASE_MAX: u64 = 1_000;

/// What is to be written down as taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draw {
    /// Whose.
    pub unit: UnitName,
    /// Of which group of routes; `all` is all of them.
    pub scope: &'static str,
    /// Of which day or month.
    pub period: Period,
    /// How many more.
    pub wish: u64,
    /// How many there are altogether.
    pub max: u64,
}

/// What could not be written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotBooked;

/// How many of those wished for are taken now. None: the quota is used up.
pub type Booking = Pin<Box<dyn Future<Output = Result<u64, NotBooked>> + Send>>;

/// Where quotas are counted for good.
pub type Book = Box<dyn Fn(Draw) -> Booking + Send + Sync>;

/// A book that is forgotten with the process.
pub fn book_in_memory() -> Book {
    let taken = Mutex::new(BTreeMap::<(UnitName, &str, String), u64>::new());
    Box::new(move |draw: Draw| {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (draw.unit, draw.scope, draw.period.name);
        let count = taken.entry(key).or_default();
        let granted = draw.wish.min(draw.max.saturating_sub(*count));
        *count += granted;
        Box::pin(std::future::ready(Ok(granted)))
    })
}

/// Why a request is not counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Uncounted {
    /// A quota is used up, for so long.
    UsedUp(Duration),
    /// The book can't be written.
    NotBooked,
}

/// One request, counted. Where it does not come to stand, its periods have it again.
pub(super) struct Counted<'a> {
    counts: &'a Counts,
    of: Vec<(Kind, String)>,
}

impl Counted<'_> {
    /// The request is let in.
    pub(super) fn stands(mut self) {
        self.of.clear();
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.of.is_empty() {
            self.counts.give_back(&self.of);
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Kind {
    group: Option<RouteGroup>,
    span: Span,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Span {
    Day,
    Month,
}

/// One unit's counts.
#[derive(Default)]
pub(super) struct Counts {
    leases: Mutex<BTreeMap<Kind, Lease>>,
    /// One at a time takes leases for a unit: what others wait for may be there when they are next.
    leasing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Lease {
    period: Period,
    max: u64,
    left: u64,
    /// The book has no more of it.
    used_up: bool,
}

/// What there is to count for one request.
struct Rule {
    kind: Kind,
    max: u64,
}

impl Kind {
    fn scope(self) -> &'static str {
        self.group.map_or("all", RouteGroup::as_str)
    }

    fn period(self, zone: &Zone, now: Timestamp) -> Period {
        match self.span {
            Span::Day => zone.day(now),
            Span::Month => zone.month(now),
        }
    }
}

/// What a unit's registration counts for a request of this group.
fn rules(allowance: &Allowance, group: RouteGroup) -> Vec<Rule> {
    let of_group = allowance.groups.get(&group).map(|own| own.quota);
    let both = [(None, Some(allowance.quota)), (Some(group), of_group)];
    let mut rules = Vec::new();
    for (group, quota) in both {
        let Some(quota) = quota else { continue };
        for (span, max) in [(Span::Day, quota.day), (Span::Month, quota.month)] {
            let kind = Kind { group, span };
            rules.extend(max.map(|max| Rule {
                kind,
                max: max.get(),
            }));
        }
    }
    rules
}

/// Counts requests of units.
pub(super) struct Quotas {
    book: Book,
}

impl Quotas {
    pub(super) fn new(book: Book) -> Self {
        Self { book }
    }

    /// Counts one request, everywhere or nowhere. It waits only where a lease has to be written down.
    pub(super) async fn count<'a>(
        &self,
        (unit, counts): (&UnitName, &'a Counts),
        allowance: &Allowance,
        group: RouteGroup,
        now: Timestamp,
    ) -> Result<Counted<'a>, Uncounted> {
        let rules = rules(allowance, group);
        if rules.is_empty() {
            return Ok(Counted {
                counts,
                of: Vec::new(),
            });
        }
        let mut leasing = None;
        loop {
            let missing = match counts.take(&rules, &allowance.zone, now)? {
                Taken::All(of) => return Ok(Counted { counts, of }),
                Taken::Missing(missing) => missing,
            };
            if leasing.is_none() {
                // Another one may have taken the lease while this one waited: look again.
                leasing = Some(counts.leasing.lock().await);
                continue;
            }
            for (kind, lease) in missing {
                self.lease(unit, counts, kind, lease).await?;
            }
        }
    }

    /// Dropped while it waits, it leaves a lease that nobody uses: less is given than could be, never more.
    async fn lease(
        &self,
        unit: &UnitName,
        counts: &Counts,
        kind: Kind,
        lease: Lease,
    ) -> Result<(), Uncounted> {
        let draw = Draw {
            unit: unit.clone(),
            scope: kind.scope(),
            period: lease.period.clone(),
            wish: (lease.max / LEASES).clamp(1, LEASE_MAX),
            max: lease.max,
        };
        let booked = (self.book)(draw).await;
        let granted = booked.map_err(|NotBooked| Uncounted::NotBooked)?;
        let used_up = granted == 0;
        let left = granted;
        counts.put(
            kind,
            Lease {
                left,
                used_up,
                ..lease
            },
        );
        Ok(())
    }
}

enum Taken {
    All(Vec<(Kind, String)>),
    Missing(Vec<(Kind, Lease)>),
}

impl Counts {
    /// One of each, if there is one of each; otherwise which leases are missing.
    fn take(&self, rules: &[Rule], zone: &Zone, now: Timestamp) -> Result<Taken, Uncounted> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        for Rule { kind, max } in rules {
            match leases.get(kind) {
                Some(lease) if lease.period.covers(now) && lease.max == *max => {
                    if lease.used_up && lease.left == 0 {
                        let left = lease.period.ends.0.saturating_sub(now.0);
                        return Err(Uncounted::UsedUp(Duration::from_micros(left)));
                    }
                    if lease.left == 0 {
                        missing.push((*kind, lease.clone()));
                    }
                }
                // Another day, another quota, or the first request since the start.
                _ => missing.push((
                    *kind,
                    Lease {
                        period: kind.period(zone, now),
                        max: *max,
                        left: 0,
                        used_up: false,
                    },
                )),
            }
        }
        if !missing.is_empty() {
            return Ok(Taken::Missing(missing));
        }
        let mut counted = Vec::with_capacity(rules.len());
        for Rule { kind, .. } in rules {
            if let Some(lease) = leases.get_mut(kind) {
                lease.left -= 1;
                counted.push((*kind, lease.period.name.clone()));
            }
        }
        Ok(Taken::All(counted))
    }

    fn put(&self, kind: Kind, lease: Lease) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.insert(kind, lease);
    }

    /// Of a period that is over there is nothing to give back to.
    fn give_back(&self, counted: &[(Kind, String)]) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, period) in counted {
            if let Some(lease) = leases.get_mut(kind)
                && lease.period.name == *period
            {
                lease.left += 1;
            }
        }
    }

    /// What was taken and not used, for an orderly end. Afterwards nothing is left.
    pub(super) fn left_over(&self, unit: &UnitName) -> Vec<Draw> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let leases = std::mem::take(&mut *leases).into_iter();
        let unused = leases.filter(|(_, lease)| lease.left > 0);
        let draw = |(kind, lease): (Kind, Lease)| Draw {
            unit: unit.clone(),
            scope: kind.scope(),
            period: lease.period,
            wish: lease.left,
            max: lease.max,
        };
        unused.map(draw).collect()
    }
}

/// Seconds, rounded up, at least one.
pub(super) fn seconds(time: Duration) -> u32 {
    let whole = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let part = u32::from(time.subsec_nanos() > 0);
    whole.saturating_add(part).max(1)
}

#[cfg(test)]
mod tests;
