//! The vault's own keys under rotation: stored values move to the newest version, step by step, and
//! an old version goes only when no row needs it.

use std::sync::Arc;

use super::KeyFault;
use super::act::ActFacts;
use super::act::named;
use super::life::outrun;
use crate::commit::Sequenced;
use crate::engine::{Engine, EngineError};
use crate::model::{DomainName, KeyRecord, RequestId};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey};
use crate::seal::{self, Place};
use crate::store::{Change, KeyWrite, Resealed, TokenRow};

/// Most rows of one step.
const STEP_ROWS_MAX: u32 = 10_000;

/// How one step of moving stored values went.
pub struct Resealing {
    /// Rows that moved in this step.
    pub moved: u64,
    /// Rows that are still under older versions.
    pub remaining: u64,
    /// The place in the table to go on from; `None` when the end was reached.
    pub next: Option<i64>,
}

impl Engine {
    /// Moves up to `limit` of a domain's rows, after a place in the table, to the newest version.
    pub async fn reseal(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Reseal>>,
        place: i64,
        limit: u32,
        request: RequestId,
    ) -> Result<(Resealing, Sequenced), EngineError> {
        let record = Arc::clone(proof.grant().key());
        let domain = domain_of(&record).ok_or(EngineError::Key(KeyFault::Own))?;
        if !(1..=STEP_ROWS_MAX).contains(&limit) {
            return Err(EngineError::Key(KeyFault::Range {
                name: "limit",
                range: format!("1 to {STEP_ROWS_MAX}"),
            }));
        }
        let version = record.current;
        let step = move |engine: &Self| engine.resealed(&domain, version, place, limit);
        let (rows, progress) = self.blocking(step).await?;
        let facts = ActFacts {
            operation: key_act::Reseal::OPERATION,
            key: Some(named(&record, version)),
            purpose: None,
            request,
        };
        let change = Change {
            resealed: rows,
            ..Change::none()
        };
        let entry = self.record_plain(&proof, facts, change).await;
        Ok((progress, entry.map_err(outrun)?))
    }

    fn resealed(
        &self,
        domain: &DomainName,
        version: u32,
        place: i64,
        limit: u32,
    ) -> Result<(Vec<Resealed>, Resealing), EngineError> {
        let keys = self.domain_keys(domain)?.values();
        if keys.current_version() != version {
            return Err(EngineError::Key(KeyFault::Changed));
        }
        let found = self.reader.rows_to_reseal(domain, version, place, limit)?;
        let full = u32::try_from(found.len()) == Ok(limit);
        let next = found.last().filter(|_| full).map(|(place, _)| *place);
        let one = |(_, row): (i64, TokenRow)| {
            let (sealed, token) = seal::renew(&keys, &row, Place::of(&row))?;
            Ok(Resealed {
                fingerprint: row.fingerprint,
                seen: row.sealed,
                sealed,
                token,
            })
        };
        let rows: Vec<Resealed> = found
            .into_iter()
            .map(one)
            .collect::<Result<_, EngineError>>()?;
        let moved = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let remaining = self
            .rows_under_others(domain, version)?
            .saturating_sub(moved);
        let progress = Resealing {
            moved,
            remaining,
            next,
        };
        Ok((rows, progress))
    }

    fn rows_under_others(&self, domain: &DomainName, version: u32) -> Result<u64, EngineError> {
        let counts = self.reader.rows_by_version(domain)?.into_iter();
        let others = counts.filter(|(under, _)| *under != version);
        Ok(others.map(|(_, rows)| rows).sum())
    }

    /// The write that destroys a version of the vault's own key, if nothing needs it.
    // INVARIANT 15: counted here for the answer, and again inside the writer's transaction.
    pub(super) async fn unneeded_own(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        version: u32,
    ) -> Result<KeyWrite, EngineError> {
        let domain = domain_of(record).ok_or(EngineError::Key(KeyFault::Own))?;
        let (id, patience) = (record.id.clone(), self.shelf.settings.request_time_max);
        self.blocking(move |engine| {
            let counts = engine.reader.rows_by_version(&domain)?.into_iter();
            let rows = counts.filter(|(under, _)| *under == version);
            // A ticket is not sealed anew: it goes when its time is over.
            let rows: u64 = rows.map(|(_, rows)| rows).sum();
            let rows = rows + engine.reader.tickets_under(&domain, version)?;
            if rows > 0 {
                return Err(EngineError::Key(KeyFault::Needed { rows }));
            }
            // Answers that are given again can't be resealed: they serve a day, and are removed then.
            if let Some(until) = engine.reader.answers_until(&domain, version)? {
                let seconds = until
                    .0
                    .saturating_sub(engine.clock.now().0)
                    .div_ceil(1_000_000);
                return Err(EngineError::Key(KeyFault::TooFresh {
                    seconds: seconds.max(1),
                }));
            }
            // A request that drew tokens before the rotation may still wait for the writer. After this
            // time it has reached the writer's queue or was given up, and the writer counts its rows.
            let next = engine.reader.key_version(&id, version + 1)?;
            let next = next.ok_or(EngineError::Key(KeyFault::Version))?;
            let (now, from) = (engine.clock.now(), next.created.after(patience));
            if now < from {
                let seconds = (from.0 - now.0).div_ceil(1_000_000);
                return Err(EngineError::Key(KeyFault::TooFresh { seconds }));
            }
            Ok(KeyWrite::DestroyUnneeded(id, version, domain))
        })
        .await
    }

    /// After a change of one of the vault's own keys: the engine works with the versions that stand.
    pub(super) async fn renew_own(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
    ) -> Result<(), EngineError> {
        let Some(domain) = domain_of(record).filter(|_| record.is_own()) else {
            return Ok(());
        };
        let id = record.id.clone();
        self.blocking(move |engine| {
            let keys = engine.domain_keys(&domain)?;
            let fresh = keys.reopen_values(&engine.shelf.envelope, (&engine.reader, &engine.shreds), &id);
            fresh.map_err(|error| {
                tracing::error!(%error, "a rotated key could not be opened: the older version seals on");
                EngineError::Key(KeyFault::Unavailable)
            })
        })
        .await
    }
}

/// Whether one of the vault's own keys can have new versions: rows are found by the others' hashes.
pub(super) fn rotates(record: &KeyRecord) -> bool {
    domain_of(record).is_some()
}

/// The domain whose values the key seals.
fn domain_of(record: &KeyRecord) -> Option<DomainName> {
    let name = record.id.as_str().strip_prefix("value.")?;
    DomainName::parse(name).ok()
}
