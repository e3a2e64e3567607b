//! `jinku token`, as a custodian runs it.

use super::*;

/// Runs a verb in the domain `lab`.
fn run(house: &House, verb: &[&str], purpose: &str, input: &str) -> tests::Said {
    let given = ["--domain", "lab", "--purpose", purpose];
    house.custodian(CUSTODIAN, &[verb, &given].concat(), input.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_looks_after_tokens_by_hand() {
    let house = lab();
    let tokens = issued(&house, vec![item("plain", "one"), item("memo", "two")]).await;
    let list = format!("{}\n{}\n", tokens[0], tokens[1]);
    let json = run(&house, &["describe", "--json"], CARE, &list).json();
    assert_eq!(json["items"][0]["token"]["class"], "plain");
    assert_eq!(json["items"][1]["token"]["searchable"], true);
    assert!(
        run(&house, &["describe"], CARE, &list)
            .text()
            .contains("2 done, 0 not")
    );
    run(&house, &["disable"], CARE, &list).text();
    assert_eq!(value(&house, &tokens[0]).await, None);
    run(&house, &["enable"], CARE, &list).text();
    run(&house, &["move", "--to-class", "memo"], CARE, &list).text();
    assert_eq!(described(&house, &tokens[0]).await.unwrap().class, "memo");
    // One that is not done is said, and is the exit code.
    let half = run(&house, &["disable"], CARE, "jk1_nobody\n");
    assert_eq!(half.code, 1);
    assert!(String::from_utf8_lossy(&half.out).contains("not-available"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_tokens_is_confirmed_and_new_ones_are_kept() {
    let house = lab();
    let old = token(&house, "plain", "one").await;
    let file = house.directory().join("new.txt");
    let out = ["replace", "--out", "new.txt"];
    let unasked = run(&house, &out, CARE, &format!("{old}\n"));
    assert!(unasked.failure().contains("--yes"));
    assert!(!file.exists());
    run(
        &house,
        &[&out[..], &["--yes"]].concat(),
        CARE,
        &format!("{old}\n"),
    )
    .text();
    let new = std::fs::read_to_string(&file).unwrap();
    assert_eq!(value(&house, new.trim()).await.as_deref(), Some("one"));
    // A file that is there is not written over, and nothing is done.
    let again = run(&house, &[&out[..], &["--yes"]].concat(), CARE, &new);
    assert!(again.failure().contains("never overwritten"));
    assert_eq!(value(&house, new.trim()).await.as_deref(), Some("one"));

    let subject = house.directory().join("subject.txt");
    std::fs::write(&subject, "her\n").unwrap();
    let hold = [
        "hold",
        "--subject-file",
        "subject.txt",
        "--matter",
        "case-1",
    ];
    run(&house, &hold, HOLD, "").text();
    let holds = run(
        &house,
        &["holds", "--subject-file", "subject.txt"],
        HOLD,
        "",
    );
    assert!(holds.text().contains("case-1 since "));
    let lift = [
        "release",
        "--subject-file",
        "subject.txt",
        "--matter",
        "case-1",
    ];
    run(&house, &lift, HOLD, "").text();

    let purge = [
        "purge",
        "--created-before",
        "2100-01-01T00:00:00Z",
        "--json",
    ];
    assert!(
        run(&house, &[&purge[..], &["--yes"]].concat(), RETENTION, "")
            .failure()
            .contains("future")
    );
    let purge = [
        "purge",
        "--created-before",
        "2026-01-01T00:00:00Z",
        "--json",
    ];
    assert!(
        run(&house, &purge, RETENTION, "")
            .failure()
            .contains("--yes")
    );
    let dry = run(
        &house,
        &[&purge[..], &["--dry-run"]].concat(),
        RETENTION,
        "",
    )
    .json();
    assert_eq!(
        (dry["purged"].as_u64(), dry["dry_run"].as_bool()),
        (Some(0), Some(true))
    );
    run(&house, &["reindex", "--class", "alike"], CARE, "").text();

    let memo = token(&house, "memo", "王測試").await;
    let search = [
        "search",
        "--class",
        "memo",
        "--domain",
        "lab",
        "--purpose",
        TAX,
        "--json",
    ];
    let found = house
        .custodian(BUREAU, &search, "王測試\n".as_bytes())
        .json();
    assert_eq!(found["tokens"][0], memo.as_str());
}
