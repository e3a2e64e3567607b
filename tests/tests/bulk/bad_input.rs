//! What is wrong in a file is refused with its place, or its row is set aside. Nothing else is lost.

use std::fmt::Write as _;

use tests::House;

use super::{PERSONS, bytes, detokenize, errors, path, tidy, tokenize, words, write};

#[test]
fn a_file_that_is_no_csv_is_refused_with_line_and_column_before_anything_is_sent() {
    let house = House::open();
    let rows: [(&[u8], &str); 8] = [
        (
            b"name,mobile\na,1\nb\"c,2\n",
            "line 3, column 2: a quote stands inside a field",
        ),
        (
            b"name,mobile\n\xe7\x8e\x8b,\"1\"2\n",
            "line 2, column 6: a closing quote is followed",
        ),
        (
            b"name,mobile\na,\"1\n\n",
            "line 2, column 3: a quote that is opened here is never closed",
        ),
        (b"name,mobile\na,1\0\n", "line 2, column 4: a NUL byte"),
        (
            b"name,mobile\na\rb,1\n",
            "line 2, column 2: a carriage return stands",
        ),
        (
            b"name,mobile\na,\"x\n\xff\"\n",
            "line 3, column 1: the bytes are not UTF-8",
        ),
        (b"\xff\xfen\0a\0", "the file is UTF-16"),
        (b"name,fax\na,1\n", "the header has no column `mobile`"),
    ];
    for (csv, words) in rows {
        write(&house, "in.csv", csv);
        let said = tokenize(&house, "in.csv", PERSONS).refused(words);
        assert!(said.out.is_empty());
        tidy(&house);
        assert!(!path(&house, "in.tokenized.csv").exists());
    }
    assert_eq!(house.rows(), 0);
    write(
        &house,
        "in.csv",
        format!("name,mobile\na,\"{}\"\n", "x".repeat(17 << 20)),
    );
    tokenize(&house, "in.csv", PERSONS).refused("line 2, column 1: a record has more than 16 MiB");
    write(&house, "in.csv", "name,name,mobile\n");
    tokenize(&house, "in.csv", PERSONS).refused("two columns `name`");
}

#[test]
fn ragged_rows_and_bad_values_are_set_aside_and_a_thousand_others_go_through() {
    let house = House::open();
    let mut csv = "name,mobile,note\n".to_owned();
    for row in 1..=1_000 {
        match row {
            100 => csv.push_str("name 100,0912345678\n"),
            200 => csv.push_str("name 200,0912345678,,\n"),
            300 => csv.push_str("name 300,12345,wrong\n"),
            400 => writeln!(csv, "{},0912345678,", "長".repeat(350_000)).unwrap(),
            500 => writeln!(csv, "name 500,0912345678,{}", "x".repeat(1 << 20)).unwrap(),
            // Duplicates are rows of their own.
            600..=700 => csv.push_str("same,0912345678,\n"),
            row => writeln!(csv, "name {row},09{row:08},").unwrap(),
        }
    }
    write(&house, "in.csv", &csv);
    let said = tokenize(&house, "in.csv", PERSONS).run();
    assert_eq!((said.code, &said.json()["errors"]), (1, &4.into()));
    let aside = errors(&house, "in.csv.errors.jsonl");
    let expected = [
        (100, 101, None, Some(20), "ragged"),
        (200, 201, None, Some(22), "ragged"),
        (300, 301, Some("mobile"), None, "value-invalid"),
        (400, 401, Some("name"), Some(1), "value-too-long"),
    ];
    for (line, (row, at, column, position, code)) in aside.iter().zip(expected) {
        assert_eq!(
            (&line["row"], &line["line"]),
            (&row.into(), &at.into()),
            "{line}"
        );
        assert_eq!(line["column"].as_str(), column, "{line}");
        assert_eq!(line["position"].as_u64(), position, "{line}");
        assert_eq!(line["code"], code, "{line}");
    }
    assert!(!words(&house, "in.csv.errors.jsonl").contains("12345"));
    let gone = |line: &&str| {
        !["name 100,", "name 200,", "name 300,", "長"]
            .iter()
            .any(|g| line.starts_with(g))
    };
    let kept: String = csv.split_inclusive('\n').filter(gone).collect();
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert!(
        words(&house, "back.csv") == kept,
        "rows are lost, doubled or in another order"
    );
    let tokens = words(&house, "in.tokenized.csv");
    let same: std::collections::BTreeSet<_> = tokens
        .lines()
        .skip(600)
        .take(50)
        .map(|l| l.split(',').nth(1))
        .collect();
    assert_eq!(same.len(), 1, "a repeatable value has one token");
}

