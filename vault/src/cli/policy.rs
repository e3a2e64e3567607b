//! `jinku policy check`: validates the set against its schema, and runs its tests.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::screen;
use crate::config;
use crate::model::{Catalogue, Registry};
use crate::policy::check;

/// Subcommands of `jinku policy`.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Validate the policies against the schema, and run `tests/*.toml` beside them.
    Check {
        /// Directory with `schema.cedarschema`, `policies/` and `tests/`.
        #[arg(long, default_value = "policies")]
        policies: PathBuf,
        /// The class catalogue.
        #[arg(long, default_value = "policies/classes.toml")]
        classes: PathBuf,
        /// The unit registry.
        #[arg(long, default_value = "policies/units.toml")]
        units: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Check {
        policies,
        classes,
        units,
    } = command;
    let catalogue = Arc::new(Catalogue::parse(&config::read(classes)?)?);
    let registry = Registry::parse(&config::read(units)?, &catalogue)?;
    let report = check(policies, catalogue, &registry)?;
    for failure in &report.failed {
        screen::bad(&failure.to_string());
    }
    let passed = report.passed;
    if report.failed.is_empty() {
        screen::good(&format!("the policies are valid, and {passed} cases pass"));
        Ok(ExitCode::SUCCESS)
    } else {
        screen::bad(&format!(
            "{} of {} cases fail",
            report.failed.len(),
            passed + report.failed.len()
        ));
        Ok(ExitCode::FAILURE)
    }
}
