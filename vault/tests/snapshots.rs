//! Snapshots that stand from one lookup to the next: none shows what is no longer so, none keeps the
//! write-ahead log.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vault::model::{ClassName, DomainName, Life};
use vault::store::{
    Change, Database, Fingerprint, Reader, SealedValue, ShredSlot, StoredEntry, TokenRow,
    TokenWrite, Writer,
};

fn domain() -> DomainName {
    DomainName::parse("city").unwrap()
}

fn token(number: u64) -> Fingerprint {
    Fingerprint((u128::from(number) + 1).to_be_bytes())
}

fn row(number: u64) -> TokenRow {
    TokenRow {
        fingerprint: token(number),
        domain: domain(),
        class: ClassName::parse("name").unwrap(),
        created_us: 1,
        sealed: SealedValue(vec![1]),
        shred: ShredSlot(number),
        bound: false,
        life: Life::default(),
        indexed: None,
    }
}

/// One transaction with an entry, as the ledger's writer makes it.
fn write(writer: &Writer, seq: u64, change: &Change, item_bytes: usize) {
    let entry = StoredEntry {
        seq,
        bytes: vec![0xA0],
        items: vec![0x5A; item_bytes],
    };
    writer.begin().unwrap();
    writer.apply(change, &entry).unwrap();
    writer.commit().unwrap();
}

fn of(writes: Vec<TokenWrite>) -> Change {
    Change {
        token_writes: writes,
        ..Change::none()
    }
}

fn found(reader: &Reader, number: u64) -> Option<TokenRow> {
    let rows = reader.tokens(&domain(), &[token(number)]);
    rows.unwrap().remove(0)
}

/// Ends what looks up without end, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn log_bytes(folder: &Path) -> u64 {
    let log = std::fs::metadata(folder.join("vault.db-wal"));
    log.map_or(0, |log| log.len())
}

// INVARIANT 3, and nobody is shown what was switched off or removed before the question.
#[test]
fn what_was_committed_before_the_question_is_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let (reader, writer) = (database.reader(), database.writer().unwrap());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        // Lookups beside it leave snapshots of all ages.
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    found(&reader, 0);
                }
            });
        }
        for number in 0..150 {
            let seq = number * 4;
            let added = Change {
                tokens: vec![row(number)],
                ..Change::none()
            };
            write(&writer, seq, &added, 0);
            assert!(found(&reader, number).is_some_and(|row| !row.life.disabled));
            write(&writer, seq + 1, &Change::none(), 10);
            assert!(found(&reader, number).is_some());
            let off = of(vec![TokenWrite::Disable(token(number), true)]);
            write(&writer, seq + 2, &off, 0);
            assert!(found(&reader, number).is_some_and(|row| row.life.disabled));
            let gone = of(vec![TokenWrite::Remove(token(number))]);
            write(&writer, seq + 3, &gone, 0);
            assert!(found(&reader, number).is_none());
        }
    });
}

// Snapshots that stand all the time would keep the log from being begun anew for good.
#[test]
fn the_log_stays_bounded_beside_lookups_without_end() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let (reader, writer) = (database.reader(), database.writer().unwrap());
    let (over, looked) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut longest = 0;
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    found(&reader, 0);
                    looked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for seq in 0..100 {
            write(&writer, seq, &Change::none(), 1 << 20);
            longest = longest.max(log_bytes(folder.path()));
        }
    });
    assert!(looked.load(Ordering::SeqCst) > 0);
    assert!(longest > 16 * MIB && longest < 40 * MIB, "{longest} bytes");
}

// What was removed is overwritten in the file; the log still has it until it is emptied.
#[test]
fn a_removal_empties_the_log_although_a_snapshot_stood() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let (reader, writer) = (database.reader(), database.writer().unwrap());
    let added = Change {
        tokens: vec![row(0)],
        ..Change::none()
    };
    write(&writer, 0, &added, 0);
    assert!(found(&reader, 0).is_some());
    write(&writer, 1, &of(vec![TokenWrite::Remove(token(0))]), 0);
    assert_eq!(log_bytes(folder.path()), 0);
}
