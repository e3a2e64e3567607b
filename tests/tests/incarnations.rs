//! Incarnations: a restored or copied database is another life of the log, it says so, and two lives that are
//! lived at once are found out.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::{House, Program, binary, tokenize};

async fn tokenized(house: &House, values: &[&str]) {
    let client = house.client(Some("tax-bureau"));
    let request = tokenize("name", values);
    client.tokenize(request, None).await.unwrap();
}

/// Numbers and reasons of the incarnations that the entries tell, in order.
fn lives(entries: &[Value]) -> Vec<(u64, String)> {
    let opened = entries
        .iter()
        .filter(|entry| entry["operation"] == "incarnation-open");
    let life = |entry: &Value| {
        let number = entry["key"]["version"].as_u64().unwrap();
        (number, entry["reason"].as_str().unwrap().to_owned())
    };
    opened.map(life).collect()
}

fn life(number: u64, why: &str) -> (u64, String) {
    (number, why.to_owned())
}

fn copied(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}

/// The auditor's tool: its exit code, and what it says.
fn auditor(arguments: &[&str], paths: &[&Path]) -> (i32, String) {
    let output = Command::new(binary("jinku-ledger"))
        .args(arguments)
        .args(paths)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

/// The report of an archive in JSON.
fn report(house: &House, archive: &Path) -> Value {
    let key = house.directory().join("data/ledger-key");
    let key = key.to_str().unwrap();
    let (exit, said) = auditor(&["verify", "--json", "--key-file", key], &[archive]);
    assert_eq!(exit, 0, "{said}");
    serde_json::from_str(&said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_life_goes_on_across_restarts_and_a_moved_folder() {
    let mut house = House::open();
    tokenized(&house, &["王一"]).await;
    house.kill();
    house.serve();
    house.stop();
    let (data, aside) = (
        house.directory().join("data"),
        house.directory().join("aside"),
    );
    std::fs::rename(&data, &aside).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    house.serve();
    assert_eq!(lives(&house.audited()), [life(1, "first")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_another_life_and_the_auditor_sees_it() {
    let mut house = House::open();
    tokenized(&house, &["王一"]).await;
    assert!(house.jinku(&["backup", "--to", "backup"], "").0);
    tokenized(&house, &["林二"]).await;
    house.stop();
    for _ in 0..2 {
        let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
        assert!(good, "{said}");
    }
    house.serve();
    tokenized(&house, &["陳三"]).await;
    let entries = house.audited();
    let expected = [life(1, "first"), life(2, "restored"), life(3, "restored")];
    assert_eq!(lives(&entries), expected);
    let report = report(&house, &house.directory().join("archive"));
    let listed = report["incarnations"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    let last = &listed[2];
    assert_eq!(
        (&last["number"], &last["why"]),
        (&3.into(), &"restored".into())
    );
    let seq = usize::try_from(last["seq"].as_u64().unwrap()).unwrap();
    assert_eq!(entries[seq]["operation"], "incarnation-open");
    let (_, said) = house.verify(&house.directory().join("archive"));
    assert!(
        said.contains("incarnation 3 (restored) from entry"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_mark_and_an_operator_open_one_too() {
    let mut house = House::open();
    let mark = house.directory().join("data/incarnation");
    house.stop();
    std::fs::remove_file(&mark).unwrap();
    house.serve();
    house.stop();
    let said = std::fs::read_to_string(house.directory().join("vault.log")).unwrap();
    assert!(
        said.contains("a new incarnation of the log is open"),
        "{said}"
    );
    std::fs::write(&mark, "jinku incarnation v1\n").unwrap();
    house.serve();
    let (good, said) = house.jinku(&["ledger", "new-incarnation"], "");
    assert!(!good && said.contains("in use by another vault"), "{said}");
    house.stop();
    let (good, said) = house.jinku(&["ledger", "new-incarnation"], "");
    assert!(
        good && said.contains("incarnation 4 of the log is open"),
        "{said}"
    );
    house.serve();
    let expected = [
        life(1, "first"),
        life(2, "mark-missing"),
        life(3, "mark-differs"),
        life(4, "operator"),
    ];
    assert_eq!(lives(&house.audited()), expected);
}

/// A copy of a stopped house's vault, which shares its HSM, key and name.
fn cloned(house: &House) -> PathBuf {
    let clone = house.directory().join("clone");
    std::fs::create_dir(&clone).unwrap();
    for folder in ["data", "tls", "policies", "issuer"] {
        copied(&house.directory().join(folder), &clone.join(folder));
    }
    copied(&house.directory().join("hsm-pin"), &clone.join("hsm-pin"));
    let settings = std::fs::read_to_string(house.directory().join("jinku.toml")).unwrap();
    let listen = format!("127.0.0.1:{}", house.port());
    let settings = settings.replace(&listen, "127.0.0.1:0");
    std::fs::write(clone.join("jinku.toml"), settings).unwrap();
    clone
}

fn serving(house: &House, folder: &Path) -> Program {
    let mut vault = Command::new(binary("jinku"));
    vault
        .args(["serve", "--config"])
        .arg(folder.join("jinku.toml"))
        .env("JINKU_HSM_DIR", house.directory().join("hsm"));
    Program::listening(&mut vault, &folder.join("vault.log"))
}

// Without witnesses, which would stop the second one (`witness.rs`): the copy opens a life of its own, each log is whole by
// itself, and side by side they part at that very entry.
#[tokio::test(flavor = "multi_thread")]
async fn two_vaults_of_one_origin_part_where_the_copy_began() {
    let mut house = House::open();
    tokenized(&house, &["王一", "林二"]).await;
    house.stop();
    let before = house.export("before");
    let clone = cloned(&house);
    house.serve();
    tokenized(&house, &["陳三"]).await;
    let second = serving(&house, &clone);
    let said = std::fs::read_to_string(clone.join("vault.log")).unwrap();
    assert!(said.contains("two nodes write under one name"), "{said}");
    assert!(second.stop().success());
    let entries = house.audited();
    assert_eq!(lives(&entries), [life(1, "first")]);

    let (ours, theirs) = (house.directory().join("archive"), clone.join("archive"));
    let output = Command::new(binary("jinku"))
        .args(["ledger", "export", "--data"])
        .arg(clone.join("data"))
        .arg("--to")
        .arg(&theirs)
        .output();
    assert!(output.unwrap().status.success());
    let begun = report(&house, &theirs)["incarnations"][1].clone();
    assert_eq!(
        (&begun["number"], &begun["why"]),
        (&2.into(), &"moved".into())
    );
    let parted = begun["seq"].as_u64().unwrap();

    let key = house.directory().join("data/ledger-key");
    let key = key.to_str().unwrap();
    let compare = ["compare", "--key-file", key];
    let (exit, said) = auditor(&compare, &[&before, &theirs]);
    assert_eq!(exit, 0, "the copy does not go on from the original: {said}");
    let (exit, said) = auditor(&compare, &[&ours, &theirs]);
    assert_eq!(exit, 4, "{said}");
    assert!(said.contains(&parted.to_string()), "{parted}: {said}");
    // An auditor who knew one of them is not shown the other.
    let pin = ours.join("checkpoint");
    let since = [
        "verify",
        "--key-file",
        key,
        "--since",
        pin.to_str().unwrap(),
    ];
    let kept = house.directory().join("kept");
    std::fs::copy(&pin, &kept).unwrap();
    let since = [&since[..4], &[kept.to_str().unwrap()]].concat();
    let (exit, said) = auditor(&since, &[&theirs]);
    assert_eq!(exit, 4, "{said}");
    // Its own published log in the original's place: the database does not lead to it.
    let data = house.directory().join("data");
    std::fs::rename(data.join("ledger"), data.join("ledger-ours")).unwrap();
    copied(&clone.join("data/ledger"), &data.join("ledger"));
    let said = house.refuses_to_serve();
    assert!(
        said.contains("the database does not hold the entries that were published"),
        "{said}"
    );
}
