//! `show`: the entries of an archive, one a line.

use ledger::verify::{Class, Listed, Listing};
use ledger::{Entry, Item, Utc};
use serde_json::{Value, json};

use crate::args;
use crate::receipt;
use crate::screen::{Pretty, Screen, shown};

const ENTRY_SCHEMA: &str = "jinku-ledger.entry/1";

/// The columns of `--csv`.
const COLUMNS: [&str; 16] = [
    "seq",
    "time",
    "operation",
    "outcome",
    "unit",
    "gateway",
    "purpose",
    "domain",
    "reason",
    "key",
    "key_version",
    "request",
    "items",
    "token",
    "class",
    "view",
];

pub(crate) fn run(args: &args::ShowEntries) -> anyhow::Result<u8> {
    Screen::remark("not verified: `jinku-ledger verify` says whether these entries are genuine");
    let mut listing = Listing::open(&args.dir)?;
    if args.items || args.selection.needs_items() {
        listing = listing.with_items();
    }
    if args.csv {
        Screen::line(&csv(COLUMNS))?;
    }
    let (mut shown, mut unreadable) = (0_u64, 0_u64);
    for listed in listing {
        let lost = listed.entry.is_none() || args.items && listed.items.is_none();
        unreadable += u64::from(lost);
        if args.selection.takes(&listed) {
            shown += 1;
            print(args, &listed)?;
        }
    }
    Screen::remark(&format!("{shown} entries shown, {unreadable} unreadable"));
    let class = if unreadable > 0 {
        Class::Incomplete
    } else {
        Class::Verified
    };
    Ok(class.exit_code())
}

fn print(args: &args::ShowEntries, listed: &Listed) -> anyhow::Result<()> {
    let Some(entry) = &listed.entry else {
        return Ok(());
    };
    let seq = listed.seq;
    let items = listed.items.as_deref().filter(|_| args.items);
    if args.json {
        let mut object = object(seq, entry);
        if let Some(items) = items {
            object["items"] = items.iter().map(receipt::item).collect();
        }
        return Screen::json(&object, Pretty::Compact);
    }
    if args.csv {
        let entry = columns(seq, entry);
        let none = [const { String::new() }; 3];
        let lines: Vec<[String; 3]> = match items {
            Some(items) if !items.is_empty() => items.iter().map(item_columns).collect(),
            _ => vec![none],
        };
        return lines.iter().try_for_each(|item| {
            let cells = entry.iter().chain(item).map(String::as_str);
            Screen::line(&csv(cells))
        });
    }
    Screen::line(&row(seq, entry))?;
    for item in items.unwrap_or_default() {
        let [token, class, view] = item_columns(item);
        Screen::line(&format!(
            "          token {token}  {}  {view}",
            shown(&class)
        ))?;
    }
    Ok(())
}

fn columns(seq: u64, entry: &Entry) -> [String; 13] {
    let facts = &entry.facts;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (key, version) = facts.key.clone().unzip();
    [
        seq.to_string(),
        Utc::from_micros(entry.time_us).to_string(),
        facts.operation.to_string(),
        facts.outcome.to_string(),
        text(&facts.unit),
        text(&facts.gateway),
        text(&facts.purpose),
        text(&facts.domain),
        text(&facts.reason),
        key.unwrap_or_default(),
        version.map_or_else(String::new, |version| version.to_string()),
        facts.request.map_or_else(String::new, |id| hex(&id)),
        facts.batch.map_or(0, |batch| batch.count).to_string(),
    ]
}

fn item_columns(item: &Item) -> [String; 3] {
    let token = hex(&item.pseudonym.id);
    [token, item.class.clone(), item.view.to_string()]
}

/// Cells on a line (RFC 4180). One that a spreadsheet would take for a formula gets a quote in front.
pub(crate) fn csv<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cell = |cell: &str| {
        let cell = shown(cell);
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let cell = if formula { format!("'{cell}") } else { cell };
        if cell.contains(['"', ',', '\n']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    };
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",")
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
        "detail": facts.detail.map(|detail| hex(&detail)),
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
