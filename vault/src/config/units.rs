//! `[units]`: how units are registered.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, within};
use crate::engine::units::UnitLimits;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawUnits {
    approvals: usize,
    proposal_seconds: u64,
    proposals_max: usize,
    units_max: usize,
}

impl Default for RawUnits {
    fn default() -> Self {
        let limits = UnitLimits::default();
        Self {
            approvals: limits.approvals,
            proposal_seconds: limits.waits.as_secs(),
            proposals_max: limits.proposals_max,
            units_max: limits.units_max,
        }
    }
}

impl RawUnits {
    // INVARIANT 14: every limit has a range, and what lies outside is refused by its name.
    pub(super) fn checked(self) -> Result<UnitLimits, ConfigError> {
        let (day, count) = (24 * 3_600, "between 1 and 100000");
        Ok(UnitLimits {
            approvals: within("units.approvals", self.approvals, 1, 16, "between 1 and 16")?,
            waits: within(
                "units.proposal_seconds",
                Duration::from_secs(self.proposal_seconds),
                Duration::from_secs(1),
                Duration::from_secs(30 * day),
                "between 1 and 2592000 (30 days)",
            )?,
            proposals_max: within("units.proposals_max", self.proposals_max, 1, 100_000, count)?,
            units_max: within("units.units_max", self.units_max, 1, 100_000, count)?,
        })
    }
}
