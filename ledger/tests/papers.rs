//! Help, manual pages and completions say what there is, and the examples in the help work as they stand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

use std::fs;
use std::process::{Command, Output};

use tempfile::tempdir;

const COMMANDS: [&str; 17] = [
    "verify",
    "show",
    "receipt",
    "record",
    "proof",
    "consistency",
    "compare",
    "checkpoints",
    "report",
    "reconcile",
    "export",
    "selftest",
    "bench",
    "man",
    "completions",
    "explain",
    "witness",
];

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
        .args(args)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_command_has_its_manual_page() {
    let own = tempdir().unwrap();
    let folder = own.path().join("man");
    out(&run(&["man", "--to", folder.to_str().unwrap()]));
    let main = fs::read_to_string(folder.join("jinku-ledger.1")).unwrap();
    assert_eq!(main, out(&run(&["man"])));
    for command in COMMANDS {
        let page = fs::read_to_string(folder.join(format!("jinku-ledger-{command}.1"))).unwrap();
        assert!(
            page.contains(&format!("jinku\\-ledger\\-{command}")),
            "{command}: {page}"
        );
        assert!(
            main.contains(&format!("jinku\\-ledger\\-{command}(1)")),
            "{command}"
        );
    }
    let verify = fs::read_to_string(folder.join("jinku-ledger-verify.1")).unwrap();
    assert!(
        verify.contains("fork or rollback") && verify.contains("since"),
        "{verify}"
    );
}

#[test]
fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = out(&run(&["completions", shell]));
        for command in COMMANDS {
            assert!(text.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(64));
}

#[test]
fn every_command_has_examples_in_its_help() {
    for command in COMMANDS {
        let help = out(&run(&[command, "--help"]));
        assert!(help.contains(&format!("jinku-ledger {command}")), "{help}");
    }
    assert_eq!(run(&["verifi", "x"]).status.code(), Some(64));
    let hint = String::from_utf8(run(&["verifi", "x"]).stderr).unwrap();
    assert!(hint.contains("'verify'"), "{hint}");
}
