//! Receipts, on a real database and its published tiles: what is given verifies, and what was altered
//! on disk gives none.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger::tile::{partial, tile_path};
use ledger::{
    Facts, Item, ItemView, Operation, Origin, Outcome, Pseudonym, VerifierKey, verify_receipt,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use vault::commit::{
    CheckpointSigner, Committer, NoReceipt, OpenLog, Publisher, Receipts, Record, Withheld,
    WriterThread,
};
use vault::model::SystemClock;
use vault::store::{Change, Database, Reader, StoredEntry};

const ORIGIN: &str = "test.example/node";
/// A publisher that works when it is told to, and not before.
const NEVER: Duration = Duration::from_hours(1);
const LONG: Duration = Duration::from_secs(20);

struct Desk {
    folder: tempfile::TempDir,
    reader: Reader,
    committer: Committer,
    publisher: Publisher,
    key: VerifierKey,
    _writer: WriterThread,
    _database: Database,
}

fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let reader = database.reader();
    let clock = Arc::new(SystemClock::new());
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let key = VerifierKey::new(ORIGIN, pair.public_key().as_ref().try_into().unwrap()).unwrap();
    let sign = move |body: &[u8]| Ok(pair.sign(body).as_ref().try_into().unwrap());
    let publisher = Publisher::start(
        &folder.path().join("ledger"),
        Origin::parse(ORIGIN).unwrap(),
        CheckpointSigner {
            key: key.clone(),
            sign: Box::new(sign),
            second: None,
        },
        (database.reader(), clock.clone()),
        NEVER,
        None,
    )
    .unwrap();
    let log = OpenLog {
        origin: Origin::parse(ORIGIN).unwrap(),
        writer: database.writer().unwrap(),
        clock,
        boot: [1; 8],
        deadline: LONG,
    };
    let (committer, writer) = WriterThread::start(log, &reader).unwrap();
    Desk {
        folder,
        reader,
        committer,
        publisher,
        key,
        _writer: writer,
        _database: database,
    }
}

impl Desk {
    /// Records a batch of two items; gives the entry's index.
    async fn record(&self) -> u64 {
        let mut facts = Facts::new(Operation::Erase, Outcome::Ok);
        facts.unit = Some("tax-bureau".to_owned());
        let item = |id| Item {
            pseudonym: Pseudonym {
                epoch: 1,
                id: [id; 16],
            },
            class: "name".to_owned(),
            view: ItemView::Done,
        };
        let items = [(item(1), 1), (item(2), 1)];
        let record = Record::batch(Change::none(), facts, items).unwrap();
        let recorded = self.committer.record(record, Withheld::nothing()).await;
        recorded.unwrap().1.seq()
    }

    async fn recorded(&self, entries: u64) {
        for _ in 0..entries {
            self.record().await;
        }
        self.publisher.publish().unwrap();
    }

    fn stored(&self, seq: u64) -> StoredEntry {
        self.reader.entries(seq, 1).unwrap().remove(0)
    }

