//! The windows after a restart: read from the ledger, backwards from the newest entry.

use ledger::{Entry, ItemView, Operation, Outcome, decode_items};

use super::budget::Budget;
use crate::model::{Timestamp, UnitName};
use crate::store::{Reader, StoreError, StoredEntry};

/// Entries read at once: with full batches about 15 MiB.
const PAGE_ENTRIES: u32 = 256;

const MALFORMED: StoreError = StoreError::Malformed { table: "entry" };

/// Counts what the entries of the longest window say was shown. Yields how many were read.
pub(super) fn recall(budget: &Budget, reader: &Reader) -> Result<u64, StoreError> {
    let (Some(window), Some(newest)) = (budget.longest_window(), reader.last_entry()?) else {
        return Ok(0);
    };
    let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let since_us = budget.now_us().saturating_sub(window_us);
    let (mut end, mut read) = (newest.seq + 1, 0);
    while end > 0 {
        let first = end.saturating_sub(u64::from(PAGE_ENTRIES));
        let wanted = u32::try_from(end - first).unwrap_or(PAGE_ENTRIES);
        let page = reader.entries(first, wanted)?;
        for stored in page.iter().rev() {
            let entry = Entry::decode(&stored.bytes).map_err(|_| MALFORMED)?;
            if entry.time_us <= since_us {
                return Ok(read);
            }
            read += 1;
            count(budget, &entry, stored)?;
        }
        end = first;
    }
    Ok(read)
}

fn count(budget: &Budget, entry: &Entry, stored: &StoredEntry) -> Result<(), StoreError> {
    let facts = &entry.facts;
    // Under a grant, budgets do not count: its entries carry the grant's commitment.
    let granted = facts.operation == Operation::Detokenize && facts.commitment.is_some();
    if facts.outcome != Outcome::Ok || granted || stored.items.is_empty() {
        return Ok(());
    }
    let Some(unit) = facts.unit.as_deref() else {
        return Ok(());
    };
    let unit = UnitName::parse(unit).map_err(|_| MALFORMED)?;
    for item in decode_items(&stored.items).map_err(|_| MALFORMED)? {
        if matches!(item.view, ItemView::Plain | ItemView::Masked) {
            let shown = Timestamp(entry.time_us);
            budget.recall(&unit, &item.class, item.pseudonym.id, shown);
        }
    }
    Ok(())
}
