//! `jinku-ledger`: the auditor's tool. It reads an archive of a ledger, offline, and writes nothing
//! but what the auditor asks for, outside of the archive. Only `witness` listens, and only builds with that feature have it.

mod args;
mod bench;
mod checkpoints;
mod compare;
mod consistency;
mod explain;
mod export;
mod files;
mod forge;
mod papers;
mod progress;
mod proof;
mod reading;
mod receipt;
mod reconcile;
mod record;
mod report;
mod screen;
mod selection;
mod selftest;
mod show;
mod trust;
mod verdict;
mod verify;
#[cfg(feature = "witness")]
mod witness;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use screen::Screen;

/// A wrong way of asking (BSD `sysexits.h`), apart from every verdict.
const USAGE: u8 = 64;

/// The reader of the output went away: as if ended by SIGPIPE, and no verdict.
const READER_LEFT: u8 = 141;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let asked_for = !error.use_stderr();
            Screen::clap(&error);
            return if asked_for {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            };
        }
    };
    let done = match &args.command {
        Command::Verify(args) => verify::run(args),
        Command::Show(args) => show::run(args),
        Command::Receipt(args) => receipt::run(args),
        Command::Record(args) => record::run(args),
        Command::Proof(args) => proof::run(args),
        Command::Consistency(args) => consistency::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Checkpoints(args) => checkpoints::run(args),
        Command::Report(args) => report::run(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Export(args) => export::run(args),
        Command::Selftest(args) => selftest::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Man(args) => papers::man(args),
        Command::Completions(args) => papers::completions(args),
        Command::Explain(args) => explain::run(args),
        #[cfg(feature = "witness")]
        Command::Witness(args) => witness::run(args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) if screen::reader_left(&error) => ExitCode::from(READER_LEFT),
        Err(error) => {
            Screen::error(&error);
            ExitCode::from(USAGE)
        }
    }
}
