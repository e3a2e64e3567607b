//! The command line of bulk files.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::batch::Portion;
use super::desk::{Act, Desk};
use super::encoding::Encoding;
use super::map::{Layout, Map};
use super::place::Start;
use crate::cli::connection::Connection;

/// Bytes of a request around its items: domain, purpose, idempotency key.
const FRAME_BYTES: usize = 1_024;

/// Arguments of `jinku tokenize`.
#[derive(clap::Args)]
#[command(after_help = TOKENIZE_EXAMPLES)]
pub(in crate::cli) struct Tokenize {
    #[command(flatten)]
    pub(super) work: Work,
}

const TOKENIZE_EXAMPLES: &str = "Examples, with a development installation:
  export JINKU_INSTALLATION=DIR JINKU_UNIT=tax-bureau
  jinku tokenize persons.csv --map persons-csv.toml
  jinku tokenize persons.csv --map persons-csv.toml --resume
  jinku tokenize legacy.csv --map persons-csv.toml --encoding big5 --out tokens.csv";

/// Arguments of `jinku detokenize`.
#[derive(clap::Args)]
#[command(after_help = DETOKENIZE_EXAMPLES)]
pub(in crate::cli) struct Detokenize {
    #[command(flatten)]
    pub(super) work: Work,
    /// Why: policies decide on it, and the ledger keeps it.
    #[arg(long)]
    pub(super) purpose: String,
    /// A grant that others approved: the values are taken from it, and no budget of the unit's binds them. A batch that is
    /// asked for again after a stop spends its values again, and --resume may name another grant.
    #[arg(long, value_name = "ID")]
    pub(super) grant: Option<String>,
    /// A token whose value is not available stays in its place; otherwise its row is set aside.
    #[arg(long)]
    pub(super) keep_unavailable: bool,
}

const DETOKENIZE_EXAMPLES: &str = "Examples, with a development installation:
  export JINKU_INSTALLATION=DIR JINKU_UNIT=tax-bureau
  jinku detokenize persons.tokenized.csv --map persons-csv.toml --purpose tax-assessment
  jinku detokenize register.tokenized.csv --map persons-csv.toml --purpose tax-assessment --grant ID";

#[derive(clap::Args)]
pub(super) struct Work {
    /// CSV (RFC 4180), JSON Lines or Parquet.
    pub(super) file: PathBuf,
    /// Which columns hold what: `policies/sample/bulk/` has examples.
    #[arg(long, value_name = "FILE")]
    pub(super) map: PathBuf,
    /// The output; if not said, FILE with `.tokenized` or `.detokenized` before its extension.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Rows that are set aside, as JSON Lines without their values; if not said, `FILE.errors.jsonl`.
    #[arg(long, value_name = "FILE")]
    pub(super) errors: Option<PathBuf>,
    /// Stop once so many rows were set aside.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) max_errors: Option<u64>,
    /// How the file is laid out, where neither the map nor its extension says so.
    #[arg(long)]
    pub(super) layout: Option<Layout>,
    /// How a CSV file's characters are written.
    #[arg(long, default_value = "utf-8")]
    pub(super) encoding: Encoding,
    /// Go on where a run was stopped.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replace what stands: the output, or a run that was stopped.
    #[arg(long)]
    force: bool,
    /// Requests at the vault at once: 1 to 64.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) in_flight: u16,
    /// Values of one request, 1 to 1,000,000; the vault's own limit is `limits.batch_items_max`.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_items: u32,
    /// Bytes of one request, 8,192 to 64 MiB; the vault's own limit is `limits.body_bytes_max`.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(8_192..=67_108_864))]
    batch_bytes: u32,
    /// Seconds for which a request is tried again while the vault is away or busy.
    #[arg(long, default_value_t = 60)]
    retry_seconds: u64,
    /// One line of JSON at the end, for scripts.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Work {
    pub(super) fn start(&self) -> Start {
        match (self.resume, self.force) {
            (true, _) => Start::Resumed,
            (false, true) => Start::Forced,
            (false, false) => Start::Fresh,
        }
    }

    pub(super) fn portion(&self) -> Portion {
        Portion {
            items_max: self.batch_items as usize,
            bytes_max: self.batch_bytes as usize - FRAME_BYTES,
        }
    }

    /// What decides, beside the map, what is sent in which batch and what is written. A grant does not: one that is over
    /// or spent in the middle of a run gives way to another.
    pub(super) fn setting(&self, act: &Act, layout: Layout) -> String {
        let (items, bytes) = (self.batch_items, self.batch_bytes);
        let encoding = self.encoding.as_str();
        let act = match act {
            Act::Tokenize => "tokenize".to_owned(),
            Act::Detokenize {
                purpose,
                keep_unavailable,
                ..
            } => format!("detokenize {purpose} {keep_unavailable}"),
        };
        format!("{act} {layout:?} {encoding} {items} {bytes}")
    }

    pub(super) fn desk(&self, map: &Map, act: Act, run: &str) -> anyhow::Result<Desk> {
        let (settings, proof) = self.connection.settings()?;
        let class = |column: &super::map::Column| column.class.clone().unwrap_or_default();
        Ok(Desk {
            client: api::Client::new(&settings)?,
            proof,
            domain: map.domain.clone(),
            classes: map.columns.iter().map(class).collect(),
            act,
            run: run.to_owned(),
            patience: Duration::from_secs(self.retry_seconds),
            reached: AtomicBool::new(false),
        })
    }
}
