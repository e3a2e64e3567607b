//! `jinku policy`: what a policy set says, what is odd in it, what another would change, and its approval.

mod approval;
mod check;
mod diff;
mod explain;
mod place;
mod simulate;
mod spaces;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::screen;

/// Subcommands of `jinku policy`.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Validate the policies against the schema, lint them, and run `tests/*.toml` beside them.
    ///
    /// Exits with 0 if all is well, 1 if a test fails or a policy is at fault, 2 if the set can't be read.
    Check(check::Options),
    /// Say which policies decide a request, and which single fact would change it.
    ///
    /// Exits with 0 if the request is permitted, 1 if it is denied, 2 if the question can't be answered.
    Explain(explain::Options),
    /// Show what another policy set would decide otherwise.
    ///
    /// Exits with 0 if nothing, 1 if something, 2 if a set can't be read.
    Diff(diff::Options),
    /// Decide the acts of a ledger archive anew under a policy set.
    ///
    /// Exits with 0 if all would be decided as they were, 1 if not, 2 if the archive or the set can't be read.
    Simulate(simulate::Options),
    /// Put the set in the running vault's directory up for approval.
    Propose(approval::Propose),
    /// Approve a set that was put up: from the answer on it decides.
    Approve(approval::Approve),
    /// Show which set decides, and which waits for approval.
    Status(approval::Status),
    /// Show how many tokens each class's format has, and how many values its mask leaves possible.
    Spaces {
        /// The class catalogue.
        #[arg(long, default_value = "policies/classes.toml")]
        classes: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(options) => Ok(judged(check::run(options))),
        Command::Explain(options) => Ok(judged(explain::run(options))),
        Command::Diff(options) => Ok(judged(diff::run(options))),
        Command::Simulate(options) => Ok(judged(simulate::run(options))),
        Command::Propose(options) => approval::propose(options),
        Command::Approve(options) => approval::approve(options),
        Command::Status(options) => approval::status(options),
        Command::Spaces { classes } => spaces::show(classes),
    }
}

/// 0: as it should be. 1: not. 2: that can't be said.
fn judged(verdict: anyhow::Result<bool>) -> ExitCode {
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            screen::failure(&error);
            ExitCode::from(2)
        }
    }
}
