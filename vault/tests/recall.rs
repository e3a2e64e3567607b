//! Budgets after a restart: what the ledger says was shown counts again, and one entry at a time is in memory.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::{
    BatchWriter, Boot, Entry, Facts, Hash, Item, ItemView, Operation, Outcome, Pseudonym,
};
use vault::engine::guard::Guard;
use vault::model::{Budgets, Catalogue, Clock, Registry, Timestamp};
use vault::store::{Change, Database, Reader, StoredEntry};

const NOW_US: u64 = 1_767_225_600_000_000;
const ENTRIES: u64 = 64;
/// Of each entry: about 220 KiB beside it.
const ITEMS: usize = 8_000;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(NOW_US)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn entry(seq: u64, operation: Operation) -> StoredEntry {
    let mut batch = BatchWriter::default();
    let item = Item {
        pseudonym: Pseudonym {
            epoch: 1,
            id: u128::from(seq).to_be_bytes(),
        },
        class: "name".to_owned(),
        view: ItemView::Plain,
    };
    batch.push(&item, ITEMS).unwrap();
    let (batch, items) = batch.finish();
    let mut facts = Facts::new(operation, Outcome::Ok);
    facts.unit = Some("tax-bureau".to_owned());
    facts.batch = Some(batch);
    let entry = Entry {
        seq,
        prev: Hash([0; 32]),
        time_us: NOW_US - (ENTRIES - seq) * 1_000_000,
        boot: Boot {
            id: [1; 8],
            monotonic_us: 1,
        },
        facts,
    };
    StoredEntry {
        seq,
        bytes: entry.encode().unwrap(),
        items,
    }
}

fn written(folder: &Path) -> Reader {
    let database = Database::open(&folder.join("vault.db")).unwrap();
    let writer = database.writer().unwrap();
    writer.begin().unwrap();
    for seq in 0..ENTRIES {
        let entry = entry(seq, Operation::Detokenize);
        writer.apply(&Change::none(), &entry).unwrap();
    }
    writer.commit().unwrap();
    database.reader()
}

/// The most memory that the process had since it was last asked, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.unwrap().trim().trim_end_matches(" kB");
    // From here on it is counted anew (proc_pid_clear_refs(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn the_windows_are_counted_again_with_one_entry_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let reader = written(folder.path());
    let catalogue = Catalogue::parse(include_str!("../../policies/classes.toml")).unwrap();
    let units = include_str!("../../policies/units.toml");
    let registry = Registry::parse(units, &catalogue).unwrap();
    // The window covers all entries but the oldest four.
    let text = format!(
        "[[budget]]\nname = \"minute\"\nwindow_seconds = {}\nvalues_max = 100\n",
        ENTRIES - 3
    );
    let budgets = Budgets::parse(&text, &catalogue, &registry).unwrap();
    let guard = Guard::new(&budgets, Arc::new(Still));
    peak_bytes();
    let before = peak_bytes();
    let read = guard.recall(&reader).unwrap();
    let grown = peak_bytes().saturating_sub(before);
    assert_eq!(read, ENTRIES - 4);
    assert!(grown < 6 << 20, "{grown} bytes for entries of 220 KiB");
}

#[test]
fn the_past_begins_with_the_newest_entry_and_ends_where_it_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let writer = database.writer().unwrap();
    writer.begin().unwrap();
    for seq in 0..5 {
        let entry = StoredEntry {
            seq,
            bytes: vec![u8::try_from(seq).unwrap()],
            items: vec![9; usize::try_from(seq).unwrap()],
        };
        writer.apply(&Change::none(), &entry).unwrap();
    }
    writer.commit().unwrap();
    let mut seen = Vec::new();
    let walked = database.reader().newest_first(|past| {
        seen.push((past.bytes().to_vec(), past.items()?.len()));
        Ok(if seen.len() < 3 {
            std::ops::ControlFlow::Continue(())
        } else {
            std::ops::ControlFlow::Break(())
        })
    });
    walked.unwrap();
    assert_eq!(seen, [(vec![4], 4), (vec![3], 3), (vec![2], 2)]);
}
