//! `jinku serve`: opens the vault, listens, reloads policies on `SIGHUP`, and ends in order.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use ledger::Origin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::{issuers, open, screen, units_file};
use crate::admission::RefusalKind;
use crate::config::{AlertConfig, Config};
use crate::engine::EngineError;
use crate::engine::key::Upkeep;
use crate::engine::policy::Staged;
use crate::server::{Listener, Vault, deliver, follow, keep_stamped, serve_metrics};

/// How often it is looked for refusals to be written down.
const TALLY_ROUND: Duration = Duration::from_secs(5);
/// Steps of one round in which nonces are let go, or spent proofs.
const STEPS_MAX: usize = 1_000;

/// Arguments of `jinku serve`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Write the bound address here once the vault is ready, for port 0.
    #[arg(long)]
    address_file: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .init();
    harden();
    let config = Config::load(&options.config)?;
    super::runtime()?.block_on(serve(config, options.address_file.as_deref()))
}

/// No core dumps, no debugger of other users: key material stays inside.
fn harden() {
    // INVARIANT 11: a crash writes no memory to disk.
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // What the vault writes is for its own user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
        || setrlimit(Resource::Core, none).is_err()
    {
        tracing::warn!("core dumps can't be forbidden on this system");
    }
}

async fn serve(config: Config, address_file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let listener = Listener::bind(&config.listen).await?;
    let address = listener.address().context("the bound address is unknown")?;
    let running = open(&config).await?;
    let mut kept_keys = issuers::keep(&running.vault, config.issuers).await;
    // Before readiness is announced: a signal that comes at once must find its handler.
    let hangups = signal(SignalKind::hangup())?;
    let stopped = stopped(
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    if let Some(file) = address_file {
        // Whole or absent: who waits for the file must not read half of it.
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, address.to_string())?;
        std::fs::rename(&fresh, file)?;
    }
    let log = config.ledger.origin.as_str();
    tracing::info!(%address, log, key = %running.key, "the vault is ready");
    screen::line(&format!("listening on https://{address}"));
    let units_file = config.policy.units.clone();
    let reloading = tokio::spawn(reload_on_hangup(
        Arc::clone(&running.vault),
        units_file,
        hangups,
    ));
    let following = tokio::spawn(follow(
        Arc::clone(listener.tls()),
        signal(SignalKind::hangup())?,
    ));
    let interval = config.keys.upkeep_interval;
    let epoch = config.ledger.epoch;
    let upkeep = tokio::spawn(keep_up(Arc::clone(&running.vault), interval, epoch));
    let tallying = tokio::spawn(write_tallies(Arc::clone(&running.vault)));
    let metrics = config
        .metrics
        .map(|address| tokio::spawn(show_metrics(Arc::clone(&running.vault), address)));
    let stamps = config.ledger.stamps.map(|terms| {
        let (vault, key) = (Arc::clone(&running.vault), running.key.clone());
        tokio::spawn(keep_stamped(vault, key, terms))
    });
    let mut alerts = deliver_alerts(&running.vault, config.alerts, &config.ledger.origin).await;
    listener.serve(Arc::clone(&running.vault), stopped).await;
    alerts.shutdown().await;
    kept_keys.shutdown().await;
    tallying.abort();
    for beside in [metrics, stamps].into_iter().flatten() {
        beside.abort();
    }
    leave_in_order(&running.vault).await;
    reloading.abort();
    following.abort();
    upkeep.abort();
    running.close();
    tracing::info!("the vault has stopped");
    Ok(ExitCode::SUCCESS)
}

/// An interrupt or a termination signal.
async fn stopped(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Refusals that were counted become entries when their minute is over.
async fn write_tallies(vault: Arc<Vault>) {
    let mut rounds = tokio::time::interval(TALLY_ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        tallied(&vault, vault.admission.tally().over()).await;
    }
}

async fn tallied(vault: &Vault, counts: Vec<(RefusalKind, u64)>) {
    for (kind, more) in counts {
        if let Err(error) = vault.engine.refusals_counted(&kind, more).await {
            tracing::error!(%error, code = kind.code, more, "refusals that were counted have no entry");
        }
    }
}

/// Nobody is served any more: what is in memory only is written down.
async fn leave_in_order(vault: &Vault) {
    tallied(vault, vault.admission.tally().rest()).await;
    let left = vault.admission.left_over();
    if let Err(error) = vault.engine.quotas_left_over(left).await {
        tracing::error!(%error, "parts of quotas that were not used are lost");
    }
}

async fn show_metrics(vault: Arc<Vault>, address: SocketAddr) {
    if let Err(error) = serve_metrics(vault, address).await {
        tracing::error!(%error, %address, "metrics can't be served");
    }
}

/// Each hang-up reads the file of units and the policy files again. What can't be used changes nothing. Where the rule
/// of two holds, the policies are put up, and nothing more.
async fn reload_on_hangup(vault: Arc<Vault>, units: PathBuf, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        units_file::reread(&vault, &units).await;
        if vault.engine.approves_policies() {
            stage(&vault).await;
            continue;
        }
        // Reading and validating take a good part of a second where there are many: requests go on meanwhile.
        let (policies, started) = (Arc::clone(&vault.policies), Instant::now());
        let read = tokio::task::spawn_blocking(move || policies.reload());
        let Ok(read) = read.await else {
            tracing::error!("the policies stay as they were: reading them ended early");
            continue;
        };
        match read {
            Err(error) => tracing::error!(%error, "the policies stay as they were"),
            Ok(digest) => match vault.engine.policy_set(digest).await {
                Ok(entry) => {
                    let took = started.elapsed();
                    tracing::info!(entry = entry.seq(), ?took, "new policies decide");
                }
                Err(error) => {
                    tracing::error!(%error, "new policies decide, and their entry is missing");
                }
            },
        }
    }
}

