//! `bench`: verifies an archive made for it, warm, beside a loop that only hashes: the ratio says how much
//! more than hashing a verification costs, on any machine.

mod memory;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ledger::tile::tile_root;
use ledger::verify::{Class, Options, verify_archive};
use ledger::{Frontier, Hash, leaf_hash};
use serde_json::json;

use crate::forge::Forged;
use crate::screen::{Pretty, Screen};
use crate::verify::threads;

/// Names the shape of the answer in JSON.
const SCHEMA: &str = "jinku-ledger.bench/1";

/// Each is run so often, by turns; the median counts.
const ROUNDS: usize = 3;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger bench
  jinku-ledger bench --entries 10000000 --keep /var/tmp/bench";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How many entries the archive has
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    entries: u64,
    /// Make the archive in this folder, or use the one that is there, and leave it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Every seventh entry has three items, which are verified too, and not hashed by the other loop
    #[arg(long)]
    items: bool,
    /// Print the answer in JSON (schema `jinku-ledger.bench/1`)
    #[arg(long)]
    json: bool,
}

/// Both with so many threads.
struct Rates {
    threads: usize,
    bare: u64,
    verify: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    ensure!(args.entries > 0, "an archive without entries takes no time");
    let own = || std::env::temp_dir().join(format!("jinku-ledger-bench-{}", std::process::id()));
    let dir = args.keep.clone().unwrap_or_else(own);
    let log = if args.items {
        Forged::honest(args.entries)?
    } else {
        Forged::bare(args.entries)?
    };
    if !dir.join("checkpoint").exists() {
        log.publish(&dir, &[args.entries])?;
    }
    let bytes: usize = log.entries.iter().map(Vec::len).sum();
    let mut counts = vec![1, threads(None)];
    counts.dedup();
    let rates: anyhow::Result<Vec<Rates>> = counts
        .into_iter()
        .map(|threads| measured(&log, &dir, threads))
        .collect();
    let peak = memory::peak_kib(&dir, &log.key()?.to_string());
    if args.keep.is_none() {
        fs::remove_dir_all(&dir)?;
    }
    told(args, bytes as u64 / args.entries, &rates?, peak?)?;
    Ok(Class::Verified.exit_code())
}

fn measured(log: &Forged, dir: &std::path::Path, threads: usize) -> anyhow::Result<Rates> {
    let options = Options {
        threads,
        ..Options::default()
    };
    let trust = log.trust()?;
    let (mut bare, mut verify) = (Vec::new(), Vec::new());
    // The first round reads the files into memory, and does not count.
    for round in 0..=ROUNDS {
        let (start, hashed) = (Instant::now(), hash_only(log, threads));
        let (between, report) = (Instant::now(), verify_archive(dir, &trust, &options));
        let end = Instant::now();
        ensure!(
            report.exit_code == 0 && hashed > 0,
            "the archive made for this is not verified: name another folder"
        );
        if round > 0 {
            bare.push(between - start);
            verify.push(end - between);
        }
    }
    let size = log.entries.len() as u64;
    Ok(Rates {
        threads,
        bare: rate(size, &mut bare),
        verify: rate(size, &mut verify),
    })
}

/// Leaf hashes and tree of entries in memory: whole parts of the log for each thread.
fn hash_only(log: &Forged, threads: usize) -> u64 {
    let part = log.entries.len().div_ceil(threads).next_multiple_of(256);
    thread::scope(|scope| {
        let parts: Vec<_> = log
            .entries
            .chunks(part)
            .map(|part| {
                scope.spawn(move || {
                    std::hint::black_box(root_of(part));
                    part.len() as u64
                })
            })
            .collect();
        parts.into_iter().filter_map(|part| part.join().ok()).sum()
    })
}

/// As fast as it is known here: whole tiles level by level.
fn root_of(entries: &[Vec<u8>]) -> Hash {
    let (tiles, rest) = entries.as_chunks::<256>();
    let roots = tiles
        .iter()
        .map(|tile| tile_root(&std::array::from_fn(|at| leaf_hash(&tile[at]))));
    let rest: Frontier = rest.iter().map(|entry| leaf_hash(entry)).collect();
    let tree: Frontier = roots
        .chain((rest.size() > 0).then(|| rest.root()))
        .collect();
    tree.root()
}

fn rate(size: u64, times: &mut [Duration]) -> u64 {
    times.sort_unstable();
    let median = times[times.len() / 2].as_nanos().max(1);
    u64::try_from(u128::from(size) * 1_000_000_000 / median).unwrap_or(u64::MAX)
}

fn told(args: &Args, bytes: u64, rates: &[Rates], peak_kib: Option<u64>) -> anyhow::Result<()> {
    if args.json {
        let rate = |rate: &Rates| {
            json!({
                "threads": rate.threads,
                "hash_entries_per_second": rate.bare,
                "verify_entries_per_second": rate.verify,
                "percent": rate.verify * 100 / rate.bare.max(1),
            })
        };
        let rates: Vec<_> = rates.iter().map(rate).collect();
        let entries = args.entries;
        let all = json!({
            "schema": SCHEMA,
            "entries": entries,
            "entry_bytes": bytes,
            "rates": rates,
            "verify_peak_kib": peak_kib,
        });
        return Screen::json(&all, Pretty::Lines);
    }
    Screen::line(&format!(
        "{} entries of {bytes} bytes, warm, medians of {ROUNDS}; entries/s",
        args.entries
    ))?;
    Screen::line("threads  leaf + tree only      verify  verify/hash")?;
    for Rates {
        threads,
        bare,
        verify,
    } in rates
    {
        let percent = verify * 100 / bare.max(&1);
        Screen::line(&format!(
            "{threads:>7}  {bare:>16}  {verify:>10}  {percent:>9} %"
        ))?;
    }
    if let Some(peak) = peak_kib {
        let mib = peak.div_ceil(1024);
        Screen::line(&format!("`verify` had {mib} MiB resident at the most"))?;
    }
    Ok(())
}
