//! `jinku bench --timing`: does the time of an answer tell why a token shows nothing? (Invariant 8, measured.)
//!
//! Tokens of another domain, tokens that the unit may not see, and tokens that were never issued are presented one by one, in one
//! run, in an order drawn at random, over gRPC and TLS to a vault in another process. Their times are compared two by two.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use api::v1::{DetokenizeRequest, TokenizeItem, TokenizeRequest, View};
use rand::seq::SliceRandom;

use super::kolmogorov::compared;
use crate::cli::screen;
use crate::cli::stage::Stage;
use crate::token;

/// Of all runs with nothing to tell apart, so many find something: shared by all comparisons (Bonferroni).
const FALSE_ALARMS: f64 = 0.01;
/// Calls before times are noted.
const WARM_UP: usize = 300;
/// Values of one call that makes tokens.
const BATCH: usize = 500;
const KINDS: [&str; 3] = ["wrong domain", "not allowed", "absent"];

/// What is measured.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// Compare the times of answers about tokens of another domain, tokens that the unit may not see, and tokens
    /// that were never issued. Ends with an error if they can be told apart.
    #[arg(long)]
    timing: bool,
    /// Calls of each kind.
    #[arg(long, requires = "timing", default_value_t = 10_000)]
    timing_calls: usize,
}

impl Options {
    /// Measures, if it is asked for; says whether it was.
    pub(super) async fn measured(&self) -> anyhow::Result<bool> {
        if self.timing {
            let directory =
                std::env::temp_dir().join(format!("jinku-timing-{}", std::process::id()));
            let told_apart = measured(&directory, self.timing_calls.max(100)).await;
            let removed = std::fs::remove_dir_all(&directory);
            let told_apart = told_apart?;
            removed.context("the benchmark's directory can't be removed")?;
            ensure!(!told_apart, "the times tell why a token shows nothing");
        }
        Ok(self.timing)
    }
}

async fn measured(directory: &std::path::Path, calls: usize) -> anyhow::Result<bool> {
    let stage = Stage::set_to_hide(directory).await?;
    let client = stage.client("tax-bureau")?;
    let kinds = tokens(&client, calls).await?;
    let mut order: Vec<(usize, &String)> = Vec::with_capacity(calls * KINDS.len());
    for (kind, tokens) in kinds.iter().enumerate() {
        order.extend(tokens.iter().map(|token| (kind, token)));
    }
    order.shuffle(&mut rand::rng());
    let warm_up = order.iter().cycle().take(WARM_UP);
    for (_, token) in warm_up {
        asked(&client, token).await?;
    }
    let mut times: [Vec<u64>; 3] = Default::default();
    for (kind, token) in order {
        let time = asked(&client, token).await?;
        times[kind].push(u64::try_from(time.as_nanos())?);
    }
    Ok(shown(&times, calls))
}

/// Tokens of each kind: one class and one look, so that nothing but the kind differs.
async fn tokens(client: &api::Client, calls: usize) -> anyhow::Result<[Vec<String>; 3]> {
    let [mut elsewhere, mut unseen] = [Vec::with_capacity(calls), Vec::with_capacity(calls)];
    for first in (0..calls).step_by(BATCH) {
        let count = BATCH.min(calls - first);
        for (domain, tokens) in [("bank", &mut elsewhere), ("city", &mut unseen)] {
            let request = mails(domain, first, count);
            tokens.extend(client.tokenize(request, None).await?.tokens);
        }
    }
    let absent: Option<Vec<_>> = unseen.iter().map(|token| turned(token)).collect();
    let absent = absent.context("a token does not look like one")?;
    // What no format makes is not looked for: whoever sends it knows that it is none.
    ensure!(
        !absent.iter().any(|token| token::is_mistyped(token)),
        "a token that is to be absent is no token at all"
    );
    Ok([elsewhere, unseen, absent])
}

/// Another token of the same format: the letters in another order, but for the last one, which holds fewer bits.
fn turned(token: &str) -> Option<String> {
    let (drawn, host) = token.split_once('@')?;
    let (before, last) = drawn.split_at_checked(drawn.len().checked_sub(1)?)?;
    let before: String = before.chars().rev().collect();
    Some(format!("{before}{last}@{host}"))
}

fn mails(domain: &str, first: usize, count: usize) -> TokenizeRequest {
    let item = |number: usize| TokenizeItem {
        class: "email".to_owned(),
        value: format!("user{:07}@example.com", first + number),
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: domain.to_owned(),
        items: (0..count).map(item).collect(),
        ..TokenizeRequest::default()
    }
}

/// The time of one call, which must show nothing.
async fn asked(client: &api::Client, token: &str) -> anyhow::Result<Duration> {
    let request = DetokenizeRequest {
        domain: "city".to_owned(),
        purpose: "tax-assessment".to_owned(),
        tokens: vec![token.to_owned()],
        ..DetokenizeRequest::default()
    };
    let begun = Instant::now();
    let answer = client.detokenize(request, None).await?;
    let time = begun.elapsed();
    match answer.items.first() {
        Some(item) if item.view == i32::from(View::NotAvailable) => Ok(time),
        _ => bail!("a token showed something that should show nothing"),
    }
}

/// Prints the comparisons; says whether any two kinds can be told apart.
fn shown(times: &[Vec<u64>; 3], calls: usize) -> bool {
    screen::headline(&format!(
        "Times of answers that show nothing: {calls} calls of each kind, in one run, in random order"
    ));
    for (kind, times) in KINDS.iter().zip(times) {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let nanos = sorted.get(sorted.len() * percent / 100).copied();
            Duration::from_nanos(nanos.unwrap_or_default()).as_secs_f64() * 1e3
        };
        screen::line(&format!(
            "{kind:<14} p10 {:.3} ms   p50 {:.3} ms   p90 {:.3} ms",
            at(10),
            at(50),
            at(90)
        ));
    }
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let alpha = FALSE_ALARMS / 3.0;
    let mut any = false;
    for (first, second) in pairs {
        let found = compared(times[first].clone(), times[second].clone());
        let apart = found.chance < alpha;
        any |= apart;
        screen::line(&format!(
            "{:<14} and {:<14} D = {:.4}   p = {:.4}   {}",
            KINDS[first],
            KINDS[second],
            found.distance,
            found.chance,
            if apart { "told apart" } else { "alike" }
        ));
    }
    screen::line(&format!(
        "two-sample Kolmogorov-Smirnov; told apart where p < {alpha:.4} ({FALSE_ALARMS} for the three together)"
    ));
    any
}
