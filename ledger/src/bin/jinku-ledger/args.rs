//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use ledger::{Operation, Outcome};

/// Check and read a Jinku ledger, offline, trusting nobody but your own key.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jinku-ledger verify /mnt/ledger --key-file ~/audit/node-1.vkey --state ~/audit/node-1.state
  jinku-ledger show /mnt/ledger --op detokenize --outcome denied
  jinku-ledger receipt erasure.tlog-proof --key-file ~/audit/node-1.vkey
  jinku-ledger explain root-mismatch";

const RECEIPT_VERDICTS: &str = "\
Exit codes:
  0  verified
  2  tampered: the receipt is not what the log gave
  3  trust: a signature or the log's name is not the key's, or no key was given
  5  too large to be a receipt
  64 usage; 141 the reader of the output went away

Examples:
  jinku-ledger receipt erasure.tlog-proof --key-file ~/audit/node-1.vkey
  jinku-ledger receipt erasure.tlog-proof --key 'bank.example/node-1+1a2b3c4d+AbCd...' --json";

const VERDICTS: &str = "\
Exit codes:
  0  verified
  1  verified, with warnings
  2  tampered: the content is not what was written
  3  trust: a signature, key or origin is not the pinned one, or no key was given
  4  fork or rollback: the log has, or had, another history
  5  incomplete: something could not be read, so there is no verdict
  64 usage; 141 the reader of the output went away
  With several findings the exit code is the first of 4, 2, 3, 5, 1 that applies.

Examples:
  jinku-ledger verify /mnt/ledger --key-file ~/audit/node-1.vkey --state ~/audit/node-1.state
  jinku-ledger verify /mnt/ledger --key 'bank.example/node-1+1a2b3c4d+AbCd...' --json";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Verify an archive: every entry, link, tile, root, signature and item
    #[command(after_help = VERDICTS)]
    Verify(Verify),
    /// List the entries of an archive (verifies nothing)
    Show(Show),
    /// Verify one entry by its receipt alone, and say what it says
    #[command(after_help = RECEIPT_VERDICTS)]
    Receipt(Receipt),
    /// Say what a finding means and what to do about it
    Explain(Explain),
    /// Cosign checkpoints of other organisations' logs, and refuse rollbacks and forks
    #[cfg(feature = "witness")]
    Witness(crate::witness::Witness),
}

#[derive(clap::Args)]
pub(crate) struct Verify {
    /// The folder that holds `checkpoint` and `tile/`
    pub(crate) dir: PathBuf,
    /// The log's public key, as `name+hash+base64`
    #[arg(long, value_name = "VKEY", conflicts_with = "key_file")]
    pub(crate) key: Option<String>,
    /// A file with the log's public key; it must lie outside of DIR
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Remember the verified checkpoint here, and hold the log to it next time
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Print a report in JSON (schema `jinku-ledger.report/1`)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Show {
    /// The folder that holds `checkpoint` and `tile/`
    pub(crate) dir: PathBuf,
    /// Only entries of this unit
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// Only this operation, such as `detokenize`
    #[arg(long, value_parser = operation)]
    pub(crate) op: Option<Operation>,
    /// Only this outcome: `ok`, `denied` or `error`
    #[arg(long, value_parser = outcome)]
    pub(crate) outcome: Option<Outcome>,
    /// One JSON object a line (schema `jinku-ledger.entry/1`)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Receipt {
    /// The receipt, a C2SP tlog-proof
    pub(crate) file: PathBuf,
    /// The log's public key, as `name+hash+base64`
    #[arg(long, value_name = "VKEY", conflicts_with = "key_file")]
    pub(crate) key: Option<String>,
    /// A file with the log's public key
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print the verdict, the entry and its items in JSON (schema `jinku-ledger.receipt/1`)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Explain {
    /// A finding's code, such as `root-mismatch`; without one, all are listed
    pub(crate) code: Option<String>,
}

fn operation(name: &str) -> Result<Operation, String> {
    Operation::parse(name).ok_or_else(|| one_of(Operation::ALL))
}

fn outcome(name: &str) -> Result<Outcome, String> {
    Outcome::parse(name).ok_or_else(|| one_of(Outcome::ALL))
}

fn one_of(all: &[impl ToString]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("expected one of {}", names.join(", "))
}
