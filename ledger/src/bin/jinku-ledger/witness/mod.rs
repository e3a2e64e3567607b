//! `witness`: cosigns checkpoints of other organisations' logs (C2SP tlog-witness). The only part of this
//! tool that listens; builds without the feature `witness` have no network at all.
//!
//! | file | owns |
//! | --- | --- |
//! | `key` | the witness's key pair on disk |
//! | `settings` | `witness.toml` |
//! | `state` | what was cosigned last of each log, durable before it is answered |
//! | `desk` | a request from its text to its answer |
//! | `serve` | HTTP, with TLS if wished |
//! | `clock` | the time in cosignatures |

mod clock;
mod desk;
mod key;
mod serve;
mod settings;
mod state;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use ledger::{Utc, WitnessKey};

use crate::screen::{Screen, shown};
use desk::Desk;
use key::KeyPair;
use settings::Settings;
use state::State;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger witness init /srv/witness --name witness.audit.example/w1
  jinku-ledger witness serve /srv/witness
  jinku-ledger witness status /srv/witness

A witness that lost its state must be retired: make a new one, with a new key. It could cosign another
history of a log, and would not know.";

/// Arguments of `jinku-ledger witness`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Witness {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Make a witness: its key, its public key, an empty state, and its settings to fill in
    Init {
        /// A folder that does not exist yet, or is empty
        dir: PathBuf,
        /// The witness's name for good, like a URL without its scheme
        #[arg(long)]
        name: String,
    },
    /// Take checkpoints at `POST /add-checkpoint`, until it is told to stop
    Serve {
        /// The witness's folder
        dir: PathBuf,
        /// Write the bound address here once it listens, for port 0
        #[arg(long, value_name = "FILE")]
        address_file: Option<PathBuf>,
    },
    /// Say what was cosigned last of each log
    Status {
        /// The witness's folder
        dir: PathBuf,
    },
}

/// 0: well; anything else is an error of its own.
pub(crate) fn run(args: &Witness) -> anyhow::Result<u8> {
    match &args.act {
        Act::Init { dir, name } => init(dir, name)?,
        Act::Serve { dir, address_file } => serve(dir, address_file.as_deref())?,
        Act::Status { dir } => status(dir)?,
    }
    Ok(0)
}

fn init(dir: &Path, name: &str) -> anyhow::Result<()> {
    fs::create_dir_all(dir).context("the folder can't be made")?;
    let empty = fs::read_dir(dir).context("the folder can't be read")?;
    ensure!(
        empty.count() == 0,
        "the folder is not empty: a witness is made once, and keeps its key and its state"
    );
    let pair = KeyPair::draw(name)?;
    // The key last: without it the rest is no witness, and this can be run again after it is removed.
    fs::write(dir.join(settings::FILE), settings::EXAMPLE)?;
    State::create(dir)?;
    fs::write(dir.join("vkey"), format!("{}\n", pair.public()))?;
    pair.keep(dir)?;
    Screen::line(&pair.public().to_string())?;
    Screen::remark(&format!(
        "name the logs in {}, then run: jinku-ledger witness serve {}",
        dir.join(settings::FILE).display(),
        dir.display()
    ));
    Ok(())
}

fn serve(dir: &Path, address_file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::read(dir)?;
    let pair = KeyPair::read(dir)?;
    let state = State::open(dir, &settings.logs)?;
    let name = pair.public().to_string();
    let desk = Desk::new(settings.logs.clone(), pair, state);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads")?;
    Screen::remark(&format!("witness {name}"));
    runtime.block_on(serve::serve(settings, desk, address_file))
}

fn status(dir: &Path) -> anyhow::Result<()> {
    let settings = Settings::read(dir)?;
    let key = fs::read_to_string(dir.join("vkey")).context("`vkey` can't be read")?;
    let key = WitnessKey::parse(key.trim()).context("`vkey`")?;
    Screen::line(&format!("witness {key}"))?;
    let seen = State::look(dir, &settings.logs)?;
    for log in &settings.logs {
        let origin = shown(log.origin.as_str());
        match seen.get(log.origin.as_str()) {
            None => Screen::line(&format!("{origin}: nothing cosigned yet"))?,
            Some(last) => Screen::line(&format!(
                "{origin}: size {}, root {}, cosigned {}",
                last.checkpoint.size,
                last.checkpoint.root,
                Utc::from_micros(last.time_s.saturating_mul(1_000_000))
            ))?,
        }
    }
    Ok(())
}
