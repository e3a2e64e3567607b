//! `jinku ledger stamp`: asks an authority to stamp the published checkpoint (RFC 3161), checks what it answers and keeps
//! it beside the log. The vault may run meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use ledger::{
    Checkpoint, StampTrust, Utc, VerifierKey, open_checkpoint, stamp_request, verify_stamp,
};

use crate::cli::{runtime, screen};
use crate::config;
use crate::model::{Clock, SystemClock};
use crate::server::{StampAuthority, StampFault, keep_stamp_of, stamp_nonce};

/// How long an authority may take.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// Arguments of `jinku ledger stamp`.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["url", "request", "response"]))]
pub(in crate::cli) struct Options {
    /// The vault's data directory.
    #[arg(long)]
    data: PathBuf,
    /// The authority's own certificate, or of those that may issue it (PEM or DER). Nothing is kept that does not lead to it.
    #[arg(long, value_name = "FILE", required_unless_present = "request")]
    tsa_cert: Option<PathBuf>,
    /// Ask the authority here: `https://…`, or `http://…` to loopback.
    #[arg(long)]
    url: Option<String>,
    /// PEM file of the authorities that may sign the URL's certificate; needed for https.
    #[arg(long, requires = "url")]
    ca: Option<PathBuf>,
    /// Write a request here (`.tsq`), for a machine that reaches an authority.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Keep this answer (`.tsr`) to a request that `--request` wrote. The log may have gone on since.
    #[arg(long, value_name = "FILE", requires = "of")]
    response: Option<PathBuf>,
    /// The signed checkpoint that the answer is over; `--request FILE` keeps a copy in `FILE.checkpoint`.
    #[arg(long, value_name = "CHECKPOINT", requires = "response")]
    of: Option<PathBuf>,
}

pub(super) fn stamp(options: &Options) -> anyhow::Result<ExitCode> {
    let note = options
        .of
        .clone()
        .unwrap_or_else(|| options.data.join("ledger/checkpoint"));
    let (note, checkpoint) = opened(&options.data, &note)?;
    if let Some(file) = &options.request {
        fs::write(file, stamp_request(&checkpoint, stamp_nonce()?))?;
        let mut copy = file.clone().into_os_string();
        copy.push(".checkpoint");
        fs::write(&copy, note)?;
        screen::good(&format!("a request is in {}", file.display()));
        screen::quiet("Bring the answer back with --response ANSWER.tsr --of REQUEST.checkpoint.");
        return Ok(ExitCode::SUCCESS);
    }
    let trust = options
        .tsa_cert
        .as_deref()
        .context("--tsa-cert is missing")?;
    let trust =
        StampTrust::parse(&fs::read(trust)?).with_context(|| format!("`{}`", trust.display()))?;
    let asked = SystemClock::new().now();
    let (response, stamped) = match (&options.url, &options.response) {
        (Some(url), _) => {
            let authority = StampAuthority::at(url, options.ca.as_deref(), ANSWER_TIME_MAX, trust)?;
            runtime()?.block_on(authority.stamp(&checkpoint))?
        }
        (None, Some(file)) => {
            let response = fs::read(file)?;
            let stamped = verify_stamp(&response, &checkpoint, &trust);
            (response, stamped.map_err(StampFault::from)?)
        }
        (None, None) => bail!("name the authority with --url"),
    };
    let ledger = options.data.join("ledger");
    let path = keep_stamp_of(&ledger, (checkpoint.size, &response), asked)?;
    screen::good(&format!(
        "the first {} entries existed at {} at the latest: {}",
        checkpoint.size,
        Utc::from_micros(stamped.time_us),
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// A checkpoint of this log, signed by its key.
fn opened(data: &Path, file: &Path) -> anyhow::Result<(String, Checkpoint)> {
    let note = fs::read_to_string(file)
        .with_context(|| format!("no checkpoint is at `{}`", file.display()))?;
    let key = VerifierKey::parse(config::read(&data.join("ledger-key"))?.trim())?;
    let checkpoint = open_checkpoint(&note, &key)
        .with_context(|| format!("`{}` is not signed by the log's key", file.display()))?;
    Ok((note, checkpoint))
}
