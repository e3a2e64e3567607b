//! Quotas in the embedded store: what was taken of each, in periods that are over too, for a while.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Reader, Writer};
use crate::admission::Draw;
use crate::store::StoreError;

/// Periods are forgotten so long after their end: a clock that was set forward and back finds them again.
const KEPT: Duration = Duration::from_hours(24 * 93);

/// What changes of a quota. It is neither token nor key: there is no entry.
pub enum QuotaWrite {
    /// So many more are taken. Where the quota has not so many, nothing is.
    Take(Draw),
    /// So many were not used.
    GiveBack(Draw),
}

impl Reader {
    /// How many of a quota are taken.
    pub fn quota_taken(&self, draw: &Draw) -> Result<u64, StoreError> {
        self.query(|connection| {
            let sql = "SELECT taken FROM quota WHERE unit = ?1 AND scope = ?2 AND period = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let key = params![draw.unit.as_str(), draw.scope, draw.period.name];
            let taken: Option<u64> = statement.query_row(key, |row| row.get(0)).optional()?;
            Ok(taken.unwrap_or(0))
        })
    }
}

impl Writer {
    /// Writes it in the open transaction. Whether there was so much.
    pub fn write_quota(&self, write: &QuotaWrite) -> Result<bool, StoreError> {
        match write {
            QuotaWrite::Take(draw) => self.take_quota(draw),
            QuotaWrite::GiveBack(draw) => {
                let sql = "UPDATE quota SET taken = max(taken - ?4, 0) \
                           WHERE unit = ?1 AND scope = ?2 AND period = ?3";
                let key = params![draw.unit.as_str(), draw.scope, draw.period.name, draw.wish];
                self.connection.prepare_cached(sql)?.execute(key)?;
                Ok(true)
            }
        }
    }

    fn take_quota(&self, draw: &Draw) -> Result<bool, StoreError> {
        let kept = u64::try_from(KEPT.as_micros()).unwrap_or(u64::MAX);
        let ends = draw.period.ends.0;
        self.connection
            .prepare_cached("DELETE FROM quota WHERE unit = ?1 AND ends_us < ?2")?
            .execute(params![draw.unit.as_str(), ends.saturating_sub(kept)])?;
        let sql = "INSERT INTO quota (unit, scope, period, ends_us, taken) \
                   SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?5 <= ?6 \
                   ON CONFLICT (unit, scope, period) DO UPDATE SET taken = taken + excluded.taken \
                   WHERE taken + excluded.taken <= ?6";
        let (unit, scope, period) = (draw.unit.as_str(), draw.scope, &draw.period.name);
        let taken = self
            .connection
            .prepare_cached(sql)?
            .execute(params![unit, scope, period, ends, draw.wish, draw.max])?;
        Ok(taken == 1)
    }
}
