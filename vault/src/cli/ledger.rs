//! `jinku ledger export`: the published log as an archive that needs no server.

mod counts;
mod detail;
mod epoch;
mod incarnation;
mod signer;
mod stamp;
mod stopped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ledger::Checkpoint;
use ledger::tile::{Edge, TILE_WIDTH, entries_path, items_path, partial, tile_path};

use super::screen;
use crate::commit::is_unfinished;

/// Subcommands of `jinku ledger`.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Copy the published log into a new directory, for an auditor.
    Export {
        /// The vault's data directory.
        #[arg(long)]
        data: PathBuf,
        /// A directory that does not exist yet.
        #[arg(long)]
        to: PathBuf,
    },
    /// Count a backup's rows, for an auditor to hold against the ledger.
    Counts(counts::Options),
    /// Say that the database goes on in another life, while the vault is stopped: after it was moved by hand, or
    /// where another vault went on from a copy of it.
    NewIncarnation(stopped::Place),
    /// Show the reason that was given for an act, of a running vault.
    Detail(detail::Read),
    /// Erase it for good. The act's entry keeps a hash, which says nothing of it.
    EraseDetail(detail::Erase),
    /// List the epochs of pseudonyms.
    Epoch(epoch::Listing),
    /// Open the next epoch of pseudonyms, while the vault is stopped.
    NextEpoch(epoch::Next),
    /// Destroy the key of an epoch that is over, while the vault is stopped: nobody can tell any more whom its
    /// pseudonyms stand for. The log stays whole.
    EraseEpoch(epoch::Erase),
    /// Hand the log over to a new signing key, while the vault is stopped.
    RotateSigner(signer::Options),
    /// Have an authority stamp the published checkpoint with its time (RFC 3161).
    Stamp(stamp::Options),
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let (data, to) = match command {
        Command::Export { data, to } => (data, to),
        Command::Counts(options) => return counts::count(options),
        Command::NewIncarnation(place) => return incarnation::open(place),
        Command::Detail(options) => return detail::read(options),
        Command::EraseDetail(options) => return detail::erase(options),
        Command::Epoch(options) => return epoch::list(options),
        Command::NextEpoch(options) => return epoch::open_next(options),
        Command::EraseEpoch(options) => return epoch::erase(options),
        Command::RotateSigner(options) => return signer::rotate(options),
        Command::Stamp(options) => return stamp::stamp(options),
    };
    let files = export(data, to)?;
    screen::good(&format!("{files} files are in {}", to.display()));
    screen::quiet(&format!(
        "verify with: jinku-ledger verify {} --key-file {}",
        to.display(),
        data.join("ledger-key").display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Times an export is begun anew when the log grows past a partial tile meanwhile.
const ATTEMPTS_MAX: u32 = 8;

/// Copies exactly what the published checkpoint covers, also while the vault runs.
pub(super) fn export(data: &Path, to: &Path) -> anyhow::Result<u64> {
    let from = data.join("ledger");
    if to.exists() {
        bail!("`{}` exists already: name a new directory", to.display());
    }
    let mut attempt = 1;
    loop {
        match export_once(&from, to) {
            Err(error) if attempt == ATTEMPTS_MAX => return Err(error),
            Err(_) if to.exists() => fs::remove_dir_all(to)?,
            done => return done,
        }
        attempt += 1;
    }
}

fn export_once(from: &Path, to: &Path) -> anyhow::Result<u64> {
    // The archive of checkpoints first: it must not know more than `checkpoint` does.
    let mut files = copy_folder(&from.join("checkpoints"), &to.join("checkpoints"))?;
    files += copy_folder(&from.join("stamps"), &to.join("stamps"))?;
    let note = fs::read_to_string(from.join("checkpoint"))
        .with_context(|| format!("nothing is published under `{}` yet", from.display()))?;
    let (body, _) = note
        .split_once("\n\n")
        .context("the checkpoint is malformed")?;
    let size = Checkpoint::parse(&format!("{body}\n"))?.size;
    // No items, no file; where items are missing, the verifier says so.
    let items = items(size).filter(|path| from.join(path).exists());
    for path in covered(size).into_iter().chain(items) {
        copy_file(&from.join(&path), &to.join(&path))?;
        files += 1;
    }
    fs::write(to.join("checkpoint"), note)?;
    // Only a log whose signing key was changed has it.
    if from.join("signers").exists() {
        copy_file(&from.join("signers"), &to.join("signers"))?;
        files += 1;
    }
    Ok(files + 1)
}

/// The files of a log of this size: full tiles and bundles, and the partial ones at its edge.
fn covered(size: u64) -> Vec<String> {
    let mut paths = Vec::new();
    paths.extend((0..size / TILE_WIDTH).map(|n| entries_path(n, None)));
    paths.extend(partial(size).map(|width| entries_path(size / TILE_WIDTH, Some(width))));
    let levels = (0..8_u8).map(|level| (level, size >> (8 * (u32::from(level) + 1))));
    for (level, full) in levels.take_while(|(_, full)| *full > 0) {
        paths.extend((0..full).map(|n| tile_path(level, n, None)));
    }
    let edge = Edge::shape(size).into_iter();
    paths.extend(edge.map(|(index, width)| tile_path(index.level, index.n, Some(width))));
    paths
}

/// The files of the items beside a log of this size, where there are any.
fn items(size: u64) -> impl Iterator<Item = String> {
    let edge = partial(size).map(|width| items_path(size / TILE_WIDTH, Some(width)));
    let full = (0..size / TILE_WIDTH).map(|n| items_path(n, None));
    full.chain(edge)
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("`{}` can't be copied", from.display()))?;
    Ok(())
}

/// A folder that is not there yet holds nothing: the first checkpoint is archived after it stands.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<u64> {
    if !from.is_dir() {
        return Ok(0);
    }
    fs::create_dir_all(to)?;
    let mut files = 0;
    for entry in fs::read_dir(from).with_context(|| format!("`{}` is missing", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            files += copy_folder(&source, &target)?;
        } else if !is_unfinished(&source) {
            copy_file(&source, &target)?;
            files += 1;
        }
    }
    Ok(files)
}
