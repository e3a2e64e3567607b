//! The writer and the vault's own keys, on a real database: a version goes only where no row is under it,
//! whatever was counted before it was the writer's turn.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kms::{KeyId, KeyKind};
use ledger::{Facts, Operation, Origin, Outcome};
use vault::commit::{Committer, NotDurable, OpenLog, Record, Withheld, WriterThread};
use vault::model::{ClassName, DomainName, KeyRecord, Life, SystemClock, Timestamp, VersionState};
use vault::store::{
    Change, Database, Fingerprint, KeyWrite, Reader, Resealed, SealedValue, ShredSlot, TokenRow,
    VersionRow,
};

struct Desk {
    database: Database,
    reader: Reader,
    committer: Committer,
    _writer: WriterThread,
}

impl Desk {
    /// With the key `value.city`, whose version 2 seals and whose version 1 opens.
    async fn new(folder: &Path) -> Self {
        let database = Database::open(&folder.join("vault.db")).unwrap();
        let reader = database.reader();
        let log = OpenLog {
            origin: Origin::parse("test.example/node").unwrap(),
            writer: database.writer().unwrap(),
            clock: Arc::new(SystemClock::new()),
            boot: [1; 8],
            deadline: Duration::from_secs(20),
        };
        let (committer, writer) = WriterThread::start(log, &reader).unwrap();
        let desk = Self {
            database,
            reader,
            committer,
            _writer: writer,
        };
        let mut record = KeyRecord::wished(key(), KeyKind::Aes256, "vault:own".to_owned());
        record.current = 2;
        let keys = vec![KeyWrite::Add(record), version(1), version(2)];
        desk.write(change(keys)).await.unwrap();
        desk
    }

    async fn write(&self, change: Change) -> Result<(), NotDurable> {
        let record = Record::single(change, Facts::new(Operation::KeyDestroy, Outcome::Ok));
        let done = self.committer.record(record, Withheld::nothing()).await;
        done.map(drop)
    }

    fn first(&self) -> VersionRow {
        self.reader.key_version(&key(), 1).unwrap().unwrap()
    }

    fn entries(&self) -> usize {
        self.reader.entries(0, 100).unwrap().len()
    }
}

fn key() -> KeyId {
    KeyId::parse("value.city").unwrap()
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

fn version(number: u32) -> KeyWrite {
    KeyWrite::AddVersion(VersionRow {
        key: key(),
        number,
        state: VersionState::Active,
        wrapped: Some(vec![7; 60]),
        created: Timestamp(1),
    })
}

fn change(keys: Vec<KeyWrite>) -> Change {
    Change {
        keys,
        ..Change::none()
    }
}

/// A ciphertext's head names the version that it is under.
fn sealed(version: u32) -> SealedValue {
    SealedValue([b"JKV1\x01".as_slice(), &version.to_be_bytes(), &[0; 80]].concat())
}

fn row(number: u8, name: &str, version: u32) -> Change {
    let row = TokenRow {
        fingerprint: Fingerprint([number; 16]),
        domain: domain(name),
        class: ClassName::parse("name").unwrap(),
        created_us: 1,
        sealed: sealed(version),
        shred: ShredSlot(0),
        bound: false,
        life: Life::default(),
        indexed: None,
    };
    Change {
        tokens: vec![row],
        ..Change::none()
    }
}

fn resealed(number: u8) -> Change {
    let row = Resealed {
        fingerprint: Fingerprint([number; 16]),
        seen: sealed(1),
        sealed: sealed(2),
        token: None,
    };
    Change {
        resealed: vec![row],
        ..Change::none()
    }
}

fn destruction() -> Change {
    change(vec![KeyWrite::DestroyUnneeded(key(), 1, domain("city"))])
}

// Invariant 15: the writer counts for itself.
#[tokio::test]
async fn inv_15_the_writer_destroys_no_version_that_a_row_is_under() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new(folder.path()).await;
    // Those of other domains and versions don't count.
    for other in [row(1, "bank", 1), row(2, "city", 2), row(3, "city", 0x0100)] {
        desk.write(other).await.unwrap();
    }
    for number in [4, 5] {
        desk.write(row(number, "city", 1)).await.unwrap();
    }
    for number in [4, 5] {
        let entries = desk.entries();
        assert_eq!(desk.write(destruction()).await, Err(NotDurable::Conflict));
        let stands = desk.first();
        assert!(stands.wrapped.is_some() && stands.state == VersionState::Active);
        assert_eq!(desk.entries(), entries, "an entry of what did not happen");
        desk.write(resealed(number)).await.unwrap();
    }
    desk.write(destruction()).await.unwrap();
    let gone = desk.first();
    assert!(gone.wrapped.is_none() && gone.state == VersionState::Destroyed);
}

// Invariant 15: a row that comes in the same transaction, a moment before, counts too.
#[tokio::test]
async fn inv_15_a_row_that_was_on_its_way_holds_the_destruction_back() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new(folder.path()).await;
    // While another one holds the lock, the writer waits, and both come into one group.
    let other = desk.database.writer().unwrap();
    other.begin().unwrap();
    let (first, added, destroyed, ()) = tokio::join!(
        desk.write(row(1, "city", 2)),
        desk.write(row(2, "city", 1)),
        desk.write(destruction()),
        async { other.rollback() },
    );
    assert_eq!((first, added), (Ok(()), Ok(())));
    assert_eq!(destroyed, Err(NotDurable::Conflict));
    assert!(desk.first().wrapped.is_some());
}

#[tokio::test]
async fn a_change_that_destroys_what_is_needed_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new(folder.path()).await;
    desk.write(row(1, "city", 1)).await.unwrap();
    let mut both = destruction();
    both.keys.insert(0, version(3));
    assert_eq!(desk.write(both).await, Err(NotDurable::Conflict));
    assert!(desk.reader.key_version(&key(), 3).unwrap().is_none());
}
