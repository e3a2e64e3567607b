//! `jinku key`: the built binary against a running vault.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::{House, binary, tokenize, wrapped};

use crate::{USER, unbase64};

const OFFICER: &str = "key-office";
const BUREAU: &str = "tax-bureau";

pub(crate) fn keys_are_looked_after(house: &House) {
    let officer = |arguments: &[&str]| house.officer(OFFICER, arguments);
    let create = [
        "create",
        "aes-256",
        "--alias",
        "files",
        "--tag",
        "group=revenue",
        "--rotation",
        "90d",
        "--json",
    ];
    let made = officer(&create).json();
    assert_eq!(made["key"]["rotation_seconds"], 90 * 24 * 3_600);
    let id = made["key"]["id"].as_str().unwrap();

    let set = officer(&[
        "set",
        "files",
        "--alias",
        "old-files",
        "--tag",
        "year=114",
        "--json",
    ]);
    let tags = &set.json()["key"]["tags"];
    assert_eq!(
        (&tags["group"], &tags["year"]),
        (&Value::from("revenue"), &Value::from("114"))
    );
    let less = [
        "set",
        "files",
        "--remove-tag",
        "year",
        "--remove-alias",
        "old-files",
        "--json",
    ];
    let set = officer(&less).json();
    assert_eq!(set["key"]["aliases"], serde_json::json!(["files"]));
    assert_eq!(
        set["key"]["tags"],
        serde_json::json!({ "group": "revenue" })
    );

    let seen = officer(&["show", "files", "--json"]).json()["key"]["revision"].to_string();
    let described = [
        "set",
        "files",
        "--description",
        "申報書",
        "--revision",
        &seen,
    ];
    officer(&described).text();
    let late = officer(&described);
    assert!(late.failure().contains("key-changed"), "{}", late.err);

    assert!(officer(&["rotate", "files"]).text().contains("version 2"));
    let compromised = officer(&["compromise", "files", "--version", "2", "--json"]);
    assert_eq!(compromised.json()["key"]["current_version"], 3);
    officer(&["set", "files", "--open-from", "3"]).text();
    let destroy = ["destroy-version", "files", "--version", "1", "--json"];
    let asked = officer(&destroy);
    assert!(asked.failure().contains("say --yes"), "{}", asked.err);
    let destroyed = officer(&[&destroy[..], &["--yes"]].concat());
    assert_eq!(destroyed.json()["key"]["versions"][0]["state"], "destroyed");
    assert!(officer(&["disable", "files"]).text().contains("suspended"));
    officer(&["enable", "files"]).text();
    let retire = ["schedule-deletion", "files", "--waiting", "30d"];
    let asked = officer(&retire);
    assert!(asked.failure().contains("say --yes"), "{}", asked.err);
    let active =
        "select state from key where id = (select key from key_alias where alias = 'files')";
    assert_eq!(house.sql(active), "active");
    at_a_terminal(house, &retire, "file", "that is not the key's name");
    assert_eq!(house.sql(active), "active");
    at_a_terminal(house, &retire, "files", "deactivated");
    officer(&["cancel-deletion", "files"]).text();
    officer(&["enable", "files"]).text();
    let retired = officer(&[&retire[..], &["--yes", "--json"]].concat());
    assert!(retired.json()["key"]["deleted_at"].is_string());
    officer(&["cancel-deletion", "files"]).text();
    assert!(officer(&["enable", "files"]).text().contains("active"));

    let list = officer(&["list"]);
    let row = list.text().lines().find(|line| line.contains(id)).unwrap();
    assert!(
        row.contains("files") && row.contains("group=revenue"),
        "{row}"
    );
    let listed = officer(&["list", "--json"]);
    let each = listed
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(each.filter(|line| line["key"]["id"] == id).count(), 1);

    officer(&["backup", "files", "--to", "files.backup"]).text();
    let file = house.directory().join("files.backup");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = officer(&["backup", "files", "--to", "files.backup"]);
    assert!(again.failure().contains("name a new file"), "{}", again.err);
    let restored = officer(&["restore", "files.backup"]);
    assert!(
        restored.failure().contains("key-stands"),
        "{}",
        restored.err
    );

    officer(&["create", "aes-256", "--external", "--alias", "brought"]).text();
    let parameters = [
        "import-parameters",
        "brought",
        "--public-key",
        "wrap.pem",
        "--ticket-file",
        "ticket",
        "--json",
    ];
    let given = officer(&parameters).json();
    assert_eq!(given["algorithm"], "RSA-OAEP-SHA256+AES-KWP");
    let ticket = house.directory().join("ticket");
    assert_eq!(
        ticket.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::write(house.directory().join("forged"), [0; 32]).unwrap();
    let import = |ticket: &'static str| {
        let files = ["--wrapped", "wrapped", "--ticket-file", ticket];
        officer(&[&["import", "brought"][..], &files].concat())
    };
    let pem = std::fs::read_to_string(house.directory().join("wrap.pem")).unwrap();
    let material: Vec<u8> = (0..32).collect();
    std::fs::write(house.directory().join("wrapped"), wrapped(&pem, &material)).unwrap();
    assert!(import("forged").failure().contains("import-ticket"));
    assert!(import("ticket").text().contains("version 1"));
}

