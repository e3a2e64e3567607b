//! `jinku restore`: a backup in the database's place, made good by what the published ledger says was done since.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use kms::{Envelope, Hsm};
use ledger::{Facts, Operation, Outcome, VerifierKey};

use super::backup::{DATABASE, Manifest};
use super::{ceremony, incarnation, open, screen, second};
use crate::commit::{CheckpointSigner, Opening, Record, Replay, Withheld, standing_tree};
use crate::config::Config;
use crate::engine::{Aftermath, make_good};
use crate::model::{Clock, SystemClock};
use crate::store::{Change, Database, IncarnationRow, Mark, Reader, Shreds};

/// `SQLite`'s files beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Arguments of `jinku restore`.
#[derive(clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// What `jinku backup` made.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// File with the HSM's PIN, where the configuration names none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
    /// Give up entries of the present database that were never published.
    #[arg(long)]
    discard_unpublished: bool,
}

const NOTES: &str = "The vault is stopped meanwhile. The present database is kept aside, under another name. The published \
ledger and the shred keys stay as they are: whoever brings old ones back too brings back what they knew, \
and no more. Tokens issued after the backup are lost.";

/// Where everything stands.
struct Places {
    data: PathBuf,
    database: PathBuf,
    /// Where the backup is made good, before it takes the database's place.
    staged: PathBuf,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let manifest = Manifest::of(&options.from)?;
    ensure!(
        manifest.origin == config.ledger.origin.as_str(),
        "the backup is of the log `{}`, and this vault's is `{}`",
        manifest.origin,
        config.ledger.origin
    );
    let places = Places {
        data: config.data.clone(),
        database: config.data.join("vault.db"),
        staged: config.data.join("vault-restoring.db"),
    };
    // A vault that runs holds this.
    let held = Database::hold(&places.database)?;
    let settings = ceremony::named_token(&config, options.pin_file.as_deref())?;
    let hsm = Arc::new(Hsm::open(&settings)?);
    places.clear_stage()?;
    let staged = staged(options, &config, &manifest, &hsm, &places);
    let (done, opened) = staged.inspect_err(|_| {
        // What is left is cleared by the next run.
        let _ = places.clear_stage();
    })?;
    let aside = places.swap()?;
    // Broken off before this, the next start finds that the mark differs, and opens another one.
    incarnation::set(&Mark::beside(&config.shreds.file), &opened)?;
    drop(held);
    published(&config, &hsm, &places)?;
    told(&manifest, &done, aside.as_deref());
    Ok(ExitCode::SUCCESS)
}

/// The copy, with the entries since and what they did, and one that says that it came back.
fn staged(
    options: &Options,
    config: &Config,
    manifest: &Manifest,
    hsm: &Arc<Hsm>,
    places: &Places,
) -> anyhow::Result<(Aftermath, IncarnationRow)> {
    let from = options.from.join(DATABASE);
    fs::copy(&from, &places.staged)
        .with_context(|| format!("`{}` can't be copied", from.display()))?;
    fs::set_permissions(&places.staged, fs::Permissions::from_mode(0o600))?;
    let database = Database::open(&places.staged)?;
    let reader = database.reader();
    let tree = standing_tree(&reader)?;
    ensure!(
        (tree.size(), tree.root().to_string()) == (manifest.entries, manifest.root.clone()),
        "the copy does not hold the entries that its manifest states"
    );
    let signer = open::signer(hsm, &config.hsm, open::Age::Standing)?;
    let origin = config.ledger.origin.clone();
    let key = VerifierKey::new(origin.as_str(), signer.public_key())?;
    let replay = Replay::open(&places.data.join("ledger"), origin, key, &reader)?;
    if !options.discard_unpublished {
        places.nothing_unpublished(replay.first() + replay.count())?;
    }
    let root = hsm.root(&config.hsm.root_label)?;
    let root = root.with_context(|| {
        format!(
            "the HSM has no root key `{}`, and the backup needs one",
            config.hsm.root_label
        )
    })?;
    let envelope = Envelope::new(Arc::clone(hsm), root);
    // A file of another database is found out.
    let shreds = Shreds::open(&config.shreds, &database)?;
    let done = make_good(&database, &replay, (&envelope, &shreds))?;
    drop(shreds);
    // Shred keys that are due are destroyed, if they are not yet.
    Shreds::open(&config.shreds, &database)?;
    let opened = super::runtime()?.block_on(noted(config, &database, &reader, &done))?;
    // Nonces taken since the backup are not in it: what was signed before now counts no longer.
    database.lose_nonces_before(SystemClock::new().now())?;
    Ok((done, opened))
}

