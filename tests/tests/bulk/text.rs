//! CSV and JSON Lines: chosen values are swapped, every other byte stays, and all comes back.

use std::os::unix::fs::PermissionsExt;

use tests::House;

use super::{PERSONS, bytes, detokenize, errors, path, tidy, tokenize, words, write};

/// Where the values stand, both files must differ; everywhere else they are the same bytes.
#[track_caller]
fn same_around(before: &[u8], after: &[u8], pieces: &[&[u8]], values: &[&[u8]]) {
    let mut rest = after;
    for piece in pieces {
        let at = rest.windows(piece.len()).position(|bytes| bytes == *piece);
        let at = at.unwrap_or_else(|| panic!("`{}` is missing", String::from_utf8_lossy(piece)));
        rest = &rest[at + piece.len()..];
    }
    for value in values {
        let stands = |file: &[u8]| file.windows(value.len()).any(|bytes| bytes == *value);
        assert!(
            stands(before) && !stands(after),
            "{}",
            String::from_utf8_lossy(value)
        );
    }
}

#[test]
fn every_byte_outside_the_chosen_fields_stays() {
    let mut house = House::open();
    let csv = "\u{feff}id;name;note;mobile\r\n\
        1;王小明;\"a \"\"quoted\"\" ;\nnote\";0912345678\n\
        2;\"陳; 美\"\"玲\";  spaces  ;\"0912345679\"\r\n\
        \r\n\
        3;;\"\";\r\n\
        4;O'Neil;=1+2;0912345680";
    write(&house, "in.csv", csv);
    let map = format!("{PERSONS}[csv]\ndelimiter = ';'\n");
    let said = tokenize(&house, "in.csv", &map).whole();
    assert_eq!((&said["rows"], &said["values"]), (&4.into(), &6.into()));
    let tokens = bytes(&house, "in.tokenized.csv");
    let pieces = [
        "\u{feff}id;name;note;mobile\r\n1;",
        ";\"a \"\"quoted\"\" ;\nnote\";",
        "\n2;\"",
        "\";  spaces  ;\"",
        "\"\r\n\r\n3;;\"\";\r\n4;",
        ";=1+2;",
    ];
    let values = ["王小明", "陳; 美", "O'Neil", "0912345678", "0912345679"];
    let (pieces, values) = (pieces.map(str::as_bytes), values.map(str::as_bytes));
    same_around(csv.as_bytes(), &tokens, &pieces, &values);
    assert!(!tokens.ends_with(b"\n"));
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert_eq!(words(&house, "back.csv"), csv);
    let mode = |name| path(&house, name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("back.csv"), 0o600);
    tidy(&house);
    house.audited();
}

#[test]
fn a_file_without_a_header_is_read_by_numbers() {
    let house = House::open();
    write(&house, "in.csv", "王小明,1\n陳美玲,2\n");
    let map = "domain = 'city'\n[csv]\nheader = false\n[[column]]\nnumber = 1\nclass = 'name'\n";
    assert_eq!(tokenize(&house, "in.csv", map).whole()["values"], 2);
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert_eq!(words(&house, "back.csv"), "王小明,1\n陳美玲,2\n");
}

#[test]
fn big5_is_read_and_written_again() {
    let house = House::open();
    // id,name,note: 王小明 and a character of the user's own (0x8E40) that is only copied.
    let csv = b"id,name,note,mobile\n1,\xa4\xfd\xa4p\xa9\xfa,\x8e\x40,0912345678\n";
    write(&house, "in.csv", csv);
    let plain = tokenize(&house, "in.csv", PERSONS);
    plain.refused(
        "line 2, column 3: the bytes are not UTF-8: if the file is Big5, say --encoding big5",
    );
    assert_eq!(house.rows(), 0);
    tidy(&house);
    let big5 = ["--encoding", "big5"];
    tokenize(&house, "in.csv", PERSONS).with(&big5).whole();
    let tokens = bytes(&house, "in.tokenized.csv");
    same_around(
        csv,
        &tokens,
        &[b"id,name,note,mobile\n1,", b",\x8e\x40,"],
        &[b"\xa4\xfd\xa4p\xa9\xfa"],
    );
    let back = detokenize(&house, "in.tokenized.csv");
    back.with(&["--out", "back.csv"]).with(&big5).whole();
    assert_eq!(bytes(&house, "back.csv"), csv);
    // What was tokenized from UTF-8 may be a name that Big5 can't write.
    write(&house, "utf8.csv", "name,mobile\n𠮷田,0912345678\nplain,\n");
    tokenize(&house, "utf8.csv", PERSONS).whole();
    let said = detokenize(&house, "utf8.tokenized.csv").with(&big5).run();
    assert_eq!((said.code, &said.json()["errors"]), (1, &1.into()));
    assert_eq!(
        words(&house, "utf8.tokenized.detokenized.csv"),
        "name,mobile\nplain,\n"
    );
    let aside = &errors(&house, "utf8.tokenized.csv.errors.jsonl")[0];
    assert_eq!(
        (&aside["row"], &aside["code"]),
        (&1.into(), &"not-writable".into())
    );
}

