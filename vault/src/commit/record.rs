//! One request's change together with the entry that records it.

use ledger::{BatchWriter, Facts, Item, Operation};

use super::NotDurable;
use crate::store::{Change, DetailRow, DetailWrite, TicketWrite};

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

    /// One entry for a whole batch: the entry commits to the items by count and root. An item comes with
    /// how many equal ones follow each other.
    pub fn batch(
        change: Change,
        mut facts: Facts,
        items: impl IntoIterator<Item = (Item, usize)>,
    ) -> Result<Self, NotDurable> {
        let mut batch = BatchWriter::default();
        for (item, times) in items {
            batch.push(&item, times).map_err(|_| NotDurable::Entry)?;
        }
        let (batch, items) = batch.finish();
        facts.batch = Some(batch);
        Ok(Self {
            change,
            facts,
            items,
        })
    }

    /// The same, whose entry commits to a detail that is kept beside it.
    #[must_use]
    pub fn with_detail(mut self, row: DetailRow, commitment: [u8; 32]) -> Self {
        self.facts.detail = Some(commitment);
        self.change.details.push(DetailWrite::Keep(row));
        self
    }

    /// The same act by way of a ticket: it is used up with it, or nothing happens.
    #[must_use]
    pub fn by_ticket(mut self, operation: Operation, taken: TicketWrite) -> Self {
        self.facts.operation = operation;
        self.change.tickets.push(taken);
        self
    }
}
