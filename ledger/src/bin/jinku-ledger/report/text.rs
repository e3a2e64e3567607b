//! A report as text for people, as JSON, and as comma-separated values.

use ledger::Utc;
use serde_json::{Map, Value, json};

use super::tables::{Row, Table};
use super::{Summary, headline};
use crate::screen::{coloured, shown};
use crate::show;
use crate::verify::described;

/// Names the shape of a report in JSON.
const SCHEMA: &str = "jinku-ledger.summary/1";

/// The longest name in a table for people.
const NAME_CHARS_MAX: usize = 40;

pub(super) fn human(summary: &Summary) -> String {
    let verified = &summary.verified;
    let mut lines = vec![
        coloured(verified.verdict, &shown(&headline(verified))),
        format!("  {}", shown(&verified.scope())),
        format!("  counted: {}", counted(summary)),
        format!("  usual hours: {}", summary.tally.hours().said()),
    ];
    lines.extend(verified.lives().map(|life| format!("  {}", shown(&life))));
    lines.extend(summary.gaps().map(|gaps| format!("  {gaps}")));
    lines.extend(verified.findings.iter().take(summary.top).map(described));
    for table in &summary.tables {
        if !table.rows.is_empty() {
            lines.push(String::new());
            lines.extend(drawn(table, summary.top));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What was counted, in words.
pub(super) fn counted(summary: &Summary) -> String {
    let tally = &summary.tally;
    let span = tally.span_us.map_or_else(String::new, |(first, last)| {
        format!(
            ", {} to {}",
            Utc::from_micros(first),
            Utc::from_micros(last)
        )
    });
    format!("{} entries with {} items{span}", tally.entries, tally.items)
}

fn drawn(table: &Table, top: usize) -> Vec<String> {
    let cells: Vec<Vec<String>> = table.rows.iter().take(top).map(cells).collect();
    let heads = table.names.iter().chain(table.measures);
    let widths: Vec<usize> = heads
        .clone()
        .enumerate()
        .map(|(column, head)| {
            let widest = cells.iter().map(|row| row[column].chars().count()).max();
            widest.unwrap_or(0).max(head.len())
        })
        .collect();
    let line = |row: &[String]| {
        let mut text = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            let (before, after) = if column < table.names.len() {
                ("", &*gap)
            } else {
                (&*gap, "")
            };
            text.extend([" ", before, cell, after, " "]);
        }
        text.trim_end().to_owned()
    };
    let heads: Vec<String> = heads.map(|head| (*head).to_owned()).collect();
    let mut lines = vec![table.title.to_owned(), line(&heads)];
    lines.extend(cells.iter().map(|row| line(row)));
    let more = table.rows.len().saturating_sub(top);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

fn cells(row: &Row) -> Vec<String> {
    let names = row.names.iter().map(|name| cut(&shown(name)));
    names
        .chain(row.counts.iter().map(ToString::to_string))
        .collect()
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

pub(super) fn json(summary: &Summary) -> anyhow::Result<String> {
    let tally = &summary.tally;
    let mut tables = Map::new();
    for table in &summary.tables {
        let rows = table.rows.iter().map(|row| object(table, row));
        tables.insert(table.name.to_owned(), rows.collect());
    }
    let value = json!({
        "schema": SCHEMA,
        "verified": summary.verified,
        "entries": tally.entries,
        "items": tally.items,
        "entries_unreadable": tally.unreadable,
        "items_unreadable": tally.items_unreadable,
        "first_us": tally.span_us.map(|(first, _)| first),
        "last_us": tally.span_us.map(|(_, last)| last),
        "usual_hours": tally.hours().said(),
        "shown_by_weekday_and_hour": tally.clock,
        "alerts_not_listed": tally.alerts_more,
        "tables": tables,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

fn object(table: &Table, row: &Row) -> Value {
    let names = table.names.iter().zip(&row.names);
    let counts = table.measures.iter().zip(&row.counts);
    let mut object: Map<String, Value> = names
        .map(|(head, name)| ((*head).to_owned(), json!(name)))
        .collect();
    object.extend(counts.map(|(head, count)| ((*head).to_owned(), json!(count))));
    Value::Object(object)
}

/// One line a number, so that every table has the same columns.
pub(super) fn csv(summary: &Summary) -> String {
    let mut lines = vec!["table,first,second,third,measure,count".to_owned()];
    let verified = &summary.verified;
    let exit = verified.exit_code.to_string();
    lines.push(show::csv([
        "verdict",
        &headline(verified),
        "",
        "",
        "exit",
        &exit,
    ]));
    for table in &summary.tables {
        for row in &table.rows {
            let name = |at: usize| row.names.get(at).map_or("", String::as_str);
            for (measure, count) in table.measures.iter().zip(&row.counts) {
                let count = count.to_string();
                let cells = [table.name, name(0), name(1), name(2), measure, &count];
                lines.push(show::csv(cells));
            }
        }
    }
    lines.join("\n") + "\n"
}
