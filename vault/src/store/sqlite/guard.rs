//! The guard's tables in the embedded store.

use rusqlite::{Row, params};

use super::grants::SPEND_GRANT;
use super::{Reader, Writer};
use crate::model::{Alarm, AlertKind, HookName, Timestamp, UnitName};
use crate::store::StoreError;
use crate::store::guard::{AlertRow, AlertSettled, GuardWrite};

/// Most alerts that wait. A new one beyond it is not kept: its entry stands all the same.
const ALERTS_MAX: u32 = 10_000;

const INSERT_ALERT: &str = "INSERT INTO alert \
    (id, hook, kind, seq, unit, domain, class, subject, raised_us, attempts, due_us) \
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?9 WHERE (SELECT count(*) FROM alert) < ?10";

impl Reader {
    /// Up to `limit` alerts of a hook that are due, the longest waiting first.
    pub fn alerts_due(
        &self,
        hook: &HookName,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AlertRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, kind, seq, unit, domain, class, subject, raised_us, attempts \
                 FROM alert WHERE hook = ?1 AND due_us <= ?2 ORDER BY due_us LIMIT ?3",
            )?;
            let rows = statement.query_map(params![hook.as_str(), now.0, limit], |row| {
                Ok(alert(row, hook))
            })?;
            rows.map(|row| row?).collect()
        })
    }

    /// When the next alert of a hook is due, if one waits.
    pub fn next_alert_due(&self, hook: &HookName) -> Result<Option<Timestamp>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT min(due_us) FROM alert WHERE hook = ?1";
            let found: Option<u64> =
                connection.query_row(sql, [hook.as_str()], |row| row.get(0))?;
            Ok(found.map(Timestamp))
        })
    }

    /// The hooks that alerts wait for, known today or not.
    pub fn alert_hooks(&self) -> Result<Vec<(HookName, u64)>, StoreError> {
        self.query(|connection| {
            let mut statement =
                connection.prepare("SELECT hook, count(*) FROM alert GROUP BY hook")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))
            })?;
            rows.map(|row| {
                let (hook, waiting) = row?;
                Ok((
                    HookName::parse(&hook).map_err(|_| malformed("alert"))?,
                    waiting,
                ))
            })
            .collect()
        })
    }
}

impl Reader {
    /// The units that are locked, and the entry that says so.
    pub fn locked_units(&self) -> Result<Vec<(UnitName, u64)>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare("SELECT unit, seq FROM unit_lock")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))
            })?;
            rows.map(|row| {
                let (unit, seq) = row?;
                let unit = UnitName::parse(&unit).map_err(|_| malformed("unit_lock"))?;
                Ok((unit, seq))
            })
            .collect()
        })
    }
}

impl Reader {
    /// The marks of all honeytokens, and what each brings about.
    pub fn honeytokens(&self) -> Result<Vec<([u8; 16], Alarm)>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare("SELECT mark, locks FROM honeytoken")?;
            let rows = statement.query_map([], |row| {
                let alarm = if row.get(1)? {
                    Alarm::Lock
                } else {
                    Alarm::Tell
                };
                Ok((row.get(0)?, alarm))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    /// Writes what the guard has to remember of an entry.
    pub(super) fn write_guard(&self, write: &GuardWrite, seq: u64) -> rusqlite::Result<()> {
        match write {
            GuardWrite::Alert(alert) => self.add_alert(alert, seq),
            GuardWrite::Lock(unit, since) => self
                .connection
                .prepare_cached(
                    "INSERT INTO unit_lock (unit, seq, since_us) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (unit) DO NOTHING",
                )?
                .execute(params![unit.as_str(), seq, since.0])
                .map(drop),
            GuardWrite::Unlock(unit) => self
                .connection
                .prepare_cached("DELETE FROM unit_lock WHERE unit = ?1")?
                .execute([unit.as_str()])
                .map(drop),
            GuardWrite::Mark(mark, alarm) => {
                let sql = "INSERT INTO honeytoken (mark, locks) VALUES (?1, ?2)";
                self.execute(sql, params![mark, *alarm == Alarm::Lock])
            }
            GuardWrite::AddGrant(grant) => self.add_grant(grant),
            GuardWrite::ApproveGrant { id, unit, at } => self.approve_grant(*id, unit, *at),
            GuardWrite::RevokeGrant(id) => {
                let sql = "UPDATE bulk_grant SET revoked = 1 WHERE id = ?1 AND revoked = 0";
                self.execute(sql, params![id.0])
            }
            GuardWrite::SpendGrant { id, values, at } => {
                self.execute(SPEND_GRANT, params![id.0, values, at.0])
            }
        }
    }

    fn add_alert(&self, alert: &AlertRow, seq: u64) -> rusqlite::Result<()> {
        let kept = self
            .connection
            .prepare_cached(INSERT_ALERT)?
            .execute(params![
                alert.id,
                alert.hook.as_str(),
                alert.kind.as_str(),
                seq,
                alert.unit,
                alert.domain,
                alert.class,
                alert.subject,
                alert.raised.0,
                ALERTS_MAX,
            ])?;
        if kept == 0 {
            let (hook, kind) = (&alert.hook, alert.kind.as_str());
            tracing::error!(
                %hook,
                kind,
                entry = seq,
                "{ALERTS_MAX} alerts wait already: this one is not sent, see its entry"
            );
        }
        Ok(())
    }

    /// Notes what became of alerts, in the open transaction. There is no entry: nothing of tokens and keys
    /// changes.
    pub fn settle_alerts(&self, settled: &[AlertSettled]) -> Result<(), StoreError> {
        for one in settled {
            match one {
                AlertSettled::Done(hook, id) => self
                    .connection
                    .prepare_cached("DELETE FROM alert WHERE hook = ?1 AND id = ?2")?
                    .execute(params![hook.as_str(), id])?,
                AlertSettled::AllOf(hook) => self
                    .connection
                    .prepare_cached("DELETE FROM alert WHERE hook = ?1")?
                    .execute([hook.as_str()])?,
                AlertSettled::Again { hook, id, due } => self
                    .connection
                    .prepare_cached(
                        "UPDATE alert SET attempts = attempts + 1, due_us = ?3 \
                         WHERE hook = ?1 AND id = ?2",
                    )?
                    .execute(params![hook.as_str(), id, due.0])?,
            };
        }
        Ok(())
    }
}

fn alert(row: &Row<'_>, hook: &HookName) -> Result<AlertRow, StoreError> {
    let kind: String = row.get(1)?;
    Ok(AlertRow {
        id: row.get(0)?,
        hook: hook.clone(),
        kind: AlertKind::parse(&kind).ok_or(malformed("alert"))?,
        seq: row.get(2)?,
        unit: row.get(3)?,
        domain: row.get(4)?,
        class: row.get(5)?,
        subject: row.get(6)?,
        raised: Timestamp(row.get(7)?),
        attempts: row.get(8)?,
    })
}

fn malformed(table: &'static str) -> StoreError {
    StoreError::Malformed { table }
}
