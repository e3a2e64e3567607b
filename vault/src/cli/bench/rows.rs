//! Random tokens out of a large store: the engine's rate as a ratio to raw point lookups in the same file, the
//! times of its calls, and the bytes on disk for each token.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use rand::{RngExt, SeedableRng};

use super::{BATCH, CALLERS, Desk, Rate, measure, row};
use crate::cli::screen;
use crate::store::RawLookups;

/// Tokens that are kept to ask for, spread over the whole store.
const KEPT: usize = 200_000;
/// Values of one call while the store is filled.
const FILLING: u32 = 1_000;
/// Times that raw lookups and the engine's are measured, in turn.
const ROUNDS: u32 = 5;

/// Fills the store of the installation with `rows` tokens, then measures.
pub(super) async fn measured(
    desk: &Arc<Desk>,
    data: &Path,
    rows: u64,
    time: Duration,
) -> anyhow::Result<()> {
    let tokens = Arc::new(filled(desk, rows).await?);
    let database = data.join("vault.db");
    let learning = tokio::task::spawn_blocking(move || RawLookups::of(&database));
    let lookups = Arc::new(learning.await??);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(desk, &tokens, &lookups, time / ROUNDS).await?);
    }
    shown(rounds);
    let (store, ledger) = (bytes(&data.join("vault.db"))?, bytes(&data.join("ledger"))?);
    let keys = bytes(&data.join("shreds"))?;
    let each = |bytes: u64| bytes / rows.max(1);
    screen::line(&format!(
        "bytes on disk for each token: {} in the store with its indexes and entries, {} in the published \
         ledger, {} of shred key",
        each(store),
        each(ledger),
        each(keys)
    ));
    Ok(())
}

/// Raw lookups, then the engine's: next to each other, so that a machine's moods meet both.
async fn round(
    desk: &Arc<Desk>,
    tokens: &Arc<Vec<String>>,
    lookups: &Arc<RawLookups>,
    time: Duration,
) -> anyhow::Result<(f64, Rate)> {
    let threads = std::thread::available_parallelism()?.get();
    let lookups = Arc::clone(lookups);
    let raw = tokio::task::spawn_blocking(move || lookups.rate(threads, time));
    let raw = raw.await??;
    let asked = (Arc::clone(desk), Arc::clone(tokens));
    let rate = measure(time, BATCH, move |caller| {
        let (desk, tokens) = asked.clone();
        async move { desk.detokenize(&some(&tokens, caller)).await }
    });
    Ok((raw, rate.await?))
}

/// The round whose ratio is the middle one, and all ratios.
fn shown(mut rounds: Vec<(f64, Rate)>) {
    rounds.sort_by(|(raw, rate), (other, beside)| {
        (rate.items / raw).total_cmp(&(beside.items / other))
    });
    let ratios: Vec<String> = rounds
        .iter()
        .map(|(raw, rate)| format!("{:.2}", rate.items / raw))
        .collect();
    if let Some((raw, rate)) = rounds.get(rounds.len() / 2) {
        screen::line(&format!(
            "{:<34} {raw:>10.0}   1.00",
            "raw SQLite point lookup"
        ));
        row("detokenize, engine", rate, *raw);
        let spread = rate.p99.as_secs_f64() / rate.p50.as_secs_f64();
        screen::line(&format!("p99 is {spread:.1} times the median"));
    }
    screen::line(&format!("ratios of the rounds: {}", ratios.join(" ")));
}

/// Makes tokens until there are so many; yields some of them, each as likely to be early as late.
async fn filled(desk: &Arc<Desk>, rows: u64) -> anyhow::Result<Vec<String>> {
    let (begun, mut shown) = (Instant::now(), Instant::now());
    let calls = rows.div_ceil(u64::from(FILLING));
    let kept_of_call = KEPT / usize::try_from(calls)?.max(1) + 1;
    let mut kept = Vec::with_capacity(KEPT);
    let mut under_way = tokio::task::JoinSet::new();
    for call in 0..calls {
        let desk = Arc::clone(desk);
        under_way.spawn(async move { desk.tokenized(FILLING).await });
        if call % u64::from(CALLERS) == 0 || call + 1 == calls {
            while let Some(done) = under_way.join_next().await {
                let tokens = done??;
                kept.extend(tokens.into_iter().take(kept_of_call));
            }
        }
        if shown.elapsed() > Duration::from_secs(10) {
            shown = Instant::now();
            screen::line(&format!(
                "{} of {rows} rows",
                (call + 1) * u64::from(FILLING)
            ));
        }
    }
    if kept.is_empty() {
        bail!("there are no rows to ask for");
    }
    let made = f64::from(u32::try_from(calls)?) * f64::from(FILLING);
    let rate = made / begun.elapsed().as_secs_f64();
    screen::line(&format!("{rows} rows were made, {rate:.0} a second"));
    Ok(kept)
}

/// A batch of tokens drawn anew for each call.
fn some(tokens: &[String], caller: u32) -> Vec<String> {
    let mut dice =
        rand::rngs::StdRng::seed_from_u64(rand::rng().random::<u64>() ^ u64::from(caller));
    (0..BATCH)
        .filter_map(|_| tokens.get(dice.random_range(0..tokens.len())).cloned())
        .collect()
}

/// Bytes of a file, or of all files below a folder.
fn bytes(path: &Path) -> anyhow::Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        sum += bytes(&entry?.path())?;
    }
    Ok(sum)
}