#[test]
fn json_lines_keep_numbers_order_and_white_space() {
    let house = House::open();
    let lines = concat!(
        "{ \"fee\" : 1.50e1, \"person\":{\"names\":[\"\\u738b小明\",\"x\"], \"id\":12345678901234567890} }\r\n",
        "\n",
        "{\"person\":{\"names\":[null]}}\n",
        "{\"person\":{\"names\":[42]}}\n",
        "{\"person\":{}}\n",
        "{\"person\":{\"names\":[\"陳\\n美玲\\u0041\"]}\n",
        "{\"z\":{\"names\":[\"stays\"]},\"person\":{\"names\":[\"林\"]}}",
    );
    write(&house, "in.jsonl", lines);
    let map = "domain = 'city'\n[[column]]\npointer = '/person/names/0'\nclass = 'name'\n";
    let said = tokenize(&house, "in.jsonl", map).run();
    assert_eq!((said.code, &said.json()["rows"]), (1, &6.into()));
    let aside = errors(&house, "in.jsonl.errors.jsonl");
    let told = |of: &serde_json::Value| {
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        (
            of["row"].as_u64().unwrap(),
            of["line"].as_u64().unwrap(),
            text("code"),
        )
    };
    let expected = [(3, 4, "not-a-string"), (5, 6, "not-json")];
    let expected = expected.map(|(row, line, code)| (row, line, code.to_owned()));
    assert_eq!(aside.iter().map(told).collect::<Vec<_>>(), expected);
    let tokens = words(&house, "in.tokenized.jsonl");
    assert!(
        tokens.starts_with("{ \"fee\" : 1.50e1, \"person\":{\"names\":[\"jk1_"),
        "{tokens}"
    );
    assert!(tokens.contains("\",\"x\"], \"id\":12345678901234567890} }\r\n\n{\"person\":{\"names\":[null]}}\n{\"person\":{}}\n"));
    assert!(tokens.contains("\"stays\"") && !tokens.contains('林') && !tokens.contains("42"));
    detokenize(&house, "in.tokenized.jsonl")
        .with(&["--out", "back.jsonl"])
        .whole();
    let kept: Vec<_> = lines
        .split_inclusive('\n')
        .filter(|l| !l.contains("42") && !l.contains('陳'))
        .collect();
    // The one escape that was not needed is written as the character itself.
    assert_eq!(
        words(&house, "back.jsonl"),
        kept.concat().replace("\\u738b", "王")
    );
}

#[test]
fn what_a_unit_may_not_see_is_masked_or_set_aside() {
    let house = House::open();
    write(
        &house,
        "in.csv",
        "name,mobile\n王小明,0912345678\nnobody,\n",
    );
    tokenize(&house, "in.csv", PERSONS).whole();
    write(
        &house,
        "tokens.csv",
        words(&house, "in.tokenized.csv").replace("jk1_", "jk1_0"),
    );
    let said = detokenize(&house, "tokens.csv").run();
    assert_eq!((said.code, &said.json()["errors"]), (1, &2.into()));
    assert_eq!(words(&house, "tokens.detokenized.csv"), "name,mobile\n");
    let aside = errors(&house, "tokens.csv.errors.jsonl");
    assert!(
        aside.iter().all(|line| line["code"] == "not-available"),
        "{aside:?}"
    );
    let kept = detokenize(&house, "tokens.csv").with(&["--keep-unavailable", "--force"]);
    kept.whole();
    assert_eq!(
        words(&house, "tokens.detokenized.csv"),
        words(&house, "tokens.csv")
    );
    let masked = super::Run {
        house: &house,
        arguments: [
            "detokenize",
            "in.tokenized.csv",
            "--purpose",
            "parking-enforcement",
            "--out",
            "masked.csv",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    assert_eq!(masked.run_by("parking-office").code, 0);
    let masked = words(&house, "masked.csv");
    assert!(
        masked.contains("王**") && !masked.contains("小明"),
        "{masked}"
    );
}
