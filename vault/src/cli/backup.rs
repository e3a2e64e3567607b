//! `jinku backup`: a copy of the database while the vault runs, and the manifest that `jinku restore` checks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use ring::digest::{self, SHA256};
use serde::{Deserialize, Serialize};

use super::screen;
use crate::commit::standing_tree;
use crate::config::Config;
use crate::model::{Clock, SystemClock};
use crate::store::{Reader, copy_out};

/// The copy's name in a backup.
pub(super) const DATABASE: &str = "vault.db";
const MANIFEST: &str = "manifest.json";
const SCHEMA: &str = "jinku.backup/1";
/// Largest manifest, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `jinku backup`.
#[derive(clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// A directory that does not exist yet.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

const NOTES: &str = "The vault may run meanwhile. The backup holds no shred keys: what is erased after it stays erased.
Not in it: the shred keys (`shreds`; they have a mirror), the published ledger (`jinku ledger export`), the HSM.";

/// What a backup says of itself.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    schema: String,
    /// The log's name.
    pub(super) origin: String,
    /// How many entries the copy has.
    pub(super) entries: u64,
    /// The root of the tree over them, in hexadecimal.
    pub(super) root: String,
    /// SHA-256 of the copy, in hexadecimal.
    sha256: String,
    /// When it was made, RFC 3339.
    pub(super) created_at: String,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let to = &options.to;
    let made = fs::DirBuilder::new().mode(0o700).create(to);
    made.with_context(|| format!("`{}` can't be made: name a new directory", to.display()))?;
    let manifest = backed_up(&config, to).inspect_err(|_| {
        // Half a backup is none. What can't be removed has no manifest, and is refused by it.
        let _ = fs::remove_dir_all(to);
    })?;
    screen::good(&format!(
        "{} entries, and the tokens and keys that they speak of, are in {}",
        manifest.entries,
        to.display()
    ));
    screen::quiet(
        "without shred keys: what is erased from now on stays erased when it is restored",
    );
    Ok(ExitCode::SUCCESS)
}

fn backed_up(config: &Config, to: &Path) -> anyhow::Result<Manifest> {
    let copy = to.join(DATABASE);
    copy_out(&config.data.join("vault.db"), &copy)?;
    let tree = standing_tree(&Reader::of_copy(&copy)?)?;
    let us = i64::try_from(SystemClock::new().now().0).unwrap_or(i64::MAX);
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        origin: config.ledger.origin.to_string(),
        entries: tree.size(),
        root: tree.root().to_string(),
        sha256: sha256(&copy)?,
        created_at: jiff::Timestamp::from_microsecond(us)?.to_string(),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    File::open(to)?.sync_all()?;
    let above = to.canonicalize()?;
    File::open(above.parent().unwrap_or(&above))?.sync_all()?;
    Ok(manifest)
}

impl Manifest {
    /// Reads the manifest of a backup and holds the copy beside it to its digest.
    pub(super) fn of(from: &Path) -> anyhow::Result<Self> {
        let path = from.join(MANIFEST);
        let mut bytes = Vec::new();
        let file = File::open(&path).with_context(|| {
            format!(
                "`{}` is no whole backup: it has no manifest",
                from.display()
            )
        })?;
        file.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes)?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .with_context(|| format!("`{}` is no manifest of a backup", path.display()))?;
        ensure!(
            manifest.schema == SCHEMA,
            "`{}` is a manifest of another version",
            path.display()
        );
        if sha256(&from.join(DATABASE))? != manifest.sha256 {
            bail!(
                "`{}` is not the copy that the manifest speaks of: it was damaged or altered",
                from.join(DATABASE).display()
            );
        }
        Ok(manifest)
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> anyhow::Result<String> {
    let mut context = digest::Context::new(&SHA256);
    let mut file =
        File::open(path).with_context(|| format!("`{}` can't be read", path.display()))?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => context.update(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let hash = context.finish();
    let bytes = hash.as_ref().try_into();
    Ok(ledger::Hash(bytes.context("SHA-256 has 32 bytes")?).to_string())
}
