//! `report`: verifies an archive, counts what its entries say, and tells it to people or machines.

mod chart;
mod html;
mod tables;
mod tally;
mod text;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::adapter::strip_str;
use ledger::Report;
use ledger::verify::Code;

use crate::args::{Keys, Witnesses};
use crate::files::create;
use crate::reading::{Reading, verified};
use crate::screen::Screen;
use crate::selection::Selection;
use crate::trust::Keyring;
use crate::verdict;
use crate::verify::threads;
use tables::Table;
use tally::{Hours, Tally};

const EXAMPLES: &str = "\
Examples:
  jinku-ledger report /mnt/ledger --key-file ~/audit/node-1.vkey --utc-offset +08:00
  jinku-ledger report /mnt/ledger --key-file ~/audit/node-1.vkey --from 2026-11-01 --format html --out november.html";

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
    #[command(flatten)]
    selection: Selection,
    /// How it is told
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Write it to this new file instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The lines of each table for people
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Hours of the day that are usual, in local time
    #[arg(long, value_name = "FROM-TO", default_value = "7-20", value_parser = span)]
    usual_hours: (u8, u8),
    /// Saturdays and Sundays are usual too
    #[arg(long)]
    usual_weekends: bool,
    /// Local time, as minutes ahead of UTC are written
    #[arg(long, value_name = "+HH:MM", default_value = "+00:00", value_parser = offset, allow_hyphen_values = true)]
    utc_offset: i32,
    /// Threads that read and hash [default: as many as processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for people
    Human,
    /// One object (schema `jinku-ledger.summary/1`)
    Json,
    /// Lines of `table,first,second,third,measure,count`
    Csv,
    /// One page with charts that needs nothing else
    Html,
}

/// What a report tells.
struct Summary {
    verified: Report,
    tally: Tally,
    tables: Vec<Table>,
    top: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::witnessed(&args.keys, &args.witnesses, &[&args.dir])?;
    let trust = keys.trust(&args.dir, args.origin.as_deref())?;
    let mut tally = Tally::new(Hours {
        usual: args.usual_hours,
        weekends: args.usual_weekends,
        offset_minutes: args.utc_offset,
    });
    let read = verified(&args.dir, &trust, threads(args.jobs), |listed| {
        if listed.entry.is_none() {
            tally.unreadable += 1;
        } else if args.selection.takes(listed) {
            tally.add(listed);
        }
    });
    let (verified, reading) = read?;
    if reading == Reading::Changed {
        let message = "the archive was changed while it was read: copy it, and report on the copy";
        return verdict::refused("report", Code::RootMismatch, message);
    }
    let tables = tables::of(&tally);
    let summary = Summary {
        verified,
        tally,
        tables,
        top: args.top.max(1),
    };
    write(args, &summary)?;
    Ok(summary.verified.exit_code)
}

fn write(args: &Args, summary: &Summary) -> anyhow::Result<()> {
    let text = match args.format {
        Format::Human => text::human(summary),
        Format::Json => text::json(summary)?,
        Format::Csv => text::csv(summary),
        Format::Html => html::page(summary),
    };
    match &args.out {
        // Colours are for terminals.
        Some(file) => create(file, strip_str(&text).to_string().as_bytes()),
        None if args.format == Format::Human => Screen::line(text.trim_end()),
        None => Screen::text(&text),
    }
}

fn span(text: &str) -> Result<(u8, u8), String> {
    let read = || {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (from.parse::<u8>().ok()?, to.parse::<u8>().ok()?);
        (from < to && to <= 24).then_some((from, to))
    };
    read().ok_or_else(|| "expected two hours of a day, such as 7-20".to_owned())
}

fn offset(text: &str) -> Result<i32, String> {
    let read = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
        let valid = (0..=14).contains(&hours) && (0..60).contains(&minutes) && rest.len() == 5;
        valid.then_some(sign * (hours * 60 + minutes))
    };
    read().ok_or_else(|| "expected a time ahead of UTC, such as +08:00".to_owned())
}

impl Summary {
    /// Why it may not tell all, if so.
    fn gaps(&self) -> Option<String> {
        let (entries, items) = (self.tally.unreadable, self.tally.items_unreadable);
        (entries + items > 0).then(|| {
            format!("{entries} entries and the items of {items} entries could not be read, and are not counted")
        })
    }
}

/// A verdict cannot be told in words without its archive: kept here so that all formats say the same.
fn headline(verified: &Report) -> String {
    let origin = verified
        .checkpoint
        .as_ref()
        .map_or("unknown log", |stated| &stated.origin);
    format!(
        "{origin}: {} (exit {})",
        verified.verdict.as_str(),
        verified.exit_code
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_offsets_are_read_in_their_one_form() {
        assert_eq!(span("7-20"), Ok((7, 20)));
        assert_eq!(offset("+08:00"), Ok(480));
        assert_eq!(offset("-03:30"), Ok(-210));
        for bad in ["", "7", "20-7", "7-25", "a-b"] {
            assert!(span(bad).is_err(), "{bad}");
        }
        for bad in ["", "8", "08:00", "+8:00", "+15:00", "+08:60", "é08:00"] {
            assert!(offset(bad).is_err(), "{bad}");
        }
    }
}
