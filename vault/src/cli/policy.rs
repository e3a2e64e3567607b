//! `jinku policy`: validates the set against its schema and runs its tests; shows each class's free space.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::screen;
use crate::config;
use crate::model::{Catalogue, Registry};
use crate::policy::check;
use crate::token;

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
    /// Show how many tokens each class's format has.
    Spaces {
        /// The class catalogue.
        #[arg(long, default_value = "policies/classes.toml")]
        classes: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check {
            policies,
            classes,
            units,
        } => run_cases(policies, classes, units),
        Command::Spaces { classes } => show_spaces(classes),
    }
}

/// A class whose format can't serve it is an error, with the number.
fn show_spaces(classes: &Path) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::parse(&config::read(classes)?)?;
    screen::quiet("tokens that can stand for one value of the class, at the least");
    for class in catalogue.classes() {
        let (name, space) = (class.name.as_str(), token::space(class));
        screen::line(&format!(
            "  {name:<20}  {:<18}  {space}",
            class.format.name()
        ));
    }
    token::fit(&catalogue)?;
    Ok(ExitCode::SUCCESS)
}

fn run_cases(policies: &Path, classes: &Path, units: &Path) -> anyhow::Result<ExitCode> {
    let catalogue = Arc::new(Catalogue::parse(&config::read(classes)?)?);
    token::fit(&catalogue)?;
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
