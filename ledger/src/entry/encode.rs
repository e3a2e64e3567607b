//! Writes an entry: a map with ascending integer keys, absent facts left out.

use super::view::{EntryView, FactsView};
use super::{DETAIL_SCHEMA, ENTRY_BYTES_MAX, Entry, Operation, SCHEMA};
use crate::cbor::{Lines, Writer, is_clean};
use crate::error::EntryError;

const REQUIRED_PAIRS: u64 = 7;

pub(super) fn entry(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let entry = EntryView::from(entry);
    let facts = &entry.facts;
    placed(facts)?;
    clean(facts)?;
    let mut w = Writer::default();
    w.map(REQUIRED_PAIRS + present(facts));
    w.uint(0);
    w.uint(schema(facts));
    w.uint(1);
    w.uint(entry.seq);
    w.uint(2);
    w.bytes(&entry.prev.0);
    w.uint(3);
    w.uint(entry.time_us);
    w.uint(4);
    w.array(2);
    w.bytes(&entry.boot.id);
    w.uint(entry.boot.monotonic_us);
    w.uint(5);
    w.uint(facts.operation.code());
    w.uint(6);
    w.uint(facts.outcome.code());
    optional(&mut w, facts);
    let bytes = w.into_bytes();
    if bytes.len() > ENTRY_BYTES_MAX {
        Err(EntryError::TooLong)
    } else {
        Ok(bytes)
    }
}

/// The one schema of entries with these facts.
pub(super) fn schema(facts: &FactsView<'_>) -> u64 {
    match facts.detail {
        Some(_) => DETAIL_SCHEMA,
        None => SCHEMA,
    }
}

/// Facts that only some operations have.
pub(super) fn placed(facts: &FactsView<'_>) -> Result<(), EntryError> {
    if facts.format.is_some() && facts.operation != Operation::Genesis {
        return Err(EntryError::FormatOutsideGenesis);
    }
    if facts.statement.is_some() && facts.operation != Operation::SignerRotate {
        return Err(EntryError::StatementMisplaced);
    }
    Ok(())
}

fn clean(facts: &FactsView<'_>) -> Result<(), EntryError> {
    let texts = [
        facts.unit,
        facts.gateway,
        facts.purpose,
        facts.domain,
        facts.reason,
        facts.key.map(|(id, _)| id),
    ];
    let mut one_line = texts.into_iter().flatten();
    let one_line = one_line.all(|t| is_clean(t, Lines::One));
    let mut notes = [facts.format, facts.statement].into_iter().flatten();
    if one_line && notes.all(|t| is_clean(t, Lines::Many)) {
        Ok(())
    } else {
        Err(EntryError::Text)
    }
}

fn present(facts: &FactsView<'_>) -> u64 {
    let present = [
        facts.unit.is_some(),
        facts.gateway.is_some(),
        facts.actor.is_some(),
        facts.purpose.is_some(),
        facts.policy.is_some(),
        facts.key.is_some(),
        facts.request.is_some(),
        facts.commitment.is_some(),
        facts.batch.is_some(),
        facts.domain.is_some(),
        facts.reason.is_some(),
        facts.format.is_some(),
        facts.statement.is_some(),
        facts.detail.is_some(),
    ];
    present.into_iter().map(u64::from).sum()
}

fn optional(w: &mut Writer, facts: &FactsView<'_>) {
    text(w, 7, facts.unit);
    text(w, 8, facts.gateway);
    if let Some(actor) = &facts.actor {
        w.uint(9);
        w.array(2);
        w.uint(actor.epoch);
        w.bytes(&actor.id);
    }
    text(w, 10, facts.purpose);
    bytes(w, 11, facts.policy.as_ref().map(<[u8; 32]>::as_slice));
    if let Some((id, version)) = facts.key {
        w.uint(12);
        w.array(2);
        w.text(id);
        w.uint(u64::from(version));
    }
    bytes(w, 13, facts.request.as_ref().map(<[u8; 16]>::as_slice));
    bytes(w, 14, facts.commitment.as_ref().map(<[u8; 32]>::as_slice));
    if let Some(batch) = &facts.batch {
        w.uint(15);
        w.array(2);
        w.uint(batch.count);
        w.bytes(&batch.root.0);
    }
    text(w, 16, facts.domain);
    text(w, 17, facts.reason);
    text(w, 18, facts.format);
    text(w, 19, facts.statement);
    bytes(w, 20, facts.detail.as_ref().map(<[u8; 32]>::as_slice));
}

fn text(w: &mut Writer, key: u64, text: Option<&str>) {
    if let Some(text) = text {
        w.uint(key);
        w.text(text);
    }
}

fn bytes(w: &mut Writer, key: u64, bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes {
        w.uint(key);
        w.bytes(bytes);
    }
}
