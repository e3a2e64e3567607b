//! The root key's ceremony, drill and recovery: a copy of the root, under a secret split M-of-N.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use kms::shares::SECRET_BYTES;
use kms::{Envelope, Hsm, HsmSettings, RecoveryFile, SecretBytes};
use ledger::VerifierKey;

use super::holders::{self, Table};
use super::{pin, root, screen};
use crate::config::{self, Config, PinSource};

/// What can be done with the root key's recovery.
#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Make the root key, and split the secret that opens its sealed copy M-of-N.
    Ceremony(Ceremony),
    /// Try the recovery shares: do they open the copy, and is it the HSM's root key?
    Drill(Shares),
    /// Put the root key into another HSM.
    Recover(Shares),
    /// Move every key version to another root key, while the vault is stopped.
    RotateRoot(root::Rotation),
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Ceremony(options) => hold(options),
        Verb::Drill(options) => drill(options),
        Verb::Recover(options) => recover(options),
        Verb::RotateRoot(options) => root::rotate(options),
    }
}

/// Arguments of `jinku key ceremony`.
#[derive(clap::Args)]
pub(super) struct Ceremony {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Shares to be made: one a holder, at most 16.
    #[arg(long, default_value_t = 5)]
    shares: u8,
    /// Shares that open the recovery file together, at least 2.
    #[arg(long, default_value_t = 3)]
    threshold: u8,
    /// Write the shares to files in this folder, instead of showing them one by one.
    #[arg(long)]
    share_dir: Option<PathBuf>,
    /// File with the HSM's PIN, where the configuration names none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
}

/// Arguments of `jinku key drill` and `jinku key recover`.
#[derive(clap::Args)]
pub(super) struct Shares {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Files with shares; without them the holders type.
    #[arg(long = "share-file")]
    share_files: Vec<PathBuf>,
    /// File with the HSM's PIN, where the configuration names none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
}

/// Makes the root key, splits its recovery secret, gives the shares out and takes them back once.
fn hold(options: &Ceremony) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let path = &config.hsm.recovery_file;
    if path.exists() {
        bail!(
            "`{}` is there already: its shares are what opens it",
            path.display()
        );
    }
    let table = Table::set(options.share_dir.as_deref())?;
    let settings = named_token(&config, options.pin_file.as_deref())?;
    let hsm = Hsm::open(&settings)?;
    if hsm.root(&config.hsm.root_label)?.is_some() {
        bail!(
            "the HSM has the root key `{}` already, and no key leaves the HSM: \
             a ceremony is held before the vault's first start",
            config.hsm.root_label
        );
    }
    let root = drawn_with(&hsm)?;
    let secret = kms::random_bytes(SECRET_BYTES)?;
    let shares = kms::shares::split(&secret, options.threshold, options.shares)?;
    let file = RecoveryFile::new(&secret, &shares, Some(&root), Some(&settings.pin))?;
    screen::headline(&format!(
        "Recovery shares: any {} of {} open the root key's copy and the HSM's PIN",
        options.threshold, options.shares
    ));
    table.give(&shares)?;
    screen::headline("Each holder proves the copy");
    table.verify(&shares, &file)?;
    // Only now: a ceremony that was broken off has changed nothing.
    holders::write_new(path, file.text().trim_end())?;
    hsm.install_root(&config.hsm.root_label, &root)?;
    screen::good(&format!(
        "the root key `{}` is in the HSM",
        config.hsm.root_label
    ));
    screen::good(&format!(
        "its sealed copy is in {}: keep it with the backups",
        path.display()
    ));
    screen::quiet("Try the shares once a year: jinku key drill");
    Ok(ExitCode::SUCCESS)
}

