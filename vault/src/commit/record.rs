//! One request's change together with the entry that records it.

use ledger::{Batch, Facts, Item};

use super::NotDurable;
use crate::store::Change;

/// What `Committer::record` writes: a change, its entry's facts, and the batch's items beside it.
pub struct Record {
    pub(super) change: Change,
    pub(super) facts: Facts,
    pub(super) items: Vec<u8>,
}

impl Record {
    /// An entry of its own: a refusal, a key act, a start.
    pub fn single(change: Change, facts: Facts) -> Self {
        Self {
            change,
            facts,
            items: Vec::new(),
        }
    }

    /// One entry for a whole batch: the entry commits to the items by count and root.
    pub fn batch(change: Change, mut facts: Facts, items: &[Item]) -> Result<Self, NotDurable> {
        let root = ledger::items_root(items).map_err(|_| NotDurable::Entry)?;
        let encoded = ledger::encode_items(items).map_err(|_| NotDurable::Entry)?;
        let count = u64::try_from(items.len()).map_err(|_| NotDurable::Entry)?;
        facts.batch = Some(Batch { count, root });
        Ok(Self {
            change,
            facts,
            items: encoded,
        })
    }
}
