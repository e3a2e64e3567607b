//! A restored backup does not bring back what was erased: not by `jinku restore`, and not by hand.

use tests::{House, byte_leaks, has_entry};

use super::*;

/// A house whose subject was erased after a backup: tokens of the subject, and one that stays.
struct Past {
    house: House,
    erased: Vec<String>,
    kept: String,
    remains: Remains,
    certificate: String,
}

impl Past {
    async fn new() -> Self {
        let mut house = House::open();
        let kept = issued(&house, "name", &["林留存"], None).await.remove(0);
        let mut erased = issued(&house, "name", &["王消失"], Some(SUBJECT)).await;
        erased.extend(issued(&house, "address", &["臺北市消失路一號"], Some(SUBJECT)).await);
        let remains = remains(&house);
        assert_ne!(remains.shred, [0; 32]);
        // While the vault runs.
        let (good, said) = house.jinku(&["backup", "--to", "backup"], "");
        assert!(good, "{said}");
        copy_folder(
            &data(&house).join("ledger"),
            &house.directory().join("ledger-then"),
        );
        // After the backup: a token of somebody else, which no backup has, and the erasure.
        issued(&house, "name", &["陳晚到"], None).await;
        let answer = erase(&house, by_subject(SUBJECT)).await;
        assert_eq!((answer.erased, answer.unlinked), (2, 0));
        for token in &erased {
            assert_eq!(redeemed(&house, token).await, "");
        }
        house.stop();
        Self {
            house,
            erased,
            kept,
            remains,
            certificate: answer.certificate.unwrap(),
        }
    }

    fn restored(&self, more: &[&str]) -> (bool, String) {
        let arguments = [&["restore", "--from", "backup"], more].concat();
        self.house.jinku(&arguments, "")
    }

    async fn gone_and_kept(&self) {
        for token in &self.erased {
            assert_eq!(redeemed(&self.house, token).await, "");
        }
        assert_eq!(redeemed(&self.house, &self.kept).await, "林留存");
    }

    /// Neither value, ciphertext nor key of the last erased row lie in the data directory.
    fn nothing_remains(&self) {
        let Remains {
            sealed,
            slot,
            shred,
        } = &self.remains;
        assert_eq!(shred_key(&self.house, *slot), [0; 32], "the key stands");
        let secrets: [(&str, &[u8]); 4] = [
            ("the value", "臺北市消失路一號".as_bytes()),
            ("the other value", "王消失".as_bytes()),
            ("the sealed value", sealed),
            ("its shred key", shred),
        ];
        let found = byte_leaks(&data(&self.house), &secrets);
        assert!(found.is_empty(), "{found:?}");
        // The search finds what is there.
        let backup = byte_leaks(&self.house.directory().join("backup"), &[secrets[2]]);
        assert_eq!(backup.len(), 1, "the backup has no such ciphertext");
        let key = byte_leaks(&self.house.directory().join("backup"), &[secrets[3]]);
        assert!(key.is_empty(), "a shred key is in the backup");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterday_s_backup_does_not_bring_it_back() {
    let mut past = Past::new().await;
    past.nothing_remains();
    let report = judged(&past.house, &past.certificate);
    assert_eq!(report["entry"]["operation"], "erase");
    assert_eq!(report["entry"]["purpose"], ERASURE);
    assert_eq!(report["entry"]["commitment"].as_str().unwrap().len(), 64);
    let items = report["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["view"] == "done"));

    let (good, said) = past.restored(&[]);
    assert!(good, "{said}");
    assert!(said.contains("2 tokens that were erased"), "{said}");
    assert!(
        said.contains("1 tokens that were issued since are lost"),
        "{said}"
    );
    past.nothing_remains();
    past.house.serve();
    past.gone_and_kept().await;
    // The certificate that was given before still holds, and the log goes on without a fork.
    assert_eq!(
        judged(&past.house, &past.certificate)["verdict"],
        "verified"
    );
    let again = issued(&past.house, "name", &["王消失"], Some(SUBJECT)).await;
    assert_eq!(redeemed(&past.house, &again[0]).await, "王消失");
    let entries = past.house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "restore"), ("outcome", "ok")]
    ));
    assert!(has_entry(
        &entries,
        &[("operation", "erase"), ("outcome", "ok")]
    ));
}

