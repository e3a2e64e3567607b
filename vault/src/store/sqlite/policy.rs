//! Kept policy sets in the embedded store.

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, Writer};
use crate::model::{KeptSet, SetDigest, Timestamp, UnitName};
use crate::store::StoreError;
use crate::store::policy::{PolicyRow, PolicyWrite, SetState};

const MALFORMED: StoreError = StoreError::Malformed {
    table: "policy_set",
};

const INSERT: &str = "INSERT INTO policy_set \
    (state, digest, bundle, proposed_by, proposed_us, approved_by, approved_us, mark) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

impl Reader {
    /// The set that decides, or the one that waits, as it is kept: its mark is not looked at.
    pub fn policy_set(&self, state: SetState) -> Result<Option<PolicyRow>, StoreError> {
        self.query(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT digest, bundle, proposed_by, proposed_us, approved_by, approved_us, mark \
                 FROM policy_set WHERE state = ?1",
            )?;
            let found = statement.query_row([state.as_str()], |row| Ok(kept(row)));
            found.optional()?.transpose()
        })
    }
}

fn kept(row: &Row<'_>) -> Result<PolicyRow, StoreError> {
    let name = |at: usize| -> Result<Option<UnitName>, StoreError> {
        let text: Option<String> = row.get(at)?;
        let name = text.map(|text| UnitName::parse(&text).map_err(|_| MALFORMED));
        name.transpose()
    };
    let approved: Option<u64> = row.get(5)?;
    Ok(PolicyRow {
        set: KeptSet {
            digest: SetDigest(row.get(0)?),
            bundle: row.get(1)?,
            proposed_by: name(2)?,
            proposed: Timestamp(row.get(3)?),
            approved: name(4)?.zip(approved.map(Timestamp)),
        },
        mark: row.get(6)?,
    })
}

impl Writer {
    pub(super) fn write_policy(&self, write: &PolicyWrite) -> rusqlite::Result<()> {
        match write {
            PolicyWrite::Stage(row) => {
                self.connection
                    .execute("DELETE FROM policy_set WHERE state = 'waiting'", [])?;
                self.insert_policy(SetState::Waiting, row)
            }
            PolicyWrite::Activate(row) => {
                self.execute(
                    "DELETE FROM policy_set WHERE state = 'waiting' AND digest = ?1 \
                     AND proposed_by IS NOT ?2",
                    params![
                        row.set.digest.0,
                        row.set.approved.as_ref().map(|(unit, _)| unit.as_str())
                    ],
                )?;
                self.connection
                    .execute("DELETE FROM policy_set WHERE state = 'active'", [])?;
                self.insert_policy(SetState::Active, row)
            }
            PolicyWrite::Adopt(row) => self.insert_policy(SetState::Active, row),
        }
    }

    fn insert_policy(&self, state: SetState, row: &PolicyRow) -> rusqlite::Result<()> {
        let PolicyRow { set, mark } = row;
        let (by, at) = match &set.approved {
            Some((unit, at)) => (Some(unit.as_str()), Some(at.0)),
            None => (None, None),
        };
        self.execute(
            INSERT,
            params![
                state.as_str(),
                set.digest.0,
                set.bundle,
                set.proposed_by.as_ref().map(UnitName::as_str),
                set.proposed.0,
                by,
                at,
                mark
            ],
        )
    }
}
