//! What says of a kept policy set that this vault kept it: a keyed hash, whose key the HSM wraps.

use kms::{Binding, MacKey, constant_time_eq};
use tokio::sync::Mutex;

use crate::model::{KeptSet, Timestamp, UnitName};
use crate::store::{PolicyRow, SetState};

/// Marks kept sets, and knows its marks again.
pub struct PolicyMark {
    key: MacKey,
    /// Approvals come one after another. The last one's time: an older row is nothing to go on with.
    pub(super) turn: Mutex<Timestamp>,
}

impl PolicyMark {
    pub(in crate::engine) fn new(key: MacKey) -> Self {
        let turn = Mutex::new(Timestamp(0));
        Self { key, turn }
    }

    pub(super) fn marked(&self, state: SetState, set: KeptSet) -> PolicyRow {
        let mark = self.key.tag(&binding(state, &set));
        PolicyRow { set, mark }
    }

    /// The set of a row; `None` where the row was not written by this vault.
    pub(super) fn known(&self, state: SetState, row: PolicyRow) -> Option<KeptSet> {
        let mark = self.key.tag(&binding(state, &row.set));
        constant_time_eq(&mark, &row.mark).then_some(row.set)
    }
}

/// All of it, and which of the two it is: a set that waits is not made one that decides.
fn binding(state: SetState, set: &KeptSet) -> Binding {
    let name = |unit: Option<&UnitName>| unit.map_or("", UnitName::as_str).to_owned();
    let (by, at) = match &set.approved {
        Some((unit, at)) => (Some(unit), *at),
        None => (None, Timestamp(0)),
    };
    Binding::new("jinku/v1 policy set")
        .field(state.as_str().as_bytes())
        .field(&set.digest.0)
        .field(&set.bundle)
        .field(name(set.proposed_by.as_ref()).as_bytes())
        .number(set.proposed.0)
        .field(name(by).as_bytes())
        .number(at.0)
}
