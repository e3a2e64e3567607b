//! `jinku key rotate-root`: every key version under another root key, step by step, each step an entry.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use kms::{Envelope, Hsm, WrappedKey};
use ledger::{Facts, Operation, Outcome, VerifierKey};

use super::{ceremony, open, screen, second};
use crate::commit::{CheckpointSigner, Committer, Record, Withheld};
use crate::config::Config;
use crate::model::{Clock, SystemClock};
use crate::store::{Change, Database, KeyWrite, Material, Reader};

/// Key versions of one step.
const STEP_VERSIONS: u32 = 200;

/// Arguments of `jinku key rotate-root`.
#[derive(clap::Args)]
pub(super) struct Rotation {
    /// The configuration file. Its `hsm.root_label` names the new root key.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Label of the root key that the key versions are under now.
    #[arg(long, value_name = "LABEL")]
    from: String,
    /// File with the HSM's PIN, where the configuration names none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
}

/// Moves what is under the old root key. What was broken off goes on where it ended.
pub(super) fn rotate(options: &Rotation) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let (from, to) = (&options.from, &config.hsm.root_label);
    if from == to {
        bail!("`hsm.root_label` names the old root key: name the new one there first");
    }
    // A vault that runs holds the database's lock, and keys that it opened.
    let database = Database::open(&config.data.join("vault.db"))?;
    let settings = ceremony::named_token(&config, options.pin_file.as_deref())?;
    let hsm = Arc::new(Hsm::open(&settings)?);
    let (old, new) = roots(&config, &hsm, from)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let signer = open::signer(&hsm, &config.hsm, open::Age::Standing)?;
    let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;
    let signer = CheckpointSigner {
        second: second::under(&config, &[&old, &new], &database.reader())?,
        ..open::checkpoint_signer(&hsm, signer, &key)
    };
    // It looks first: a database that was rolled back must not be written to.
    let publisher = open::publisher(&config, signer, database.reader(), &clock)?;
    let reader = database.reader();
    let (committer, writer) = open::start_writer(&config, &database, &reader, &clock)?;
    let moving = moved(&reader, &committer, (&old, &new), to);
    let moved = super::runtime()?.block_on(moving);
    drop(committer);
    writer.join();
    publisher.publish()?;
    let Moved { now, before } = moved?;
    screen::good(&format!(
        "{now} key versions moved to the root key `{to}`, {before} had moved before"
    ));
    screen::quiet(&format!(
        "The root key `{from}` stays in the HSM: backups of keys that were made under it open under it only. \
         Make them anew, then destroy it with the HSM's own tool."
    ));
    if config.hsm.recovery_file.exists() {
        screen::quiet("Try whether the recovery shares give the new root key: jinku key drill");
    }
    Ok(ExitCode::SUCCESS)
}

/// The old root key and the new one, which is made here if no ceremony made it.
fn roots(config: &Config, hsm: &Arc<Hsm>, from: &str) -> anyhow::Result<(Envelope, Envelope)> {
    let to = &config.hsm.root_label;
    let old = hsm.root(from)?;
    let old = old.with_context(|| format!("the HSM has no root key `{from}`"))?;
    let new = match hsm.root(to)? {
        Some(root) => root,
        None if config.hsm.recovery_file.exists() => bail!(
            "`{}` holds a copy of another root key, and no key leaves the HSM: name a new \
             `hsm.recovery_file`, and hold a ceremony for `{to}` first",
            config.hsm.recovery_file.display()
        ),
        None => hsm.generate_root(to)?,
    };
    let envelope = |root| Envelope::new(Arc::clone(hsm), root);
    Ok((envelope(old), envelope(new)))
}

/// Key versions that moved, and those that an earlier run had moved.
#[derive(Default)]
struct Moved {
    now: u64,
    before: u64,
}

/// The vault's own keys come last in the order of ids: until all have moved, no vault starts under the new root.
async fn moved(
    reader: &Reader,
    committer: &Committer,
    (old, new): (&Envelope, &Envelope),
    to: &str,
) -> anyhow::Result<Moved> {
    let mut moved = Moved::default();
    let mut after = None;
    loop {
        let found = reader.materials_after(after.as_ref(), STEP_VERSIONS)?;
        let Some(last) = found.last() else {
            screen::progress_ends();
            return Ok(moved);
        };
        after = Some((last.key.clone(), last.number));
        let mut writes = Vec::with_capacity(found.len());
        for material in found {
            match rewrapped(material, old, new)? {
                Some(write) => writes.push(write),
                None => moved.before += 1,
            }
        }
        let count = u64::try_from(writes.len()).unwrap_or(u64::MAX);
        if count > 0 {
            let mut facts = Facts::new(Operation::RootRotate, Outcome::Ok);
            facts.key = Some((to.to_owned(), 0));
            let change = Change {
                keys: writes,
                ..Change::none()
            };
            // INVARIANT 2: no key version moves without an entry in the same transaction.
            let record = Record::single(change, facts);
            committer.record(record, Withheld::nothing()).await?;
        }
        moved.now += count;
        screen::progress(&format!("{} key versions moved", moved.now));
    }
}

/// The write that moves one version; `None` if it has moved.
fn rewrapped(
    material: Material,
    old: &Envelope,
    new: &Envelope,
) -> anyhow::Result<Option<KeyWrite>> {
    let Material {
        key,
        number,
        kind,
        wrapped: seen,
    } = material;
    let standing = WrappedKey::from_parts(key.clone(), number, kind, seen.clone());
    match old.rewrap(&standing, new) {
        Ok(wrapped) => {
            let wrapped = wrapped.blob().to_vec();
            Ok(Some(KeyWrite::Rewrap {
                key,
                number,
                seen,
                wrapped,
            }))
        }
        // Wrapped once more under its own root, of whatever kind it is: so it opens there.
        Err(kms::Error::Unopened) => match new.rewrap(&standing, new) {
            Ok(_) => Ok(None),
            Err(kms::Error::Unopened) => bail!(
                "version {number} of key `{}` opens under neither root key: the database was altered, or \
                 `--from` names another root; nothing of it was changed",
                key.as_str()
            ),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}
