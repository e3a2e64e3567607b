//! A backup that is made good across epochs, and what of it an erased epoch leaves undone.

use super::*;

fn restore(house: &House) -> (bool, String) {
    house.jinku(&["restore", "--from", "backup"], "")
}

// Both epochs' words are understood: of the backup's own epoch, and of one that it does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_good_in_the_words_of_every_epoch() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一", "林二", "陳三", "張四"], None).await;
    let hers = issued(&house, &["李五"], Some("her")).await;
    does(&house, &["backup", "--to", "backup"], "entries");
    assert_eq!(erase(&house, &tokens[..1], None).await, 1);
    house.stop();
    next(&house);
    house.serve();
    assert_eq!(erase(&house, &tokens[1..2], None).await, 1);
    disable(&house, &tokens[2..3]).await;
    assert_eq!(erase(&house, &[], Some("her")).await, 1);
    house.stop();
    let (good, said) = restore(&house);
    assert!(good && said.contains("3 tokens that were erased"), "{said}");
    assert!(!said.contains("are lost"), "{said}");
    assert_eq!(house.rows(), 2);
    let known = house.sql("select number, slot is null, erased_us is null from pseudonym_epoch");
    assert_eq!(known, "1|0|1\n2|0|1");
    house.serve();
    for gone in [&tokens[0], &tokens[1], &tokens[2], &hers[0]] {
        assert_eq!(redeemed(&house, gone).await, "");
    }
    assert_eq!(redeemed(&house, &tokens[3]).await, "張四");
    let known = pseudonyms(&house, &tokens[3]).await;
    assert_eq!(known.len(), 2, "{known:?}");
    house.audited();
}

// Rows whose keys are destroyed are those that were removed: that needs no pseudonyms.
#[tokio::test(flavor = "multi_thread")]
async fn erasures_of_an_erased_epoch_are_done_again_all_the_same() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一", "林二", "陳三"], None).await;
    does(&house, &["backup", "--to", "backup"], "entries");
    assert_eq!(erase(&house, &tokens[..1], None).await, 1);
    house.stop();
    next(&house);
    house.serve();
    assert_eq!(erase(&house, &tokens[1..2], None).await, 1);
    house.stop();
    let erase = ["ledger", "erase-epoch", "1", "--yes", "--backup", "backup"];
    refuses(&house, &erase, "make a new one with `jinku backup`");
    erase_epoch(&house, "1");
    let (good, said) = restore(&house);
    assert!(good && said.contains("2 tokens that were erased"), "{said}");
    assert_eq!(house.rows(), 1);
    house.serve();
    assert_eq!(redeemed(&house, &tokens[0]).await, "");
    assert_eq!(redeemed(&house, &tokens[2]).await, "陳三");
    // The backup knew the epoch as it was: the erased one stays so.
    let known = pseudonyms(&house, &tokens[2]).await;
    assert!(known.len() == 1 && known[0].starts_with("2:"), "{known:?}");
    house.audited();
}

// What only the epoch's pseudonyms tell is refused by its entry; nothing changes.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_epoch_alone_tells_is_refused_openly() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一", "林二"], None).await;
    does(&house, &["backup", "--to", "backup"], "entries");
    disable(&house, &tokens[..1]).await;
    house.stop();
    next(&house);
    does(&house, &["backup", "--to", "later"], "entries");
    erase_epoch(&house, "1");
    let before = std::fs::read(data(&house).join("vault.db")).unwrap();
    let (good, said) = restore(&house);
    assert!(!good, "{said}");
    assert!(
        said.contains("its epoch 1 of pseudonyms was erased"),
        "{said}"
    );
    assert_eq!(
        std::fs::read(data(&house).join("vault.db")).unwrap(),
        before
    );
    // The one that was asked for at the erasure serves.
    does(&house, &["restore", "--from", "later"], "is in place");
    house.serve();
    assert_eq!(redeemed(&house, &tokens[0]).await, "");
    assert_eq!(redeemed(&house, &tokens[1]).await, "林二");
    house.audited();
}

// The count is exact within an epoch, and between two ends across several.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_within_what_the_entries_of_several_epochs_account_for() {
    let mut house = House::open();
    let tokens = issued(&house, &["王一", "林二", "陳三"], None).await;
    house.stop();
    next(&house);
    house.serve();
    // One of them is of the other epoch's issue.
    issued(&house, &["張四"], None).await;
    assert_eq!(erase(&house, &tokens[..1], None).await, 1);
    house.stop();
    let archive = house.export("archive");
    let judged = |rows: &str| {
        let output = Command::new(binary("jinku-ledger"))
            .arg("reconcile")
            .arg(&archive)
            .arg("--key-file")
            .arg(data(&house).join("ledger-key"))
            .args(["--tokens", rows])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    assert_eq!(house.rows(), 3);
    let (exit, said) = judged("3");
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("tokens: ledger 2 to 3, told 3"), "{said}");
    assert_eq!(judged("4").0, Some(4));
    assert_eq!(judged("1").0, Some(4));
}