/// Puts the set in the directory up, and says so in the log.
async fn stage(vault: &Vault) {
    match vault.engine.stage_policy(&vault.policies).await {
        Ok(Staged::Waits(digest, entry)) => {
            tracing::info!(%digest, entry = entry.seq(), "a policy set waits for approval");
        }
        Ok(Staged::Waited(digest)) => {
            tracing::info!(%digest, "the policy set in the directory was put up before");
        }
        Ok(Staged::Decides) => tracing::info!("the policy set in the directory decides already"),
        Err(error) => tracing::error!(%error, "no policy set was put up"),
    }
}

/// A task for each place that alerts go to; they end with the set. What waits for others goes.
async fn deliver_alerts(
    vault: &Arc<Vault>,
    alerts: Vec<AlertConfig>,
    origin: &Origin,
) -> JoinSet<()> {
    match vault.engine.drop_unknown_alerts().await {
        Ok(0) => {}
        Ok(dropped) => tracing::warn!(dropped, "alerts of places that the settings no longer name"),
        Err(error) => tracing::error!(%error, "alerts of places that the settings no longer name"),
    }
    let mut tasks = JoinSet::new();
    for alert in alerts {
        tasks.spawn(deliver(Arc::clone(vault), alert.webhook, origin.clone()));
    }
    tasks
}

/// Rotates and destroys keys when they are due, lets opened keys go that nobody uses, and answers that have
/// expired.
async fn keep_up(vault: Arc<Vault>, interval: Duration, epoch: Option<Duration>) {
    let mut rounds = tokio::time::interval(interval);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut from = None;
    loop {
        rounds.tick().await;
        vault.engine.shelf().sweep();
        expire_answers(&vault).await;
        let_go("nonces", || vault.engine.expire_nonces()).await;
        expire_tickets(&vault).await;
        settle_policies(&vault).await;
        let_go("proofs", || vault.engine.forget_proofs()).await;
        keep_epoch(&vault, epoch).await;
        if let Err(error) = vault.engine.raise_space_warnings().await {
            tracing::error!(%error, "a warning of used-up space has no entry");
        }
        let done = match vault.engine.upkeep(from.take()).await {
            Ok((done, next)) => {
                from = next;
                done
            }
            Err(error) => {
                tracing::error!(%error, "due keys can't be looked for");
                continue;
            }
        };
        if done != Upkeep::default() {
            let Upkeep {
                rotated,
                put_off,
                destroyed,
                failed,
            } = done;
            tracing::info!(rotated, put_off, destroyed, failed, "keys were due");
        }
    }
}

/// A step of the round: what is left of them comes next time.
async fn expire_answers(vault: &Vault) {
    match vault.engine.expire_answers().await {
        Ok(true) => tracing::info!("answers to named requests have expired"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "expired answers can't be let go"),
    }
}

/// A set that was approved decides, also where whoever approved it was told that the ledger is slow.
async fn settle_policies(vault: &Vault) {
    match vault.engine.settle_policy(&vault.policies).await {
        Ok(false) => {}
        Ok(true) => tracing::info!("approved policies decide"),
        Err(error) => tracing::error!(%error, "the approved policies can't be looked at"),
    }
}

/// Lets go what has expired, a step at a time until a step finds nothing. Many may have come since the last round, and
/// they may not come faster than they go.
async fn let_go<F>(what: &str, step: impl Fn() -> F)
where
    F: Future<Output = Result<bool, EngineError>>,
{
    for _ in 0..STEPS_MAX {
        match step().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "expired {what} can't be let go");
                return;
            }
        }
    }
}

/// Opens the next epoch of pseudonyms where the present one has had its time.
async fn keep_epoch(vault: &Arc<Vault>, period: Option<Duration>) {
    match vault.engine.keep_epoch(period).await {
        Ok(None) => {}
        Ok(Some(epoch)) => tracing::info!(epoch, "a new epoch of pseudonyms is open"),
        Err(error) => tracing::error!(%error, "the next epoch of pseudonyms can't be opened"),
    }
}

/// A step of the round: others wait for the writer too.
async fn expire_tickets(vault: &Vault) {
    match vault.engine.expire_tickets().await {
        Ok(true) => tracing::info!("tickets expired"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "expired tickets can't be let go"),
    }
}
