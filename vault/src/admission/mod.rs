//! May it speak now, and when is its turn? Yields [`Admitted`], which gives its slot back when it is dropped.
//!
//! | file | owns |
//! | --- | --- |
//! | `locks` | units that are locked out |
//! | `address` | networks that a unit may call from |
//! | `validity`, `hours` | from when until when, and at which hours of the week |
//! | `routes` | which groups of paths and calls it may use |
//! | `rate` | requests a second, with a burst |
//! | `quota` | requests a day and a month, for good |
//! | `queue`, `slots` | who is let in next while the vault is full, and the wait for it |
//! | `tally` | floods of refusals, counted |
//!
//! They are asked in this order, so what costs nothing comes first, and only who may speak waits for a slot.

mod address;
mod hours;
mod locks;
mod queue;
mod quota;
mod rate;
mod routes;
mod slots;
mod tally;
mod validity;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::identity::Caller;
use crate::model::{Calendars, Clock, RouteGroup, Unit, UnitName};

pub use locks::{Latch, Locks};
pub use quota::{Book, Booking, Draw, NotBooked, book_in_memory};
pub use tally::{Kind as RefusalKind, Noted, Tally};

use queue::Flow;
use quota::{Counts, Quotas, Uncounted, seconds};
use rate::Rates;
use slots::{Slot, Slots};

/// Proof that a caller may speak now. Only this room can make one.
pub struct Admitted {
    caller: Caller,
    _slot: Slot,
}

impl Admitted {
    /// Who was admitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// A caller who was identified and may not speak now.
pub struct Refused {
    /// Who.
    pub caller: Caller,
    /// Why.
    pub reason: Inadmissible,
    /// After how many seconds another try makes sense; none where time alone does not help.
    pub retry_after_seconds: Option<u32>,
}

/// Why a unit may not speak now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Inadmissible {
    /// It was locked out: another unit must unlock it.
    #[error("the unit is locked: a guard officer must look into it")]
    Locked,
    /// Its address is outside its registered networks.
    #[error("the unit may not call from this address")]
    Address,
    /// Its validity period has not begun, or is over.
    #[error("the unit's registration is not valid at this time")]
    Validity,
    /// It is outside its service hours.
    #[error("the unit is not served at this hour")]
    Hours,
    /// It may not use this group of paths and calls.
    #[error("the unit's registration does not open this path to it")]
    Route,
    /// It asks faster than it may.
    #[error("the unit asks faster than it may: slow down and retry")]
    Rate,
    /// It has asked as often as it may in a day or a month.
    #[error("the unit's quota is used up: retry when its next day or month begins")]
    Quota,
    /// Its quota can't be counted, so nothing is given.
    #[error("the unit's quota can't be counted now: retry")]
    Uncounted,
    /// The vault has as many requests in flight as it takes, and as many waiting, or this one waited in vain.
    #[error("the vault is at its limit of requests in flight: retry")]
    Busy,
}

/// How many requests the vault takes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Worked on at once.
    pub in_flight_max: usize,
    /// Waiting for that.
    pub waiting_max: usize,
    /// For how long one waits.
    pub wait_max: Duration,
}

/// What a request tells before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Where it comes from.
    pub source: IpAddr,
    /// What it asks for, by its path.
    pub group: RouteGroup,
    /// How long its caller waits for an answer, where that is known.
    pub patience: Option<Duration>,
}

/// How busy the vault is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Load {
    /// Requests worked on.
    pub in_flight: usize,
    /// Requests waiting for that.
    pub waiting: usize,
}

/// What is known of a unit that has spoken: its rates and its counts.
struct Known {
    flow: Flow,
    rates: Rates,
    counts: Arc<Counts>,
}

/// Lets units in, each by what its registration says. It keeps no registry: a caller brings its own.
pub struct Admission {
    units: RwLock<HashMap<UnitName, Arc<Known>>>,
    flows: AtomicU64,
    bounds: Bounds,
    calendars: Calendars,
    quotas: Quotas,
    slots: Arc<Slots>,
    clock: Arc<dyn Clock>,
    locks: Arc<Locks>,
    tally: Tally,
}

