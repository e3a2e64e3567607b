//! A report as one page: verdict, charts, tables, findings. It needs nothing but itself, and its policy
//! forbids everything else.

use super::chart::{bars, clock, columns, escaped};
use super::tables::{Row, Table};
use super::text::counted;
use super::{Summary, headline};
use ledger::verify::{Class, Finding};

const STYLE: &str = include_str!("page.css");

/// Bars of a chart.
const BARS_MAX: usize = 12;

pub(super) fn page(summary: &Summary) -> String {
    let verified = &summary.verified;
    let tone = match verified.verdict {
        Class::Verified => "good",
        Class::Warning | Class::Incomplete => "care",
        Class::Trust | Class::Tampered | Class::Fork => "bad",
    };
    let head = escaped(&headline(verified));
    let key = verified.key.as_deref().unwrap_or("none");
    let root = verified.checkpoint.as_ref();
    let root = root.map_or("none", |stated| &stated.root);
    let gaps = summary.gaps().map_or_else(String::new, |gaps| {
        format!("<p class=\"care\">{}.</p>", escaped(&gaps))
    });
    let tables: String = summary
        .tables
        .iter()
        .map(|table| drawn(table, summary.top))
        .collect();
    let body = [
        format!(
            "<h1 class=\"{tone}\">{head}</h1><p>{}</p>",
            escaped(&verified.scope())
        ),
        format!("<p>Counted: {}.</p>", escaped(&counted(summary))),
        gaps,
        findings(&verified.findings, verified.findings_omitted),
        charts(summary),
        tables,
        format!(
            "<footer>jinku-ledger {}; key {}; root {}</footer>",
            env!("CARGO_PKG_VERSION"),
            escaped(key),
            escaped(root)
        ),
    ]
    .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{head}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
}

fn charts(summary: &Summary) -> String {
    let tally = &summary.tally;
    let days: Vec<(u64, u64)> = tally
        .days
        .iter()
        .map(|(day, (_, shown))| (*day, *shown))
        .collect();
    let usual = format!("Values shown, by hour (usual: {})", tally.hours().said());
    let all = [
        (
            "Values shown, by unit",
            chart_of(summary, "units", &["plain", "masked"], &[1, 2]),
        ),
        (
            "Values shown, by unit and class",
            chart_of(summary, "redeemed", &["plain", "masked"], &[1, 2]),
        ),
        ("Denials", chart_of(summary, "denials", &["entries"], &[0])),
        (
            "Shown in unusual hours",
            chart_of(summary, "unusual-hours", &["unusual"], &[0]),
        ),
        (
            "Values shown, by day",
            columns("Values shown, by day", &days),
        ),
        (&usual, clock(&usual, &tally.clock)),
    ];
    let drawn = all.iter().filter(|(_, chart)| !chart.is_empty());
    let sections: Vec<String> = drawn
        .map(|(title, chart)| format!("<section><h2>{}</h2>{chart}</section>", escaped(title)))
        .collect();
    sections.concat()
}

/// The largest rows of a table, with these of its measures.
fn chart_of(summary: &Summary, name: &str, parts: &[&str], measures: &[usize]) -> String {
    let Some(table) = summary.tables.iter().find(|table| table.name == name) else {
        return String::new();
    };
    let counts = |row: &Row| -> Vec<u64> {
        let of = |at: &usize| row.counts.get(*at).copied().unwrap_or(0);
        measures.iter().map(of).collect()
    };
    let rows: Vec<(String, Vec<u64>)> = table
        .rows
        .iter()
        .map(|row| (row.names.join(" · "), counts(row)))
        .filter(|(_, counts)| counts.iter().any(|count| *count > 0))
        .take(BARS_MAX)
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    bars(table.title, parts, &rows)
}

fn drawn(table: &Table, top: usize) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let heads = table
        .names
        .iter()
        .map(|head| format!("<th>{}</th>", escaped(head)));
    let numbers = table
        .measures
        .iter()
        .map(|head| format!("<th class=\"n\">{}</th>", escaped(head)));
    let heads: String = heads.chain(numbers).collect();
    let rows: String = table.rows.iter().take(top).map(row).collect();
    let more = table.rows.len().saturating_sub(top);
    let more = if more > 0 {
        format!("<p>and {more} more</p>")
    } else {
        String::new()
    };
    format!(
        "<section><h2>{}</h2><div class=\"wide\"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{more}</section>",
        escaped(table.title)
    )
}

fn row(row: &Row) -> String {
    let names = row
        .names
        .iter()
        .map(|name| format!("<td>{}</td>", escaped(name)));
    let counts = row
        .counts
        .iter()
        .map(|count| format!("<td class=\"n\">{count}</td>"));
    format!("<tr>{}</tr>", names.chain(counts).collect::<String>())
}

fn findings(found: &[Finding], omitted: u64) -> String {
    if found.is_empty() {
        return String::new();
    }
    let line = |finding: &Finding| {
        let place = finding.file.as_deref().unwrap_or_default();
        let offset = finding
            .offset
            .map_or_else(String::new, |offset| format!(", byte {offset}"));
        let seq = match (finding.seq, finding.seq_last) {
            (Some(first), Some(last)) => format!(", seq {first}-{last}"),
            (Some(seq), None) => format!(", seq {seq}"),
            (None, _) => String::new(),
        };
        format!(
            "<li><b>{}</b> {}{offset}{seq}: {}<br><small>{} {}.</small></li>",
            finding.code,
            escaped(place),
            escaped(&finding.message),
            escaped(finding.code.meaning()),
            escaped(finding.code.remedy())
        )
    };
    let lines: String = found.iter().take(200).map(line).collect();
    let more = omitted + found.len().saturating_sub(200) as u64;
    let more = if more > 0 {
        format!("<p>and {more} more</p>")
    } else {
        String::new()
    };
    format!("<section><h2>Findings</h2><ul>{lines}</ul>{more}</section>")
}
