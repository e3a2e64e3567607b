//! `jinku receipt`: what proves an entry of one's own unit, into a file.

use std::path::PathBuf;
use std::process::ExitCode;

use api::Client;
use api::v1::ReceiptRequest;

use super::connection::{Connection, refused};
use super::key::words::{vacant, write_new};
use super::screen;

/// Arguments of `jinku receipt`.
#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// The entry's index: every answer of the vault names it.
    entry: u64,
    /// A new file, such as `11.tlog-proof`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    vacant(&options.out)?;
    let (settings, proof) = options.connection.settings()?;
    let request = ReceiptRequest {
        entry: options.entry,
    };
    let answer = super::runtime()?.block_on(async {
        let client = Client::new(&settings)?;
        client.receipt(request, proof.as_ref()).await
    });
    write_new(&options.out, answer.map_err(refused)?.text.as_bytes())?;
    let out = options.out.display();
    screen::good(&format!(
        "the receipt of entry {} is in {out}",
        options.entry
    ));
    screen::quiet(&format!(
        "check it with: jinku-ledger receipt {out} --key-file KEY"
    ));
    Ok(ExitCode::SUCCESS)
}
