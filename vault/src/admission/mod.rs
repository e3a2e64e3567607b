//! May it speak now: address, validity, requests a second, and a slot among those in flight.
//!
//! Yields [`Admitted`], which gives its slot back when it is dropped.

mod locks;
mod rates;

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::identity::Caller;
use crate::model::{Clock, Unit};

pub use locks::{Latch, Locks};

use rates::Rates;

/// Proof that a caller may speak now. Only this room can make one.
pub struct Admitted {
    caller: Caller,
    _slot: OwnedSemaphorePermit,
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
    /// It asks faster than it may.
    #[error("the unit asks faster than it may: slow down and retry")]
    Rate,
    /// The vault has as many requests in flight as it takes.
    #[error("the vault is at its limit of requests in flight: retry")]
    Busy,
}

/// Knows every unit's limits.
pub struct Admission {
    rates: Rates,
    slots: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    locks: Arc<Locks>,
}

impl Admission {
    /// From the number of requests that may be in flight at once. Units' limits come with their callers.
    pub fn new(in_flight_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            rates: Rates::default(),
            slots: Arc::new(Semaphore::new(in_flight_max)),
            clock,
            locks: Arc::default(),
        }
    }

    /// Which units are locked, to be kept up to date by who knows.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// Lets a caller in, or says why not.
    pub fn admit(&self, caller: Caller, source: IpAddr) -> Result<Admitted, Box<Refused>> {
        match self.slot(caller.unit(), source) {
            Ok(slot) => Ok(Admitted {
                caller,
                _slot: slot,
            }),
            Err(reason) => Err(Box::new(Refused { caller, reason })),
        }
    }

    fn slot(&self, unit: &Unit, source: IpAddr) -> Result<OwnedSemaphorePermit, Inadmissible> {
        if self.locks.is_locked(&unit.name) {
            return Err(Inadmissible::Locked);
        }
        let source = source.to_canonical();
        if !unit.networks.is_empty() && !unit.networks.iter().any(|net| net.contains(&source)) {
            return Err(Inadmissible::Address);
        }
        let now = self.clock.now();
        let begun = unit.valid_from.is_none_or(|from| from <= now);
        if !begun || unit.valid_until.is_some_and(|until| until <= now) {
            return Err(Inadmissible::Validity);
        }
        if !self.rates.allow(unit) {
            return Err(Inadmissible::Rate);
        }
        Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| Inadmissible::Busy)
    }
}
