//! `verify`: reads what the auditor pinned, judges the archives, and pins what was verified.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::{Context as _, bail, ensure};
use ledger::verify::{Begin, Class, Finding, Options, Resume, stated_origin, verify_watched};
use ledger::{Report, Trust};
use serde_json::json;

use crate::args;
use crate::files::replace;
use crate::progress::{Bar, Show};
use crate::screen::{Pretty, Screen, coloured, shown};
use crate::trust::{Keyring, outside, pinned, state};

/// Names the shape of a report over several archives.
const REPORTS_SCHEMA: &str = "jinku-ledger.reports/1";

pub(crate) fn run(args: &args::Verify) -> anyhow::Result<u8> {
    let dirs: Vec<&Path> = args.dirs.iter().map(PathBuf::as_path).collect();
    let keys = Keyring::witnessed(&args.keys, &args.witnesses, &dirs)?;
    keys.told_apart(&dirs, args.origin.as_deref())?;
    let one = dirs.len() == 1;
    ensure!(
        one || args.since.is_none() && args.resume.is_none(),
        "--since and --resume go with one archive"
    );
    let mut reports = Vec::new();
    for dir in dirs {
        let state = args.state.as_deref().map(|file| {
            if one {
                Ok(file.to_owned())
            } else {
                state_in(file, dir)
            }
        });
        let state = state.transpose()?;
        let report = judge(args, dir, &keys, state.as_deref())?;
        if !args.json {
            print(&report)?;
        }
        if let Some(state) = &state {
            pin(state, &report)?;
        }
        reports.push(report);
    }
    let verdict = reports.iter().map(|report| report.verdict).max();
    let verdict = verdict.unwrap_or(Class::Verified);
    match reports.as_slice() {
        [report] if args.json => Screen::json(report, Pretty::Lines)?,
        [_] => {}
        many if args.json => {
            let all = json!({
                "schema": REPORTS_SCHEMA,
                "verdict": verdict,
                "exit_code": verdict.exit_code(),
                "reports": many,
            });
            Screen::json(&all, Pretty::Lines)?;
        }
        many => {
            let word = coloured(verdict, verdict.as_str());
            let exit = verdict.exit_code();
            Screen::line(&format!("{} archives: {word} (exit {exit})", many.len()))?;
        }
    }
    Ok(verdict.exit_code())
}

fn judge(
    args: &args::Verify,
    dir: &Path,
    keys: &Keyring,
    state_file: Option<&Path>,
) -> anyhow::Result<Report> {
    let mut trust = keys.trust(dir, args.origin.as_deref())?;
    let mut options = Options {
        threads: threads(args.jobs),
        ..Options::default()
    };
    if let Some(file) = state_file {
        trust.pinned = state(file, dir, &trust)?;
    }
    if let Some(file) = &args.since {
        trust.pinned = pinned(file, dir, &trust)?;
        ensure!(
            trust.pinned.is_some(),
            "the checkpoint of --since is not there"
        );
        options.begin = Begin::Pinned;
    }
    let place = args.resume.as_deref().map(|file| place(file, dir, &trust));
    if let Some(Some(place)) = place.transpose()? {
        let entries = place.entries();
        Screen::remark(&format!(
            "going on behind {entries} entries, if the archive is as it was"
        ));
        options.begin = Begin::Resume(Box::new(place));
    }
    let show = if args.quiet {
        Show::Never
    } else {
        args.progress
    };
    let mut bar = Bar::new(show, args.resume.clone());
    let report = verify_watched(dir, &trust, &options, &mut |progress| bar.reached(progress));
    bar.done();
    Ok(report)
}

/// As many threads as were asked for, or as there are processors.
pub(crate) fn threads(jobs: Option<NonZeroUsize>) -> usize {
    let there = || available_parallelism().ok();
    jobs.or_else(there).map_or(1, NonZeroUsize::get)
}

/// Where a verification of this archive was broken off.
fn place(file: &Path, dir: &Path, trust: &Trust) -> anyhow::Result<Option<Resume>> {
    outside(file, dir)?;
    if trust.key.is_none() {
        bail!("--resume needs --key or --key-file: only a signed log can have stayed the same");
    }
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(file).context("the place to go on at cannot be read")?;
    let place = Resume::parse(&text);
    let place =
        place.context("this file is not a place to go on at: remove it, or name another")?;
    Ok(Some(place))
}

/// The state file of one of several archives: named after its log.
fn state_in(folder: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        folder.is_dir(),
        "with several archives --state names a folder that is there: each log gets a file in it"
    );
    outside(&folder.join("state"), dir)?;
    let origin = stated_origin(dir);
    let origin = origin.context("an archive without a readable checkpoint has no state")?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '_'
        }
    };
    let name: String = origin.as_str().chars().map(plain).collect();
    // Two names may look alike once they are plain.
    let mark = ledger::leaf_hash(origin.as_str().as_bytes()).to_string();
    Ok(folder.join(format!("{name}-{}.checkpoint", &mark[..8])))
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
    replace(state, note.as_bytes())
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
    if let Some(entries) = report.resumed_at {
        Screen::line(&format!(
            "  gone on behind {entries} entries that an earlier run verified"
        ))?;
    }
    if let Some(size) = report.pinned_size {
        Screen::line(&format!(
            "  held to the checkpoint of size {size} verified last time"
        ))?;
    }
    for life in report.lives() {
        Screen::line(&format!("  {}", shown(&life)))?;
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

/// A finding on one line, with its place.
pub(crate) fn described(finding: &Finding) -> String {
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
