//! The command `jinku-hsm`: makes tokens of the HSM simulator and shows them, without a PKCS#11
//! client. PINs come from files, never from the command line, where other users would see them.

mod fault;
mod screen;
mod serve;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use zeroize::Zeroizing;

/// Operates the tokens of Jinku's HSM simulator.
#[derive(Parser)]
#[command(name = "jinku-hsm", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Initialise a token in the first empty slot
    Init {
        /// The token's label, at most 32 bytes
        #[arg(long)]
        label: String,
        /// A file with the security officer's PIN in its first line
        #[arg(long, value_name = "FILE")]
        so_pin_file: PathBuf,
        /// A file with the user's PIN in its first line
        #[arg(long, value_name = "FILE")]
        pin_file: PathBuf,
        /// The tokens' directory (if not given: where the module itself looks)
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Show slots, labels, objects and the state of PINs
    Show {
        /// The tokens' directory (if not given: where the module itself looks)
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Serve the tokens from processes of their own, to programs that load `libhsm_client.so`
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::Serve),
    #[command(hide = true)]
    ServeOne(serve::ServeOne),
    /// Make the device misbehave while programs use it
    #[command(after_help = fault::EXAMPLES)]
    Fault {
        #[command(subcommand)]
        fault: fault::Fault,
        /// The tokens' directory (if not given: where the module itself looks)
        #[arg(long, global = true)]
        dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => screen::failure(&error),
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Init {
            label,
            so_pin_file,
            pin_file,
            dir,
        } => {
            let directory = directory(dir)?;
            let (so_pin, user_pin) = (read_pin(&so_pin_file)?, read_pin(&pin_file)?);
            let slot = hsm_sim::install(&directory, &label, &so_pin, &user_pin)
                .context("no token was made")?;
            screen::installed(slot, &label, &directory);
        }
        Command::Show { dir } => {
            let directory = directory(dir)?;
            let slots = hsm_sim::survey(&directory)
                .with_context(|| format!("cannot read {}", directory.display()))?;
            screen::slots(&directory, &slots);
        }
        Command::Serve(serve) => serve.run()?,
        Command::ServeOne(worker) => worker.run()?,
        Command::Fault { fault, dir } => fault.apply(&directory(dir)?)?,
    }
    Ok(())
}

fn directory(given: Option<PathBuf>) -> Result<PathBuf> {
    given
        .or_else(hsm_sim::token_directory)
        .context("no directory for tokens: set JINKU_HSM_DIR or give --dir")
}

fn read_pin(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = Zeroizing::new(text);
    let line = text
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    Ok(Zeroizing::new(line.to_vec()))
}
