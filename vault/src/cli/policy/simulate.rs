//! `jinku policy simulate`: the acts of a ledger archive, decided anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ledger::tile::{TILE_WIDTH, entries_path, items_path, partial, unbundle, unbundle_items};
use ledger::{Checkpoint, Entry, stated_items};
use serde_json::json;

use super::place::Place;
use crate::cli::screen;
use crate::policy::{PastAct, Replayed, Study, Verdict};

/// Acts that are shown to people one by one.
const SHOWN_MAX: usize = 50;

/// Arguments of `jinku policy simulate`.
#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// An archive that `jinku ledger export` made. Have `jinku-ledger verify` judge it first: this does not.
    archive: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The first entry to look at.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Answer in JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    same: u64,
    otherwise: Vec<(Replayed, Vec<Verdict>)>,
    /// Acts that the ledger does not hold enough of, by what is missing.
    unheld: BTreeMap<&'static str, u64>,
    not_policy: u64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<bool> {
    let study = options.place.study()?;
    let mut tally = Tally::default();
    each_bundle(&options.archive, options.from, &mut |entry, items| {
        tally.add(&study, &entry, items)
    })?;
    if options.json {
        screen::line(&tally.document().to_string());
    } else {
        tally.show();
    }
    Ok(tally.otherwise.is_empty())
}

impl Tally {
    fn add(&mut self, study: &Study, entry: &Entry, items: &[u8]) -> anyhow::Result<()> {
        let seq = entry.seq;
        let items = stated_items(entry.facts.batch, items)
            .with_context(|| format!("the items of entry {seq} can't be read"))?;
        let mut replayed = study.replay(&PastAct {
            entry,
            items: &items,
        });
        let verdicts = std::mem::take(&mut replayed.verdicts);
        let other = |verdict: &Verdict| matches!(verdict, Verdict::Otherwise { .. });
        if verdicts.iter().any(other) {
            let verdicts = verdicts.into_iter().filter(other).collect();
            self.otherwise.push((replayed, verdicts));
            return Ok(());
        }
        match verdicts.first() {
            Some(Verdict::Unheld(missing)) => *self.unheld.entry(missing).or_default() += 1,
            Some(Verdict::Same) => self.same += 1,
            _ => self.not_policy += 1,
        }
        Ok(())
    }

    fn document(&self) -> serde_json::Value {
        let otherwise = self.otherwise.iter().map(|(act, verdicts)| {
            let verdicts = verdicts.iter().filter_map(|verdict| match verdict {
                Verdict::Otherwise { was, would, class } => {
                    Some(json!({ "class": class, "was": was, "would": would }))
                }
                _ => None,
            });
            json!({
                "entry": act.seq, "operation": act.operation.as_str(), "unit": act.unit,
                "gateway": act.gateway, "purpose": act.purpose,
                "decisions": verdicts.collect::<Vec<_>>(),
            })
        });
        json!({
            "same": self.same,
            "otherwise": otherwise.collect::<Vec<_>>(),
            "not_held": self.unheld,
            "not_policy": self.not_policy,
        })
    }

    fn show(&self) {
        for (act, verdicts) in self.otherwise.iter().take(SHOWN_MAX) {
            let Replayed {
                seq, unit, purpose, ..
            } = act;
            let operation = act.operation;
            screen::line(&format!("  entry {seq}: {unit}, {operation}, {purpose}"));
            for verdict in verdicts {
                if let Verdict::Otherwise { was, would, class } = verdict {
                    screen::line(&format!("      {class}: {was} -> {would}"));
                }
            }
        }
        if self.otherwise.len() > SHOWN_MAX {
            screen::quiet(&format!("and {} more", self.otherwise.len() - SHOWN_MAX));
        }
        let (same, otherwise) = (self.same, self.otherwise.len());
        screen::field("as it was", &same.to_string());
        screen::field("otherwise", &otherwise.to_string());
        screen::field("not policy's", &self.not_policy.to_string());
        for (missing, acts) in &self.unheld {
            screen::field("can't be said", &format!("{acts}: {missing}"));
        }
        screen::quiet(
            "units are taken as they are registered today; the ledger does not hold what they were then",
        );
    }
}

/// Reads every entry that the archive's checkpoint covers, from one on, with the bytes of its items.
fn each_bundle(
    archive: &Path,
    from: u64,
    see: &mut dyn FnMut(Entry, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let note = fs::read_to_string(archive.join("checkpoint"))
        .with_context(|| format!("`{}` holds no checkpoint", archive.display()))?;
    let (body, _) = note
        .split_once("\n\n")
        .context("the checkpoint is malformed")?;
    let size = Checkpoint::parse(&format!("{body}\n"))?.size;
    for n in from / TILE_WIDTH..size.div_ceil(TILE_WIDTH) {
        let start = n * TILE_WIDTH;
        let width = usize::try_from((size - start).min(TILE_WIDTH))?;
        let edge = partial(size).filter(|_| n == size / TILE_WIDTH);
        let damaged = || format!("the bundle of entry {start} is missing or damaged");
        let bytes = file(archive, n, edge, entries_path)?.with_context(damaged)?;
        let entries = unbundle(&bytes, width).with_context(damaged)?;
        let bytes = file(archive, n, edge, items_path)?;
        let items = match &bytes {
            Some(bytes) => unbundle_items(bytes, width).with_context(damaged)?,
            None => Vec::new(),
        };
        for (place, entry) in entries.into_iter().enumerate() {
            let entry = Entry::decode(entry).with_context(damaged)?;
            if entry.seq >= from {
                see(entry, items.get(place).copied().unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

/// A file of a bundle: of its width, or the full one, which begins with it.
fn file(
    archive: &Path,
    n: u64,
    edge: Option<u8>,
    path: fn(u64, Option<u8>) -> String,
) -> anyhow::Result<Option<Vec<u8>>> {
    for width in [edge, None] {
        match fs::read(archive.join(path(n, width))) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
