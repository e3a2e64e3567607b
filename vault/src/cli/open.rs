//! Opens a vault's rooms from left to right, and closes them in order.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kms::{Envelope, Hsm, HsmError, HsmSettings, RootKey, Signer};
use ledger::VerifierKey;
use rand::TryRng;

use super::deciding::Deciding;
use super::issuers::issuers;
use super::{incarnation, pin, second};
use crate::admission::{self, Admission, Locks};
use crate::commit::{
    Backlog, CheckpointSigner, Committer, OpenLog, PublishError, Publisher, Witnesses,
    WriterThread, quota_book, signer_settled,
};
use crate::config::{self, Config, HsmConfig};
use crate::engine::guard::Guard;
use crate::engine::key::{KeyShelf, ShelfSettings};
use crate::engine::units::Registrar;
use crate::engine::{Bounds, Engine, Keys};
use crate::identity::{Identity, SignatureRules};
use crate::model::{Budgets, Calendars, Catalogue, Clock, Registry, SystemClock, Timestamp};
use crate::server::{HsmWatch, LedgerFace, Metrics, TokenEndpoint, Vault};
use crate::store::{Database, Reader, Shreds, StoreError};
use crate::token;

/// How long a vault waits at its start for an HSM that is away.
const HSM_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two looks.
const HSM_PAUSE: Duration = Duration::from_secs(1);

/// A vault with its threads.
pub struct Running {
    /// The rooms.
    pub vault: Arc<Vault>,
    /// The ledger's public key, as an auditor pins it.
    pub key: VerifierKey,
    /// The log's publisher.
    pub publisher: Publisher,
    writer: WriterThread,
    /// Holds the lock that keeps a second vault away.
    _database: Database,
}

impl Running {
    /// Publishes what is sequenced, and ends the threads.
    pub fn close(self) {
        if let Err(error) = self.publisher.publish() {
            tracing::error!(%error, "the last checkpoint could not be published");
        }
        drop(self.publisher);
        // Whoever holds the vault still keeps the writer; then the process's end is its end.
        if Arc::into_inner(self.vault).is_some() {
            self.writer.join();
        }
    }
}

/// Whether the database has been written to before.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Age {
    New,
    Standing,
}

/// What policies stand on, and its text. Units are beside it: they change.
struct Ground {
    catalogue: Arc<Catalogue>,
    /// Of the file.
    registry: Arc<Registry>,
    budgets: Option<String>,
    calendars: Calendars,
    texts: Vec<String>,
}

impl Ground {
    /// The budgets, where these units are in force.
    fn budgets(&self, registry: &Registry) -> anyhow::Result<Budgets> {
        Ok(match &self.budgets {
            Some(text) => Budgets::parse(text, &self.catalogue, registry)?,
            None => Budgets::none(),
        })
    }
}

fn ground(config: &Config) -> anyhow::Result<Ground> {
    let classes = config::read(&config.policy.classes)?;
    let units = config::read_units(&config.policy.units)?;
    let catalogue = Arc::new(Catalogue::parse(&classes)?);
    token::fit(&catalogue)?;
    let registry = Arc::new(Registry::parse(&units, &catalogue)?);
    let text = config.policy.budgets.as_deref().map(config::read);
    let budgets = text.transpose()?;
    let days = config.policy.calendars.as_deref().map(config::read);
    let days = days.transpose()?;
    let calendars = calendars(days.as_deref(), &registry)?;
    Ok(Ground {
        catalogue,
        registry,
        texts: [classes]
            .into_iter()
            .chain(budgets.clone())
            .chain(days)
            .collect(),
        budgets,
        calendars,
    })
}

/// Each calendar that a unit's hours name must be there.
fn calendars(text: Option<&str>, registry: &Registry) -> anyhow::Result<Calendars> {
    let calendars = text.map_or(Ok(Calendars::default()), Calendars::parse)?;
    calendars.serve_all(registry)?;
    Ok(calendars)
}

