//! The one writer, on a real database: what is recorded is durable, whole and chained, or absent.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Entry, Facts, Operation, Origin, Outcome, genesis_prev, leaf_hash};
use vault::commit::{Committer, NotDurable, OpenLog, Record, Withheld, WriterThread};
use vault::model::{ClassName, Clock, DomainName, Life, Timestamp};
use vault::store::{
    AnswerId, AnswerRow, Change, Database, Fingerprint, Reader, RequestDigest, SealedValue,
    ShredSlot, TokenRow,
};

/// A clock that stands still: entries differ by their place alone.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
}

struct Desk {
    database: Database,
    reader: Reader,
    committer: Committer,
    writer: WriterThread,
}

fn desk(folder: &Path, deadline: Duration) -> Desk {
    let database = Database::open(&folder.join("vault.db")).unwrap();
    let reader = database.reader();
    let log = OpenLog {
        origin: Origin::parse("test.example/node").unwrap(),
        writer: database.writer().unwrap(),
        clock: Arc::new(Still),
        boot: [1; 8],
        deadline,
    };
    let (committer, writer) = WriterThread::start(log, &reader).unwrap();
    Desk {
        database,
        reader,
        committer,
        writer,
    }
}

fn row(byte: u8) -> TokenRow {
    TokenRow {
        fingerprint: Fingerprint([byte; 16]),
        domain: DomainName::parse("city").unwrap(),
        class: ClassName::parse("name").unwrap(),
        created_us: 1,
        sealed: SealedValue(vec![byte]),
        shred: ShredSlot(0),
        bound: false,
        life: Life::default(),
        indexed: None,
    }
}

fn record(rows: &[u8]) -> Record {
    let tokens = rows.iter().map(|byte| row(*byte)).collect();
    let change = Change {
        tokens,
        ..Change::none()
    };
    Record::single(change, Facts::new(Operation::Tokenize, Outcome::Ok))
}

fn stands(reader: &Reader, byte: u8) -> bool {
    let domain = DomainName::parse("city").unwrap();
    reader.tokens(&domain, &[Fingerprint([byte; 16])]).unwrap()[0].is_some()
}

// Invariant 1: as long as the entry can't be written, nothing is given back.
#[tokio::test]
async fn nothing_is_released_while_the_database_can_t_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), Duration::from_millis(200));
    let ((), first) = desk
        .committer
        .record(record(&[1]), Withheld::nothing())
        .await
        .unwrap();
    let other = desk.database.writer().unwrap();
    other.begin().unwrap();
    let refused = desk
        .committer
        .record(record(&[2]), Withheld::nothing())
        .await;
    assert_eq!(refused, Err(NotDurable::Deadline));
    assert!(!stands(&desk.reader, 2));
    other.rollback();
    let again = desk
        .committer
        .record(record(&[3]), Withheld::nothing())
        .await;
    assert!(again.unwrap().1.seq() > first.seq());
}

// Invariant 2: rows without their entry, or half of the rows, never stand.
#[tokio::test]
async fn a_change_that_meets_a_standing_token_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), Duration::from_secs(20));
    desk.committer
        .record(record(&[7]), Withheld::nothing())
        .await
        .unwrap();
    let entries = desk.reader.entries(0, 100).unwrap().len();
    let refused = desk
        .committer
        .record(record(&[8, 7]), Withheld::nothing())
        .await;
    assert_eq!(refused, Err(NotDurable::Conflict));
    // A refusal is answered before its group is committed: the next record comes after that.
    desk.committer
        .record(record(&[9]), Withheld::nothing())
        .await
        .unwrap();
    assert!(!stands(&desk.reader, 8), "half of a change stands");
    let found = desk.reader.entries(0, 100).unwrap().len();
    assert_eq!(found, entries + 1, "an entry without its rows");
}

