//! What changes of tokens that stand, on a real database: each write finds what it saw, or is a conflict.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Facts, Operation, Origin, Outcome};
use vault::commit::{Committer, NotDurable, OpenLog, Record, Withheld, WriterThread};
use vault::model::{ClassName, DomainName, Life, Matter, NormalForm, SystemClock, Timestamp};
use vault::store::{
    Age, BlindIndex, Change, Database, Fingerprint, Hold, Indexed, Reader, SealedValue, ShredSlot,
    SubjectHandle, TokenRow, TokenWrite,
};

struct Desk {
    folder: tempfile::TempDir,
    reader: Reader,
    committer: Committer,
    _writer: WriterThread,
    _database: Database,
}

fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let reader = database.reader();
    let log = OpenLog {
        origin: Origin::parse("test.example/node").unwrap(),
        writer: database.writer().unwrap(),
        clock: Arc::new(SystemClock::new()),
        boot: [1; 8],
        deadline: Duration::from_secs(20),
    };
    let (committer, writer) = WriterThread::start(log, &reader).unwrap();
    Desk {
        folder,
        reader,
        committer,
        _writer: writer,
        _database: database,
    }
}

impl Desk {
    async fn write(&self, tokens: Vec<TokenRow>, token_writes: Vec<TokenWrite>) -> bool {
        let change = Change {
            tokens,
            token_writes,
            ..Change::none()
        };
        let record = Record::single(change, Facts::new(Operation::Tokenize, Outcome::Ok));
        let done = self.committer.record(record, Withheld::nothing()).await;
        match done {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error, NotDurable::Conflict);
                false
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn token(byte: u8) -> Fingerprint {
    Fingerprint([byte; 16])
}

fn domain() -> DomainName {
    DomainName::parse("city").unwrap()
}

fn class(name: &str) -> ClassName {
    ClassName::parse(name).unwrap()
}

fn row(byte: u8) -> TokenRow {
    TokenRow {
        fingerprint: token(byte),
        domain: domain(),
        class: class("name"),
        created_us: u64::from(byte),
        sealed: SealedValue(vec![byte]),
        shred: ShredSlot(u64::from(byte)),
        bound: false,
        life: Life::default(),
        indexed: None,
    }
}

fn indexed(byte: u8, form: NormalForm) -> TokenRow {
    TokenRow {
        indexed: Some(Indexed {
            index: BlindIndex([byte; 16]),
            form,
            nth: 0,
            token: SealedValue(vec![byte]),
        }),
        ..row(byte)
    }
}

#[tokio::test]
async fn what_must_stand_stands_or_nothing_is_written() {
    let desk = desk();
    assert!(desk.write(vec![row(1)], vec![]).await);
    assert!(
        desk.write(vec![row(2)], vec![TokenWrite::Stands(token(1))])
            .await
    );
    assert!(
        !desk
            .write(vec![row(3)], vec![TokenWrite::Stands(token(9))])
            .await
    );
    assert!(desk.write(vec![], vec![TokenWrite::Remove(token(1))]).await);
    assert!(
        !desk
            .write(vec![row(3)], vec![TokenWrite::Stands(token(1))])
            .await
    );
    assert_eq!(desk.reader.token_count().unwrap(), 1);
}

#[tokio::test]
async fn what_was_over_and_is_prolonged_is_over_no_longer() {
    let desk = desk();
    let ends = |at| Life {
        expires: Some(Timestamp(at)),
        ..Life::default()
    };
    let rows = [(1, Life::default()), (2, ends(100)), (3, ends(101))];
    let rows = rows.map(|(byte, life)| TokenRow { life, ..row(byte) });
    assert!(desk.write(rows.to_vec(), vec![]).await);
    let over = |byte| TokenWrite::Over(token(byte), Timestamp(101));
    assert!(!desk.write(vec![], vec![over(1)]).await);
    assert!(desk.write(vec![], vec![over(2)]).await);
    assert!(!desk.write(vec![], vec![over(3)]).await);
    let prolong = TokenWrite::Expire(token(2), Some(Timestamp(500)));
    assert!(
        !desk
            .write(vec![], vec![prolong, over(2), TokenWrite::Remove(token(2))])
            .await
    );
    assert_eq!(desk.reader.token_count().unwrap(), 3);
}

#[tokio::test]
async fn a_life_that_changed_meanwhile_is_a_conflict() {
    let desk = desk();
    let life = Life {
        disabled: false,
        expires: None,
        uses_left: Some(1),
    };
    assert!(desk.write(vec![TokenRow { life, ..row(1) }], vec![]).await);
    assert!(
        desk.write(vec![], vec![TokenWrite::Lives(token(1), life)])
            .await
    );
    assert!(desk.write(vec![], vec![TokenWrite::Use(token(1))]).await);
    assert!(
        !desk
            .write(vec![row(2)], vec![TokenWrite::Lives(token(1), life)])
            .await
    );
    assert!(!desk.write(vec![], vec![TokenWrite::Use(token(1))]).await);
    let used = Life {
        uses_left: Some(0),
        ..life
    };
    let writes = vec![
        TokenWrite::Disable(token(1), true),
        TokenWrite::Lives(token(1), used),
    ];
    assert!(!desk.write(vec![], writes).await);
    assert!(
        desk.write(vec![row(2)], vec![TokenWrite::Lives(token(1), used)])
            .await
    );
}

#[tokio::test]
async fn subjects_pass_over_whoever_was_linked_last() {
    let desk = desk();
    let subjects = [SubjectHandle([7; 16]), SubjectHandle([8; 16])];
    assert!(
        desk.write(vec![row(1)], vec![TokenWrite::Link(subjects[0], token(1))])
            .await
    );
    // Between the draft of a replacement and its writing.
    assert!(
        desk.write(vec![], vec![TokenWrite::Link(subjects[1], token(1))])
            .await
    );
    let writes = vec![
        TokenWrite::Inherit(token(1), token(2)),
        TokenWrite::Remove(token(1)),
    ];
    assert!(desk.write(vec![row(2)], writes).await);
    let handles = desk.reader.subjects_of(token(2)).unwrap();
    assert!(handles == subjects);
    assert!(desk.reader.subjects_of(token(1)).unwrap().is_empty());
}

#[tokio::test]
async fn a_hold_that_came_a_moment_ago_keeps_the_row_and_a_gone_token_never_returns() {
    let desk = desk();
    assert!(desk.write(vec![row(1)], vec![]).await);
    let matter = || Matter::parse("case-1").unwrap();
    let hold = Hold {
        handle: token(1).0,
        matter: matter(),
        domain: domain(),
        placed: Timestamp(1),
    };
    assert!(desk.write(vec![], vec![TokenWrite::Hold(hold)]).await);
    assert!(!desk.write(vec![], vec![TokenWrite::Remove(token(1))]).await);
    let lift = || TokenWrite::Release(token(1).0, matter());
    assert!(desk.write(vec![], vec![lift()]).await);
    assert!(!desk.write(vec![], vec![lift()]).await);
    assert!(desk.write(vec![], vec![TokenWrite::Remove(token(1))]).await);
    assert!(!desk.write(vec![row(1)], vec![]).await);
    assert!(desk.reader.shreds_due().unwrap() == [ShredSlot(1)]);
    let done = TokenWrite::Shredded(vec![ShredSlot(1)]);
    assert!(desk.write(vec![], vec![done]).await);
    assert!(desk.reader.shreds_due().unwrap().is_empty());
}

#[tokio::test]
async fn a_walk_stops_at_its_limit_its_window_and_the_end() {
    const ROWS: i64 = 120_000;
    let desk = desk();
    let connection = rusqlite::Connection::open(desk.path().join("vault.db")).unwrap();
    connection
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
             INSERT INTO token (fingerprint, domain, class, created_us, shred, sealed, bound, disabled) \
             SELECT randomblob(16), 'city', CASE WHEN i % 2 = 0 THEN 'name' ELSE 'other' END, i, i, x'00', 0, 0 FROM n",
            [ROWS],
        )
        .unwrap();
    let step = |classes: &[&str], before, place, limit| {
        let classes: Vec<ClassName> = classes.iter().map(|name| class(name)).collect();
        let age = Age::CreatedBefore(Timestamp(before));
        let found = desk
            .reader
            .aged_tokens(&domain(), &classes, age, (place, limit));
        let (rows, next) = found.unwrap();
        (rows.len(), next)
    };
    // Its limit: on from the last one found.
    assert_eq!(step(&["name"], 1_000_000, 0, 10), (10, Some(20)));
    assert_eq!(step(&["name"], 1_000_000, 20, 10), (10, Some(40)));
    // Its window: little or nothing is found, and it goes on behind what was looked at.
    assert_eq!(step(&["name"], 6, 0, 10), (2, Some(50_000)));
    assert_eq!(step(&["name"], 6, 50_000, 10), (0, Some(100_000)));
    assert_eq!(step(&["name"], 6, 100_000, 10), (0, None));
    assert_eq!(step(&["nobody"], 1_000_000, 0, 10), (0, Some(50_000)));
    // All of it, whatever the steps.
    let (mut place, mut all) = (0, 0);
    loop {
        let (found, next) = step(&["name", "other"], 1_000_000, place, 10_000);
        all += found;
        let Some(next) = next else { break };
        place = next;
    }
    assert_eq!(all, 120_000);
}

#[tokio::test]
async fn what_is_of_another_form_is_found_for_indexing_and_nothing_else() {
    let desk = desk();
    let rows = vec![
        indexed(1, NormalForm::First),
        indexed(2, NormalForm::Second),
        row(3),
        TokenRow {
            class: class("other"),
            ..indexed(4, NormalForm::First)
        },
        indexed(5, NormalForm::First),
    ];
    assert!(desk.write(rows, vec![]).await);
    let (name, form) = (class("name"), NormalForm::Second);
    let found = |place| {
        desk.reader
            .tokens_to_index(&domain(), &name, form, place)
            .unwrap()
    };
    let bytes = |rows: Vec<TokenRow>| {
        rows.iter()
            .map(|row| row.fingerprint.0[0])
            .collect::<Vec<_>>()
    };
    let (rows, next) = found((0, 1));
    assert_eq!((bytes(rows), next), (vec![1], Some(1)));
    let (rows, next) = found((1, 10));
    assert_eq!((bytes(rows), next), (vec![5], None));
    assert_eq!(
        desk.reader.count_to_index(&domain(), &name, form).unwrap(),
        2
    );
}
