//! The windows after a restart: read from the ledger, backwards from the newest entry, one entry in memory at a time.

use std::ops::ControlFlow;

use ledger::{Entry, ItemView, Operation, Outcome, read_items};

use super::budget::Budget;
use crate::model::{Timestamp, UnitName};
use crate::store::{Past, Reader, StoreError};

const MALFORMED: StoreError = StoreError::Malformed { table: "entry" };

/// Counts what the entries of the longest window say was shown. Yields how many were read.
pub(super) fn recall(budget: &Budget, reader: &Reader) -> Result<u64, StoreError> {
    let Some(window) = budget.longest_window() else {
        return Ok(0);
    };
    let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let since_us = budget.now_us().saturating_sub(window_us);
    let mut read = 0;
    reader.newest_first(|past| {
        let entry = Entry::decode(past.bytes()).map_err(|_| MALFORMED)?;
        if entry.time_us <= since_us {
            return Ok(ControlFlow::Break(()));
        }
        read += 1;
        count(budget, &entry, past)?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(read)
}

fn count(budget: &Budget, entry: &Entry, past: &Past<'_>) -> Result<(), StoreError> {
    let facts = &entry.facts;
    // Under a grant, budgets do not count: its entries carry the grant's commitment.
    let granted = facts.operation == Operation::Detokenize && facts.commitment.is_some();
    // They show nothing, and are many.
    let issued = facts.operation == Operation::Tokenize;
    if facts.outcome != Outcome::Ok || facts.batch.is_none() || granted || issued {
        return Ok(());
    }
    let Some(unit) = facts.unit.as_deref() else {
        return Ok(());
    };
    let unit = UnitName::parse(unit).map_err(|_| MALFORMED)?;
    for item in read_items(&past.items()?) {
        let item = item.map_err(|_| MALFORMED)?;
        if matches!(item.view, ItemView::Plain | ItemView::Masked) {
            let shown = Timestamp(entry.time_us);
            budget.recall(&unit, &item.class, item.pseudonym.id, shown);
        }
    }
    Ok(())
}
