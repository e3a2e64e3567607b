//! `jinku serve`: opens the rooms from left to right, listens, and closes them in order.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use kms::{Envelope, Hsm, HsmSettings, Pin, Signer};
use ledger::VerifierKey;
use rand::TryRng;

use super::screen;
use crate::admission::Admission;
use crate::commit::{CheckpointSigner, Committer, OpenLog, Publisher, WriterThread};
use crate::config::{self, Config, HsmConfig};
use crate::engine::{Engine, Keys};
use crate::identity::{Identity, Issuer};
use crate::model::{Catalogue, Clock, Registry, SystemClock};
use crate::policy::Policies;
use crate::server::{Listener, Vault};
use crate::store::{Database, Reader};

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
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::from_default_env()
                .add_directive(tracing_subscriber::filter::LevelFilter::INFO.into()),
        )
        .init();
    harden();
    let config = Config::load(&options.config)?;
    super::runtime()?.block_on(serve(config, options.address_file.as_deref()))
}

/// No core dumps, no debugger of other users: key material stays inside (invariant 11).
fn harden() {
    // INVARIANT 11: a crash writes no memory to disk.
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
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
    if let Some(file) = address_file {
        // Whole or absent: who waits for the file must not read half of it.
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, address.to_string())?;
        std::fs::rename(&fresh, file)?;
    }
    tracing::info!(%address, log = %config.ledger.origin.as_str(), key = %running.key, "the vault is ready");
    screen::line(&format!("listening on https://{address}"));
    listener.serve(Arc::clone(&running.vault), stopped()).await;
    running.close();
    tracing::info!("the vault has stopped");
    Ok(ExitCode::SUCCESS)
}

/// An interrupt or a termination signal.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// A vault with its threads.
pub struct Running {
    /// The rooms.
    pub vault: Arc<Vault>,
    /// The ledger's public key, as an auditor pins it.
    pub key: VerifierKey,
    /// The log's publisher.
    pub publisher: Publisher,
    writer: WriterThread,
}

impl Running {
    /// Publishes what is sequenced, and ends the threads.
    pub fn close(self) {
        if let Err(error) = self.publisher.publish() {
            tracing::error!(%error, "the last checkpoint could not be published");
        }
        drop(self.publisher);
        drop(self.vault);
        self.writer.join();
    }
}

/// Opens every room of a vault, from left to right.
pub async fn open(config: &Config) -> anyhow::Result<Running> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let catalogue = Arc::new(Catalogue::parse(&config::read(&config.policy.classes)?)?);
    let registry = Registry::parse(&config::read(&config.policy.units)?, &catalogue)?;
    let registry = Arc::new(registry);
    let identity = Identity::new(Arc::clone(&registry), issuers(config)?, Arc::clone(&clock));
    let in_flight = config.limits.requests_in_flight_max;
    let admission = Admission::new(&registry, in_flight, Arc::clone(&clock));
    let policies = Policies::load(&config.policy.directory, Arc::clone(&catalogue))?;

    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("`{}` can't be made", config.data.display()))?;
    let database = Database::open(&config.data.join("vault.db"))?;
    let reader = database.reader();
    let hsm = Arc::new(open_hsm(&config.hsm)?);
    let fresh = reader.last_entry()?.is_none();
    let envelope = Envelope::new(Arc::clone(&hsm), root(&hsm, &config.hsm, fresh)?);
    let signer = signer(&hsm, &config.hsm, fresh)?;
    let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;

    // The publisher looks first: a database that was rolled back must not be written to.
    let directory = config.data.join("ledger");
    let publisher = publisher(
        config,
        &directory,
        &hsm,
        signer,
        &key,
        database.reader(),
        &clock,
    )?;
    let (committer, writer) = start_writer(config, &database, &reader, &clock)?;
    let keys = Keys::open(&catalogue, &envelope, &reader, &committer, &clock).await?;
    let batch = config.limits.batch_items_max;
    let engine = Engine::new(catalogue, keys, reader, committer, clock, batch);
    let engine = Arc::new(engine);
    engine.started(policies.digest()).await?;
    std::fs::write(config.data.join("ledger-key"), format!("{key}\n"))?;
    let hsm_alive = Box::new(move || hsm.alive().map_err(|error| error.to_string()));
    let limits = config.limits;
    let vault = Arc::new(Vault {
        identity,
        admission,
        policies,
        engine,
        hsm_alive,
        limits,
    });
    Ok(Running {
        vault,
        key,
        publisher,
        writer,
    })
}

fn issuers(config: &Config) -> anyhow::Result<Vec<Issuer>> {
    let open = |known: &config::IssuerConfig| {
        let jwks = config::read(&known.jwks)?;
        Ok(Issuer::parse(&known.issuer, &known.audience, &jwks)?)
    };
    config.issuers.iter().map(open).collect()
}

fn open_hsm(config: &HsmConfig) -> anyhow::Result<Hsm> {
    let pin = config::read(&config.pin_file).context("the HSM's PIN file can't be read")?;
    let settings = HsmSettings {
        module: config.module.clone(),
        token_label: config.token_label.clone(),
        pin: Pin::new(pin.trim_end_matches(['\r', '\n']).to_owned()),
    };
    Ok(Hsm::open(&settings)?)
}

/// A new root is made for a new database only: another HSM must not be taken for the old one.
fn root(hsm: &Hsm, config: &HsmConfig, fresh: bool) -> anyhow::Result<kms::RootKey> {
    match hsm.root(&config.root_label)? {
        Some(root) => Ok(root),
        None if fresh => Ok(hsm.generate_root(&config.root_label)?),
        None => bail!(
            "the HSM's token `{}` has no root key `{}`, and the database needs one: \
             is this the HSM that the database was made with?",
            config.token_label,
            config.root_label
        ),
    }
}

fn signer(hsm: &Hsm, config: &HsmConfig, fresh: bool) -> anyhow::Result<Signer> {
    match hsm.signer(&config.signer_label)? {
        Some(signer) => Ok(signer),
        None if fresh => Ok(hsm.generate_signer(&config.signer_label)?),
        None => bail!(
            "the HSM's token `{}` has no signing key `{}`, and the ledger needs it",
            config.token_label,
            config.signer_label
        ),
    }
}

fn publisher(
    config: &Config,
    directory: &Path,
    hsm: &Arc<Hsm>,
    signer: Signer,
    key: &VerifierKey,
    reader: Reader,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Publisher> {
    let hsm = Arc::clone(hsm);
    let sign = move |body: &[u8]| hsm.sign(&signer, body).map_err(|error| error.to_string());
    let signer = CheckpointSigner {
        key: key.clone(),
        sign: Box::new(sign),
    };
    let origin = config.ledger.origin.clone();
    let interval = config.ledger.publish_interval;
    Ok(Publisher::start(
        directory,
        origin,
        signer,
        reader,
        Arc::clone(clock),
        interval,
    )?)
}

fn start_writer(
    config: &Config,
    database: &Database,
    reader: &Reader,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Committer, WriterThread)> {
    let mut boot = [0; 8];
    rand::rngs::SysRng
        .try_fill_bytes(&mut boot)
        .context("the system's random numbers failed")?;
    let log = OpenLog {
        origin: config.ledger.origin.clone(),
        writer: database.writer()?,
        clock: Arc::clone(clock),
        boot,
        deadline: config.ledger.deadline,
    };
    Ok(WriterThread::start(log, reader)?)
}