// Invariant 2: what is refused takes nobody of its group along.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_one_chain_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), Duration::from_secs(20));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..200_u8 {
        let committer = desk.committer.clone();
        // Every second caller brings a token that another one brings too.
        callers.spawn(async move {
            let byte = if caller % 2 == 0 { caller } else { caller - 1 };
            (
                byte,
                committer.record(record(&[byte]), Withheld::nothing()).await,
            )
        });
    }
    let (mut written, mut refused) = (Vec::new(), 0);
    while let Some(joined) = callers.join_next().await {
        match joined.unwrap() {
            (_, Ok(((), sequenced))) => written.push(sequenced.seq()),
            (_, Err(NotDurable::Conflict)) => refused += 1,
            (byte, Err(error)) => panic!("{byte}: {error}"),
        }
    }
    assert_eq!((written.len(), refused), (100, 100));
    written.sort_unstable();
    assert_eq!(
        written,
        (1..=100).collect::<Vec<u64>>(),
        "sequence numbers have gaps"
    );
    let mut prev = genesis_prev(&Origin::parse("test.example/node").unwrap());
    for (seq, stored) in (0..).zip(desk.reader.entries(0, 1_000).unwrap()) {
        let entry = Entry::decode(&stored.bytes).unwrap();
        assert_eq!((entry.seq, entry.prev), (seq, prev));
        prev = leaf_hash(&stored.bytes);
    }
}

// Invariant 3: the log goes on where it ended.
#[tokio::test]
async fn a_restart_goes_on_with_the_next_entry() {
    let folder = tempfile::tempdir().unwrap();
    let before = {
        let desk = desk(folder.path(), Duration::from_secs(20));
        let answer = desk
            .committer
            .record(record(&[1]), Withheld::nothing())
            .await
            .unwrap();
        drop(desk.committer);
        tokio::task::spawn_blocking(|| desk.writer.join())
            .await
            .unwrap();
        answer.1.seq()
    };
    let desk = desk(folder.path(), Duration::from_secs(20));
    let ((), after) = desk
        .committer
        .record(record(&[2]), Withheld::nothing())
        .await
        .unwrap();
    assert_eq!(after.seq(), before + 1);
    assert!(stands(&desk.reader, 1) && stands(&desk.reader, 2));
}

#[test]
fn a_second_vault_on_the_same_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let first = Database::open(&path).unwrap();
    assert!(matches!(
        Database::open(&path),
        Err(vault::store::StoreError::InUse)
    ));
    drop(first);
    assert!(Database::open(&path).is_ok());
}

// What is neither a token nor a key has no entry, and is written by the same one writer.
#[tokio::test]
async fn answers_that_are_given_no_longer_go_without_an_entry_a_step_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), Duration::from_secs(20));
    for byte in 1..=3 {
        let change = Change {
            answer: Some(answer(byte, u64::from(byte) * 10)),
            ..Change::none()
        };
        let facts = Facts::new(Operation::Tokenize, Outcome::Ok);
        let record = Record::single(change, facts);
        let recorded = desk.committer.record(record, Withheld::nothing());
        recorded.await.unwrap();
    }
    let entries = desk.reader.entries(0, 100).unwrap().len();
    let kept = |now: u64| {
        let stands = |byte: &u8| {
            let answer = desk.reader.answer(AnswerId([*byte; 16]), Timestamp(now));
            answer.unwrap().is_some()
        };
        (1..=3).filter(stands).collect::<Vec<u8>>()
    };
    assert!(desk.reader.has_expired_answer(Timestamp(20)).unwrap());
    for left in [vec![2, 3], vec![3]] {
        let step = desk.committer.expire_answers(Timestamp(20), 1);
        step.await.unwrap();
        assert_eq!(kept(0), left);
    }
    assert!(!desk.reader.has_expired_answer(Timestamp(20)).unwrap());
    let step = desk.committer.expire_answers(Timestamp(20), 1);
    step.await.unwrap();
    assert_eq!(kept(0), [3]);
    assert_eq!(desk.reader.entries(0, 100).unwrap().len(), entries);
}

fn answer(byte: u8, expires_us: u64) -> AnswerRow {
    AnswerRow {
        id: AnswerId([byte; 16]),
        domain: DomainName::parse("city").unwrap(),
        request: RequestDigest([byte; 32]),
        sealed: SealedValue(vec![byte]),
        created: Timestamp(0),
        expires: Timestamp(expires_us),
    }
}