#[test]
fn a_batch_of_nothing_but_bad_values_is_halved_until_all_are_found() {
    let house = House::open();
    let rows: String = (0..300)
        .map(|n| format!("n{n},{}\n", if n % 3 == 0 { "0912345678" } else { "x" }))
        .collect();
    write(&house, "in.csv", format!("name,mobile\n{rows}"));
    let said = tokenize(&house, "in.csv", PERSONS).run().json();
    assert_eq!((&said["errors"], &said["rows"]), (&200.into(), &300.into()));
    assert_eq!(words(&house, "in.tokenized.csv").lines().count(), 101);
    // Each refused request took a row away, and recorded nothing; what was issued is in the output.
    assert_eq!(
        house.sql("select count(*) from token where blind_index is null"),
        "100"
    );
    let stopped = tokenize(&house, "in.csv", PERSONS)
        .with(&["--force", "--max-errors", "5", "--batch-items", "10"])
        .run();
    let said = stopped.json();
    assert_eq!(
        (stopped.code, said["ended"].as_str()),
        (1, Some("max-errors"))
    );
    assert!(
        (5..=10).contains(&said["errors"].as_u64().unwrap()),
        "{said}"
    );
    tokenize(&house, "in.csv", PERSONS)
        .with(&["--batch-items", "10"])
        .refused("--resume goes on");
    let on = tokenize(&house, "in.csv", PERSONS)
        .with(&["--resume", "--batch-items", "10"])
        .run();
    assert_eq!(on.json()["errors"], 200);
    assert_eq!(errors(&house, "in.csv.errors.jsonl").len(), 200);
    tidy(&house);
}

#[test]
fn a_batch_that_is_too_large_for_the_vault_is_parted() {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        "\n[limits]\nbatch_items_max = 7\n\n[ledger]\n",
    );
    house.serve();
    let rows: String = (0..100).map(|n| format!("n{n},0912345678\n")).collect();
    write(&house, "in.csv", format!("name,mobile\n{rows}"));
    assert_eq!(tokenize(&house, "in.csv", PERSONS).whole()["values"], 200);
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert_eq!(bytes(&house, "back.csv"), bytes(&house, "in.csv"));
}

#[test]
fn what_stands_is_not_overwritten_and_who_may_not_learns_why() {
    let house = House::open();
    write(&house, "in.csv", "name,mobile\na,0912345678\n");
    write(&house, "in.tokenized.csv", "mine");
    tokenize(&house, "in.csv", PERSONS).refused("`in.tokenized.csv` is there already");
    let out = ["--out", "in.csv"];
    tokenize(&house, "in.csv", PERSONS)
        .with(&out)
        .with(&["--force"])
        .refused("is the input itself");
    assert_eq!(words(&house, "in.tokenized.csv"), "mine");
    let denied = tokenize(&house, "in.csv", PERSONS)
        .with(&["--force"])
        .run_by("public-library");
    assert!(denied.err.contains("not-permitted"), "{}", denied.err);
    assert_eq!(words(&house, "in.tokenized.csv"), "mine");
    tidy(&house);
    tokenize(&house, "in.csv", PERSONS)
        .with(&["--force"])
        .whole();
    assert!(words(&house, "in.tokenized.csv").contains("jk1_"));
    tokenize(&house, "in.csv", "domain = 'city'\nspeed = 9\n")
        .with(&["--force"])
        .refused("unknown field");
    tokenize(
        &house,
        "in.csv",
        &PERSONS.replace("'mobile'\n[", "'fax-no'\n["),
    )
    .with(&["--force"])
    .refused("class-unknown");
}
