//! Reads an entry strictly: required keys first, then known keys in ascending order, then nothing.

use super::view::{EntryView, FactsView};
use super::{
    Batch, Boot, DETAIL_SCHEMA, ENTRY_BYTES_MAX, Entry, Operation, Outcome, Pseudonym, SCHEMA,
    encode,
};
use crate::cbor::{Lines, Reader, spelling};
use crate::error::EntryError;
use crate::hash::Hash;

const LAST_REQUIRED_KEY: u64 = 6;

pub(super) fn entry(bytes: &[u8]) -> Result<Entry, EntryError> {
    let entry = view(bytes)?.to_entry();
    // Belt and braces: whatever the reader let through must be what the writer writes.
    if encode::entry(&entry)? != bytes {
        return Err(EntryError::Spelling {
            offset: 0,
            rule: "a second spelling",
        });
    }
    Ok(entry)
}

/// Reads an entry without copying from it. That it lets through what the writer writes, and nothing else,
/// is how the reader is made; a property test holds it against [`entry`].
pub(crate) fn view(bytes: &[u8]) -> Result<EntryView<'_>, EntryError> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return Err(EntryError::TooLong);
    }
    let mut r = Reader::new(bytes);
    let pairs = r.map()?;
    let (mut entry, schema) = required(&mut r)?;
    let optional = pairs.checked_sub(LAST_REQUIRED_KEY + 1);
    let optional = optional.ok_or_else(|| r.broken("a required key is missing"))?;
    let mut last = LAST_REQUIRED_KEY;
    for _ in 0..optional {
        last = fact(&mut r, last, &mut entry.facts)?;
    }
    r.end()?;
    encode::placed(&entry.facts)?;
    if encode::schema(&entry.facts) != schema {
        return Err(r.broken("a schema version of other keys"));
    }
    Ok(entry)
}

/// The required keys, and the schema version.
fn required<'a>(r: &mut Reader<'a>) -> Result<(EntryView<'a>, u64), EntryError> {
    key(r, 0)?;
    let schema = r.uint()?;
    if schema != SCHEMA && schema != DETAIL_SCHEMA {
        return Err(r.broken("an unknown schema version"));
    }
    key(r, 1)?;
    let seq = r.uint()?;
    key(r, 2)?;
    let prev = Hash(r.byte_array()?);
    key(r, 3)?;
    let time_us = r.uint()?;
    key(r, 4)?;
    r.array(2)?;
    let boot = Boot {
        id: r.byte_array()?,
        monotonic_us: r.uint()?,
    };
    key(r, 5)?;
    let operation = Operation::from_code(r.uint()?);
    let operation = operation.ok_or_else(|| r.broken("an unknown operation"))?;
    key(r, LAST_REQUIRED_KEY)?;
    let outcome = Outcome::from_code(r.uint()?);
    let outcome = outcome.ok_or_else(|| r.broken("an unknown outcome"))?;
    let entry = EntryView {
        seq,
        prev,
        time_us,
        boot,
        facts: FactsView::new(operation, outcome),
    };
    Ok((entry, schema))
}

#[inline]
fn key(r: &mut Reader<'_>, expected: u64) -> Result<(), EntryError> {
    let here = r.at();
    if r.uint()? == expected {
        Ok(())
    } else {
        Err(spelling(here, "a required key is missing or out of order"))
    }
}

/// Reads one optional pair and returns its key.
fn fact<'a>(r: &mut Reader<'a>, last: u64, facts: &mut FactsView<'a>) -> Result<u64, EntryError> {
    let here = r.at();
    let key = r.uint()?;
    if key <= last {
        return Err(spelling(here, "a key twice or out of order"));
    }
    match key {
        7 => facts.unit = Some(r.text(Lines::One)?),
        8 => facts.gateway = Some(r.text(Lines::One)?),
        9 => facts.actor = Some(pseudonym(r)?),
        10 => facts.purpose = Some(r.text(Lines::One)?),
        11 => facts.policy = Some(r.byte_array()?),
        12 => facts.key = Some(key_version(r)?),
        13 => facts.request = Some(r.byte_array()?),
        14 => facts.commitment = Some(r.byte_array()?),
        15 => facts.batch = Some(batch(r)?),
        16 => facts.domain = Some(r.text(Lines::One)?),
        17 => facts.reason = Some(r.text(Lines::One)?),
        18 => facts.format = Some(r.text(Lines::Many)?),
        19 => facts.statement = Some(r.text(Lines::Many)?),
        20 => facts.detail = Some(r.byte_array()?),
        _ => return Err(spelling(here, "an unknown key")),
    }
    Ok(key)
}

pub(crate) fn pseudonym(r: &mut Reader<'_>) -> Result<Pseudonym, EntryError> {
    r.array(2)?;
    Ok(Pseudonym {
        epoch: r.uint()?,
        id: r.byte_array()?,
    })
}

fn key_version<'a>(r: &mut Reader<'a>) -> Result<(&'a str, u32), EntryError> {
    r.array(2)?;
    let id = r.text(Lines::One)?;
    let here = r.at();
    let version = u32::try_from(r.uint()?);
    let version = version.map_err(|_| spelling(here, "a key version above 32 bits"))?;
    Ok((id, version))
}

fn batch(r: &mut Reader<'_>) -> Result<Batch, EntryError> {
    r.array(2)?;
    Ok(Batch {
        count: r.uint()?,
        root: Hash(r.byte_array()?),
    })
}
