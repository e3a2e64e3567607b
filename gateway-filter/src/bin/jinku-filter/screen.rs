//! Owns what goes to stdout: the routes table of `check`.

use std::io::{self, Write as _};

use gateway_filter::Rules;

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
    let widths: Vec<usize> = (0..HEADINGS.len())
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