/// Opens every room.
pub async fn open(config: &Config) -> anyhow::Result<Running> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ground = ground(config)?;
    let catalogue = Arc::clone(&ground.catalogue);
    let identity = identity(config, &ground, &clock)?;
    let units = Arc::clone(identity.units());
    let admission = admission(config, ground.calendars.clone(), &clock);
    let deciding = Deciding::of(config, &catalogue, ground.texts.clone(), &units)?;

    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("`{}` can't be made", config.data.display()))?;
    let database = Database::open(&config.data.join("vault.db"))?;
    let reader = database.reader();
    let identity = identity.signed_by(signature_rules(config, &reader)?);
    let shreds = Shreds::open(&config.shreds, &database)?;
    let age = age(&reader)?;
    let (hsm, envelope) = root_of_keys(config, age).await?;
    let signer = signer(&hsm, &config.hsm, age)?;
    let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;

    // The publisher looks first: a database that was rolled back must not be written to.
    let (signer, slot) = second::signing(config, checkpoint_signer(&hsm, signer, &key));
    let publisher = publisher(config, signer, database.reader(), &clock)?;
    let (committer, writer) = begun(config, &database, &reader, &clock).await?;
    let admission = admission.with_book(quota_book(database.reader(), committer.clone()));
    let stores = (&reader, &shreds);
    let second = (&slot, &committer, &clock);
    let keys = keys(config, &catalogue, &envelope, stores, second).await?;
    let mark = deciding.mark(&envelope, stores, &committer, &clock).await?;
    let watch_clock = Arc::clone(&clock);
    let shelf = KeyShelf::new(envelope, Arc::clone(&hsm), shelf_settings(config));
    let registrar = Registrar::open(&units, &keys, &database, &catalogue, config.units)?
        .with_calendars(ground.calendars.clone());
    told_of_missing_calendars(&ground.calendars, &units.now());
    let budgets = ground.budgets(&units.now())?;
    let guard = guard(config, &budgets, admission.locks(), (&reader, &clock))?;
    let receipts = publisher.receipts(config.ledger.deadline);
    let engine = Engine::new(
        catalogue,
        (keys, shelf),
        (reader, shreds),
        (committer.clone(), receipts),
        clock,
        bounds(config),
    );
    let engine = Arc::new(engine.guarded(guard).registering(registrar).approving(mark));
    let policies = deciding.policies(&engine).await?;
    engine.started(policies.digest()).await?;
    let ledger = published(config, (&publisher, &writer), &committer, &key)?;
    let alive = move || hsm.alive().map_err(|error| error.to_string());
    let hsm = HsmWatch::new(alive, config.keys.cache.grace, watch_clock);
    let vault = Arc::new(Vault {
        identity,
        admission,
        policies,
        engine,
        hsm,
        ledger,
        oauth: config.oauth.clone().map(TokenEndpoint::new),
        limits: config.limits,
        metrics: Metrics::default(),
    });
    Ok(Running {
        vault,
        key,
        publisher,
        writer,
        _database: database,
    })
}

/// A database without entries is new.
fn age(reader: &Reader) -> Result<Age, StoreError> {
    Ok(match reader.last_entry()? {
        None => Age::New,
        Some(_) => Age::Standing,
    })
}

/// The vault's own keys, and the one of the log's second signature, for which the publisher waits.
async fn keys(
    config: &Config,
    catalogue: &Catalogue,
    envelope: &Envelope,
    stores: (&Reader, &Shreds),
    (slot, committer, clock): (&second::Awaited, &Committer, &Arc<dyn Clock>),
) -> anyhow::Result<Keys> {
    second::fill(slot, config, envelope, stores, (committer, clock)).await?;
    Ok(Keys::open(catalogue, envelope, stores, committer, clock).await?)
}

/// Whoever is served has a checkpoint to compare with. One from before is enough while witnesses are away:
/// what is sequenced waits for them.
fn first_publication(publisher: &Publisher) -> anyhow::Result<()> {
    match publisher.publish() {
        Err(error @ PublishError::Unwitnessed { .. }) if *publisher.published().borrow() > 0 => {
            tracing::warn!(%error, "the vault serves, and the ledger waits for witnesses");
            Ok(())
        }
        done => Ok(done.map(drop)?),
    }
}

