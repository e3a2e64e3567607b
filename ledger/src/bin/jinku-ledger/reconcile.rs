//! `reconcile`: holds the ledger against what others know: the vault's row counts, receipts that units kept, reasons in
//! words that were handed out.

mod details;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ledger::verify::{Book, BookError, Class, Code, Listed, Listing, signers_of};
use ledger::{
    ItemView, Operation, Outcome, Pseudonym, RECEIPT_BYTES_MAX, Receipt, Signers, Trust,
    VerifierKey, verify_receipt_by,
};
use serde::Deserialize;
use serde_json::json;

pub(crate) use details::Committed;

use crate::args::{Keys, Witnesses};
use crate::files::read;
use crate::reading::{Reading, verified};
use crate::screen::{Pretty, Screen, coloured, shown};
use crate::trust::Keyring;
use crate::verdict;
use crate::verify::threads;

/// Names the shape of the answer in JSON.
const SCHEMA: &str = "jinku-ledger.reconciled/1";
const COUNTS_SCHEMA: &str = "jinku.counts/1";
const COUNTS_BYTES_MAX: u64 = 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger reconcile /mnt/ledger --key-file ~/audit/node-1.vkey --counts counts.json
  jinku-ledger reconcile /mnt/ledger --key-file ~/audit/node-1.vkey --receipts /srv/tax-office/receipts
  jinku-ledger reconcile /mnt/ledger --key-file ~/audit/node-1.vkey --details /srv/audit/reasons";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder that holds `checkpoint` and `tile/`
    dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    witnesses: Witnesses,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// The vault's row counts, as `jinku ledger counts` prints them
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// How many tokens the vault's operator says there are
    #[arg(long, value_name = "N", conflicts_with = "counts")]
    tokens: Option<u64>,
    /// How many entries the vault's operator says there are
    #[arg(long, value_name = "N", conflicts_with = "counts")]
    entries: Option<u64>,
    /// A receipt that a unit kept, or a folder of them (`*.tlog-proof`)
    #[arg(long, value_name = "PATH")]
    receipts: Vec<PathBuf>,
    /// A folder of reasons in words (`*.detail`, as `jinku ledger detail` prints them): each must be its entry's, and none
    /// may be missing of which no entry says that it was erased
    #[arg(long, value_name = "DIR")]
    details: Option<PathBuf>,
    /// Print the answer in JSON (schema `jinku-ledger.reconciled/1`)
    #[arg(long)]
    json: bool,
}

/// What the vault has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    schema: String,
    /// Entries, published or not.
    entries: Option<u64>,
    /// Tokens that stand.
    tokens: Option<u64>,
    /// The same by domain.
    #[serde(default)]
    domains: BTreeMap<String, u64>,
}

/// A difference, or none: what was compared and what it came to.
struct Line {
    what: String,
    ledger: u64,
    /// Where the ledger tells a range: its lower end.
    least: u64,
    told: u64,
    code: Option<Code>,
}

/// Tokens by domain, as their entries tell.
#[derive(Default)]
struct Standing {
    issued: BTreeMap<String, Issued>,
    incomplete: u64,
    /// Only the entries before this one count.
    until: Option<u64>,
}

/// Tokens of one domain by the epoch of their pseudonyms. A token has another one in each epoch, and the archive
/// does not tell which belong together: with one epoch the count is exact, with several it is between two ends.
#[derive(Default)]
struct Issued {
    epochs: BTreeMap<u64, HashSet<[u8; 16]>>,
    /// Removals under the name of another epoch than that of the issue.
    removed: u64,
}

impl Issued {
    fn add(&mut self, token: Pseudonym) {
        self.epochs.entry(token.epoch).or_default().insert(token.id);
    }

    fn remove(&mut self, token: Pseudonym) {
        let same = self.epochs.get_mut(&token.epoch);
        let found = same.is_some_and(|tokens| tokens.remove(&token.id));
        let others = self.epochs.keys().any(|epoch| *epoch != token.epoch);
        self.removed += u64::from(!found && others);
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.epochs.values().map(|tokens| tokens.len() as u64)
    }

    /// Where each of them was issued in one epoch only.
    fn most(&self) -> u64 {
        self.counts().sum::<u64>().saturating_sub(self.removed)
    }