impl Admission {
    /// Without calendars, and with quotas that are forgotten with the process.
    pub fn new(bounds: Bounds, clock: Arc<dyn Clock>) -> Self {
        let (slots, waiting) = (bounds.in_flight_max, bounds.waiting_max);
        Self {
            units: RwLock::default(),
            flows: AtomicU64::new(0),
            bounds,
            calendars: Calendars::default(),
            quotas: Quotas::new(book_in_memory()),
            slots: Arc::new(Slots::new(slots, waiting, Arc::clone(&clock))),
            tally: Tally::new(Arc::clone(&clock)),
            clock,
            locks: Arc::default(),
        }
    }

    /// With calendars of holidays.
    #[must_use]
    pub fn with_calendars(self, calendars: Calendars) -> Self {
        Self { calendars, ..self }
    }

    /// With a book in which quotas are counted for good.
    #[must_use]
    pub fn with_book(self, book: Book) -> Self {
        let quotas = Quotas::new(book);
        Self { quotas, ..self }
    }

    /// Which units are locked, to be kept up to date by who knows.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// Refusals that are counted together.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How busy the vault is now.
    pub fn load(&self) -> Load {
        self.slots.load()
    }

    /// Lets a caller in when it is its turn, or says why not. Cancel-safe: who stops waiting leaves nothing behind.
    pub async fn admit(&self, caller: Caller, arrival: Arrival) -> Result<Admitted, Box<Refused>> {
        match self.slot(caller.unit(), arrival).await {
            Ok(slot) => Ok(Admitted {
                caller,
                _slot: slot,
            }),
            Err((reason, retry_after_seconds)) => Err(Box::new(Refused {
                caller,
                reason,
                retry_after_seconds,
            })),
        }
    }

    /// What units took of their quotas and did not use, at an orderly end: to be given back to the book.
    pub fn left_over(&self) -> Vec<Draw> {
        let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
        let left = units
            .iter()
            .map(|(unit, known)| known.counts.left_over(unit));
        left.flatten().collect()
    }

    async fn slot(
        &self,
        unit: &Unit,
        arrival: Arrival,
    ) -> Result<Slot, (Inadmissible, Option<u32>)> {
        let at_all = |reason| (reason, None);
        if self.locks.is_locked(&unit.name) {
            return Err(at_all(Inadmissible::Locked));
        }
        let now = self.clock.now();
        address::check(unit, arrival.source).map_err(at_all)?;
        validity::check(unit, now).map_err(at_all)?;
        hours::check(unit, now, &self.calendars).map_err(at_all)?;
        routes::check(unit, arrival.group).map_err(at_all)?;
        let known = self.known(unit);
        let later = |wait| (Inadmissible::Rate, Some(seconds(wait)));
        known.rates.check(arrival.group).map_err(later)?;
        let whose = (&unit.name, &*known.counts);
        let counting = self
            .quotas
            .count(whose, &unit.allowance, arrival.group, now);
        let counted = counting.await.map_err(|uncounted| match uncounted {
            Uncounted::UsedUp(wait) => (Inadmissible::Quota, Some(seconds(wait))),
            Uncounted::NotBooked => (Inadmissible::Uncounted, Some(1)),
        })?;
        let wait_max = self.bounds.wait_max;
        let patience = arrival.patience.map_or(wait_max, |own| own.min(wait_max));
        let taking = self
            .slots
            .take(known.flow, unit.allowance.priority, patience);
        let busy = |reason| (reason, Some(seconds(wait_max)));
        let slot = taking.await.map_err(busy)?;
        counted.stands();
        Ok(slot)
    }

    /// What is known of the unit, as its registration says today. Rates begin anew where they were changed.
    fn known(&self, unit: &Unit) -> Arc<Known> {
        {
            let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = units.get(&unit.name)
                && known.rates.fit(unit)
            {
                return Arc::clone(known);
            }
        }
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        let before = units.get(&unit.name);
        if let Some(known) = before
            && known.rates.fit(unit)
        {
            return Arc::clone(known);
        }
        let known = Arc::new(Known {
            flow: before.map_or_else(
                || self.flows.fetch_add(1, Ordering::Relaxed),
                |known| known.flow,
            ),
            rates: Rates::new(unit, &self.clock),
            counts: before.map_or_else(Arc::default, |known| Arc::clone(&known.counts)),
        });
        units.insert(unit.name.clone(), Arc::clone(&known));
        known
    }
}
