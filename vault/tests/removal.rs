//! What the writer looks at inside the transaction that removes rows: what came a moment before is a
//! conflict, and nothing of the change stands.

#![expect(clippy::unwrap_used, reason = "test code outside `#[test]` functions")]

use vault::model::{ClassName, DomainName, Life, Matter, Timestamp};
use vault::store::{
    Applied, Change, Database, Fingerprint, Hold, Reader, SealedValue, ShredSlot, StoredEntry,
    SubjectHandle, TokenRow, TokenWrite, Writer,
};

const ANN: SubjectHandle = SubjectHandle([0xA0; 16]);
const BEN: SubjectHandle = SubjectHandle([0xB0; 16]);
const ONE: Fingerprint = Fingerprint([1; 16]);
const TWO: Fingerprint = Fingerprint([2; 16]);

struct Desk {
    _folder: tempfile::TempDir,
    _database: Database,
    reader: Reader,
    writer: Writer,
    seq: std::cell::Cell<u64>,
}

fn city() -> DomainName {
    DomainName::parse("city").unwrap()
}

fn row(fingerprint: Fingerprint) -> TokenRow {
    TokenRow {
        fingerprint,
        domain: city(),
        class: ClassName::parse("name").unwrap(),
        created_us: 1,
        shred: ShredSlot(u64::from(fingerprint.0[0])),
        sealed: SealedValue(vec![0x5A; 40]),
        bound: false,
        life: Life {
            uses_left: Some(1),
            ..Life::default()
        },
        indexed: None,
    }
}

/// Rows one and two; one is about Ann, two about Ann and Ben.
fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("vault.db")).unwrap();
    let desk = Desk {
        reader: database.reader(),
        writer: database.writer().unwrap(),
        _folder: folder,
        _database: database,
        seq: std::cell::Cell::new(0),
    };
    let links = [(ANN, ONE), (ANN, TWO), (BEN, TWO)];
    let change = Change {
        tokens: vec![row(ONE), row(TWO)],
        token_writes: links.map(|(who, what)| TokenWrite::Link(who, what)).into(),
        ..Change::none()
    };
    assert_eq!(desk.applied(&change), Applied::Yes);
    desk
}

impl Desk {
    fn applied(&self, change: &Change) -> Applied {
        let seq = self.seq.get();
        let entry = StoredEntry {
            seq,
            bytes: seq.to_be_bytes().to_vec(),
            items: Vec::new(),
        };
        self.writer.begin().unwrap();
        let applied = self.writer.apply(change, &entry).unwrap();
        self.writer.commit().unwrap();
        self.seq.set(seq + u64::from(applied == Applied::Yes));
        applied
    }

    fn write(&self, writes: Vec<TokenWrite>) -> Applied {
        self.applied(&Change {
            token_writes: writes,
            ..Change::none()
        })
    }

    fn stands(&self, row: Fingerprint) -> bool {
        self.reader.tokens(&city(), &[row]).unwrap()[0].is_some()
    }

    fn hold(&self, handle: [u8; 16]) {
        let hold = Hold {
            handle,
            matter: Matter::parse("case-7").unwrap(),
            domain: city(),
            placed: Timestamp(1),
        };
        assert_eq!(self.write(vec![TokenWrite::Hold(hold)]), Applied::Yes);
    }
}

#[test]
fn a_row_that_is_about_someone_else_too_is_not_removed_for_one_of_them() {
    let desk = desk();
    let both = vec![
        TokenWrite::RemoveOf(ANN, ONE),
        TokenWrite::RemoveOf(ANN, TWO),
    ];
    assert_eq!(desk.write(both), Applied::Conflict);
    assert!(
        desk.stands(ONE) && desk.stands(TWO),
        "half of it was removed"
    );
    let right = vec![
        TokenWrite::RemoveOf(ANN, ONE),
        TokenWrite::Unlink(ANN, TWO),
        TokenWrite::NoneLeft(ANN),
    ];
    assert_eq!(desk.write(right), Applied::Yes);
    assert!(!desk.stands(ONE) && desk.stands(TWO));
    assert_eq!(desk.reader.shreds_due().unwrap(), [ShredSlot(1)]);
    let done = vec![
        TokenWrite::RemoveOf(BEN, TWO),
        TokenWrite::Shredded(vec![ShredSlot(1)]),
    ];
    assert_eq!(desk.write(done), Applied::Yes);
    assert_eq!(desk.reader.shreds_due().unwrap(), [ShredSlot(2)]);
}

#[test]
fn a_link_that_came_meanwhile_is_a_conflict_and_no_remainder() {
    let desk = desk();
    let short = vec![TokenWrite::RemoveOf(ANN, ONE), TokenWrite::NoneLeft(ANN)];
    assert_eq!(desk.write(short), Applied::Conflict);
    assert!(desk.stands(ONE));
}

#[test]
fn a_hold_that_came_meanwhile_is_a_conflict() {
    for handle in [ANN.0, ONE.0] {
        let desk = desk();
        desk.hold(handle);
        for write in [TokenWrite::Remove(ONE), TokenWrite::RemoveOf(ANN, ONE)] {
            assert_eq!(desk.write(vec![write]), Applied::Conflict);
        }
        // What the ledger says went before goes again, whatever holds it.
        assert_eq!(desk.write(vec![TokenWrite::Forget(ONE)]), Applied::Yes);
        assert!(!desk.stands(ONE));
    }
    let desk = desk();
    desk.hold(ANN.0);
    let unlinked = vec![TokenWrite::UnlinkAll(ANN), TokenWrite::NoneLeft(ANN)];
    assert_eq!(desk.write(unlinked), Applied::Conflict);
}

#[test]
fn a_token_that_is_given_again_stands_until_then() {
    let desk = desk();
    assert_eq!(desk.write(vec![TokenWrite::Stands(ONE)]), Applied::Yes);
    assert_eq!(desk.write(vec![TokenWrite::Remove(ONE)]), Applied::Yes);
    assert_eq!(desk.write(vec![TokenWrite::Stands(ONE)]), Applied::Conflict);
    // A tombstone keeps it from being issued to another.
    let again = Change {
        tokens: vec![row(ONE)],
        ..Change::none()
    };
    assert_eq!(desk.applied(&again), Applied::Conflict);
}

#[test]
fn uses_that_the_ledger_tells_are_used_up_and_never_below_none() {
    let desk = desk();
    for _ in 0..3 {
        assert_eq!(desk.write(vec![TokenWrite::Used(ONE)]), Applied::Yes);
    }
    let row = desk
        .reader
        .tokens(&city(), &[ONE])
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(row.life.uses_left, Some(0));
}
