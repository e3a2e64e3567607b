//! `export`: copies what a verified checkpoint covers, with the format's text and a verifier in Python,
//! so that the copy needs no server, no vault, and not this tool either.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ledger::tile::{Edge, TILE_WIDTH, entries_path, items_path, partial, tile_path};
use ledger::verify::{Class, Options, verify_archive};
use ledger::{FORMAT, Report};
use sha2::{Digest as _, Sha256};

use crate::args::{Keys, Witnesses};
use crate::files::create;
use crate::screen::{Screen, coloured};
use crate::show::hex;
use crate::trust::Keyring;
use crate::verify::{described, threads};

/// The verifier that lies in every export: Python's standard library alone.
const VERIFIER: &str = include_str!("../../../VERIFY.py");

/// The statements by which the signing key was handed over.
const SIGNERS: &str = "signers";

const ARCHIVE: &str = include_str!("archive.md");

const EXAMPLES: &str = "\
Examples:
  jinku-ledger export /mnt/ledger /media/usb/ledger --key-file ~/audit/node-1.vkey";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder that holds `checkpoint` and `tile/`
    dir: PathBuf,
    /// A folder that is not there yet
    to: PathBuf,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    witnesses: Witnesses,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::witnessed(&args.keys, &args.witnesses, &[&args.dir])?;
    let trust = keys.trust(&args.dir, args.origin.as_deref())?;
    let options = Options {
        threads: threads(None),
        ..Options::default()
    };
    let report = verify_archive(&args.dir, &trust, &options);
    if report.verdict > Class::Warning {
        let word = coloured(report.verdict, report.verdict.as_str());
        Screen::line(&format!(
            "export: {word} (exit {}), nothing was copied",
            report.exit_code
        ))?;
        for finding in &report.findings {
            Screen::line(&described(finding))?;
        }
        return Ok(report.exit_code);
    }
    ensure!(
        !args.to.exists(),
        "{} is there already: name a new folder",
        args.to.display()
    );
    let files = copy(args, &report)?;
    let again = verify_archive(&args.to, &trust, &options);
    // Beyond the checkpoint nothing was copied; the archive of checkpoints may say what lay there.
    ensure!(
        again.verdict <= Class::Warning && again.checkpoint == report.checkpoint,
        "the archive was changed while it was copied: remove the copy, and export again"
    );
    Screen::line(&format!("{files} files are in {}", args.to.display()))?;
    Ok(report.exit_code)
}

fn copy(args: &Args, report: &Report) -> anyhow::Result<u64> {
    let Some((stated, note)) = report.checkpoint.as_ref().zip(report.note.as_ref()) else {
        bail!("the checkpoint is not signed by the key");
    };
    let mut files = 0;
    for path in covered(stated.size) {
        files += u64::from(copied(&args.dir, &args.to, &path)?);
    }
    for folder in ["checkpoints", "stamps"] {
        for path in below(&args.dir, folder)? {
            files += u64::from(copied(&args.dir, &args.to, &path)?);
        }
    }
    // Only a log whose signing key was handed over has it.
    if args.dir.join(SIGNERS).is_file() {
        files += u64::from(copied(&args.dir, &args.to, SIGNERS)?);
    }
    let digest = hex(&Sha256::digest(FORMAT.as_bytes()));
    let read_me = ARCHIVE
        .replace("{origin}", &stated.origin)
        .replace("{size}", &stated.size.to_string())
        .replace("{root}", &stated.root)
        .replace("{key}", report.key.as_deref().unwrap_or("none"))
        .replace("{format}", &digest)
        .replace("{verifier}", &hex(&Sha256::digest(VERIFIER.as_bytes())));
    for (name, text) in [
        ("FORMAT.cddl", FORMAT),
        ("VERIFY.py", VERIFIER),
        ("README.md", &read_me),
        ("checkpoint", note),
    ] {
        fs::create_dir_all(&args.to)?;
        create(&args.to.join(name), text.as_bytes())?;
        files += 1;
    }
    Ok(files)
}

/// The files of a log of this size: full tiles and bundles, and the partial ones at its edge.
fn covered(size: u64) -> Vec<String> {
    let mut paths = Vec::new();
    for n in 0..size.div_ceil(TILE_WIDTH) {
        let width = partial((size - n * TILE_WIDTH).min(TILE_WIDTH));
        paths.push(entries_path(n, width));
        paths.push(items_path(n, width));
    }
    for level in 0..8 {
        let full = (size >> (8 * u32::from(level))) / TILE_WIDTH;
        paths.extend((0..full).map(|n| tile_path(level, n, None)));
    }
    let edge = Edge::shape(size).into_iter();
    paths.extend(edge.map(|(index, width)| tile_path(index.level, index.n, Some(width))));
    paths
}

/// Copies a file. Where a partial one is gone, the full one stands in for it; items may be none.
fn copied(from: &Path, to: &Path, path: &str) -> anyhow::Result<bool> {
    let full = path.split_once(".p/").map(|(full, _)| full);
    for path in [Some(path), full].into_iter().flatten() {
        if !from.join(path).is_file() {
            continue;
        }
        let target = to.join(path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        fs::copy(from.join(path), &target).with_context(|| format!("{path} cannot be copied"))?;
        return Ok(true);
    }
    ensure!(path.starts_with("items/"), "{path} is not there any more");
    Ok(false)
}

/// Every file below a folder of the archive.
fn below(dir: &Path, folder: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(names) = fs::read_dir(dir.join(&folder)) else {
            continue;
        };
        for name in names {
            let name = name?;
            let path = folder.join(name.file_name());
            if name.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.extend(path.to_str().map(str::to_owned));
            }
        }
    }
    found.sort();
    Ok(found)
}
