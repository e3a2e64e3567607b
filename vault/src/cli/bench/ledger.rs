//! `jinku bench --ledger`: durable entries a second through the real writer, with the publisher beside it and full
//! durability, and the times that callers wait; as a ratio to raw commits of rows as large, in the same run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ledger::{Facts, Item, ItemView, Operation, Origin, Outcome, Pseudonym, VerifierKey};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::cli::screen;
use crate::commit::{
    CheckpointSigner, Committer, OpenLog, Publisher, Record, Withheld, WriterThread,
};
use crate::model::SystemClock;
use crate::store::{Change, Database, Reader, StoredEntry, raw_entry_rate};

/// The log's name.
const ORIGIN: &str = "bench.example/vault/node-1";
/// As `ledger.publish_seconds` of an ordinary installation.
const PUBLISHED_EVERY: Duration = Duration::from_secs(1);
/// Longer than any group takes.
const DEADLINE: Duration = Duration::from_secs(20);
/// What the writer and the raw store are given in turn.
const ROUNDS: u32 = 3;

/// What is measured.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// Measure the ledger alone: durable entries a second, and how long one waits to be durable.
    #[arg(long)]
    ledger: bool,
    /// How many wait for their entries at once: the writer makes groups of them.
    #[arg(long, requires = "ledger", default_value_t = 256)]
    waiting: u32,
}

impl Options {
    /// Measures, if it is asked for; says whether it was.
    pub(super) async fn measured(&self, time: Duration) -> anyhow::Result<bool> {
        if self.ledger {
            let directory =
                std::env::temp_dir().join(format!("jinku-ledger-bench-{}", std::process::id()));
            std::fs::create_dir(&directory)?;
            let measured = measured(&directory, self.waiting.max(1), time).await;
            let removed = std::fs::remove_dir_all(&directory);
            measured?;
            removed.context("the benchmark's directory can't be removed")?;
        }
        Ok(self.ledger)
    }
}

/// One round's numbers.
struct Round {
    entries: f64,
    raw: f64,
    times: Vec<Duration>,
}

async fn measured(directory: &Path, waiting: u32, time: Duration) -> anyhow::Result<()> {
    let desk = Desk::open(directory)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let (entries, times) = desk.appended(waiting, time / ROUNDS).await?;
        let like = desk.last()?;
        let path = directory.join(format!("raw-{round}.db"));
        let raw = tokio::task::spawn_blocking(move || {
            raw_entry_rate(&path, waiting, &like, time / ROUNDS)
        });
        rounds.push(Round {
            entries,
            raw: raw.await??,
            times,
        });
    }
    let like = desk.last()?;
    let sequenced = like.seq + 1;
    let published = desk.close()?;
    ensure!(
        published == sequenced,
        "the log was not published to its end"
    );
    told(rounds, waiting, &like);
    Ok(())
}

/// The round whose rate is the middle one, and the times of all.
fn told(mut rounds: Vec<Round>, waiting: u32, like: &StoredEntry) {
    let mut times: Vec<Duration> = rounds
        .iter()
        .flat_map(|round| round.times.clone())
        .collect();
    times.sort_unstable();
    let at = |thousandths: usize| {
        let place = times.len() * thousandths / 1000;
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    rounds.sort_by(|one, other| one.entries.total_cmp(&other.entries));
    screen::headline(&format!(
        "Durable ledger entries a second: {waiting} wait at once, entries of {} bytes with {} of items",
        like.bytes.len(),
        like.items.len()
    ));
    if let Some(Round { entries, raw, .. }) = rounds.get(rounds.len() / 2) {
        screen::line(&format!(
            "{:<34} {raw:>10.0}   1.00",
            "raw SQLite group-commit of such rows"
        ));
        screen::line(&format!(
            "{:<34} {entries:>10.0}   {:.2}",
            "ledger writer, published beside",
            entries / raw
        ));
    }
    screen::line(&format!(
        "durable after p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
        at(500),
        at(990),
        at(999)
    ));
}

/// A log with its writer and its publisher.
struct Desk {
    committer: Committer,
    writer: WriterThread,
    publisher: Publisher,
    reader: Reader,
    _database: Database,
}

impl Desk {
    fn open(directory: &Path) -> anyhow::Result<Self> {
        let database = Database::open(&directory.join("vault.db"))?;
        let reader = database.reader();
        let (origin, clock) = (Origin::parse(ORIGIN)?, Arc::new(SystemClock::new()));
        let log = OpenLog {
            origin: origin.clone(),
            writer: database.writer()?,
            clock: clock.clone(),
            boot: [1; 8],
            deadline: DEADLINE,
        };
        let (committer, writer) = WriterThread::start(log, &reader)?;
        let beside = (database.reader(), clock as Arc<_>);
        let (path, signer) = (directory.join("ledger"), signer()?);
        let publisher = Publisher::start(&path, origin, signer, beside, PUBLISHED_EVERY, None)?;
        Ok(Self {
            committer,
            writer,
            publisher,
            reader,
            _database: database,
        })
    }

    /// Entries a second while so many wait, and how long each waited.
    async fn appended(&self, waiting: u32, time: Duration) -> anyhow::Result<(f64, Vec<Duration>)> {
        let started = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..waiting {
            let committer = self.committer.clone();
            callers.spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < time {
                    let record = record()?;
                    let begun = Instant::now();
                    committer.record(record, Withheld::nothing()).await?;
                    times.push(begun.elapsed());
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(joined) = callers.join_next().await {
            times.extend(joined??);
        }
        let entries = f64::from(u32::try_from(times.len())?);
        Ok((entries / started.elapsed().as_secs_f64(), times))
    }

    fn last(&self) -> anyhow::Result<StoredEntry> {
        self.reader.last_entry()?.context("there are no entries")
    }

    /// Publishes the rest, and says how many entries are published.
    fn close(self) -> anyhow::Result<u64> {
        drop(self.committer);
        self.writer.join();
        Ok(self.publisher.publish()?.size())
    }
}

/// What redeeming one token is recorded as.
fn record() -> anyhow::Result<Record> {
    let pseudonym = Pseudonym {
        epoch: 1,
        id: [7; 16],
    };
    let facts = Facts {
        unit: Some("tax-bureau".to_owned()),
        gateway: Some("edge-1".to_owned()),
        actor: Some(pseudonym),
        purpose: Some("tax-assessment".to_owned()),
        policy: Some([5; 32]),
        request: Some([9; 16]),
        domain: Some("city".to_owned()),
        ..Facts::new(Operation::Detokenize, Outcome::Ok)
    };
    let item = Item {
        pseudonym,
        class: "national-id".to_owned(),
        view: ItemView::Plain,
    };
    Ok(Record::batch(Change::none(), facts, [(item, 1)])?)
}

/// A key of its own: what an HSM takes to sign is no part of this.
fn signer() -> anyhow::Result<CheckpointSigner> {
    let seed = [42; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
    let pair = pair.map_err(|_| anyhow::anyhow!("no key can be made"))?;
    let public = pair.public_key().as_ref().try_into()?;
    let sign = move |bytes: &[u8]| {
        let signature = pair.sign(bytes);
        let signature = signature.as_ref().try_into();
        signature.map_err(|_| "a signature of another length".to_owned())
    };
    Ok(CheckpointSigner {
        key: VerifierKey::new(ORIGIN, public)?,
        sign: Box::new(sign),
        second: None,
    })
}
