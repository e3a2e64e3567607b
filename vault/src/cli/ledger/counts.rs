//! `jinku ledger counts`: how many rows a backup has, for the auditor to hold against the ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::backup::{DATABASE, Manifest};
use crate::cli::screen;
use crate::store::Reader;

/// Names the shape of the counts; `jinku-ledger reconcile` reads it.
const SCHEMA: &str = "jinku.counts/1";

/// Arguments of `jinku ledger counts`.
#[derive(clap::Args)]
#[command(
    after_help = "A backup is one moment of the vault, which may run meanwhile. Then:\n  \
    jinku ledger export --data DIR/data --to ARCHIVE\n  \
    jinku-ledger reconcile ARCHIVE --key-file KEY --counts FILE"
)]
pub(in crate::cli) struct Options {
    /// A backup that `jinku backup` made; its digest is checked.
    #[arg(long, value_name = "DIR")]
    backup: PathBuf,
}

pub(super) fn count(options: &Options) -> anyhow::Result<ExitCode> {
    let manifest = Manifest::of(&options.backup)?;
    let reader = Reader::of_copy(&options.backup.join(DATABASE))?;
    let domains = reader.tokens_by_domain()?;
    let counts = json!({
        "schema": SCHEMA,
        "entries": manifest.entries,
        "tokens": domains.values().sum::<u64>(),
        "domains": domains,
    });
    screen::line(&serde_json::to_string_pretty(&counts)?);
    Ok(ExitCode::SUCCESS)
}