/// The entries that say so: what came back is another life of the database.
async fn noted(
    config: &Config,
    database: &Database,
    reader: &Reader,
    done: &Aftermath,
) -> anyhow::Result<IncarnationRow> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (committer, writer) = open::start_writer(config, database, reader, &clock)?;
    let opened = incarnation::open(reader, &committer, &clock, Opening::Restored).await;
    let mut facts = Facts::new(Operation::Restore, Outcome::Ok);
    let Aftermath {
        replayed,
        removed,
        lost,
        ..
    } = done;
    facts.reason = Some(format!("replayed-{replayed}-removed-{removed}-lost-{lost}"));
    let record = Record::single(Change::none(), facts);
    let recorded = committer.record(record, Withheld::nothing()).await;
    drop(committer);
    writer.join();
    recorded?;
    opened
}

impl Places {
    fn clear_stage(&self) -> anyhow::Result<()> {
        let mut files = vec![self.staged.clone(), self.staged.with_extension("lock")];
        files.extend(BESIDE.map(|suffix| beside(&self.staged, suffix)));
        for file in files {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("`{}` is in the way", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What was answered and not published yet is in the present database alone.
    fn nothing_unpublished(&self, published: u64) -> anyhow::Result<()> {
        let last = Reader::of_copy(&self.database).and_then(|reader| reader.last_entry());
        let standing = last.ok().flatten().map_or(0, |entry| entry.seq + 1);
        if standing > published {
            bail!(
                "the present database has {standing} entries, of which {published} are published: start the \
                 vault once, so that it publishes the rest, or say --discard-unpublished to lose them"
            );
        }
        Ok(())
    }

    /// The present database goes aside, and the staged one takes its place. Gives where the old one is.
    fn swap(&self) -> anyhow::Result<Option<PathBuf>> {
        let stamp = SystemClock::new().now().0;
        let aside = self.data.join(format!("vault.db.before-{stamp}"));
        let mut moved = None;
        for suffix in ["", "-wal", "-shm"] {
            let from = beside(&self.database, suffix);
            if from.exists() {
                fs::rename(&from, beside(&aside, suffix))?;
                moved = Some(aside.clone());
            }
        }
        fs::rename(&self.staged, &self.database)?;
        File::open(&self.data)?.sync_all()?;
        self.clear_stage()?;
        Ok(moved)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The log goes on, and says so: auditors see the entry before anyone is served.
fn published(config: &Config, hsm: &Arc<Hsm>, places: &Places) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let database = Database::open(&places.database)?;
    let signer = open::signer(hsm, &config.hsm, open::Age::Standing)?;
    let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;
    let signer = CheckpointSigner {
        second: second::standing(config, hsm, &database.reader())?,
        ..open::checkpoint_signer(hsm, signer, &key)
    };
    open::publisher(config, signer, database.reader(), &clock)?.publish()?;
    Ok(())
}

fn told(manifest: &Manifest, done: &Aftermath, aside: Option<&Path>) {
    screen::good(&format!(
        "the backup of {} is in place: {} entries since then were replayed",
        manifest.created_at, done.replayed
    ));
    let counts = [
        (
            done.removed,
            "tokens that were erased, purged or replaced since are gone again",
        ),
        (done.switched, "tokens were switched as they had been since"),
        (done.keys, "keys are destroyed or switched off again"),
        (
            done.lost,
            "tokens that were issued since are lost: no backup has them",
        ),
        (
            done.units,
            "acts on registered units since: their units are suspended or retired, until two people look",
        ),
        (
            done.key_acts_lost,
            "other acts on keys since are lost: look for them with `jinku-ledger show`",
        ),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        screen::quiet(&format!("{count} {what}"));
    }
    if let Some(aside) = aside {
        screen::quiet(&format!("the database before is in {}", aside.display()));
    }
}
