//! `jinku bench`: rates of every layer as ratios to the raw store, all in one run.

mod calls;
mod corridor;
mod keys;
mod kolmogorov;
mod ledger;
mod rows;
mod timing;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::Method;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::stage::Stage;
use super::{open, screen};
use crate::admission::Arrival;
use crate::config::Config;
use crate::engine::{TokenizeItem, Wish};
use crate::identity::{ClientCertificate, Presented};
use crate::model::{ClassName, DomainName, Plaintext, Purpose, RequestId, RouteGroup, TokenText};
use crate::policy::{DetokenizeScope, TokenizeScope};
use crate::server::Vault;
use crate::store::raw_insert_rate;

/// Items of a batch in the measured calls.
const BATCH: u32 = 64;
/// Callers at once: what group commit gathers.
const CALLERS: u32 = 16;
/// Bytes of a sealed value of ten characters: header 65, value 10, the two layers' tags 32.
const SEALED_BYTES: usize = 107;
/// A record of eight sensitive fields, as a gateway sees it.
const RECORD: &str = include_str!("../../../policies/sample/tax.json");

/// Arguments of `jinku bench`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Seconds for each row of the table.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measure the engine of this installation, in this process, and print its rates.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
    /// Fill a store with so many tokens first, and measure random ones of them: 10000000 takes minutes and
    /// some gigabytes of the temporary folder.
    #[arg(long)]
    rows: Option<u64>,
    #[command(flatten)]
    calls: calls::Options,
    #[command(flatten)]
    corridor: corridor::Options,
    #[command(flatten)]
    ledger: ledger::Options,
    #[command(flatten)]
    timing: timing::Options,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let time = Duration::from_secs(options.seconds.max(1));
    super::runtime()?.block_on(async {
        match (&options.inside, options.rows) {
            (Some(directory), rows) => inside(directory, rows, time).await?,
            (None, Some(rows)) => large(rows, time).await?,
            (None, None) if options.calls.measured(time).await? => {}
            (None, None) if options.corridor.measured(time).await? => {}
            (None, None) if options.ledger.measured(time).await? => {}
            (None, None) if options.timing.measured().await? => {}
            (None, None) => all(time).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What one row of the table says: items a second, and the time of a call at the median and at 99 %.
struct Rate {
    items: f64,
    p50: Duration,
    p99: Duration,
    /// What the row is a ratio to, where that is not the raw store.
    base: Option<f64>,
}

async fn all(time: Duration) -> anyhow::Result<()> {
    let directory = std::env::temp_dir().join(format!("jinku-bench-{}", std::process::id()));
    let stage = Stage::set_unpaced(&directory.join("wire")).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle_kib = resident_kib(stage.vault_id())?;
    screen::headline(&format!(
        "Items a second, with full durability: batches of {BATCH}, {CALLERS} callers at once"
    ));
    let rows = BATCH * CALLERS;
    let path = directory.join("raw.db");
    let limit =
        tokio::task::spawn_blocking(move || raw_insert_rate(&path, rows, SEALED_BYTES, time))
            .await??;
    screen::line(&format!(
        "{:<34} {limit:>10.0}   1.00",
        "raw SQLite group-commit insert"
    ));
    let engine = measured_inside(&directory.join("engine"), &stage, time)?;
    for (name, rate) in engine.iter().filter(|(_, rate)| rate.base.is_none()) {
        row(name, rate, limit);
    }
    let grpc = over_grpc(&stage, time).await?;
    row("tokenize, gRPC over TLS", &grpc.0, limit);
    row("detokenize, gRPC over TLS", &grpc.1, limit);
    let filter = through_filter(&stage, time).await?;
    row("tokenize, through the filter", &filter.0, limit);
    row("detokenize, through the filter", &filter.1, limit);
    screen::headline(
        "Payloads a second under a unit's key, as ratios to `ring` alone on all processors",
    );
    for (name, rate) in &engine {
        if let Some(base) = rate.base {
            row(name, rate, base);
        }
    }
    corridor::measured(time).await?;
    screen::line(&format!(
        "memory of the idle vault: {} MiB resident",
        idle_kib / 1024
    ));
    std::fs::remove_dir_all(&directory).context("the benchmark's directory can't be removed")
}

fn row(name: &str, rate: &Rate, limit: f64) {
    screen::line(&format!(
        "{name:<34} {:>10.0}   {:.2}   p50 {:>7.2} ms   p99 {:>7.2} ms",
        rate.items,
        rate.items / limit,
        rate.p50.as_secs_f64() * 1e3,
        rate.p99.as_secs_f64() * 1e3,
    ));
}

/// The HSM module reads its directory from the environment: a process of its own has it.
fn measured_inside(
    directory: &Path,
    stage: &Stage,
    time: Duration,
) -> anyhow::Result<Vec<(String, Rate)>> {
    let _hsm = stage.install_beside(directory)?;
    let output = inner(directory, stage, time).output()?;
    if !output.status.success() {
        bail!(
            "the engine's benchmark failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        let mut number = || fields.next()?.parse::<f64>().ok();
        let items = number()?;
        let p50 = Duration::from_secs_f64(number()?);
        let p99 = Duration::from_secs_f64(number()?);
        let base = number();
        Some((
            name,
            Rate {
                items,
                p50,
                p99,
                base,
            },
        ))
    };
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| parse(line).context("the engine's benchmark said nothing"))
        .collect()
}

fn inner(directory: &Path, stage: &Stage, time: Duration) -> Command {
    let mut command = Command::new(stage.companions.vault());
    command
        .args(["bench", "--seconds", &time.as_secs().to_string()])
        .arg("--inside")
        .arg(directory)
        .env("JINKU_HSM_DIR", directory.join("hsm"));
    command
}

/// Random tokens out of many.
async fn large(rows: u64, time: Duration) -> anyhow::Result<()> {
    let directory = std::env::temp_dir().join(format!("jinku-bench-{}", std::process::id()));
    let stage = Stage::set_unpaced(&directory.join("wire")).await?;
    let engine = directory.join("engine");
    let _hsm = stage.install_beside(&engine)?;
    let mut command = inner(&engine, &stage, time);
    let status = command.args(["--rows", &rows.to_string()]).status()?;
    std::fs::remove_dir_all(&directory).context("the benchmark's directory can't be removed")?;
    if !status.success() {
        bail!("the engine's benchmark failed");
    }
    Ok(())
}

/// Runs callers until the time is over. Each call does `items` items.
async fn measure<F, C>(time: Duration, items: u32, call: C) -> anyhow::Result<Rate>
where
    C: Fn(u32) -> F + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let call = Arc::new(call);
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let call = Arc::clone(&call);
        callers.spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < time {
                let begun = Instant::now();
                call(caller).await?;
                times.push(begun.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(joined) = callers.join_next().await {
        times.extend(joined??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let calls = u32::try_from(times.len())?;
    let items = f64::from(calls) * f64::from(items) / elapsed;
    Ok(Rate {
        items,
        p50: at(50),
        p99: at(99),
        base: None,
    })
}

// === The engine, in this process

async fn inside(directory: &Path, rows: Option<u64>, time: Duration) -> anyhow::Result<()> {
    let config = Config::load(&directory.join("jinku.toml"))?;
    let running = open(&config).await?;
    let desk_of = |unit: &str| {
        let file = directory.join(format!("tls/{unit}.pem"));
        let certificate = ClientCertificate::read(&CertificateDer::from_pem_file(file)?);
        let vault = Arc::clone(&running.vault);
        anyhow::Ok(Desk { vault, certificate })
    };
    let (desk, keeper) = (Arc::new(desk_of("tax-bureau")?), desk_of("key-office")?);
    if let Some(rows) = rows {
        rows::measured(&desk, &config.data, rows, time).await?;
        drop((desk, keeper));
        running.close();
        return Ok(());
    }
    let (first, second) = (Arc::clone(&desk), Arc::clone(&desk));
    let tokenize = measure(time, BATCH, move |_| {
        let desk = Arc::clone(&first);
        async move { desk.tokenize().await.map(drop) }
    })
    .await?;
    let tokens = Arc::new(desk.tokenize().await?);
    let detokenize = measure(time, BATCH, move |_| {
        let (desk, tokens) = (Arc::clone(&second), Arc::clone(&tokens));
        async move { desk.detokenize(&tokens).await }
    })
    .await?;
    for (name, rate) in [
        ("tokenize, engine", tokenize),
        ("detokenize, engine", detokenize),
    ] {
        let (p50, p99) = (rate.p50.as_secs_f64(), rate.p99.as_secs_f64());
        screen::line(&format!("{name}\t{}\t{p50}\t{p99}", rate.items));
    }
    keys::measured(&desk, &keeper, time).await?;
    drop((desk, keeper));
    running.close();
    Ok(())
}

/// Walks the way in as the corridor does: identity, admission and policy are in the rate.
struct Desk {
    vault: Arc<Vault>,
    certificate: ClientCertificate,
}

impl Desk {
    async fn admitted(&self) -> anyhow::Result<crate::admission::Admitted> {
        let presented = Presented {
            certificate: Some(&self.certificate),
            authorization: None,
        };
        let caller = self
            .vault
            .identity
            .identify(&presented)
            .map_err(|unidentified| anyhow::Error::from(unidentified.reason))?;
        let arrival = Arrival {
            source: std::net::Ipv4Addr::LOCALHOST.into(),
            group: RouteGroup::Detokenize,
            patience: None,
        };
        let admitting = self.vault.admission.admit(caller, arrival);
        admitting.await.map_err(|refused| refused.reason.into())
    }

    async fn tokenize(&self) -> anyhow::Result<Vec<String>> {
        self.tokenized(BATCH).await
    }

    async fn tokenized(&self, values: u32) -> anyhow::Result<Vec<String>> {
        let domain = DomainName::parse("city")?;
        let class = ClassName::parse("name")?;
        let classes = std::collections::BTreeSet::from([class.clone()]);
        let scope = TokenizeScope {
            domain: &domain,
            classes: &classes,
        };
        let proof = self
            .vault
            .policies
            .authorize_tokenize(self.admitted().await?, scope)
            .map_err(|refused| anyhow::Error::from(refused.denial))?;
        let item = |n: u32| TokenizeItem {
            class: class.clone(),
            value: Plaintext::new(format!("{n:010}")),
            wish: Wish::default(),
        };
        let items = (0..values).map(item).collect();
        let issued = self
            .vault
            .engine
            .tokenize(proof, items, None, RequestId([1; 16]))
            .await?;
        Ok(issued
            .tokens
            .iter()
            .map(|token| token.expose().to_owned())
            .collect())
    }

    async fn detokenize(&self, tokens: &[String]) -> anyhow::Result<()> {
        let domain = DomainName::parse("city")?;
        let purpose = Purpose::parse("tax-assessment")?;
        let scope = DetokenizeScope {
            domain: &domain,
            purpose: &purpose,
            delivery: crate::model::Delivery::Inline,
        };
        let proof = self
            .vault
            .policies
            .authorize_detokenize(self.admitted().await?, scope)
            .map_err(|refused| anyhow::Error::from(refused.denial))?;
        let tokens = tokens
            .iter()
            .map(|token| TokenText::new(token.clone()))
            .collect();
        self.vault
            .engine
            .detokenize(proof, tokens, None, RequestId([1; 16]))
            .await?;
        Ok(())
    }
}

// === The wire

async fn over_grpc(stage: &Stage, time: Duration) -> anyhow::Result<(Rate, Rate)> {
    let client = stage.client("tax-bureau")?;
    let request = || api::v1::TokenizeRequest {
        domain: "city".to_owned(),
        items: (0..BATCH)
            .map(|n| api::v1::TokenizeItem {
                class: "name".to_owned(),
                value: format!("{n:010}"),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let one = client.clone();
    let tokenize = measure(time, BATCH, move |_| {
        let (client, request) = (one.clone(), request());
        async move { Ok(client.tokenize(request, None).await.map(drop)?) }
    })
    .await?;
    let tokens = client.tokenize(request(), None).await?.tokens;
    let detokenize = measure(time, BATCH, move |_| {
        let client = client.clone();
        let request = api::v1::DetokenizeRequest {
            domain: "city".to_owned(),
            purpose: "tax-assessment".to_owned(),
            tokens: tokens.clone(),
            ..Default::default()
        };
        async move { Ok(client.detokenize(request, None).await.map(drop)?) }
    })
    .await?;
    Ok((tokenize, detokenize))
}

async fn through_filter(stage: &Stage, time: Duration) -> anyhow::Result<(Rate, Rate)> {
    let token = stage.wallet.access_token("tax-bureau")?;
    let door = stage.door();
    let first = door
        .post("/payments/tax", &token, RECORD.as_bytes())
        .await?;
    if !first.status().is_success() {
        bail!(
            "the gateway answered {}: {:?}",
            first.status(),
            first.body()
        );
    }
    let swapped = super::demo::tokens_in(&String::from_utf8(stage.received.last().to_vec())?)?;
    let fields = u32::try_from(swapped.len())?;
    let (post, get) = (door.clone(), door);
    let (post_token, get_token) = (token.clone(), token);
    let tokenize = measure(time, fields, move |_| {
        let (door, token) = (post.clone(), post_token.clone());
        async move {
            expect_ok(
                &door
                    .post("/payments/tax", &token, RECORD.as_bytes())
                    .await?,
            )
        }
    })
    .await?;
    let detokenize = measure(time, fields, move |_| {
        let (door, token) = (get.clone(), get_token.clone());
        async move {
            let purpose = Some("tax-assessment");
            let answer = door
                .send(Method::GET, "/payments/tax", &token, purpose, b"")
                .await?;
            expect_ok(&answer)
        }
    })
    .await?;
    Ok((tokenize, detokenize))
}

fn expect_ok(answer: &http::Response<bytes::Bytes>) -> anyhow::Result<()> {
    if answer.status().is_success() {
        Ok(())
    } else {
        bail!("the gateway answered {}", answer.status())
    }
}

/// `VmRSS` of a process (proc(5)), in KiB.
fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .map(str::trim);
    Ok(kib.context("the process has no VmRSS")?.parse()?)
}
