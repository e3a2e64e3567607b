//! `jinku key`: a key officer's tool. It speaks to a running vault over gRPC, as any client does; the
//! root key's ceremony alone is held beside the vault.
//!
//! | file | owns |
//! | --- | --- |
//! | `connection` | where the vault is, and how the officer proves who asks |
//! | `life` | making, reading, changing, retiring keys |
//! | `carry` | material that comes and goes, and stored values that move |
//! | `cipher`, `jwe`, `signature` | what keys do, for trying things by hand |
//! | `act` | what those share: input, purpose, where the answer goes |
//! | `words` | words of the command line, and files |
//! | `show` | keys as text and as JSON |

mod act;
mod carry;
mod cipher;
pub(super) mod connection;
mod jwe;
mod life;
mod show;
mod signature;
pub(super) mod words;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::ceremony;
use crate::cli::reason::Because;
use connection::{Connection, Form, Session};

/// Arguments of `jinku key`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    because: Because,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples, with a development installation:
  export JINKU_INSTALLATION=DIR JINKU_UNIT=key-office
  jinku key create aes-256 --alias tax-files --tag group=revenue --rotation 90d
  jinku key list
  jinku key rotate tax-files
  jinku key --unit tax-bureau encrypt tax-files form.pdf --context case=114-2231 --out form.sealed
  jinku key --unit tax-bureau decrypt form.sealed --context case=114-2231 --out form.pdf
  jinku key create jwe-a256kw --alias orders --tag group=revenue
  jinku key --unit tax-bureau encrypt-jwe orders order.json --type application/json
  jinku key backup tax-files --to tax-files.backup";

#[derive(Subcommand)]
enum Verb {
    #[command(flatten)]
    Life(life::Verb),
    #[command(flatten)]
    Carry(carry::Verb),
    #[command(flatten)]
    Cipher(cipher::Verb),
    #[command(flatten)]
    Jwe(jwe::Verb),
    #[command(flatten)]
    Signature(signature::Verb),
    #[command(flatten)]
    Root(ceremony::Verb),
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options {
        connection,
        json,
        because,
        verb,
    } = options;
    if let Verb::Root(verb) = verb {
        return ceremony::run(&verb);
    }
    crate::cli::runtime()?.block_on(async {
        let form = if json { Form::Json } else { Form::Text };
        let session = Session::open(&connection, &because, form)?;
        match verb {
            Verb::Life(verb) => life::run(verb, &session).await,
            Verb::Carry(verb) => carry::run(verb, &session).await,
            Verb::Cipher(verb) => cipher::run(verb, &session).await,
            Verb::Jwe(verb) => jwe::run(verb, &session).await,
            Verb::Signature(verb) => signature::run(verb, &session).await,
            Verb::Root(verb) => ceremony::run(&verb),
        }
    })
}
