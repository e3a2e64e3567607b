//! Tokens in the embedded store: their rows, what finds them, whom they are about, and what holds them.

use rand::RngExt;
use rusqlite::{OptionalExtension, Row, params};

use super::Reader;
use crate::model::{ClassName, DomainName, Life, Matter, NormalForm, Timestamp};
use crate::store::StoreError;
use crate::store::row::{
    BlindIndex, Fingerprint, Hold, Indexed, SealedValue, ShredSlot, SubjectHandle, TokenRow,
};

/// Columns of a token, as [`token_row`] reads them.
pub(super) const TOKEN_COLUMNS: &str = "fingerprint, domain, class, created_us, shred, sealed, bound, \
    disabled, expires_us, uses_left, blind_index, sealed_token, normal_form, nth";
const MALFORMED: StoreError = StoreError::Malformed { table: "token" };
/// Whether a hold covers the row `token`: on itself, or on someone it is about.
pub(super) const HELD: &str = "EXISTS (SELECT 1 FROM hold WHERE handle = token.fingerprint) OR EXISTS \
    (SELECT 1 FROM subject JOIN hold ON hold.handle = subject.handle \
    WHERE subject.fingerprint = token.fingerprint)";
/// So many of the newest rows are looked through for the highest shred key in use.
const NEWEST_ROWS: u32 = 100_000;

impl Reader {
    /// The rows of these fingerprints within one domain, in the order asked; `None` where there is none.
    pub fn tokens(
        &self,
        domain: &DomainName,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Option<TokenRow>>, StoreError> {
        // One snapshot: else every row would take and give back the file's locks, and read its pages anew
        // whenever something was written meanwhile.
        self.snapshots.look(|connection| {
            let mut last = connection.prepare_cached("SELECT max(rowid) FROM token")?;
            let last: Option<i64> = last.query_row([], |row| row.get(0))?;
            let last = last.unwrap_or(1).max(1);
            // INVARIANT 8: the index says where the row is, or nothing; then a row is read and taken apart either
            // way, any other in place of one that is not there.
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {TOKEN_COLUMNS} FROM token WHERE rowid >= \
                 coalesce((SELECT rowid FROM token WHERE fingerprint = ?1), ?2) ORDER BY rowid LIMIT 1"
            ))?;
            let mut class = None;
            fingerprints
                .iter()
                .map(|fingerprint| {
                    let other = rand::rng().random_range(1..=last);
                    let read = statement.query_row(params![fingerprint.0, other], |row| {
                        let own = row.get_ref(0)?.as_blob() == Ok(&fingerprint.0[..]);
                        Ok((own, row_likely(row, domain, class.take())))
                    });
                    let Some((own, read)) = read.optional()? else {
                        return Ok(None);
                    };
                    class = read.as_ref().ok().map(|row| row.class.clone());
                    // Another one that is malformed is nobody's concern here.
                    if !own {
                        return Ok(None);
                    }
                    Ok(Some(read?).filter(|row| row.domain == *domain))
                })
                .collect()
        })
    }

    /// Whether a token stands, or is gone for good.
    pub fn is_taken(&self, token: Fingerprint) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM token WHERE fingerprint = ?1) \
                OR EXISTS (SELECT 1 FROM gone WHERE fingerprint = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([token.0], |row| row.get(0))?)
        })
    }

    /// The row that an equal value gets again, by its blind index.
    pub fn token_by_value(&self, index: BlindIndex) -> Result<Option<TokenRow>, StoreError> {
        let first = |row: &TokenRow| row.indexed.as_ref().is_some_and(|found| found.nth == 0);
        Ok(self.tokens_by_value(index, 1)?.into_iter().find(first))
    }

    /// Up to `limit` rows of a value, by its blind index; first the one that an equal value gets.
    pub fn tokens_by_value(
        &self,
        index: BlindIndex,
        limit: u32,
    ) -> Result<Vec<TokenRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {TOKEN_COLUMNS} FROM token WHERE blind_index = ?1 ORDER BY nth LIMIT ?2"
            ))?;
            let rows = statement.query_map(params![index.0, limit], |row| Ok(token_row(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Up to `limit` rows about a subject, by their fingerprints, after one of them.
    pub fn tokens_of_subject(
        &self,
        subject: SubjectHandle,
        after: Option<Fingerprint>,
        limit: u32,
    ) -> Result<Vec<TokenRow>, StoreError> {
        let after = after.map_or([0; 16], |after| after.0);
        self.query(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {TOKEN_COLUMNS} FROM token WHERE fingerprint IN \
                 (SELECT fingerprint FROM subject WHERE handle = ?1 AND fingerprint > ?2 \
                 ORDER BY fingerprint LIMIT ?3) ORDER BY fingerprint"
            ))?;
            let found = params![subject.0, after, limit];
            let rows = statement.query_map(found, |row| Ok(token_row(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Up to `limit` rows after a place in the table: the place, the row, and whether its uses are counted.
    pub fn rows_after(
        &self,
        place: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Fingerprint, bool)>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT rowid, fingerprint, uses_left IS NOT NULL FROM token \
                WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![place, limit], |row| {
                Ok((row.get(0)?, Fingerprint(row.get(1)?), row.get(2)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Up to `limit` subjects that tokens are about, after one of them.
    pub fn subjects_after(
        &self,
        after: Option<SubjectHandle>,
        limit: u32,
    ) -> Result<Vec<SubjectHandle>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT DISTINCT handle FROM subject WHERE ?1 IS NULL OR handle > ?1 \
                ORDER BY handle LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = params![after.map(|after| after.0), limit];
            let rows = statement.query_map(found, |row| row.get(0).map(SubjectHandle))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Whom a token's value is about.
    pub fn subjects_of(&self, token: Fingerprint) -> Result<Vec<SubjectHandle>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT handle FROM subject WHERE fingerprint = ?1 ORDER BY handle";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([token.0], |row| row.get(0).map(SubjectHandle))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Whether a legal hold covers a token: on itself, or on someone it is about.
    pub fn is_held(&self, token: Fingerprint) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = format!("SELECT {HELD} FROM token WHERE fingerprint = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let held = statement
                .query_row([token.0], |row| row.get(0))
                .optional()?;
            Ok(held.unwrap_or(false))
        })
    }

    /// The legal holds on a token (its fingerprint) or a subject (its handle).
    pub fn holds(&self, handle: [u8; 16]) -> Result<Vec<Hold>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT matter, domain, placed_us FROM hold WHERE handle = ?1 ORDER BY matter",
            )?;
            let rows = statement.query_map([handle], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get(2)?,
                ))
            })?;
            rows.map(|row| {
                let (matter, domain, placed) = row?;
                let domain = DomainName::parse(&domain);
                let matter = Matter::parse(&matter);
                let (Ok(domain), Ok(matter)) = (domain, matter) else {
                    return Err(StoreError::Malformed { table: "hold" });
                };
                Ok(Hold {
                    handle,
                    matter,
                    domain,
                    placed: Timestamp(placed),
                })
            })
            .collect()
        })
    }

    /// Whether any token stands in a domain.
    pub fn has_tokens(&self, domain: &DomainName) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM token WHERE domain = ?1)";
            Ok(connection.query_row(sql, [domain.as_str()], |row| row.get(0))?)
        })
    }

    /// Whether any token stands.
    pub fn any_token(&self) -> Result<bool, StoreError> {
        self.query(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM token)";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
    }

    /// How many tokens stand. It reads them all.
    pub fn token_count(&self) -> Result<u64, StoreError> {
        self.query(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM token", [], |row| row.get(0))?)
        })
    }

    /// The highest place of a shred key among the newest rows, and those of epochs.
    pub(in crate::store) fn last_shred(&self) -> Result<Option<ShredSlot>, StoreError> {
        self.query(|connection| {
            let sql = "SELECT max(slot) FROM (SELECT max(shred) AS slot FROM \
                (SELECT shred FROM token ORDER BY rowid DESC LIMIT ?1) \
                UNION ALL SELECT max(slot) FROM pseudonym_epoch \
                UNION ALL SELECT max(slot) FROM detail)";
            let slot: Option<u64> = connection.query_row(sql, [NEWEST_ROWS], |row| row.get(0))?;
            Ok(slot.map(ShredSlot))
        })
    }

    /// Shred keys that must be destroyed, and may be already.
    pub fn shreds_due(&self) -> Result<Vec<ShredSlot>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached("SELECT slot FROM shred_due")?;
            let rows = statement.query_map([], |row| row.get(0).map(ShredSlot))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// A row whose columns are [`TOKEN_COLUMNS`].
