//! The command line: one file a subcommand, and one file that prints.

mod backup;
mod bench;
mod bulk;
mod ceremony;
mod companion;
mod connection;
mod consent;
mod deciding;
mod demo;
mod guard;
mod holders;
mod incarnation;
mod init;
mod issuers;
mod key;
mod ledger;
mod login;
mod open;
mod open_sealed;
mod pin;
mod policy;
mod reason;
mod receipt;
mod restore;
mod root;
mod screen;
mod second;
mod serve;
mod sign_request;
mod stage;
mod token;
mod unit;
mod units_file;
mod unseal;
mod upstream;
mod wallet;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use open::{Running, open};

/// Jinku 金庫: swap citizens' data for random tokens, give it back only to those who may.
#[derive(Parser)]
#[command(name = "jinku", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  jinku demo                          play the whole story on loopback, and leave it running
  jinku demo --once                   the same, and exit
  jinku init DIR                      make a development installation
  jinku serve --config DIR/jinku.toml
  jinku policy check --policies policies --classes policies/classes.toml --units policies/units.toml
  jinku ledger export --data DIR/data --to ARCHIVE
  jinku tokenize persons.csv --map map.toml --installation DIR --unit tax-bureau
  jinku backup --config DIR/jinku.toml --to BACKUP
  jinku key list --installation DIR --unit key-office
  jinku token describe tokens.txt --installation DIR --unit privacy-office --purpose token-care
  jinku unit lock tax-bureau --installation DIR --unit guard-office
  jinku unit import units.toml --dry-run --installation DIR --unit registry-office
  jinku key ceremony --config DIR/jinku.toml --shares 5 --threshold 3
  jinku sign-request --url https://HOST/v1/tokenize --body FILE --keyid KEY --ed25519-key unit.pem
  jinku open-sealed --key unit-key.pem MESSAGE
  jinku bench                         rates, as ratios to the raw store";

#[derive(Subcommand)]
enum Command {
    /// Play the whole story on real payloads: gateway, tokens, three units, ledger, auditor.
    Demo(demo::Options),
    /// Make a development installation: certificates, HSM token, policies, configuration.
    Init(init::Options),
    /// Run the vault.
    Serve(serve::Options),
    /// Bring a recovery share to a sealed vault.
    Unseal(unseal::Options),
    /// Sign one request as a unit: header lines for curl.
    SignRequest(sign_request::Options),
    /// Replace the values in a file by tokens: CSV, JSON Lines or Parquet.
    Tokenize(Box<bulk::Tokenize>),
    /// Give a file's values back, in the views that policy grants for a purpose.
    Detokenize(Box<bulk::Detokenize>),
    /// Open a value that was sealed to a unit's key, or print that key's public half.
    OpenSealed(open_sealed::Options),
    /// Check policies.
    #[command(subcommand)]
    Policy(policy::Command),
    /// The ledger's archive. Verifying it is `jinku-ledger`'s work, which trusts nothing of this.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Copy the database while the vault runs.
    Backup(backup::Options),
    /// Put a backup in the database's place, and do again what the ledger says was done since.
    Restore(restore::Options),
    /// Get what proves an entry of your unit, to be checked without the vault.
    Receipt(receipt::Options),
    /// Get an access token of the vault's own, bound to your unit's certificate, and print it.
    Login(login::Options),
    /// Look after keys, and try them: a key officer's tool, for a running vault.
    Key(Box<key::Options>),
    /// Look after tokens that stand: a custodian's tool, for a running vault.
    Token(Box<token::Options>),
    /// Ask for, approve, revoke or show a grant to read many values.
    Grant(guard::Options<guard::GrantVerb>),
    /// Plant tokens that nobody has a reason to present.
    Honeytoken(guard::Options<guard::HoneytokenVerb>),
    /// Register units, change, suspend and retire them, approve what others propose; lock them out.
    Unit(Box<unit::Options>),
    /// Print the vault's rates as ratios to what the raw store can do, in one run.
    Bench(bench::Options),
    /// Mint a development access token for a unit of a development installation.
    Mint {
        /// The installation's directory.
        directory: PathBuf,
        /// The unit's code.
        unit: String,
    },
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(options) => demo::run(options),
        Command::Init(options) => init::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Unseal(options) => unseal::run(&options),
        Command::SignRequest(options) => sign_request::run(&options),
        Command::Tokenize(options) => bulk::tokenize(&options),
        Command::Detokenize(options) => bulk::detokenize(*options),
        Command::OpenSealed(options) => open_sealed::run(&options),
        Command::Policy(command) => policy::run(&command),
        Command::Ledger(command) => ledger::run(&command),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Receipt(options) => receipt::run(&options),
        Command::Login(options) => login::run(&options),
        Command::Key(options) => key::run(*options),
        Command::Token(options) => token::run(*options),
        Command::Grant(options) => guard::grant(&options),
        Command::Honeytoken(options) => guard::honeytoken(&options),
        Command::Unit(options) => unit::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Mint { directory, unit } => mint(&directory, &unit),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            screen::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn mint(directory: &std::path::Path, unit: &str) -> anyhow::Result<ExitCode> {
    screen::line(&wallet::Wallet::open(directory)?.access_token(unit)?);
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