    /// Where those of all other epochs are the same as those of the largest.
    fn least(&self) -> u64 {
        let largest = self.counts().max().unwrap_or_default();
        largest.saturating_sub(self.removed)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let counts = counts(args)?;
    ensure!(
        counts.is_some() || !args.receipts.is_empty() || args.details.is_some(),
        "nothing to hold the ledger against: pass --counts, --tokens, --entries, --receipts or --details"
    );
    let keys = Keyring::witnessed(&args.keys, &args.witnesses, &[&args.dir])?;
    let trust = keys.trust(&args.dir, args.origin.as_deref())?;
    let Some(key) = &trust.key else {
        return verdict::refused("reconcile", Code::NoKey, "nothing was compared: pass --key");
    };
    let mut standing = Standing {
        // Rows of an earlier moment are held against the entries of that moment.
        until: counts.as_ref().and_then(|counts| counts.entries),
        ..Standing::default()
    };
    let mut committed = Committed::default();
    let read = verified(&args.dir, &trust, threads(None), |listed| {
        standing.add(listed);
        committed.add(listed);
    })?;
    let (report, reading) = read;
    if reading == Reading::Changed || report.verdict > Class::Warning {
        let message = format!(
            "the archive itself is not good ({}): verify it first",
            report.verdict.as_str()
        );
        let code = report
            .findings
            .first()
            .map_or(Code::RootMismatch, |first| first.code);
        return verdict::refused("reconcile", code, &message);
    }
    let size = report.checkpoint.map_or(0, |stated| stated.size);
    ensure!(
        standing.incomplete == 0,
        "entries or items could not be read: verify the archive"
    );
    let mut lines = counts.map_or_else(Vec::new, |counts| standing.compare(&counts, size));
    lines.extend(receipts(args, &trust, key)?);
    if let Some(folder) = &args.details {
        lines.extend(committed.compare(folder)?);
    }
    told(args, &lines)
}

fn counts(args: &Args) -> anyhow::Result<Option<Counts>> {
    let Some(file) = &args.counts else {
        let told = args.tokens.is_some() || args.entries.is_some();
        return Ok(told.then(|| Counts {
            schema: COUNTS_SCHEMA.to_owned(),
            entries: args.entries,
            tokens: args.tokens,
            domains: BTreeMap::new(),
        }));
    };
    let counts: Counts = serde_json::from_slice(&read(file, COUNTS_BYTES_MAX)?)
        .context("these are not the vault's counts: make them with `jinku ledger counts`")?;
    ensure!(
        counts.schema == COUNTS_SCHEMA,
        "counts of another schema than {COUNTS_SCHEMA}"
    );
    Ok(Some(counts))
}

impl Standing {
    /// A token stands from its issue until it is erased, purged or replaced: as `restore` counts.
    fn add(&mut self, listed: &Listed) {
        let Some(facts) = listed.entry.as_ref().map(|entry| &entry.facts) else {
            self.incomplete += 1;
            return;
        };
        if self.until.is_some_and(|until| listed.seq >= until) {
            return;
        }
        let Some(items) = &listed.items else {
            self.incomplete += 1;
            return;
        };
        if facts.outcome != Outcome::Ok {
            return;
        }
        let domain = facts.domain.clone().unwrap_or_default();
        let removes = matches!(
            facts.operation,
            Operation::Erase | Operation::TokenPurge | Operation::TokenReplace
        );
        let standing = self.issued.entry(domain).or_default();
        for item in items {
            match item.view {
                ItemView::Issued => standing.add(item.pseudonym),
                ItemView::Done if removes => standing.remove(item.pseudonym),
                _ => {}
            }
        }
    }