/// Opens the recovery file with shares, and compares what it holds with the HSM's root key.
fn drill(options: &Shares) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let file = pin::recovery_file(&config.hsm.recovery_file)?;
    let secret = holders::collect(&file, &options.share_files)?;
    let root = recovered_root(&file, &secret)?;
    let settings = match file.pin(&secret)? {
        Some(pin) => pin::token(&config.hsm, pin),
        None => named_token(&config, options.pin_file.as_deref())?,
    };
    let hsm = Arc::new(Hsm::open(&settings)?);
    let label = &config.hsm.root_label;
    let standing = hsm
        .root(label)?
        .with_context(|| format!("the HSM has no root key `{label}`"))?;
    Envelope::new(hsm, standing)
        .is_root(&root)
        .context("the recovery file holds another root key than the HSM")?;
    let set = file.set();
    screen::good(&format!(
        "{} shares of {} open the recovery file, and it holds the HSM's root key `{label}`",
        set.threshold(),
        set.count()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Puts the root key into another HSM, and takes the ledger up under that HSM's new signing key.
fn recover(options: &Shares) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let file = pin::recovery_file(&config.hsm.recovery_file)?;
    let settings = named_token(&config, options.pin_file.as_deref())?;
    let hsm = Hsm::open(&settings)?;
    let label = &config.hsm.root_label;
    if hsm.root(label)?.is_some() {
        bail!("this HSM has a root key `{label}`: nothing is to be recovered");
    }
    let secret = holders::collect(&file, &options.share_files)?;
    let root = recovered_root(&file, &secret)?;
    hsm.install_root(label, &root)?;
    screen::good(&format!("the root key `{label}` is in the HSM"));
    take_up_ledger(&config, &hsm)?;
    if file.has_pin() {
        let path = &config.hsm.recovery_file;
        let fresh = path.with_extension("new");
        holders::write_new(
            &fresh,
            file.with_pin(&secret, &settings.pin)?.text().trim_end(),
        )?;
        std::fs::rename(&fresh, path)?;
        screen::good("the recovery file holds this HSM's PIN; the shares stay as they are");
    }
    Ok(ExitCode::SUCCESS)
}

/// A new HSM has another signing key. It signs what the old one had signed last, and says so.
fn take_up_ledger(config: &Config, hsm: &Hsm) -> anyhow::Result<()> {
    let label = &config.hsm.signer_label;
    let signer = match hsm.signer(label)? {
        Some(signer) => signer,
        None => hsm.generate_signer(label)?,
    };
    let checkpoint = config.data.join("ledger/checkpoint");
    if !checkpoint.exists() {
        return Ok(());
    }
    let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;
    let old_key = config::read(&config.data.join("ledger-key"))?;
    let old_key = VerifierKey::parse(old_key.trim_end())?;
    let standing = ledger::open_checkpoint(&config::read(&checkpoint)?, &old_key)
        .context("the published checkpoint is not signed by the old HSM's key")?;
    let body = standing.body();
    let signature = hsm.sign(&signer, body.as_bytes())?;
    let note = ledger::signed_note(&body, &[ledger::signature_line(&key, &signature)]);
    set_aside(&config.data)?;
    holders::write_new(&checkpoint, note.trim_end())?;
    std::fs::write(config.data.join("ledger-key"), format!("{key}\n"))?;
    screen::good(&format!("the ledger goes on under a new key: {key}"));
    screen::quiet(
        "Tell the auditors, who must pin it. What the old key signed is in `ledger-before-recovery`.",
    );
    Ok(())
}

/// The old key with what it signed: auditors who pinned it find there where the log stood.
fn set_aside(data: &Path) -> anyhow::Result<()> {
    let aside = data.join("ledger-before-recovery");
    std::fs::create_dir(&aside)
        .with_context(|| format!("`{}` can't be made: is it there already?", aside.display()))?;
    for (from, to) in [
        ("ledger/checkpoint", "checkpoint"),
        ("ledger/checkpoints", "checkpoints"),
        ("ledger-key", "ledger-key"),
    ] {
        if data.join(from).exists() {
            std::fs::rename(data.join(from), aside.join(to))?;
        }
    }
    Ok(())
}

fn recovered_root(file: &RecoveryFile, secret: &SecretBytes) -> anyhow::Result<SecretBytes> {
    file.root(secret)?
        .context("the recovery file holds no root key")
}

/// The system's random numbers mixed with the HSM's: neither alone decides.
fn drawn_with(hsm: &Hsm) -> anyhow::Result<SecretBytes> {
    let ours = kms::random_bytes(32)?;
    let mut mixed = vec![0; 32];
    hsm.random(&mut mixed)?;
    mixed
        .iter_mut()
        .zip(ours.expose())
        .for_each(|(byte, other)| *byte ^= other);
    Ok(SecretBytes::new(mixed))
}

/// The token, with a PIN that a file names.
pub(super) fn named_token(config: &Config, named: Option<&Path>) -> anyhow::Result<HsmSettings> {
    let pin = match (named, &config.hsm.pin) {
        (Some(file), _) => pin::from_file(file)?,
        (None, PinSource::File(file)) => pin::from_file(file)?,
        (None, PinSource::Unseal) => {
            bail!("the configuration names no PIN file: name the HSM's with --pin-file")
        }
    };
    Ok(pin::token(&config.hsm, pin))
}