    fn receipts(&self, deadline: Duration) -> Receipts {
        self.publisher.receipts(deadline)
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("ledger").join(path)
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn who_asks_early_is_told_by_the_publisher() {
    let desk = desk();
    let seq = desk.record().await;
    let receipts = desk.receipts(LONG);
    let waiting = tokio::spawn({
        let receipts = receipts.clone();
        async move { receipts.covering(seq).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "nothing is published yet");
    desk.publisher.publish().unwrap();
    waiting.await.unwrap().unwrap();
    let text = receipts.make(&desk.stored(seq)).unwrap();
    let proven = verify_receipt(&text, &desk.key).unwrap();
    assert_eq!((proven.entry.seq, proven.items.len()), (seq, 2));
    assert_eq!(proven.entry.facts.operation, Operation::Erase);
}

#[tokio::test]
async fn without_a_checkpoint_in_time_there_is_none() {
    let desk = desk();
    let seq = desk.record().await;
    let receipts = desk.receipts(Duration::from_millis(50));
    let late = receipts.covering(seq).await;
    assert!(matches!(late, Err(NoReceipt::Late)), "{late:?}");
    desk.publisher.publish().unwrap();
    let next = desk.record().await;
    let late = receipts.make(&desk.stored(next));
    assert!(matches!(late, Err(NoReceipt::Late)), "{late:?}");
    receipts.covering(seq).await.unwrap();
}

// Over a tile's border, and with the newest checkpoint each time: old entries prove as new ones do.
#[tokio::test]
async fn every_entry_of_a_longer_log_has_one() {
    let desk = desk();
    let receipts = desk.receipts(LONG);
    for (more, size) in [(100, 101), (200, 301), (300, 601)] {
        desk.recorded(more).await;
        for seq in [0, 1, 99, 100, 255, 256, 300, 511, 512, 600] {
            if seq < size {
                let text = receipts.make(&desk.stored(seq)).unwrap();
                let proven = verify_receipt(&text, &desk.key).unwrap();
                assert_eq!((proven.entry.seq, proven.checkpoint.size), (seq, size));
            }
        }
    }
}

// The class of CVE-2026-56865: whatever lies in the tiles on disk, only what leads to the signed root leaves.
#[tokio::test]
async fn what_was_altered_on_disk_gives_none() {
    let desk = desk();
    desk.recorded(599).await;
    let receipts = desk.receipts(LONG);
    let stored = desk.stored(300);
    let tiles = [
        tile_path(0, 1, None),
        tile_path(1, 0, partial(2)),
        tile_path(0, 2, partial(600)),
    ];
    for tile in tiles {
        let file = desk.file(&tile);
        flip(&file, 0);
        let forged = receipts.make(&stored);
        assert!(matches!(forged, Err(NoReceipt::Tiles(_))), "{tile}");
        flip(&file, 0);
        assert!(receipts.make(&stored).is_ok(), "{tile}");
    }
    let altered = StoredEntry {
        bytes: desk.stored(299).bytes,
        ..stored.clone()
    };
    let altered = receipts.make(&altered);
    assert!(matches!(altered, Err(NoReceipt::Tiles(_))), "{altered:?}");
    std::fs::remove_file(desk.file(&tile_path(0, 1, None))).unwrap();
    let missing = receipts.make(&stored);
    assert!(matches!(missing, Err(NoReceipt::Tiles(_))), "{missing:?}");
}

#[tokio::test]
async fn a_checkpoint_that_is_not_the_log_s_gives_none() {
    let desk = desk();
    desk.recorded(3).await;
    let receipts = desk.receipts(LONG);
    let checkpoint = desk.file("checkpoint");
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, note.replace("\n4\n", "\n3\n")).unwrap();
    let forged = receipts.make(&desk.stored(1));
    assert!(
        matches!(forged, Err(NoReceipt::Checkpoint(_))),
        "{forged:?}"
    );
    std::fs::remove_file(&checkpoint).unwrap();
    let missing = receipts.make(&desk.stored(1));
    assert!(
        matches!(missing, Err(NoReceipt::Checkpoint(_))),
        "{missing:?}"
    );
}

// While the log grows, partial tiles go as full ones come: a receipt made meanwhile is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grows_meanwhile_is_no_hindrance() {
    let desk = Arc::new(desk());
    desk.recorded(200).await;
    let growing = tokio::spawn({
        let desk = Arc::clone(&desk);
        async move {
            for _ in 0..40 {
                desk.recorded(5).await;
            }
        }
    });
    let (receipts, stored) = (desk.receipts(LONG), desk.stored(150));
    let mut made = 0;
    while !growing.is_finished() {
        let text = receipts.make(&stored).unwrap();
        verify_receipt(&text, &desk.key).unwrap();
        made += 1;
        tokio::task::yield_now().await;
    }
    growing.await.unwrap();
    assert!(made > 0);
}
