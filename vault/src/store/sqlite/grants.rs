//! Grants for many values in the embedded store.

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, Writer};
use crate::model::{
    ClassName, DomainName, Grant, GrantId, GrantTerms, Purpose, Timestamp, UnitName,
};
use crate::store::StoreError;

/// Grants of one unit that are open at once.
const OPEN_MAX: u32 = 100;

/// How long the row of a grant stays that is over: 30 days. Its entries stay for good.
const KEPT_US: u64 = 30 * 24 * 3_600 * 1_000_000;

const MALFORMED: StoreError = StoreError::Malformed {
    table: "bulk_grant",
};

pub(super) const SPEND_GRANT: &str = "UPDATE bulk_grant SET spent = spent + ?2 \
    WHERE id = ?1 AND revoked = 0 AND ends_us > ?3 AND spent + ?2 <= values_max";

const INSERT_GRANT: &str = "INSERT INTO bulk_grant \
    (id, unit, domain, purpose, classes, values_max, spent, ttl_seconds, approvals, asked_us, ends_us, revoked) \
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, NULL, 0 WHERE (SELECT count(*) FROM bulk_grant \
    WHERE unit = ?2 AND revoked = 0 AND coalesce(ends_us, asked_us + ?10) > ?9) < ?11";

/// The asking unit does not approve; a second time is the primary key's conflict.
const INSERT_APPROVAL: &str = "INSERT INTO grant_approval (bulk_grant, unit, at_us) \
    SELECT id, ?2, ?3 FROM bulk_grant \
    WHERE id = ?1 AND revoked = 0 AND ends_us IS NULL AND unit <> ?2 AND asked_us + ?4 > ?3";

const ACTIVATE: &str = "UPDATE bulk_grant SET ends_us = ?2 + ttl_seconds * 1000000 \
    WHERE id = ?1 AND (SELECT count(*) FROM grant_approval WHERE bulk_grant = ?1) >= approvals";

impl Reader {
    /// The grant of this id.
    pub fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT unit, domain, purpose, classes, values_max, spent, ttl_seconds, approvals, \
                 asked_us, ends_us, revoked FROM bulk_grant WHERE id = ?1",
            )?;
            let found = statement.query_row(params![id.0], |row| Ok(grant(row, id)));
            let Some(grant) = found.optional()? else {
                return Ok(None);
            };
            let mut grant = grant?;
            let mut statement = connection.prepare_cached(
                "SELECT unit FROM grant_approval WHERE bulk_grant = ?1 ORDER BY at_us, unit",
            )?;
            let units = statement.query_map(params![id.0], |row| row.get::<_, String>(0))?;
            for unit in units {
                let unit = UnitName::parse(&unit?).map_err(|_| MALFORMED)?;
                grant.approved_by.push(unit);
            }
            Ok(Some(grant))
        })
    }
}

fn grant(row: &Row<'_>, id: GrantId) -> Result<Grant, StoreError> {
    let text = |at: usize| row.get::<_, String>(at);
    let classes = text(3)?;
    let classes = classes.split(' ').map(ClassName::parse);
    let seconds: u64 = row.get(6)?;
    let ends: Option<u64> = row.get(9)?;
    Ok(Grant {
        id,
        terms: GrantTerms {
            unit: UnitName::parse(&text(0)?).map_err(|_| MALFORMED)?,
            domain: DomainName::parse(&text(1)?).map_err(|_| MALFORMED)?,
            purpose: Purpose::parse(&text(2)?).map_err(|_| MALFORMED)?,
            classes: classes.collect::<Result<_, _>>().map_err(|_| MALFORMED)?,
            values_max: row.get(4)?,
            ttl: std::time::Duration::from_secs(seconds),
        },
        approvals: row.get(7)?,
        approved_by: Vec::new(),
        spent: row.get(5)?,
        asked: Timestamp(row.get(8)?),
        ends: ends.map(Timestamp),
        revoked: row.get(10)?,
    })
}

impl Writer {
    pub(super) fn add_grant(&self, grant: &Grant) -> rusqlite::Result<()> {
        let before = grant.asked.0.saturating_sub(KEPT_US);
        for sql in [
            "DELETE FROM grant_approval WHERE bulk_grant IN \
             (SELECT id FROM bulk_grant WHERE coalesce(ends_us, asked_us) < ?1)",
            "DELETE FROM bulk_grant WHERE coalesce(ends_us, asked_us) < ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([before])?;
        }
        let terms = &grant.terms;
        let classes: Vec<&str> = terms.classes.iter().map(ClassName::as_str).collect();
        self.execute(
            INSERT_GRANT,
            params![
                grant.id.0,
                terms.unit.as_str(),
                terms.domain.as_str(),
                terms.purpose.as_str(),
                classes.join(" "),
                terms.values_max,
                terms.ttl.as_secs(),
                grant.approvals,
                grant.asked.0,
                pending_us(),
                OPEN_MAX,
            ],
        )
    }

    pub(super) fn approve_grant(
        &self,
        id: GrantId,
        unit: &UnitName,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.execute(
            INSERT_APPROVAL,
            params![id.0, unit.as_str(), at.0, pending_us()],
        )?;
        let mut activate = self.connection.prepare_cached(ACTIVATE)?;
        activate.execute(params![id.0, at.0]).map(drop)
    }
}

fn pending_us() -> u64 {
    u64::try_from(Grant::PENDING_MAX.as_micros()).unwrap_or(u64::MAX)
}
