//! `jinku token`: a custodian's tool for tokens that stand. It speaks to a running vault over gRPC, as any client
//! does. Tokens and values come from a file or standard input: the command line is seen by others.
//!
//! | file | owns |
//! | --- | --- |
//! | `session` | the client, its proof, and what all verbs share |
//! | `life` | describe, disable, enable, replace, move; legal holds |
//! | `find` | purge, search, reindex |
//! | `erase` | erasure, and its certificate |

mod erase;
mod find;
mod life;
mod session;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::connection::Connection;
use crate::cli::reason::Because;
use session::Session;

/// Arguments of `jinku token`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// The namespace of the tokens.
    #[arg(long, global = true, env = "JINKU_DOMAIN", default_value = "city")]
    domain: String,
    /// Why: policies decide on it, and the ledger keeps it.
    #[arg(long, global = true, env = "JINKU_PURPOSE")]
    purpose: Option<String>,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    because: Because,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples, with a development installation; one token a line in the file:
  export JINKU_INSTALLATION=DIR JINKU_UNIT=privacy-office
  jinku token describe tokens.txt --purpose token-care
  jinku token disable tokens.txt --purpose token-care
  jinku token replace tokens.txt --purpose token-care --out new-tokens.txt
  jinku token hold --subject-file person.txt --matter court-114-2231 --purpose legal-hold
  jinku token purge --expired-before 2026-01-01T00:00:00Z --dry-run --purpose retention
  jinku token erase --subject-file person.txt --purpose erasure-request --receipt erased.tlog-proof
  jinku token search value.txt --class national-id --unit tax-bureau --purpose tax-assessment";

#[derive(Subcommand)]
enum Verb {
    #[command(flatten)]
    Life(life::Verb),
    #[command(flatten)]
    Find(find::Verb),
    /// Erase tokens and their values for good, also from what backups bring back.
    Erase(erase::Erase),
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    crate::cli::runtime()?.block_on(async {
        let session = Session::open(&options)?;
        match options.verb {
            Verb::Life(verb) => life::run(verb, &session).await,
            Verb::Find(verb) => find::run(verb, &session).await,
            Verb::Erase(erase) => erase::run(erase, &session).await,
        }
    })
}
