//! The tool as an auditor uses it: arguments, exit codes, output, and the state file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ledger::verify::Code;
use support::{Log, put};
use tempfile::{TempDir, tempdir};

struct Desk {
    archive: TempDir,
    own: TempDir,
    log: Log,
}

impl Desk {
    fn with(log: Log, size: u64) -> Self {
        let desk = Self {
            archive: tempdir().unwrap(),
            own: tempdir().unwrap(),
            log,
        };
        desk.log.publish(desk.archive.path(), &[size]);
        fs::write(desk.own.path().join("key"), format!("{}\n", desk.log.key())).unwrap();
        desk
    }

    fn dir(&self) -> &str {
        self.archive.path().to_str().unwrap()
    }

    fn own(&self, name: &str) -> String {
        self.own.path().join(name).to_str().unwrap().to_owned()
    }

    fn verify(&self, more: &[&str]) -> Output {
        run(&[&["verify", self.dir()], more].concat())
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
        .args(args)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_good_archive_is_verified_and_the_scope_is_said() {
    let desk = Desk::with(Log::of(300), 300);
    let output = desk.verify(&["--key-file", &desk.own("key")]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = out(&output);
    assert!(
        text.contains("300 entries, seq 0-299, covered by checkpoint of size 300"),
        "{text}"
    );
    assert!(text.contains("not checked: witnesses"), "{text}");
    assert!(text.contains(&desk.log.key().to_string()), "{text}");
}

#[test]
fn without_a_key_it_says_so_and_exits_with_3() {
    let desk = Desk::with(Log::of(3), 3);
    let output = desk.verify(&[]);
    assert_eq!(code(&output), 3);
    assert!(out(&output).contains("no-key"), "{}", out(&output));
}

#[test]
fn a_key_file_or_state_inside_the_archive_is_refused() {
    let desk = Desk::with(Log::of(3), 3);
    let inside = desk.archive.path().join("key");
    fs::write(&inside, desk.log.key().to_string()).unwrap();
    let inside = inside.to_str().unwrap();
    assert_eq!(code(&desk.verify(&["--key-file", inside])), 64);
    let link = desk.own("link");
    std::os::unix::fs::symlink(inside, &link).unwrap();
    assert_eq!(code(&desk.verify(&["--key-file", &link])), 64);
    let state = desk.archive.path().join("state");
    let output = desk.verify(&[
        "--key-file",
        &desk.own("key"),
        "--state",
        state.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 64);
    assert!(!state.exists());
}

#[test]
fn the_state_file_is_written_followed_and_kept_from_a_rollback() {
    let desk = Desk::with(Log::of(700), 300);
    let (key, state) = (desk.own("key"), desk.own("state"));
    let args = ["--key-file", key.as_str(), "--state", state.as_str()];
    let first = desk.verify(&args);
    assert_eq!(code(&first), 0);
    assert!(err(&first).contains("first run"), "{}", err(&first));

    desk.log.publish(desk.archive.path(), &[300, 700]);
    let second = desk.verify(&args);
    assert_eq!(code(&second), 0, "{}", out(&second));
    assert!(
        out(&second).contains("held to the checkpoint of size 300"),
        "{}",
        out(&second)
    );
    assert_eq!(fs::read_to_string(&state).unwrap(), desk.log.note(700));

    let back = Desk::with(Log::of(700), 300);
    let third = back.verify(&args);
    assert_eq!(code(&third), 4, "{}", out(&third));
    assert_eq!(
        fs::read_to_string(&state).unwrap(),
        desk.log.note(700),
        "the pin must stay"
    );
}

#[test]
fn a_state_file_that_is_not_signed_by_the_key_is_refused() {
    let desk = Desk::with(Log::of(3), 3);
    fs::write(desk.own("state"), "nonsense").unwrap();
    let args = [
        "--key-file",
        &desk.own("key"),
        "--state",
        &desk.own("state"),
    ];
    assert_eq!(code(&desk.verify(&args)), 64);
    assert_eq!(code(&desk.verify(&["--state", &desk.own("state")])), 64);
}

#[test]
fn tampering_is_placed_in_words_and_in_json() {
    let desk = Desk::with(Log::of(300), 300);
    let file = "tile/entries/000";
    let mut bytes = fs::read(desk.archive.path().join(file)).unwrap();
    bytes[3000] ^= 1;
    put(desk.archive.path(), file, &bytes);
    let key = desk.log.key().to_string();
    let text = desk.verify(&["--key", &key]);
    assert_eq!(code(&text), 2);
    assert!(
        out(&text).contains("held against checkpoint of size 300"),
        "{}",
        out(&text)
    );
    assert!(
        out(&text).contains("[tile/entries/000, byte "),
        "{}",
        out(&text)
    );

    let json = desk.verify(&["--key", &key, "--json"]);
    assert_eq!(code(&json), 2);
    let report: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(report["schema"], "jinku-ledger.report/1");
    assert_eq!(
        (&report["verdict"], &report["exit_code"]),
        (&"tampered".into(), &2.into())
    );
    assert_eq!(report["checkpoint"]["size"], 300);
    assert!(
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["file"] == file)
    );
}

#[test]
fn wrong_arguments_exit_with_64_and_help_with_0() {
    let desk = Desk::with(Log::of(1), 1);
    for args in [
        &["verify"][..],
        &["nonsense"],
        &["explain", "nonsense"],
        &["verify", "/", "--x"],
    ] {
        assert_eq!(code(&run(args)), 64, "{args:?}");
    }
    assert_eq!(code(&desk.verify(&["--key", "nonsense"])), 64);
    let help = run(&["verify", "--help"]);
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("4  fork or rollback") && out(&help).contains("Examples:"));
}

#[test]
fn every_code_is_explained() {
    let all = out(&run(&["explain"]));
    for one in Code::ALL {
        assert!(all.contains(one.as_str()));
        let output = run(&["explain", one.as_str()]);
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains(one.meaning()) && out(&output).contains("do:"));
    }
}

#[test]
fn entries_are_shown_and_filtered() {
    let desk = Desk::with(Log::of(300), 300);
    let lines = |more: &[&str]| out(&run(&[&["show", desk.dir()], more].concat()));
    assert_eq!(lines(&[]).lines().count(), 300);
    let tokenized = lines(&["--op", "tokenize", "--outcome", "ok"]);
    assert_eq!(tokenized.lines().count(), 43);
    let first = tokenized.lines().next().unwrap();
    for part in [
        "2026-11-23T22:11:56.003000Z",
        "unit=臺北市稅捐處",
        "purpose=land-tax",
        "items=3",
    ] {
        assert!(first.contains(part), "{first}");
    }
    assert_eq!(lines(&["--unit", "nobody"]), "");
    let json = lines(&["--json", "--op", "genesis"]);
    let genesis: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(
        (&genesis["seq"], &genesis["operation"]),
        (&0.into(), &"genesis".into())
    );
    assert_eq!(code(&run(&["show", desk.dir(), "--op", "nonsense"])), 64);
}

#[test]
fn text_that_would_deceive_a_terminal_is_escaped() {
    let log = Log::told(2, |seq, entry| {
        if seq == 1 {
            entry.facts.unit = Some("tax\u{202e}eciffo".to_owned());
        }
    });
    let desk = Desk::with(log, 2);
    let shown = out(&run(&["show", desk.dir()]));
    assert!(shown.contains("tax\\u{202e}eciffo"), "{shown}");
}

#[test]
fn a_folder_that_is_no_archive_gets_no_verdict() {
    assert_eq!(code(&run(&["show", "/nonexistent"])), 64);
    let empty = tempdir().unwrap();
    let key = Log::of(1).key().to_string();
    let dir: &Path = empty.path();
    assert_eq!(
        code(&run(&["verify", dir.to_str().unwrap(), "--key", &key])),
        5
    );
}

#[test]
fn many_archives_are_verified_at_once_each_with_its_own_key() {
    let desk = Desk::with(Log::of(300), 300);
    let other = Log::named("bank.example/vault/node-2", 400);
    let second = tempdir().unwrap();
    other.publish(second.path(), &[400]);
    let keys = format!("# nodes\n{}\n\n{}\n", desk.log.key(), other.key());
    fs::write(desk.own.path().join("keys"), keys).unwrap();
    let states = desk.own("states");
    let verify = |more: &[&str]| {
        let second = second.path().to_str().unwrap();
        let keys = desk.own("keys");
        run(&[&["verify", desk.dir(), second, "--key-file", &keys], more].concat())
    };
    let good = verify(&[]);
    assert_eq!(code(&good), 0, "{good:?}");
    assert!(
        out(&good).ends_with("2 archives: verified (exit 0)\n"),
        "{}",
        out(&good)
    );
    assert_eq!(
        code(&verify(&["--state", &states])),
        64,
        "a folder that is there"
    );
    fs::create_dir(&states).unwrap();
    assert_eq!(code(&verify(&["--state", &states])), 0);
    assert_eq!(fs::read_dir(&states).unwrap().count(), 2);
    assert!(out(&verify(&["--state", &states])).contains("held to the checkpoint of size 400"));

    put(second.path(), "checkpoint", other.note(300).as_bytes());
    let back = verify(&["--state", &states, "--json"]);
    assert_eq!(code(&back), 4, "{back:?}");
    let told: serde_json::Value = serde_json::from_str(&out(&back)).unwrap();
    assert_eq!(told["reports"][0]["exit_code"], 0);
    assert_eq!(told["reports"][1]["exit_code"], 4);
    assert_eq!(told["exit_code"], 4);
    assert_eq!(code(&verify(&["--since", &desk.own("keys")])), 64);
    // A key for one log is none for another.
    let one = run(&[
        "verify",
        second.path().to_str().unwrap(),
        "--key",
        &desk.log.key().to_string(),
    ]);
    assert_eq!(code(&one), 3);
}

// The operator puts a good archive in the place of one that has something to hide.
#[test]
fn an_archive_does_not_stand_in_for_another() {
    let desk = Desk::with(Log::of(300), 300);
    let (other, second) = (
        Log::named("bank.example/vault/node-2", 40),
        tempdir().unwrap(),
    );
    let keys = format!("{}\n{}\n", desk.log.key(), other.key());
    fs::write(desk.own.path().join("keys"), keys).unwrap();
    let verify = || {
        let second = second.path().to_str().unwrap();
        run(&[
            "verify",
            desk.dir(),
            second,
            "--key-file",
            &desk.own("keys"),
        ])
    };
    other.publish(second.path(), &[40]);
    assert_eq!(code(&verify()), 0);
    desk.log.publish(second.path(), &[300]);
    let twice = verify();
    assert_eq!(code(&twice), 64);
    let said = String::from_utf8(twice.stderr).unwrap();
    assert!(said.contains("two folders hold the log"), "{said}");
    Log::named("bank.example/vault/node-3", 40).publish(second.path(), &[40]);
    let idle = verify();
    assert_eq!(code(&idle), 64);
    let said = String::from_utf8(idle.stderr).unwrap();
    assert!(said.contains(&other.key().to_string()), "{said}");
    // Whose it is without a checkpoint nothing says: it gets a verdict of its own.
    fs::remove_file(second.path().join("checkpoint")).unwrap();
    assert!(![0, 64].contains(&code(&verify())));
}

#[test]
fn what_came_since_a_pinned_checkpoint_is_verified_alone() {
    let desk = Desk::with(Log::of(1000), 1000);
    let since = desk.own("since");
    fs::write(&since, desk.log.note(600)).unwrap();
    let verify = || desk.verify(&["--key-file", &desk.own("key"), "--since", &since]);
    let output = verify();
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(
        out(&output).contains("488 entries, seq 512-999"),
        "{}",
        out(&output)
    );
    fs::write(&since, "nonsense").unwrap();
    assert_eq!(code(&verify()), 64);
    fs::remove_file(&since).unwrap();
    assert_eq!(code(&verify()), 64);
}

#[test]
fn the_bar_is_drawn_where_it_is_asked_for_and_leaves_no_place_behind() {
    let desk = Desk::with(Log::of(600), 600);
    let place = desk.own("place");
    let key = desk.own("key");
    let bar = desk.verify(&[
        "--key-file",
        &key,
        "--progress",
        "always",
        "--resume",
        &place,
        "-j",
        "2",
    ]);
    assert_eq!(code(&bar), 0, "{bar:?}");
    assert!(
        err(&bar).contains("100 %  600 of 600 entries"),
        "{}",
        err(&bar)
    );
    assert!(!Path::new(&place).exists());
    let plain = desk.verify(&["--key-file", &key]);
    assert_eq!(err(&plain), "");
    assert_eq!(plain.stdout, bar.stdout);
    fs::write(&place, "nonsense").unwrap();
    assert_eq!(
        code(&desk.verify(&["--key-file", &key, "--resume", &place])),
        64
    );
    assert_eq!(code(&desk.verify(&["--key-file", &key, "-j", "0"])), 64);
    assert_eq!(code(&desk.verify(&["--resume", &place])), 64);
}
