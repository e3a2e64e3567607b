//! Walks through the table of tokens, a bounded step at a time, in the order of their issue. They need no index:
//! none would be used but for them, and each token would pay for it.

use rusqlite::{Connection, OptionalExtension, params};

use super::Reader;
use super::tokens::{HELD, TOKEN_COLUMNS, token_row};
use crate::model::{ClassName, DomainName, NormalForm};
use crate::store::StoreError;
use crate::store::row::{Age, Aged, Fingerprint, ShredSlot, TokenRow};

/// Rows that one step looks at, whatever it finds: some 20 MiB.
const WINDOW_ROWS: u32 = 50_000;

impl Reader {
    /// Up to `limit` tokens of some classes that are old, after a place in the table, and the place to go on
    /// from; `None` at the end.
    pub fn aged_tokens(
        &self,
        domain: &DomainName,
        classes: &[ClassName],
        age: Age,
        (after, limit): (i64, u32),
    ) -> Result<(Vec<Aged>, Option<i64>), StoreError> {
        let classes: Vec<&str> = classes.iter().map(ClassName::as_str).collect();
        let classes = serde_json::json!(classes).to_string();
        let (old, before) = match age {
            Age::CreatedBefore(before) => ("created_us < ?5", before),
            Age::ExpiredBefore(before) => ("expires_us < ?5", before),
        };
        self.query(|connection| {
            let end = window_end(connection, after)?;
            let sql = format!(
                "SELECT rowid, fingerprint, class, shred, ({HELD}) FROM token \
                 WHERE rowid > ?1 AND rowid <= ?2 AND domain = ?3 \
                 AND class IN (SELECT value FROM json_each(?4)) AND {old} ORDER BY rowid LIMIT ?6"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let last = end.unwrap_or(i64::MAX);
            let found = params![after, last, domain.as_str(), classes, before.0, limit];
            let rows = statement.query_map(found, |row| {
                let class: String = row.get(2)?;
                Ok(Aged {
                    place: row.get(0)?,
                    fingerprint: Fingerprint(row.get(1)?),
                    // It was among those asked for.
                    class: ClassName::parse(&class).map_err(|_| rusqlite::Error::InvalidQuery)?,
                    shred: ShredSlot(row.get(3)?),
                    held: row.get(4)?,
                })
            })?;
            let rows: Vec<Aged> = rows.collect::<Result<_, _>>()?;
            let next = next(rows.last().map(|row| row.place), rows.len(), limit, end);
            Ok((rows, next))
        })
    }

    /// Up to `limit` tokens of a class whose index is made of another normal form, and the place to go on from.
    pub fn tokens_to_index(
        &self,
        domain: &DomainName,
        class: &ClassName,
        form: NormalForm,
        (after, limit): (i64, u32),
    ) -> Result<(Vec<TokenRow>, Option<i64>), StoreError> {
        self.query(|connection| {
            let end = window_end(connection, after)?;
            let sql = format!(
                "SELECT {TOKEN_COLUMNS}, rowid AS place FROM token WHERE rowid > ?1 AND rowid <= ?2 \
                 AND domain = ?3 AND class = ?4 AND normal_form <> ?5 ORDER BY rowid LIMIT ?6"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let last = end.unwrap_or(i64::MAX);
            let (domain, class) = (domain.as_str(), class.as_str());
            let found = params![after, last, domain, class, form.number(), limit];
            let rows = statement.query_map(found, |row| {
                Ok((row.get::<_, i64>("place")?, token_row(row)))
            })?;
            let mut place = None;
            let mut found = Vec::new();
            for row in rows {
                let (at, row) = row?;
                place = Some(at);
                found.push(row?);
            }
            let next = next(place, found.len(), limit, end);
            Ok((found, next))
        })
    }

    /// How many tokens of a class have an index of another normal form. It reads them all.
    pub fn count_to_index(
        &self,
        domain: &DomainName,
        class: &ClassName,
        form: NormalForm,
    ) -> Result<u64, StoreError> {
        self.query(|connection| {
            let sql =
                "SELECT count(*) FROM token WHERE domain = ?1 AND class = ?2 AND normal_form <> ?3";
            let found = params![domain.as_str(), class.as_str(), form.number()];
            Ok(connection.query_row(sql, found, |row| row.get(0))?)
        })
    }
}

/// The last place that a step from here looks at; `None` where it reaches the end of the table.
fn window_end(connection: &Connection, after: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT rowid FROM token WHERE rowid > ?1 ORDER BY rowid LIMIT 1 OFFSET ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let end = statement.query_row(params![after, WINDOW_ROWS - 1], |row| row.get(0));
    Ok(end.optional()?)
}

/// A step that found all it may goes on behind the last one; another, behind its window.
fn next(last: Option<i64>, found: usize, limit: u32, end: Option<i64>) -> Option<i64> {
    if u32::try_from(found) == Ok(limit) {
        last
    } else {
        end
    }
}