    fn compare(&self, counts: &Counts, size: u64) -> Vec<Line> {
        let mut lines = Vec::new();
        // What was not published when the rows were counted may explain that there are more.
        let ahead = counts.entries.is_some_and(|entries| entries > size);
        let line = |what: String, (least, ledger): (u64, u64), told: u64| {
            let code = match ((least..=ledger).contains(&told), ahead) {
                (true, _) => None,
                (false, true) => Some(Code::CountsAhead),
                (false, false) => Some(Code::CountsDiffer),
            };
            Line {
                what,
                ledger,
                least,
                told,
                code,
            }
        };
        let sum = |end: fn(&Issued) -> u64| self.issued.values().map(end).sum::<u64>();
        if let Some(entries) = counts.entries {
            // The archive may have gone on since the rows were counted.
            let known = size.min(entries);
            lines.push(line("entries".to_owned(), (known, known), entries));
        }
        if let Some(tokens) = counts.tokens {
            let ends = (sum(Issued::least), sum(Issued::most));
            lines.push(line("tokens".to_owned(), ends, tokens));
        }
        if counts.domains.is_empty() {
            return lines;
        }
        let named = self.issued.iter().filter(|(_, tokens)| tokens.most() > 0);
        let domains = named.map(|(domain, _)| domain).chain(counts.domains.keys());
        let domains: std::collections::BTreeSet<&String> = domains.collect();
        for domain in domains {
            let ours = self.issued.get(domain);
            let ours = ours.map_or((0, 0), |tokens| (tokens.least(), tokens.most()));
            let told = counts.domains.get(domain).copied().unwrap_or(0);
            lines.push(line(format!("tokens of {domain}"), ours, told));
        }
        lines
    }
}

/// What is wrong with so many tokens in the vault, as the archive's entries tell. Nothing of it is verified.
pub(crate) fn tokens_differ(dir: &Path, tokens: u64) -> anyhow::Result<Option<Code>> {
    let mut standing = Standing::default();
    for listed in Listing::open(dir)?.with_items() {
        standing.add(&listed);
    }
    let counts = Counts {
        schema: COUNTS_SCHEMA.to_owned(),
        entries: None,
        tokens: Some(tokens),
        domains: BTreeMap::new(),
    };
    let lines = standing.compare(&counts, 0);
    Ok(lines.into_iter().find_map(|line| line.code))
}

/// What is wrong with a receipt that was kept, held against the log as the book has it.
pub(crate) fn receipt_lost(book: &Book, key: &VerifierKey, text: &str) -> Option<Code> {
    held(book, &Signers::pinned(key.clone()), text).1
}

/// Each receipt that was kept is held against the log as it is now.
fn receipts(args: &Args, trust: &Trust, key: &VerifierKey) -> anyhow::Result<Vec<Line>> {
    if args.receipts.is_empty() {
        return Ok(Vec::new());
    }
    let book = Book::open(&args.dir, trust)?;
    // Receipts are of any age: each is signed by the key of its day.
    let signers = signers_of(&args.dir, key);
    let mut lines = Vec::new();
    for path in &args.receipts {
        let kept = if path.is_dir() {
            in_folder(path)?
        } else {
            vec![path.clone()]
        };
        for file in kept {
            let bytes = read(&file, RECEIPT_BYTES_MAX as u64)?;
            let text = String::from_utf8_lossy(&bytes);
            let (seq, code) = held(&book, &signers, &text);
            lines.push(Line {
                what: format!("receipt {}", file.display()),
                ledger: u64::from(code.is_none()),
                least: u64::from(code.is_none()),
                told: 1,
                code: code.or_else(|| seq.is_none().then_some(Code::ReceiptMalformed)),
            });
        }
    }
    Ok(lines)
}

/// The entry that a receipt is of, and what is wrong: the log must still have those bytes, there, and
/// continue the checkpoint that the unit was shown.
fn held(book: &Book, signers: &Signers, text: &str) -> (Option<u64>, Option<Code>) {
    let (Ok(receipt), verified) = (Receipt::decode(text), verify_receipt_by(text, signers)) else {
        return (None, Some(Code::ReceiptMalformed));
    };
    let shown = match verified {
        Ok(verified) => verified.checkpoint,
        Err(error) => return (Some(receipt.index), Some(error.code())),
    };
    let now = book.checkpoint();
    let continued = shown.size <= now.size && book.consistency(&shown, now).is_ok();
    let same = book
        .entry(receipt.index)
        .map(|bytes| bytes == receipt.entry);
    let code = match same {
        Ok(true) if continued => None,
        Ok(_) | Err(BookError::Outside { .. }) => Some(Code::ReceiptLost),
        Err(error) => Some(error.code()),
    };
    (Some(receipt.index), code)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let names = fs::read_dir(folder);
    for name in names.with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = name?.path();
        if path.extension().is_some_and(|end| end == "tlog-proof") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(
        !found.is_empty(),
        "no `*.tlog-proof` is in {}",
        folder.display()
    );
    Ok(found)
}

fn told(args: &Args, lines: &[Line]) -> anyhow::Result<u8> {
    let worst = lines
        .iter()
        .filter_map(|line| line.code.map(Code::class))
        .max();
    let worst = worst.unwrap_or(Class::Verified);
    if args.json {
        let line = |line: &Line| {
            let mut shown = json!({ "what": line.what, "ledger": line.ledger, "told": line.told, "finding": line.code });
            if line.least < line.ledger {
                shown["ledger_least"] = json!(line.least);
            }
            shown
        };
        let lines: Vec<_> = lines.iter().map(line).collect();
        let exit = worst.exit_code();
        let all =
            json!({ "schema": SCHEMA, "verdict": worst, "exit_code": exit, "compared": lines });
        Screen::json(&all, Pretty::Lines)?;
        return Ok(exit);
    }
    let word = coloured(worst, worst.as_str());
    Screen::line(&format!("reconcile: {word} (exit {})", worst.exit_code()))?;
    for Line {
        what,
        ledger,
        least,
        told,
        code,
    } in lines
    {
        let range = if least < ledger {
            format!("{least} to ")
        } else {
            String::new()
        };
        let judged = code.map_or_else(
            || "ok".to_owned(),
            |code| coloured(code.class(), code.as_str()),
        );
        Screen::line(&format!(
            "- {}: ledger {range}{ledger}, told {told}: {judged}",
            shown(what)
        ))?;
    }
    Ok(worst.exit_code())
}
