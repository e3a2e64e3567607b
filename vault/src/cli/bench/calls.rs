//! Single values a second over gRPC, each call on its own, for a vault that runs already.
//!
//! `benches/openbao.sh` sets it beside another server's durable writes, and reads what it writes: the line that
//! `benches/load.lua` writes for wrk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use api::v1::{TokenizeItem, TokenizeRequest};

use crate::cli::wallet::Wallet;

/// Whom the calls go to.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// Measure single calls to a vault that runs: `https://HOST:PORT`.
    #[arg(long, hide = true, requires_all = ["installation", "result"])]
    calls: Option<String>,
    /// Its development installation.
    #[arg(long, hide = true)]
    installation: Option<PathBuf>,
    /// Connections at once.
    #[arg(long, hide = true, default_value_t = 64)]
    connections: u32,
    /// Where the result goes.
    #[arg(long, hide = true)]
    result: Option<PathBuf>,
}

impl Options {
    /// Measures, if it is asked for; says whether it was.
    pub(super) async fn measured(&self, time: Duration) -> anyhow::Result<bool> {
        let (Some(url), Some(directory), Some(result)) =
            (&self.calls, &self.installation, &self.result)
        else {
            return Ok(false);
        };
        let settings = Wallet::open(directory)?.client_settings(url, Some("tax-bureau"))?;
        let mut callers = tokio::task::JoinSet::new();
        let started = Instant::now();
        for caller in 0..self.connections {
            let client = api::Client::new(&settings)?;
            callers.spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < time {
                    let begun = Instant::now();
                    client
                        .tokenize(one_value(caller, times.len()), None)
                        .await?;
                    times.push(begun.elapsed());
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(joined) = callers.join_next().await {
            times.extend(joined??);
        }
        let elapsed = started.elapsed();
        times.sort_unstable();
        let at = |share: usize| {
            let time = times.get(times.len() * share / 100);
            time.copied().unwrap_or_default().as_micros()
        };
        let (calls, micros) = (times.len(), elapsed.as_micros());
        // Bytes are not counted here: one a call, and no call failed.
        let line = format!(
            "{calls}\t{micros}\t{calls}\t{}\t{}\t0\t0\t0\t0\t0\n",
            at(50),
            at(99)
        );
        std::fs::write(result, line).context("the result can't be written")?;
        Ok(true)
    }
}

fn one_value(caller: u32, number: usize) -> TokenizeRequest {
    // As long as the other side's record: 64 bytes in base64, behind a number.
    let value = format!("{caller} {number} {}", "v".repeat(80));
    let item = TokenizeItem {
        class: "name".to_owned(),
        value,
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: vec![item],
        ..TokenizeRequest::default()
    }
}
