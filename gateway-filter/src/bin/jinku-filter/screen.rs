//! Owns what goes to stdout: the tables of `check`, proposals, measurements.

use std::io::{self, Write as _};

use gateway_filter::{Found, Rules};

const HEADINGS: [&str; 7] = [
    "ROUTE", "HOST", "METHOD", "PATH", "DOMAIN", "REQUEST", "RESPONSE",
];

/// Prints one line per route, in the order in which they are tried.
pub(crate) fn routes(rules: &Rules) -> io::Result<()> {
    let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
    lines.extend(rules.routes().iter().map(|route| {
        route
            .describe()
            .split('\t')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    }));
    table(&lines)
}

/// Prints what a route takes of a sample, and how much.
pub(crate) fn found(found: &[Found]) -> io::Result<()> {
    let headings = ["LINE", "COLUMN", "FIELD", "CHARACTERS", "ACTION"];
    let mut lines = vec![headings.map(str::to_owned).to_vec()];
    lines.extend(found.iter().map(|found| {
        vec![
            found.position.line.to_string(),
            found.position.column.to_string(),
            found.place.clone(),
            found.chars.to_string(),
            found.action.clone(),
        ]
    }));
    table(&lines)
}

/// Prints bytes as they are.
pub(crate) fn bytes(text: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(text)
}

fn table(lines: &[Vec<String>]) -> io::Result<()> {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut out = io::stdout().lock();
    for line in lines {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