// The operator who is hostile, or in a hurry: yesterday's database and yesterday's ledger, put back by hand.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_database_put_in_place_by_hand_opens_nothing_that_was_erased() {
    let mut past = Past::new().await;
    let (house, data) = (past.house.directory(), data(&past.house));
    for file in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    std::fs::copy(house.join("backup/vault.db"), data.join("vault.db")).unwrap();
    let said = past.house.refuses_to_serve();
    assert!(
        said.contains("does not hold the entries that were published"),
        "{said}"
    );
    std::fs::rename(data.join("ledger"), house.join("ledger-now")).unwrap();
    let said = past.house.refuses_to_serve();
    assert!(said.contains("the ledger directory is missing"), "{said}");
    // Both of the same moment look whole to the vault. The rows are back, and their keys are not.
    copy_folder(&house.join("ledger-then"), &data.join("ledger"));
    past.house.serve();
    assert_eq!(
        past.house.rows(),
        3,
        "the rows did not come back: this proves nothing"
    );
    past.gone_and_kept().await;
    past.house.stop();
    let said = std::fs::read_to_string(house.join("vault.log")).unwrap();
    assert!(said.contains("does not open"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_can_t_be_made_good_is_refused_and_nothing_changes() {
    let mut past = Past::new().await;
    let (house, data) = (past.house.directory(), data(&past.house));
    let before = std::fs::read(data.join("vault.db")).unwrap();
    let (good, said) = past.house.jinku(&["backup", "--to", "backup"], "");
    assert!(!good && said.contains("name a new directory"), "{said}");

    // A ledger directory that is missing, older than the backup, or damaged.
    std::fs::rename(data.join("ledger"), house.join("ledger-now")).unwrap();
    let (good, said) = past.restored(&[]);
    assert!(
        !good && said.contains("the ledger directory is missing or empty"),
        "{said}"
    );
    copy_folder(&house.join("ledger-now"), &data.join("ledger"));
    let bundle = data.join("ledger/tile/entries");
    let partial = std::fs::read_dir(bundle.join("000.p")).unwrap();
    for file in partial {
        let file = file.unwrap().path();
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    let (good, said) = past.restored(&[]);
    assert!(
        !good && said.contains("do not lead to the published root"),
        "{said}"
    );
    std::fs::remove_dir_all(data.join("ledger")).unwrap();
    std::fs::rename(house.join("ledger-now"), data.join("ledger")).unwrap();

    // Shred keys that are missing, or another database's.
    std::fs::rename(data.join("shreds"), house.join("shreds")).unwrap();
    let (good, said) = past.restored(&[]);
    assert!(
        !good && said.contains("the file of shred keys is missing"),
        "{said}"
    );
    std::fs::rename(house.join("shreds"), data.join("shreds")).unwrap();

    // A copy that was altered, and half a backup.
    let copy = house.join("backup/vault.db");
    let bytes = std::fs::read(&copy).unwrap();
    let mut altered = bytes.clone();
    altered[5_000] ^= 1;
    std::fs::write(&copy, altered).unwrap();
    let (good, said) = past.restored(&[]);
    assert!(!good && said.contains("damaged or altered"), "{said}");
    std::fs::write(&copy, bytes).unwrap();
    let manifest = house.join("backup/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let (good, said) = past.restored(&[]);
    assert!(!good && said.contains("has no manifest"), "{said}");
    std::fs::write(&manifest, text).unwrap();

    assert_eq!(std::fs::read(data.join("vault.db")).unwrap(), before);
    assert!(!data.join("vault-restoring.db").exists());
    past.house.serve();
    let (good, said) = past.restored(&[]);
    assert!(!good && said.contains("in use by another vault"), "{said}");
    past.gone_and_kept().await;
    past.house.stop();
    assert!(past.restored(&[]).0);
    // Twice is as good as once.
    let (good, said) = past.restored(&[]);
    assert!(good, "{said}");
    past.house.serve();
    past.gone_and_kept().await;
    past.house.audited();
}

// A backup older than the published ledger can't be served; one that is newer than the ledger can't be restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_older_than_the_backup_is_refused() {
    let past = Past::new().await;
    let (house, data) = (past.house.directory(), data(&past.house));
    let (good, said) = past.house.jinku(&["backup", "--to", "later"], "");
    assert!(good, "{said}");
    std::fs::rename(data.join("ledger"), house.join("ledger-now")).unwrap();
    copy_folder(&house.join("ledger-then"), &data.join("ledger"));
    let (good, said) = past.house.jinku(&["restore", "--from", "later"], "");
    assert!(
        !good && said.contains("put the newest ledger directory back"),
        "{said}"
    );
}

// Keys that ended after the backup stay ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_destroyed_since_does_not_come_back() {
    let mut house = House::open();
    let officer = ["--installation", ".", "--unit", "key-office"];
    let key = |arguments: &[&str]| house.jinku(&[&["key"], &officer[..], arguments].concat(), "");
    assert!(
        key(&[
            "create",
            "aes-256",
            "--alias",
            "first",
            "--tag",
            "group=revenue"
        ])
        .0
    );
    assert!(
        key(&[
            "create",
            "aes-256",
            "--alias",
            "second",
            "--tag",
            "group=revenue"
        ])
        .0
    );
    assert!(key(&["rotate", "first"]).0);
    assert!(key(&["set", "first", "--open-from", "2"]).0);
    assert!(house.jinku(&["backup", "--to", "backup"], "").0);
    let (good, said) = key(&["destroy-version", "first", "--version", "1", "--yes"]);
    assert!(good, "{said}");
    let (good, said) = key(&["disable", "second"]);
    assert!(good, "{said}");
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(good, "{said}");
    assert!(
        said.contains("2 keys are destroyed or switched off again"),
        "{said}"
    );
    let states = "select m.state from key_material m join key_alias a on a.key = m.key \
        where a.alias = 'first' and m.version = 1";
    assert_eq!(house.sql(states), "destroyed");
    let states =
        "select k.state from key k join key_alias a on a.key = k.id where a.alias = 'second'";
    assert_eq!(house.sql(states), "suspended");
    house.serve();
    house.audited();
}

// What was answered and never published is in the present database alone: it is not thrown away in silence.
#[tokio::test(flavor = "multi_thread")]
async fn unpublished_entries_are_given_up_only_when_that_is_said() {
    let mut house = House::install();
    let slow = "[ledger]\npublish_interval_ms = 3600000";
    house.edit("jinku.toml", "[ledger]", slow);
    house.serve();
    let kept = issued(&house, "name", &["林留存"], None).await;
    house.stop();
    assert!(house.jinku(&["backup", "--to", "backup"], "").0);
    house.serve();
    let late = issued(&house, "name", &["陳晚到"], None).await;
    house.kill();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(!good && said.contains("start the vault once"), "{said}");
    house.serve();
    assert_eq!(redeemed(&house, &late[0]).await, "陳晚到");
    house.kill();
    let restore = ["restore", "--from", "backup", "--discard-unpublished"];
    let (good, said) = house.jinku(&restore, "");
    assert!(good, "{said}");
    house.serve();
    assert_eq!(redeemed(&house, &late[0]).await, "");
    assert_eq!(redeemed(&house, &kept[0]).await, "林留存");
    house.audited();
}

// The backup's keys are wrapped under the root of its day. Under another one nothing of it opens, and it is said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_the_root_was_rotated_is_refused_by_that_name() {
    let past = Past::new().await;
    let house = &past.house;
    let renamed = "root_label = \"second-root\"\ntoken_label = ";
    house.edit("jinku.toml", "token_label = ", renamed);
    let (good, said) = house.jinku(&["key", "rotate-root", "--from", "jinku-root"], "");
    assert!(good, "{said}");
    let (good, said) = past.restored(&[]);
    assert!(
        !good && said.contains("moved the keys to another root key after the backup"),
        "{said}"
    );
    house.edit("jinku.toml", "root_label = \"second-root\"\n", "");
    let (good, said) = past.restored(&[]);
    assert!(good, "{said}");
}
