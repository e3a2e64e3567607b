//! `jinku policy`: validates the set against its schema and runs its tests; shows each class's free space
//! and what its mask leaves.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::screen;
use crate::config;
use crate::model::{Budgets, Catalogue, DataClass, Registry};
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
        /// Budgets of distinct values, to be read too.
        #[arg(long)]
        budgets: Option<PathBuf>,
    },
    /// Show how many tokens each class's format has, and how many values its mask leaves possible.
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
            budgets,
        } => run_cases(policies, classes, units, budgets.as_deref()),
        Command::Spaces { classes } => show_spaces(classes),
    }
}

/// A class whose format can't serve it, or whose mask shows too much, is an error, with the number.
fn show_spaces(classes: &Path) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::parse(&config::read(classes)?)?;
    screen::quiet(
        "tokens that can stand for one value, and values that a masked view leaves possible, at the least",
    );
    for class in catalogue.classes() {
        let (name, format) = (class.name.as_str(), class.format.name());
        let (space, mask) = (token::space(class).to_string(), &class.mask);
        let kept = format!("{}+{}", mask.keep_first, mask.keep_last);
        screen::line(&format!(
            "  {name:<20}  {format:<18}  {space:<37}  keeps {kept:<5}  {}",
            left_possible(class)
        ));
    }
    token::fit(&catalogue)?;
    Ok(ExitCode::SUCCESS)
}

/// What a class's mask leaves, its floor, and what its tokens give away besides.
fn left_possible(class: &DataClass) -> String {
    let floor = token::grouped(u128::from(class.mask.candidates_min));
    let Some(left) = token::residue(class) else {
        return match token::hidden_min(class) {
            Some(_) if (class.mask.keep_first, class.mask.keep_last) == (0, 0) => {
                "not counted, nothing shown".to_owned()
            }
            Some(least) => format!(
                "not counted, floor {floor}: {least} or more letters or digits hidden, or all"
            ),
            None => "not counted".to_owned(),
        };
    };
    let counted = left.candidates.counted("candidates");
    let of_mask = if left.shows {
        format!("{counted}, floor {floor}")
    } else {
        format!("{counted}, nothing shown")
    };
    match token::residue_beside_token(class) {
        Some(both) => {
            let both = both.candidates.counted("candidates");
            format!("{of_mask}; beside its token {both}")
        }
        None => of_mask,
    }
}

fn run_cases(
    policies: &Path,
    classes: &Path,
    units: &Path,
    budgets: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let catalogue = Arc::new(Catalogue::parse(&config::read(classes)?)?);
    token::fit(&catalogue)?;
    let registry = Registry::parse(&config::read(units)?, &catalogue)?;
    if let Some(budgets) = budgets {
        Budgets::parse(&config::read(budgets)?, &catalogue, &registry)?;
    }
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
