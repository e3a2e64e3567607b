//! `jinku ledger detail` and `erase-detail`: reasons that people gave for acts, which entries commit to.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use api::TokensClient;
use api::v1::DetailRequest;
use ledger::Detail;

use crate::cli::connection::{Connection, refused};
use crate::cli::consent::Consent;
use crate::cli::key::words::{vacant, write_new};
use crate::cli::{runtime, screen};

/// Whose reason.
#[derive(clap::Args)]
pub(in crate::cli) struct Which {
    /// Index of the act's entry.
    entry: u64,
    #[command(flatten)]
    connection: Connection,
    /// The namespace of the act.
    #[arg(long, env = "JINKU_DOMAIN", default_value = "city")]
    domain: String,
    /// The act was on a key, a unit or a policy set: it is in no namespace.
    #[arg(long)]
    no_domain: bool,
    /// Why you ask: policies decide on it, and the ledger keeps it.
    #[arg(long, env = "JINKU_PURPOSE")]
    purpose: String,
}

/// Arguments of `jinku ledger detail`.
#[derive(clap::Args)]
pub(in crate::cli) struct Read {
    #[command(flatten)]
    which: Which,
    /// Put it into a new file too, for `jinku-ledger record --detail`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `jinku ledger erase-detail`.
#[derive(clap::Args)]
pub(in crate::cli) struct Erase {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

impl Which {
    fn request(&self) -> DetailRequest {
        DetailRequest {
            domain: if self.no_domain {
                String::new()
            } else {
                self.domain.clone()
            },
            purpose: self.purpose.clone(),
            of: self.entry,
        }
    }
}

pub(super) fn read(options: &Read) -> anyhow::Result<ExitCode> {
    if let Some(file) = &options.out {
        vacant(file)?;
    }
    let (settings, proof) = options.which.connection.settings()?;
    let answer = runtime()?.block_on(async {
        let client = TokensClient::new(&settings)?;
        client
            .read_detail(options.which.request(), proof.as_ref())
            .await
    });
    let answer = answer.map_err(refused)?;
    let detail =
        Detail::parse(answer.detail.as_bytes()).context("the vault's answer is no detail")?;
    if let Some(file) = &options.out {
        write_new(file, answer.detail.as_bytes())?;
    }
    screen::line(&detail.text);
    screen::quiet(&format!("that it was read is entry {}", answer.entry));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn erase(options: &Erase) -> anyhow::Result<ExitCode> {
    let of = options.which.entry;
    let act = format!("The reason that was given for entry {of} will be gone for good.");
    options.consent.given(("entry", &of.to_string()), &act)?;
    let (settings, proof) = options.which.connection.settings()?;
    let answer = runtime()?.block_on(async {
        let client = TokensClient::new(&settings)?;
        client
            .erase_detail(options.which.request(), proof.as_ref())
            .await
    });
    let entry = answer.map_err(refused)?.entry;
    screen::good(&format!("the reason of entry {of} is gone (entry {entry})"));
    Ok(ExitCode::SUCCESS)
}
