//! What a file of shred keys promises: given once, gone when destroyed, and no other's.

use super::*;

struct Shelf {
    folder: tempfile::TempDir,
    files: ShredFiles,
}

fn shelf(mirror: Option<&str>) -> Shelf {
    let folder = tempfile::tempdir().unwrap();
    let files = ShredFiles {
        file: folder.path().join("shreds"),
        mirror: mirror.map(|name| folder.path().join(name)),
    };
    Shelf { folder, files }
}

impl Shelf {
    fn database(&self) -> Database {
        Database::open(&self.folder.path().join("vault.db")).unwrap()
    }

    /// A process begins.
    fn open(&self) -> Result<Shreds, ShredError> {
        Shreds::open(&self.files, &self.database())
    }

    /// A row that names this place stands.
    fn row(&self, slot: u64) {
        let connection = rusqlite::Connection::open(self.folder.path().join("vault.db")).unwrap();
        let insert = "INSERT INTO token (fingerprint, domain, class, created_us, shred, sealed, bound, disabled) \
            VALUES (randomblob(16), 'd', 'c', 1, ?1, x'00', 0, 0)";
        connection.execute(insert, [slot]).unwrap();
    }
}

/// Whether sealing for one key is opened by the other.
fn same(one: &ShredKey, other: &ShredKey) -> bool {
    let context = kms::Binding::new("test");
    let sealed = one.seal_once(&context, b"value").unwrap();
    other.open(&context, sealed.expose()).is_ok()
}

#[test]
fn a_key_is_given_once_and_read_again_by_its_place_after_a_restart_too() {
    let shelf = shelf(None);
    let shreds = shelf.open().unwrap();
    let given: Vec<_> = (0..BLOCK_SLOTS + 2)
        .map(|_| shreds.take().unwrap())
        .collect();
    assert!(given.windows(2).all(|pair| pair[0].0.0 < pair[1].0.0));
    assert!(!same(&given[0].1, &given[1].1));
    drop(shreds);
    let shreds = shelf.open().unwrap();
    for (slot, key) in &given {
        assert!(same(key, &shreds.key(*slot).unwrap().unwrap()));
    }
    // What the last run did not give is not given again: the place may be in a newer database.
    let last = given.last().unwrap().0;
    assert!(shreds.take().unwrap().0.0 > last.0);
}

#[test]
fn a_destroyed_key_is_gone_from_both_files_and_its_neighbours_stay() {
    let shelf = shelf(Some("mirror"));
    let shreds = shelf.open().unwrap();
    let given: Vec<_> = (0..3).map(|_| shreds.take().unwrap()).collect();
    let slot = given[1].0;
    let at = usize::try_from(place(slot)).unwrap();
    let bytes = std::fs::read(&shelf.files.file).unwrap()[at..at + ShredKey::BYTES].to_vec();
    shreds.destroy(&[slot]).unwrap();
    assert!(shreds.key(slot).unwrap().is_none());
    assert!(shreds.key(given[0].0).unwrap().is_some());
    assert!(shreds.key(given[2].0).unwrap().is_some());
    for path in [&shelf.files.file, shelf.files.mirror.as_ref().unwrap()] {
        let whole = std::fs::read(path).unwrap();
        assert!(!whole.windows(bytes.len()).any(|window| window == bytes));
    }
}

#[test]
fn keys_that_were_due_when_the_process_ended_are_destroyed_at_the_next_start() {
    let shelf = shelf(Some("mirror"));
    let (slot, _) = shelf.open().unwrap().take().unwrap();
    let connection = rusqlite::Connection::open(shelf.folder.path().join("vault.db")).unwrap();
    connection
        .execute("INSERT INTO shred_due (slot) VALUES (?1)", [slot.0])
        .unwrap();
    assert!(shelf.open().unwrap().key(slot).unwrap().is_none());
}

#[test]
fn a_missing_foreign_or_cut_file_is_refused_where_rows_need_it() {
    let one = shelf(None);
    let (slot, _) = one.open().unwrap().take().unwrap();
    one.row(slot.0);
    let whole = std::fs::read(&one.files.file).unwrap();
    std::fs::remove_file(&one.files.file).unwrap();
    assert!(matches!(one.open(), Err(ShredError::Missing)));
    assert!(!one.files.file.exists());
    for cut in [1, 31, 32, 40] {
        std::fs::write(&one.files.file, &whole[..cut]).unwrap();
        assert!(matches!(one.open(), Err(ShredError::Malformed)), "{cut}");
    }
    std::fs::write(
        &one.files.file,
        b"something else that is longer than a head",
    )
    .unwrap();
    assert!(matches!(one.open(), Err(ShredError::Malformed)));
    let other = shelf(None);
    drop(other.open().unwrap());
    std::fs::copy(&other.files.file, &one.files.file).unwrap();
    assert!(matches!(one.open(), Err(ShredError::Foreign)));
    std::fs::write(&one.files.file, &whole).unwrap();
    assert!(one.open().unwrap().key(slot).unwrap().is_some());
}

#[test]
fn either_file_is_made_again_from_the_other() {
    let shelf = shelf(Some("mirror"));
    let (slot, key) = shelf.open().unwrap().take().unwrap();
    shelf.row(slot.0);
    for lost in [&shelf.files.file, shelf.files.mirror.as_ref().unwrap()] {
        std::fs::remove_file(lost).unwrap();
        let shreds = shelf.open().unwrap();
        assert!(same(&key, &shreds.key(slot).unwrap().unwrap()));
        assert!(lost.exists());
    }
}

// A crash between the two writes of a block leaves one file longer.
#[test]
fn a_block_that_only_one_file_got_is_cut_off() {
    let shelf = shelf(Some("mirror"));
    let (slot, _) = shelf.open().unwrap().take().unwrap();
    shelf.row(slot.0);
    let mut longer = std::fs::read(&shelf.files.file).unwrap();
    longer.extend([7; 100]);
    std::fs::write(&shelf.files.file, longer).unwrap();
    let shreds = shelf.open().unwrap();
    assert!(shreds.key(slot).unwrap().is_some());
    let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
    let mirror = shelf.files.mirror.as_ref().unwrap();
    assert_eq!(bytes(&shelf.files.file), bytes(mirror));
    assert_eq!(shreds.take().unwrap().0.0, BLOCK_SLOTS as u64);
}
