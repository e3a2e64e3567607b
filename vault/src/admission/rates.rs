//! How fast each unit may ask. What a unit has used of its rate stays as long as its rate stays.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::model::{Unit, UnitName};

/// A limiter for each unit that has asked. Units come by approval only, so they are few enough to keep.
#[derive(Default)]
pub(super) struct Rates {
    units: RwLock<HashMap<UnitName, Paced>>,
}

#[derive(Clone)]
struct Paced {
    per_second: NonZeroU32,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl Rates {
    /// Whether the unit may ask once more now, at the rate that it is registered with.
    pub(super) fn allow(&self, unit: &Unit) -> bool {
        let paced = self.known(unit).unwrap_or_else(|| self.begin(unit));
        paced.limiter.check().is_ok()
    }

    fn known(&self, unit: &Unit) -> Option<Paced> {
        let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
        let paced = units.get(&unit.name)?;
        (paced.per_second == unit.requests_per_second).then(|| paced.clone())
    }

    fn begin(&self, unit: &Unit) -> Paced {
        let per_second = unit.requests_per_second;
        let fresh = || Paced {
            per_second,
            limiter: Arc::new(RateLimiter::direct(Quota::per_second(per_second))),
        };
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        let paced = units.entry(unit.name.clone()).or_insert_with(fresh);
        // Another one may have been here first: two limiters would be twice the rate.
        if paced.per_second != per_second {
            *paced = fresh();
        }
        paced.clone()
    }
}
