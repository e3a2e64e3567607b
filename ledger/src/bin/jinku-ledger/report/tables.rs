//! The tables of a report: the same in every format.

use ledger::Utc;

use super::tally::Tally;

/// Rows of names and numbers, the largest first.
pub(super) struct Table {
    /// Its stable name.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The headings of the names, then of the numbers.
    pub(super) names: &'static [&'static str],
    pub(super) measures: &'static [&'static str],
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) names: Vec<String>,
    pub(super) counts: Vec<u64>,
}

/// Every table of a tally.
pub(super) fn of(tally: &Tally) -> Vec<Table> {
    vec![
        units(tally),
        redeemed(tally),
        purposes(tally),
        denials(tally),
        unusual(tally),
        operations(tally),
        days(tally),
        alerts(tally),
    ]
}

fn units(tally: &Tally) -> Table {
    let rows = tally.units.iter().map(|(name, unit)| Row {
        names: vec![name.clone()],
        counts: vec![
            unit.plain + unit.masked,
            unit.plain,
            unit.masked,
            unit.issued,
            unit.denied,
            unit.errors,
            unit.entries,
        ],
    });
    Table {
        name: "units",
        title: "Units",
        names: &["unit"],
        measures: &[
            "shown", "plain", "masked", "issued", "denied", "errors", "entries",
        ],
        rows: largest_first(rows),
    }
}

fn redeemed(tally: &Tally) -> Table {
    let rows = tally.redeemed.iter().map(|((unit, class), answers)| Row {
        names: vec![unit.clone(), class.clone()],
        counts: vec![
            answers.plain + answers.masked,
            answers.plain,
            answers.masked,
            answers.withheld,
        ],
    });
    Table {
        name: "redeemed",
        title: "Who redeemed what",
        names: &["unit", "class"],
        measures: &["shown", "plain", "masked", "withheld"],
        rows: largest_first(rows),
    }
}

fn purposes(tally: &Tally) -> Table {
    let rows = tally.purposes.iter().map(|((unit, purpose), shown)| Row {
        names: vec![unit.clone(), purpose.clone()],
        counts: vec![*shown],
    });
    Table {
        name: "purposes",
        title: "What for",
        names: &["unit", "purpose"],
        measures: &["shown"],
        rows: largest_first(rows),
    }
}

fn denials(tally: &Tally) -> Table {
    let rows = tally.denials.iter().map(|((unit, reason), count)| Row {
        names: vec![unit.clone(), reason.clone()],
        counts: vec![*count],
    });
    Table {
        name: "denials",
        title: "Denials",
        names: &["unit", "reason"],
        measures: &["entries"],
        rows: largest_first(rows),
    }
}

fn unusual(tally: &Tally) -> Table {
    let outside = tally.units.iter().filter(|(_, unit)| unit.unusual > 0);
    let rows = outside.map(|(name, unit)| Row {
        names: vec![name.clone()],
        counts: vec![unit.unusual, unit.plain + unit.masked],
    });
    Table {
        name: "unusual-hours",
        title: "Shown in unusual hours",
        names: &["unit"],
        measures: &["unusual", "shown"],
        rows: largest_first(rows),
    }
}

fn operations(tally: &Tally) -> Table {
    let rows = tally.operations.iter().map(|(name, ends)| Row {
        names: vec![(*name).to_owned()],
        counts: [&[ends.iter().sum()], ends.as_slice()].concat(),
    });
    Table {
        name: "operations",
        title: "Operations",
        names: &["operation"],
        measures: &["entries", "ok", "denied", "error"],
        rows: largest_first(rows),
    }
}

fn days(tally: &Tally) -> Table {
    let rows = tally.days.iter().map(|(day, (entries, shown))| Row {
        names: vec![date(*day)],
        counts: vec![*entries, *shown],
    });
    Table {
        name: "days",
        title: "Days",
        names: &["day"],
        measures: &["entries", "shown"],
        rows: rows.collect(),
    }
}

fn alerts(tally: &Tally) -> Table {
    let rows = tally.alerts.iter().map(|alert| Row {
        names: vec![
            Utc::from_micros(alert.time_us).to_string(),
            alert.unit.clone(),
            alert.reason.clone(),
        ],
        counts: vec![alert.seq],
    });
    Table {
        name: "alerts",
        title: "Alerts and locks",
        names: &["time", "unit", "reason"],
        measures: &["seq"],
        rows: rows.collect(),
    }
}

/// A day as a date.
pub(super) fn date(day: u64) -> String {
    // The days too many are counted together under the last one there is.
    let Some(micros) = day.checked_mul(86_400_000_000) else {
        return "(others)".to_owned();
    };
    Utc::from_micros(micros)
        .to_string()
        .chars()
        .take(10)
        .collect()
}

fn largest_first(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.collect();
    // The names are in order already, and the sort is stable: the same archive gives the same table.
    rows.sort_by(|a, b| b.counts.cmp(&a.counts));
    rows
}