pub(super) fn token_row(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    row_of(row, domain_of(row, None)?, class_of(row, None)?)
}

/// The same, of a row that is likely of this domain and class.
fn row_likely(
    row: &Row<'_>,
    domain: &DomainName,
    class: Option<ClassName>,
) -> Result<TokenRow, StoreError> {
    row_of(row, domain_of(row, Some(domain))?, class_of(row, class)?)
}

/// The row's domain. Where it is the one named, nothing is made anew.
fn domain_of(row: &Row<'_>, likely: Option<&DomainName>) -> Result<DomainName, StoreError> {
    let text = row.get_ref(1)?.as_str().map_err(|_| MALFORMED)?;
    match likely {
        Some(domain) if domain.as_str() == text => Ok(domain.clone()),
        _ => DomainName::parse(text).map_err(|_| MALFORMED),
    }
}

/// The row's class. Where it is the one named, as mostly in a batch, nothing is made anew.
fn class_of(row: &Row<'_>, likely: Option<ClassName>) -> Result<ClassName, StoreError> {
    let text = row.get_ref(2)?.as_str().map_err(|_| MALFORMED)?;
    match likely {
        Some(class) if class.as_str() == text => Ok(class),
        _ => ClassName::parse(text).map_err(|_| MALFORMED),
    }
}

fn row_of(row: &Row<'_>, domain: DomainName, class: ClassName) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        fingerprint: Fingerprint(row.get(0)?),
        domain,
        class,
        created_us: row.get(3)?,
        shred: ShredSlot(row.get(4)?),
        sealed: SealedValue(row.get(5)?),
        bound: row.get(6)?,
        life: Life {
            disabled: row.get(7)?,
            expires: row.get::<_, Option<u64>>(8)?.map(Timestamp),
            uses_left: row.get(9)?,
        },
        indexed: indexed(row)?,
    })
}

fn indexed(row: &Row<'_>) -> Result<Option<Indexed>, StoreError> {
    let Some(index) = row.get::<_, Option<[u8; 16]>>(10)? else {
        return Ok(None);
    };
    Ok(Some(Indexed {
        index: BlindIndex(index),
        token: SealedValue(row.get(11)?),
        form: NormalForm::from_number(row.get(12)?).ok_or(MALFORMED)?,
        nth: row.get(13)?,
    }))
}