/// `jinku key` at a terminal, where this is typed: what it says then.
fn at_a_terminal(house: &House, arguments: &[&str], typed: &str, expected: &str) {
    let command = format!("{} key {}", binary("jinku").display(), arguments.join(" "));
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(house.directory())
        .env("JINKU_INSTALLATION", house.directory())
        .env("JINKU_UNIT", OFFICER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` is missing: install Debian's package bsdutils");
    let mut input = script.stdin.take().unwrap();
    let mut said = Vec::new();
    let mut output = script.stdout.take().unwrap();
    // Only what was asked for is answered.
    while !said.ends_with(b"to go on: ") {
        let mut byte = [0];
        let read = output.read(&mut byte).unwrap();
        assert_eq!(read, 1, "{}", String::from_utf8_lossy(&said));
        said.extend(byte);
    }
    input.write_all(format!("{typed}\n").as_bytes()).unwrap();
    output.read_to_end(&mut said).unwrap();
    script.wait().unwrap();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains(expected), "{said}");
}

pub(crate) fn files_are_sealed_and_opened(house: &House) {
    let bureau = |arguments: &[&str]| house.officer(BUREAU, arguments);
    let form = "申報書 114\n";
    std::fs::write(house.directory().join("form"), form).unwrap();
    let context = ["--context", "case=114-2231"];
    let seal = ["encrypt", "files", "form", "--out", "form.sealed"];
    bureau(&[&seal[..], &context].concat()).text();
    let open = ["decrypt", "form.sealed"];
    assert_eq!(bureau(&[&open[..], &context].concat()).text(), form);
    assert!(bureau(&open).failure().contains("unopened"));
    let json = bureau(&[&open[..], &context, &["--with", "files", "--json"]].concat()).json();
    assert_eq!(unbase64(&json["plaintext"]), form.as_bytes());

    let moved = [
        "re-encrypt",
        "files",
        "form.sealed",
        "--new-context",
        "year=114",
    ];
    let moved = bureau(&[&moved[..], &context].concat());
    assert_eq!(moved.code, 0, "{}", moved.err);
    let opened = house.officer_given(BUREAU, &["decrypt", "--context", "year=114"], &moved.out);
    assert_eq!(opened.text(), form);

    let data_key = ["data-key", "files", "--plain", "dk", "--out", "dk.wrapped"];
    bureau(&data_key).text();
    let plain = std::fs::read(house.directory().join("dk")).unwrap();
    assert_eq!(
        (plain.len(), bureau(&["decrypt", "dk.wrapped"]).out),
        (32, plain)
    );
    assert_eq!(bureau(&["random", "24"]).out.len(), 24);
}

pub(crate) fn signatures_and_codes_are_judged(house: &House) {
    let bureau = |arguments: &[&str]| house.officer(BUREAU, arguments);
    for (kind, alias) in [("ecdsa-p256", "stamp"), ("hmac-sha-256", "codes")] {
        let create = ["create", kind, "--alias", alias, "--tag", "group=revenue"];
        house.officer(OFFICER, &create).text();
    }
    bureau(&["sign", "stamp", "form", "--der", "--out", "form.sig"]).text();
    bureau(&["mac", "codes", "form", "--out", "form.mac"]).text();
    let checks: [&[&str]; 2] = [
        &["verify", "stamp", "--der", "--signature", "form.sig"],
        &["verify-mac", "codes", "--mac", "form.mac"],
    ];
    for check in checks {
        assert!(
            bureau(&[check, &["form"]].concat())
                .text()
                .contains("valid")
        );
        let other = [check, &["form.sealed", "--json"]].concat();
        let other = bureau(&other);
        assert_eq!(other.code, 1);
        let said: Value = serde_json::from_slice(&other.out).unwrap();
        assert_eq!(said["valid"], false);
    }
    assert!(
        bureau(&["public", "stamp"])
            .text()
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
    assert_eq!(bureau(&["public", "stamp", "--jwk"]).json()["crv"], "P-256");
}

pub(crate) async fn stored_values_are_resealed(house: &House) {
    let names: Vec<String> = (0..25).map(|number| format!("王{number}號")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let client = house.client(USER);
    client
        .tokenize(tokenize("name", &names), None)
        .await
        .unwrap();
    house.officer(OFFICER, &["rotate", "value.city"]).text();
    let resealed = house.officer(OFFICER, &["reseal", "value.city", "--step-rows", "10"]);
    assert!(resealed.text().contains("25 rows moved"), "{resealed:?}");
    let steps: Vec<&str> = resealed.err.lines().collect();
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(steps[0].contains("10 rows moved, 15 remain"), "{steps:?}");
    let again = house
        .officer(OFFICER, &["reseal", "value.city", "--json"])
        .json();
    assert_eq!(
        (&again["moved"], &again["remaining"]),
        (&Value::from(0), &Value::from(0))
    );
}

pub(crate) fn who_asks_is_proven_by_files(house: &House) {
    let url = format!("https://localhost:{}", house.port());
    std::fs::write(
        house.directory().join("token"),
        house.access_token(OFFICER) + "\n",
    )
    .unwrap();
    let place = [("JINKU_URL", url.as_str()), ("JINKU_CA", "tls/ca.pem")];
    let certificate = [
        "show",
        "files",
        "--certificate",
        "tls/key-office.pem",
        "--key",
        "tls/key-office-key.pem",
    ];
    let shown = house.jinku_key(&place, &certificate, b"");
    assert!(shown.text().contains("group=revenue"));
    let token = house.jinku_key(&place, &["show", "files", "--token-file", "token"], b"");
    assert_eq!(token.text(), shown.text());
    let nobody = house.jinku_key(&place, &["show", "files"], b"");
    assert!(nobody.failure().contains("nothing proves who asks"));
}

pub(crate) fn errors_say_the_code_and_the_remedy(house: &House) {
    let rows: [(&str, &[&str], &str); 6] = [
        (OFFICER, &["show", "nothing"], "error: key-unknown: "),
        (OFFICER, &["random", "8"], "error: not-permitted: "),
        (BUREAU, &["list"], "error: not-permitted: "),
        (
            OFFICER,
            &["schedule-deletion", "files", "--waiting", "1d", "--yes"],
            "error: range: waiting_seconds must be 604800",
        ),
        (
            OFFICER,
            &["create", "des"],
            "error: range: kind must be aes-256, ",
        ),
        (
            OFFICER,
            &["--url", "https://localhost:1", "list"],
            "error: the vault can't be reached",
        ),
    ];
    for (unit, arguments, expected) in rows {
        let said = house.officer(unit, arguments);
        assert!(
            said.failure().contains(expected),
            "{arguments:?}: {}",
            said.err
        );
        assert!(said.out.is_empty(), "{arguments:?}");
    }
}

/// A refusal leaves no file behind, and a file that is there is noticed before the vault is asked.
pub(crate) fn what_failed_is_no_file(house: &House) {
    let refused = house.officer(OFFICER, &["encrypt", "files", "form", "--out", "nothing"]);
    assert!(
        refused.failure().contains("not-permitted"),
        "{}",
        refused.err
    );
    assert!(!house.directory().join("nothing").exists());
    let entries = || house.sql("select count(*) from entry");
    let before = entries();
    let taken = house.officer(BUREAU, &["decrypt", "form.sealed", "--out", "form"]);
    assert!(taken.failure().contains("name a new file"), "{}", taken.err);
    assert_eq!(entries(), before);
}
