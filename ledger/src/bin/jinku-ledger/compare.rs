//! `compare`: two copies of one log; where they part, by bisecting their tiles.

use std::path::PathBuf;

use ledger::verify::{Book, BookError, Code, Comparison, Unproven, compare};
use ledger::{Entry, Trust};

use crate::args::Keys;
use crate::screen::{Screen, shown};
use crate::show::row;
use crate::trust::Keyring;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger compare /mnt/ledger /mnt/copy-of-the-other-auditor --key-file ~/audit/node-1.vkey";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// One copy
    first: PathBuf,
    /// The other
    second: PathBuf,
    #[command(flatten)]
    keys: Keys,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::open(&args.keys, &[&args.first, &args.second])?;
    let trust = keys.trust(&args.first, None)?;
    let first = match Book::open(&args.first, &trust) {
        Ok(first) => first,
        Err(error) => return unproven("the first copy", &error),
    };
    let second = match Book::open(&args.second, &trust) {
        Ok(second) => second,
        Err(error) => return unproven("the second copy", &error),
    };
    if first.checkpoint().origin != second.checkpoint().origin {
        let message = format!(
            "{} and {}: two logs, not two copies of one",
            first.checkpoint().origin,
            second.checkpoint().origin
        );
        return verdict::refused("compare", Code::OriginOther, &message);
    }
    match compare(&first, &second) {
        Ok(found) => said(found, (&first, &second), &trust),
        Err(Unproven::First(error)) => unproven("the first copy", &error),
        Err(Unproven::Second(error)) => unproven("the second copy", &error),
    }
}

fn unproven(which: &str, error: &BookError) -> anyhow::Result<u8> {
    verdict::refused("compare", error.code(), &format!("{which}: {error}"))
}

fn said(found: Comparison, (first, second): (&Book, &Book), trust: &Trust) -> anyhow::Result<u8> {
    let (one, other) = (first.checkpoint().size, second.checkpoint().size);
    let message = match found {
        Comparison::Same => format!("both have the same {one} entries"),
        Comparison::Continued => format!("the second continues the first: {one}, then {other}"),
        Comparison::Behind => format!("the first continues the second: {other}, then {one}"),
        Comparison::Fork { seq } => {
            let message = format!(
                "they part at entry {seq}: keep both copies, their signed checkpoints prove it"
            );
            let exit = verdict::refused("compare", Code::Fork, &message)?;
            for (name, book) in [("first", first), ("second", second)] {
                Screen::line(&format!("  {name}: {}", at(book, seq)))?;
            }
            return Ok(exit);
        }
    };
    if trust.key.is_none() {
        return verdict::refused(
            "compare",
            Code::NoKey,
            &format!("{message}; nothing says who wrote them"),
        );
    }
    verdict::good("compare", &message)
}

/// What a copy has there, as far as it can be read.
fn at(book: &Book, seq: u64) -> String {
    let entry = book.entry(seq);
    match entry.map(|bytes| Entry::decode(&bytes)) {
        Ok(Ok(entry)) => row(seq, &entry).trim_start().to_owned(),
        Ok(Err(error)) => format!("{seq}  cannot be read: {error}"),
        Err(error) => format!("{seq}  {}", shown(&error.to_string())),
    }
}
