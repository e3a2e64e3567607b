//! What can be asked on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::progress::Show;
use crate::selection::Selection;
use crate::{
    bench, checkpoints, compare, consistency, export, papers, proof, reconcile, record, report,
    selftest,
};

/// Check and read a Jinku ledger, offline, trusting nobody but your own key.
#[derive(Parser)]
#[command(name = "jinku-ledger", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jinku-ledger verify /mnt/ledger --key-file ~/audit/node-1.vkey --state ~/audit/node-1.state
  jinku-ledger verify /mnt/ledger --key-file ~/audit/node-1.vkey --since ~/audit/monday.note
  jinku-ledger show /mnt/ledger --op detokenize --outcome denied
  jinku-ledger report /mnt/ledger --key-file ~/audit/node-1.vkey --format html --out report.html
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
  jinku-ledger receipt erasure.tlog-proof --key-file ~/audit/node-1.vkey --signers /mnt/ledger/signers
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
  jinku-ledger verify /mnt/ledger --key-file ~/audit/node-1.vkey --since ~/audit/monday.note
  jinku-ledger verify /mnt/node-1 /mnt/node-2 --key-file ~/audit/nodes.vkeys --state ~/audit/states
  jinku-ledger verify /mnt/ledger --key 'bank.example/node-1+1a2b3c4d+AbCd...' --json";

const SHOW_EXAMPLES: &str = "\
Examples:
  jinku-ledger show /mnt/ledger --op detokenize --outcome denied --from 2026-11-01
  jinku-ledger show /mnt/ledger --token 00112233445566778899aabbccddeeff --items --csv";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  jinku-ledger explain
  jinku-ledger explain root-mismatch";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Verify an archive: every entry, link, tile, root, signature and item
    #[command(after_help = VERDICTS)]
    Verify(Verify),
    /// List the entries of an archive that are asked for (verifies nothing)
    #[command(visible_alias = "filter", after_help = SHOW_EXAMPLES)]
    Show(ShowEntries),
    /// Verify one entry by its receipt alone, and say what it says
    #[command(after_help = RECEIPT_VERDICTS)]
    Receipt(Receipt),
    /// Take one entry out of an archive, with its proof
    Record(record::Args),
    /// Verify a C2SP tlog-proof of bytes that lie beside it
    Proof(proof::Args),
    /// Prove that of two signed checkpoints the newer continues the older
    Consistency(consistency::Args),
    /// Hold two copies of one log against each other, and find where they part
    Compare(compare::Args),
    /// List the archived checkpoints, and what is wrong with them
    Checkpoints(checkpoints::Args),
    /// Verify, then tell who redeemed what, what was denied, and when: as text, JSON, CSV or a page
    Report(Box<report::Args>),
    /// Hold the ledger against the vault's row counts, and against receipts that units kept
    Reconcile(reconcile::Args),
    /// Copy what a verified checkpoint covers, with the format's text and a verifier in Python
    Export(export::Args),
    /// Make a ledger, attack it in every known way, and see whether this tool finds each
    Selftest(selftest::Args),
    /// Say how fast this machine verifies, beside what it hashes when it does nothing else
    Bench(bench::Args),
    /// Print the manual page, or write a page for each command
    Man(papers::Pages),
    /// Print completions for a shell
    Completions(papers::Completions),
    /// Say what a finding means and what to do about it
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Cosign checkpoints of other organisations' logs, and refuse rollbacks and forks
    #[cfg(feature = "witness")]
    Witness(crate::witness::Witness),
}

/// The auditor's own keys. None of them may come from an archive.
#[derive(clap::Args)]
pub(crate) struct Keys {
    /// A log's public key, as `name+hash+base64`; may be given for each log
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Vec<String>,
    /// A file with public keys, one a line; it must lie outside of the archive
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Vec<PathBuf>,
    /// Demand a second signature (ML-DSA-44) by this key of the log; may be given for each log
    #[arg(long, value_name = "VKEY")]
    pub(crate) second_key: Vec<String>,
    /// The same from a file with such keys, one a line; it must lie outside of the archive
    #[arg(long, value_name = "FILE")]
    pub(crate) second_key_file: Vec<PathBuf>,
}

/// From the auditor's key to the one that signs now.
#[derive(clap::Args)]
pub(crate) struct Statements {
    /// The statements by which the log's key was handed over, as an archive's file `signers` has them. Both keys
    /// signed each, so it may come from the operator
    #[arg(long, value_name = "FILE")]
    pub(crate) signers: Option<PathBuf>,
}

/// What the auditor asks of witnesses.
#[derive(clap::Args)]
pub(crate) struct Witnesses {
    /// Ask for the witnesses of this policy (C2SP tlog-policy), which cosign with Ed25519 or ML-DSA-44; it must lie
    /// outside of the archive. Its `log` keys (Ed25519) count as --key
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Count cosignatures from this time on only, in UTC: `2026-11-23` or `2026-11-23T08:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = crate::selection::time, requires = "policy")]
    pub(crate) cosigned_since: Option<u64>,
    /// Ask for time stamps (RFC 3161) that lead to these certificates, an authority's own or its issuers' (PEM or DER);
    /// they must lie outside of the archive
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa_cert: Vec<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct Verify {
    /// The folders that hold `checkpoint` and `tile/`
    #[arg(value_name = "DIR", required = true)]
    pub(crate) dirs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) witnesses: Witnesses,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Remember the verified checkpoint here, and hold the log to it next time; a folder for many
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Read only what came since this signed checkpoint, and prove that the log continues it
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["state", "resume"])]
    pub(crate) since: Option<PathBuf>,
    /// Save here how far it came, and go on from there if the file is there; gone when done
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
    /// Threads that read and hash [default: as many as processors]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// When to draw the progress bar, on standard error
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: Show,
    /// No progress bar
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print a report in JSON (schema `jinku-ledger.report/1`, for several `jinku-ledger.reports/1`)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct ShowEntries {
    /// The folder that holds `checkpoint` and `tile/`
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Show the items of each entry too
    #[arg(long)]
    pub(crate) items: bool,
    /// One JSON object a line (schema `jinku-ledger.entry/1`)
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// One line of comma-separated values an entry, or an item with --items
    #[arg(long)]
    pub(crate) csv: bool,
}

#[derive(clap::Args)]
pub(crate) struct Receipt {
    /// The receipt, a C2SP tlog-proof
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) statements: Statements,
    /// Print the verdict, the entry and its items in JSON (schema `jinku-ledger.receipt/1`)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Explain {
    /// A finding's code, such as `root-mismatch`; without one, all are listed
    pub(crate) code: Option<String>,
}
