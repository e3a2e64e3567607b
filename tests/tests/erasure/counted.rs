//! The vault's rows are those that its entries account for; a row that went without an entry is found.

use std::process::Output;

use super::*;

/// What the auditor's tool says of a backup's rows and the archive.
fn reconciled(house: &House, archive: &Path, backup: &str) -> Output {
    let backup = house.directory().join(backup);
    let counted = Command::new(binary("jinku"))
        .args(["ledger", "counts", "--backup"])
        .arg(backup)
        .output()
        .unwrap();
    assert!(counted.status.success(), "{counted:?}");
    let counts = house.directory().join("counts.json");
    std::fs::write(&counts, counted.stdout).unwrap();
    Command::new(binary("jinku-ledger"))
        .arg("reconcile")
        .arg(archive)
        .arg("--key-file")
        .arg(house.directory().join("data/ledger-key"))
        .arg("--counts")
        .arg(counts)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_those_that_the_entries_account_for() {
    let mut house = House::open();
    issued(&house, "name", &["林留存", "王留存"], None).await;
    issued(&house, "name", &["陳消失"], Some(SUBJECT)).await;
    let (good, said) = house.jinku(&["backup", "--to", "before"], "");
    assert!(good, "{said}");
    erase(&house, by_subject(SUBJECT)).await;
    house.stop();
    let (good, said) = house.jinku(&["backup", "--to", "after"], "");
    assert!(good, "{said}");
    house.sql("delete from token where rowid = (select min(rowid) from token)");
    let (good, said) = house.jinku(&["backup", "--to", "robbed"], "");
    assert!(good, "{said}");

    let archive = house.export("archive");
    for (backup, exit) in [("before", 0), ("after", 0), ("robbed", 4)] {
        let output = reconciled(&house, &archive, backup);
        assert_eq!(output.status.code(), Some(exit), "{backup}: {output:?}");
    }
    let robbed = reconciled(&house, &archive, "robbed");
    let said = String::from_utf8(robbed.stdout).unwrap();
    assert!(said.contains("tokens of city: ledger 2, told 1"), "{said}");
}
