//! The second signature of checkpoints: none is published before its key is open, nor with one that does not hold, and
//! the archive keeps one a minute.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ledger::{
    Cosigned, Facts, Operation, Origin, Outcome, SecondKey, VerifierKey, notes_path, read_frames,
};
use ml_dsa::{Keypair as _, MlDsa44, Seed, SigningKey};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use vault::commit::{
    CheckpointSigner, Committer, OpenLog, PublishError, Publisher, Record, SecondSigner, Withheld,
    WriterThread,
};
use vault::model::{Clock, Timestamp};
use vault::store::{Change, Database};

const ORIGIN: &str = "test.example/node";
/// A publisher that works when it is told to, and not before.
const NEVER: Duration = Duration::from_hours(1);
const LONG: Duration = Duration::from_secs(20);
const START_US: u64 = 1_795_471_916_000_000;

/// A clock that the test sets.
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now().0 - START_US)
    }
}

fn second() -> SigningKey<MlDsa44> {
    SigningKey::from_seed(&Seed::from([5; 32]))
}

fn second_key() -> SecondKey {
    SecondKey::new(ORIGIN, &second().verifying_key().encode()).unwrap()
}

/// A log that is signed twice; the second key is not open yet.
struct Desk {
    folder: tempfile::TempDir,
    clock: Arc<Hands>,
    committer: Committer,
    publisher: Publisher,
    opened: Arc<OnceLock<SecondSigner>>,
    /// Whether what signs a second time signs something else.
    is_false: Arc<AtomicBool>,
    _writer: WriterThread,
    _database: Database,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("vault.db")).unwrap();
        let clock = Arc::new(Hands(AtomicU64::new(START_US)));
        let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let key = VerifierKey::new(ORIGIN, pair.public_key().as_ref().try_into().unwrap());
        let opened = Arc::new(OnceLock::new());
        let signer = CheckpointSigner {
            key: key.unwrap(),
            sign: Box::new(move |body| Ok(pair.sign(body).as_ref().try_into().unwrap())),
            second: Some(Arc::clone(&opened)),
        };
        let origin = Origin::parse(ORIGIN).unwrap();
        let beside = (database.reader(), Arc::clone(&clock) as Arc<dyn Clock>);
        let ledger = folder.path().join("ledger");
        let publisher = Publisher::start(&ledger, origin.clone(), signer, beside, NEVER, None);
        let log = OpenLog {
            origin,
            writer: database.writer().unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            boot: [1; 8],
            deadline: LONG,
        };
        let (committer, writer) = WriterThread::start(log, &database.reader()).unwrap();
        Self {
            folder,
            clock,
            committer,
            publisher: publisher.unwrap(),
            opened,
            is_false: Arc::default(),
            _writer: writer,
            _database: database,
        }
    }

    fn open(&self) {
        let is_false = Arc::clone(&self.is_false);
        let sign = move |message: &[u8]| {
            let signed = second().expanded_key().sign_deterministic(message, &[]);
            let mut signature = signed.unwrap().encode().to_vec();
            signature[1000] ^= u8::from(is_false.load(Ordering::Relaxed));
            Ok(signature)
        };
        let signer = SecondSigner {
            key: second_key(),
            sign: Box::new(sign),
        };
        assert!(self.opened.set(signer).is_ok());
    }

    async fn record(&self) {
        let facts = Facts::new(Operation::Detokenize, Outcome::Denied);
        let record = Record::single(Change::none(), facts);
        let written = self.committer.record(record, Withheld::nothing()).await;
        written.unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("ledger").join(name)
    }

    /// What the published checkpoint's second line says.
    fn said(&self) -> Cosigned {
        let note = fs::read_to_string(self.file("checkpoint")).unwrap();
        second_key().signed(&note).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_published_before_the_second_key_is_open() {
    let desk = Desk::new();
    desk.record().await;
    assert!(matches!(
        desk.publisher.publish(),
        Err(PublishError::Opening)
    ));
    assert!(!desk.file("checkpoint").exists());
    desk.open();
    assert!(desk.publisher.publish().is_ok());
    assert_eq!(desk.said(), Cosigned::At(START_US / 1_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signature_that_does_not_hold_is_not_published() {
    let desk = Desk::new();
    desk.open();
    desk.is_false.store(true, Ordering::Relaxed);
    desk.record().await;
    assert!(matches!(
        desk.publisher.publish(),
        Err(PublishError::SecondSignature)
    ));
    assert!(!desk.file("checkpoint").exists());
    desk.is_false.store(false, Ordering::Relaxed);
    assert!(desk.publisher.publish().is_ok());
    assert!(matches!(desk.said(), Cosigned::At(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archive_keeps_one_second_signature_a_minute() {
    let desk = Desk::new();
    desk.open();
    for second_s in [0, 30, 59, 60, 119, 121] {
        let now = START_US + second_s * 1_000_000;
        desk.clock.0.store(now, Ordering::Relaxed);
        desk.record().await;
        desk.publisher.publish().unwrap();
        // What is published has it each time.
        assert_eq!(desk.said(), Cosigned::At(now / 1_000_000));
    }
    let archived = fs::read_to_string(desk.file(&notes_path(START_US))).unwrap();
    let archived = read_frames(&archived).unwrap();
    let kept = archived
        .iter()
        .map(|note| second_key().signed(note).unwrap());
    let at = |second_s: u64| Cosigned::At(START_US / 1_000_000 + second_s);
    let none = Cosigned::Missing;
    assert_eq!(
        kept.collect::<Vec<_>>(),
        [at(0), none, none, at(60), none, at(121)]
    );
}
