//! Holds the ledger against reasons in words that were handed out: each is its entry's, and none is missing of which no
//! entry says that it was erased.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use ledger::verify::{Code, Listed};
use ledger::{DETAIL_FILE_BYTES_MAX, Detail, Entry, Operation, Outcome};

use super::Line;
use crate::files::read;

/// What an entry that erases a detail says, before the number of the entry that commits to it.
const OF: &str = "entry-";

/// What entries say of reasons.
#[derive(Default)]
pub(crate) struct Committed {
    /// Those that commit to one.
    entries: BTreeMap<u64, Entry>,
    /// Those whose reason was erased.
    erased: BTreeSet<u64>,
}

impl Committed {
    pub(crate) fn add(&mut self, listed: &Listed) {
        let Some(entry) = &listed.entry else {
            return;
        };
        if entry.facts.detail.is_some() {
            self.entries.insert(entry.seq, entry.clone());
        }
        let erases = entry.facts.operation == Operation::DetailErase;
        if erases && entry.facts.outcome == Outcome::Ok {
            let of = entry.facts.reason.as_deref();
            let of = of.and_then(|reason| reason.strip_prefix(OF)?.parse().ok());
            self.erased.extend::<Option<u64>>(of);
        }
    }

    /// What is wrong, by the entry that it is wrong with.
    pub(crate) fn judge(&self, given: &[Detail]) -> BTreeMap<u64, Code> {
        let mut wrong = BTreeMap::new();
        let mut held = BTreeSet::new();
        for detail in given {
            let entry = self.entries.get(&detail.entry);
            if entry.is_some_and(|entry| detail.is_of(entry)) {
                held.insert(detail.entry);
            } else {
                wrong.insert(detail.entry, Code::DetailDiffers);
            }
        }
        for seq in self.entries.keys() {
            if !held.contains(seq) && !self.erased.contains(seq) {
                wrong.entry(*seq).or_insert(Code::DetailMissing);
            }
        }
        wrong
    }

    /// The same as lines: how many entries commit to a reason, of how many it is there or erased, and each that is not.
    pub(super) fn compare(&self, folder: &Path) -> anyhow::Result<Vec<Line>> {
        let wrong = self.judge(&given(folder)?);
        let all = self.entries.len() as u64;
        let missing = wrong.keys().filter(|seq| self.entries.contains_key(seq));
        let line = |what: String, ledger: u64, told: u64, code: Option<Code>| Line {
            what,
            ledger,
            least: ledger,
            told,
            code,
        };
        let good = all - missing.count() as u64;
        let mut lines = vec![line("reasons in words".to_owned(), all, good, None)];
        for (seq, code) in wrong {
            let commits = u64::from(self.entries.contains_key(&seq));
            let told = u64::from(code == Code::DetailDiffers);
            lines.push(line(
                format!("reason of entry {seq}"),
                commits,
                told,
                Some(code),
            ));
        }
        Ok(lines)
    }
}

/// Every detail in a folder (`*.detail`).
fn given(folder: &Path) -> anyhow::Result<Vec<Detail>> {
    let mut found = Vec::new();
    let names = fs::read_dir(folder);
    for name in names.with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = name?.path();
        if path.extension().is_none_or(|end| end != "detail") {
            continue;
        }
        let detail = Detail::parse(&read(&path, DETAIL_FILE_BYTES_MAX as u64)?);
        found.push(detail.with_context(|| path.display().to_string())?);
    }
    let mut entries = BTreeSet::new();
    for detail in &found {
        ensure!(
            entries.insert(detail.entry),
            "two files say that they are the reason of entry {}",
            detail.entry
        );
    }
    Ok(found)
}
