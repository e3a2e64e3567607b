//! What monitoring reads of time stamps: how old the newest is, over how many entries, and how often none could be had.

use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::KeptStamp;
use crate::model::Timestamp;

/// A family without labels, so that what is not there is not shown as 0.
type Shown = Family<[(&'static str, &'static str); 0], Gauge>;

/// Of one vault. Nothing is shown where it has nothing stamped.
#[derive(Default)]
pub(in crate::server) struct StampGauges {
    newest: Mutex<Option<KeptStamp>>,
    age: Shown,
    failures: Counter,
}

impl StampGauges {
    pub(in crate::server) fn registered(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let help = "Seconds since the time of the newest time stamp of the log";
        registry.register("ledger_stamp_age_seconds", help, gauges.age.clone());
        let help = "Times that the log was to be stamped and no authority did";
        registry.register("ledger_stamp_failures", help, gauges.failures.clone());
        gauges
    }

    pub(super) fn newest(&self, newest: Option<KeptStamp>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }

    /// Before they are read. Gives how many entries are stamped, where some are.
    pub(in crate::server) fn set(&self, now: Timestamp) -> Option<u64> {
        let newest = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest?;
        let age = now.0.saturating_sub(newest.time.0) / 1_000_000;
        let age = i64::try_from(age).unwrap_or(i64::MAX);
        self.age.get_or_create(&[]).set(age);
        Some(newest.size)
    }
}
