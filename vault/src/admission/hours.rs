//! At which hours of its week a unit is served.

use super::Inadmissible;
use crate::model::{Calendars, Timestamp, Unit};

pub(super) fn check(
    unit: &Unit,
    now: Timestamp,
    calendars: &Calendars,
) -> Result<(), Inadmissible> {
    let allowance = &unit.allowance;
    let on = |hours: &crate::model::Hours| hours.are_on(now, &allowance.zone, calendars);
    if allowance.hours.as_ref().is_none_or(on) {
        Ok(())
    } else {
        Err(Inadmissible::Hours)
    }
}
