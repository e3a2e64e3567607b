//! `jinku policy diff`: what another policy set would decide otherwise, as a table that a person can approve.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::place;
use crate::cli::screen;
use crate::model::UnitName;
use crate::policy::{Changed, Compared, PolicyEdit};

/// Names of a row that are shown to people.
const SHOWN_MAX: usize = 12;

/// Arguments of `jinku policy diff`.
#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Directory of the set that decides now, with its `classes.toml` and `units.toml`.
    old: PathBuf,
    /// Directory of the other set.
    new: PathBuf,
    /// The class catalogue of both, where it is not in the directories.
    #[arg(long)]
    classes: Option<PathBuf>,
    /// The unit registry of both, where it is not in the directories.
    #[arg(long)]
    units: Option<PathBuf>,
    /// Look at this unit only.
    #[arg(long)]
    unit: Option<String>,
    /// Answer in JSON, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<bool> {
    let (classes, units) = (options.classes.as_deref(), options.units.as_deref());
    let old = place::study(&options.old, classes, units)?;
    let new = place::study(&options.new, classes, units)?;
    let only = options.unit.as_deref().map(UnitName::parse).transpose()?;
    let compared = old.compare(&new, only.as_ref())?;
    let digests = [old.set_digest(), new.set_digest()].map(hex);
    if options.json {
        screen::line(&document(&compared, &digests).to_string());
    } else {
        show(&compared, &digests);
    }
    Ok(compared.is_same())
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn document(compared: &Compared, [old, new]: &[String; 2]) -> serde_json::Value {
    let changed = compared.changed.iter().map(|row| {
        json!({
            "units": row.units, "act": row.act, "purpose": row.purpose, "way": row.way,
            "old": row.old, "new": row.new, "widens": row.widens, "classes": row.classes,
        })
    });
    let policies = compared
        .edits
        .iter()
        .map(|edit| json!({ "policy": edit.id, "edit": edit.edit, "beyond_classes": edit.beyond }));
    json!({
        "old": old, "new": new,
        "changed": changed.collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
        "same_schema": compared.same_schema,
        "compared": compared.cells,
    })
}

fn show(compared: &Compared, [old, new]: &[String; 2]) {
    screen::field("from", old);
    screen::field("to", new);
    if compared.is_same() {
        screen::good("nothing is decided otherwise");
        return;
    }
    for (widens, title) in [
        (true, "Wider: more is given than before"),
        (false, "Narrower"),
    ] {
        let rows: Vec<&Changed> = compared
            .changed
            .iter()
            .filter(|row| row.widens == widens)
            .collect();
        if !rows.is_empty() {
            screen::headline(title);
            for row in rows {
                show_row(row);
            }
        }
    }
    if compared.changed.is_empty() {
        screen::good("on classes nothing is decided otherwise");
    }
    if !compared.same_schema {
        screen::bad("the schema is another text");
    }
    if !compared.edits.is_empty() {
        screen::headline("Policies");
        compared.edits.iter().for_each(show_edit);
    }
}

fn show_row(row: &Changed) {
    let sign = if row.widens { '+' } else { '-' };
    let purpose = if row.purpose.is_empty() {
        String::new()
    } else {
        format!(" for {}", row.purpose)
    };
    let way = if row.way.is_empty() {
        String::new()
    } else {
        format!(" ({})", row.way)
    };
    screen::line(&format!(
        "  {sign} {}: {}{purpose}{way}: {} -> {}\n      {}",
        some(&row.units),
        row.act,
        row.old,
        row.new,
        some(&row.classes)
    ));
}

fn show_edit(edit: &PolicyEdit) {
    let beyond = if edit.beyond.is_empty() {
        String::new()
    } else {
        format!(
            "; the table does not say what it changes of {}: read it",
            edit.beyond.join(", ")
        )
    };
    screen::line(&format!("  {} `{}`{beyond}", edit.edit, edit.id));
}

fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
