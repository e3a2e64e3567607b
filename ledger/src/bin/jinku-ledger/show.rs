//! `show`: the entries of an archive, one a line.

use ledger::verify::{Class, Listed, Listing};
use ledger::{Entry, Facts, Utc};
use serde_json::{Value, json};

use crate::args;
use crate::screen::{Pretty, Screen, shown};

const ENTRY_SCHEMA: &str = "jinku-ledger.entry/1";

pub(crate) fn run(args: &args::Show) -> anyhow::Result<u8> {
    Screen::remark("not verified: `jinku-ledger verify` says whether these entries are genuine");
    let (mut listed, mut unreadable) = (0_u64, 0_u64);
    for Listed { seq, entry } in Listing::open(&args.dir)? {
        let Some(entry) = entry else {
            unreadable += 1;
            continue;
        };
        if !asked_for(args, &entry.facts) {
            continue;
        }
        listed += 1;
        if args.json {
            Screen::json(&object(seq, &entry), Pretty::Compact)?;
        } else {
            Screen::line(&row(seq, &entry))?;
        }
    }
    Screen::remark(&format!("{listed} entries shown, {unreadable} unreadable"));
    let class = if unreadable > 0 {
        Class::Incomplete
    } else {
        Class::Verified
    };
    Ok(class.exit_code())
}

fn asked_for(args: &args::Show, facts: &Facts) -> bool {
    args.unit
        .as_ref()
        .is_none_or(|unit| facts.unit.as_ref() == Some(unit))
        && args.op.is_none_or(|operation| facts.operation == operation)
        && args.outcome.is_none_or(|outcome| facts.outcome == outcome)
}

/// An entry on one line.
pub(crate) fn row(seq: u64, entry: &Entry) -> String {
    let facts = &entry.facts;
    let (time, operation, outcome) = (
        Utc::from_micros(entry.time_us),
        facts.operation,
        facts.outcome,
    );
    let mut parts = vec![format!("{seq:>8}  {time}  {operation:<17}  {outcome:<6}")];
    let named = [
        ("unit", &facts.unit),
        ("gateway", &facts.gateway),
        ("purpose", &facts.purpose),
        ("domain", &facts.domain),
        ("reason", &facts.reason),
    ];
    for (name, text) in named {
        parts.extend(text.as_ref().map(|text| format!("{name}={}", shown(text))));
    }
    parts.extend(
        facts
            .key
            .as_ref()
            .map(|(id, version)| format!("key={}/{version}", shown(id))),
    );
    parts.extend(facts.batch.map(|batch| format!("items={}", batch.count)));
    parts.join("  ").trim_end().to_owned()
}

/// Every fact of an entry; integers above 2^53 are not expected, times fit until 2255.
pub(crate) fn object(seq: u64, entry: &Entry) -> Value {
    let facts = &entry.facts;
    json!({
        "schema": ENTRY_SCHEMA,
        "seq": seq,
        "prev": entry.prev.to_string(),
        "time": Utc::from_micros(entry.time_us).to_string(),
        "time_us": entry.time_us,
        "boot": { "id": hex(&entry.boot.id), "monotonic_us": entry.boot.monotonic_us },
        "operation": facts.operation.as_str(),
        "outcome": facts.outcome.as_str(),
        "unit": facts.unit,
        "gateway": facts.gateway,
        "actor": facts.actor.map(|actor| json!({ "epoch": actor.epoch, "id": hex(&actor.id) })),
        "purpose": facts.purpose,
        "policy": facts.policy.map(|policy| hex(&policy)),
        "key": facts.key.as_ref().map(|(id, version)| json!({ "id": id, "version": version })),
        "request": facts.request.map(|request| hex(&request)),
        "commitment": facts.commitment.map(|commitment| hex(&commitment)),
        "batch": facts.batch.map(|batch| json!({ "count": batch.count, "root": batch.root.to_string() })),
        "domain": facts.domain,
        "reason": facts.reason,
        "format": facts.format,
    })
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(digit)
        .collect()
}