/// Publishes for the first time, and gives what others see of the log; from then on `bound` and all its clones
/// keep to how far entries may run ahead.
fn published(
    config: &Config,
    (publisher, writer): (&Publisher, &WriterThread),
    bound: &Committer,
    key: &VerifierKey,
) -> anyhow::Result<LedgerFace> {
    // Before it is needed: witnesses must know the key of a new log to cosign its first checkpoint.
    write_key(&config.data.join("ledger-key"), key)?;
    // Whoever is served has a checkpoint to compare with: a ledger taken away later is noticed.
    first_publication(publisher)?;
    let witnesses = config.ledger.witnesses.as_ref();
    let backlog = Backlog {
        sequenced: writer.sequenced(),
        integrated: publisher.integrated(),
        published: publisher.published(),
        entries_max: witnesses.and_then(|witnesses| witnesses.unpublished_entries_max),
    };
    bound.bound(backlog.clone());
    let (origin, readers) = (&config.ledger.origin, &config.ledger.readers);
    Ok(LedgerFace::new(
        config.data.join("ledger"),
        origin.clone(),
        readers.clone(),
        backlog,
    ))
}

fn identity(config: &Config, ground: &Ground, clock: &Arc<dyn Clock>) -> anyhow::Result<Identity> {
    let (registry, clock) = (Arc::clone(&ground.registry), Arc::clone(clock));
    Ok(Identity::new(registry, issuers(config)?, clock).possessing(config.dpop.clone()))
}

/// A unit that was registered while its calendar was there is not served: whoever looks after it is told.
fn told_of_missing_calendars(calendars: &Calendars, units: &Registry) {
    if let Err(error) = calendars.serve_all(units) {
        tracing::warn!(%error, "a registered unit is not served at any hour");
    }
}

fn admission(config: &Config, calendars: Calendars, clock: &Arc<dyn Clock>) -> Admission {
    let bounds = admission::Bounds {
        in_flight_max: config.limits.requests_in_flight_max,
        waiting_max: config.limits.requests_waiting_max,
        wait_max: config.limits.queue_wait,
    };
    Admission::new(bounds, Arc::clone(clock)).with_calendars(calendars)
}

/// The HSM, and what wraps every other key in it.
async fn root_of_keys(config: &Config, age: Age) -> anyhow::Result<(Arc<Hsm>, Arc<Envelope>)> {
    let settings = pin::token(&config.hsm, pin::obtain(config).await?);
    let hsm = Arc::new(hsm(&settings).await?);
    let root = root(&hsm, &config.hsm, age)?;
    let envelope = Arc::new(Envelope::new(Arc::clone(&hsm), root));
    Ok((hsm, envelope))
}

