//! `verify`: reads what the auditor pinned, judges the archive, and pins what was verified.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ledger::verify::{Class, Finding, Options, signers_of, verify_archive};
use ledger::{Checkpoint, Origin, Report, Trust, VerifierKey};

use crate::args;
use crate::screen::{Pretty, Screen, coloured, shown};

pub(crate) fn run(args: &args::Verify) -> anyhow::Result<u8> {
    let trust = trust(args)?;
    let report = verify_archive(&args.dir, &trust, Options::default());
    if args.json {
        Screen::json(&report, Pretty::Lines)?;
    } else {
        print(&report)?;
    }
    if let Some(state) = &args.state {
        pin(state, &report)?;
    }
    Ok(report.exit_code)
}

fn trust(args: &args::Verify) -> anyhow::Result<Trust> {
    if let (None, Some(file)) = (&args.key, &args.key_file) {
        outside(file, &args.dir)?;
    }
    let key = key(args.key.as_deref(), args.key_file.as_deref())?;
    let origin = args.origin.as_deref().map(Origin::parse).transpose()?;
    let pinned = match (&args.state, &key) {
        (None, _) => None,
        (Some(_), None) => {
            bail!("--state needs --key or --key-file: only what is signed is pinned")
        }
        (Some(file), Some(key)) => pinned(file, &args.dir, key)?,
    };
    Ok(Trust {
        key,
        origin,
        pinned,
        ..Trust::default()
    })
}

/// The key that was named, if any was.
pub(crate) fn key(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<VerifierKey>> {
    let text = match (text, file) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => fs::read_to_string(file).context("the key file cannot be read")?,
        (None, None) => return Ok(None),
    };
    Ok(Some(VerifierKey::parse(text.trim())?))
}

/// The operator can write in the archive: a key from there would prove nothing.
fn outside(file: &Path, dir: &Path) -> anyhow::Result<()> {
    let dir = dir.canonicalize().context("the archive cannot be opened")?;
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Both where the file is named and where a link leads.
    let named: PathBuf = parent
        .canonicalize()
        .context("the file's folder cannot be opened")?;
    let real = file.canonicalize().unwrap_or_else(|_| named.clone());
    let inside = named.starts_with(&dir) || real.starts_with(&dir);
    ensure!(
        !inside,
        "the file lies inside the archive: keep keys and state away from the operator"
    );
    Ok(())
}

fn pinned(file: &Path, dir: &Path, key: &VerifierKey) -> anyhow::Result<Option<Checkpoint>> {
    outside(file, dir)?;
    match fs::read_to_string(file) {
        Ok(note) => {
            // The log's key may have handed over since the key was pinned.
            let pinned = signers_of(dir, key).open(&note);
            Ok(Some(pinned.context(
                "the state file is not a checkpoint signed by this key",
            )?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Screen::remark("first run: no state file yet, so nothing holds the log to its past");
            Ok(None)
        }
        Err(error) => Err(error).context("the state file cannot be read"),
    }
}

/// Replaces the state in one step, only after a good verdict.
fn pin(state: &Path, report: &Report) -> anyhow::Result<()> {
    let Some(note) = report
        .note
        .as_ref()
        .filter(|_| report.verdict <= Class::Warning)
    else {
        Screen::remark("the state file was left as it is");
        return Ok(());
    };
    let mut next = state.as_os_str().to_owned();
    next.push(".next");
    let mut file = File::create(&next).context("the state file cannot be written")?;
    let written = file
        .write_all(note.as_bytes())
        .and_then(|()| file.sync_all());
    written.context("the state file cannot be written")?;
    fs::rename(&next, state).context("the state file cannot be replaced")
}

fn print(report: &Report) -> anyhow::Result<()> {
    let verdict = coloured(report.verdict, report.verdict.as_str());
    let origin = report
        .checkpoint
        .as_ref()
        .map_or("unknown log", |stated| &stated.origin);
    Screen::line(&format!(
        "{}: {verdict} (exit {})",
        shown(origin),
        report.exit_code
    ))?;
    Screen::line(&format!("  {}", shown(&report.scope())))?;
    if let Some(stated) = &report.checkpoint {
        Screen::line(&format!("  root {}", stated.root))?;
    }
    let read = report.read;
    Screen::line(&format!(
        "  read: {} hash tiles, {} items, {} archived checkpoints",
        read.tiles, read.items, read.checkpoints
    ))?;
    if let Some(size) = report.pinned_size {
        Screen::line(&format!(
            "  held to the checkpoint of size {size} verified last time"
        ))?;
    }
    for finding in &report.findings {
        Screen::line(&described(finding))?;
    }
    if report.findings_omitted > 0 {
        Screen::line(&format!("  and {} findings more", report.findings_omitted))?;
    }
    if !report.findings.is_empty() {
        Screen::line("  `jinku-ledger explain CODE` says what a finding means and what to do")?;
    }
    Ok(())
}

fn described(finding: &Finding) -> String {
    let mut place = Vec::new();
    if let Some(file) = &finding.file {
        place.push(shown(file));
    }
    if let Some(offset) = finding.offset {
        place.push(format!("byte {offset}"));
    }
    match (finding.seq, finding.seq_last) {
        (Some(first), Some(last)) => place.push(format!("seq {first}-{last}")),
        (Some(seq), None) => place.push(format!("seq {seq}")),
        (None, _) => {}
    }
    let code = coloured(finding.class, finding.code.as_str());
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" [{}]", place.join(", "))
    };
    format!("- {code}{place}: {}", shown(&finding.message))
}