/// Opens the HSM. One that is away may be starting: machines and services start in any order.
async fn hsm(settings: &HsmSettings) -> Result<Hsm, HsmError> {
    let started = Instant::now();
    loop {
        match Hsm::open(settings) {
            Err(error @ HsmError::Unavailable { .. }) if started.elapsed() < HSM_WAIT_MAX => {
                tracing::warn!(%error, "waiting up to {HSM_WAIT_MAX:?} for the HSM");
                tokio::time::sleep(HSM_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// The guard, with what it knew before.
fn guard(
    config: &Config,
    budgets: &Budgets,
    locks: &Arc<Locks>,
    (reader, clock): (&Reader, &Arc<dyn Clock>),
) -> anyhow::Result<Guard> {
    let hooks = config.alerts.iter().map(|alert| alert.hook.clone());
    let guard = Guard::new(budgets, Arc::clone(clock))
        .telling(hooks.collect())
        .locking(locks)
        .limited(config.guard);
    let started = Instant::now();
    let entries = guard.recall(reader)?;
    if entries > 0 {
        let took = started.elapsed();
        tracing::info!(
            entries,
            ?took,
            "the budgets' windows are filled from the ledger"
        );
    }
    Ok(guard)
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        batch_items_max: config.limits.batch_items_max,
        searches_per_minute: config.limits.searches_per_minute,
    }
}

fn shelf_settings(config: &Config) -> ShelfSettings {
    ShelfSettings {
        cache: config.keys.cache,
        import_label: config.hsm.import_label.clone(),
        request_time_max: config.limits.request_timeout,
        deletion_wait_min: config.keys.deletion_wait_min,
        item_bytes_max: config.keys.item_bytes_max,
        token_key: config.oauth.as_ref().map(|terms| terms.key.clone()),
    }
}

/// What the settings say of signed requests, and what a restored database does.
fn signature_rules(config: &Config, reader: &Reader) -> anyhow::Result<Option<SignatureRules>> {
    let floor = reader.nonce_floor()?;
    Ok(config.signatures.clone().map(|rules| SignatureRules {
        floor_seconds: floor.map_or(0, Timestamp::seconds),
        ..rules
    }))
}

/// A new root is made for a new database only: another HSM must not be taken for the old one.
pub(super) fn root(hsm: &Hsm, config: &HsmConfig, age: Age) -> anyhow::Result<RootKey> {
    match hsm.root(&config.root_label)? {
        Some(root) => Ok(root),
        None if age == Age::New => Ok(hsm.generate_root(&config.root_label)?),
        None => bail!(
            "the HSM's token `{}` has no root key `{}`, and the database needs one: \
             is this the HSM that the database was made with?",
            config.token_label,
            config.root_label
        ),
    }
}

pub(super) fn signer(hsm: &Hsm, config: &HsmConfig, age: Age) -> anyhow::Result<Signer> {
    match hsm.signer(&config.signer_label)? {
        Some(signer) => Ok(signer),
        None if age == Age::New => Ok(hsm.generate_signer(&config.signer_label)?),
        None => bail!(
            "the HSM's token `{}` has no signing key `{}`, and the ledger needs it",
            config.token_label,
            config.signer_label
        ),
    }
}

pub(super) fn checkpoint_signer(
    hsm: &Arc<Hsm>,
    signer: Signer,
    key: &VerifierKey,
) -> CheckpointSigner {
    let hsm = Arc::clone(hsm);
    let sign = move |body: &[u8]| hsm.sign(&signer, body).map_err(|error| error.to_string());
    CheckpointSigner {
        key: key.clone(),
        sign: Box::new(sign),
        second: None,
    }
}

pub(super) fn publisher(
    config: &Config,
    signer: CheckpointSigner,
    reader: Reader,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Publisher> {
    signer_settled(&config.data.join("ledger"), &signer.key, &reader)?;
    unsettled_publisher(config, signer, reader, clock)
}

/// The same for a log that may be on its way to another signing key.
pub(super) fn unsettled_publisher(
    config: &Config,
    signer: CheckpointSigner,
    reader: Reader,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Publisher> {
    let directory = config.data.join("ledger");
    let origin = config.ledger.origin.clone();
    let interval = config.ledger.publish_interval;
    let witnesses = config.ledger.witnesses.as_ref();
    let witnesses = witnesses.map(|known| -> anyhow::Result<Witnesses> {
        Ok(Witnesses {
            policy: known.policy.clone(),
            asks: known.asks()?,
            deadline: known.deadline,
        })
    });
    Ok(Publisher::start(
        &directory,
        origin,
        signer,
        (reader, Arc::clone(clock)),
        interval,
        witnesses.transpose()?,
    )?)
}

/// The writer, behind the entry of a new incarnation where this is one.
async fn begun(
    config: &Config,
    database: &Database,
    reader: &Reader,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Committer, WriterThread)> {
    let (committer, writer) = start_writer(config, database, reader, clock)?;
    incarnation::take_up(config, reader, &committer, clock).await?;
    Ok((committer, writer))
}

pub(super) fn start_writer(
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

/// The public key, for the operator to hand to auditors; they pin their own copy.
fn write_key(path: &Path, key: &VerifierKey) -> anyhow::Result<()> {
    std::fs::write(path, format!("{key}\n"))
        .with_context(|| format!("`{}` can't be written", path.display()))
}
