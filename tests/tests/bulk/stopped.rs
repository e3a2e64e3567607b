//! Runs that are stopped: by `kill -9`, by a signal, by a vault that goes away. They go on, and nothing is twice.

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;
use tests::{House, Program};

use super::{PERSONS, Run, bytes, detokenize, path, tidy, tokenize, write};

const ROWS: usize = 6_000;

fn sample() -> String {
    let row = |n: usize| format!("name {n},09{n:08},\"note {n}\"\r\n");
    let rows: String = (0..ROWS).map(row).collect();
    format!("name,mobile,note\r\n{rows}")
}

/// Small batches, so that there are many moments between them: a machine with nothing else to do is fast.
fn slowly(run: Run<'_>) -> Run<'_> {
    run.with(&["--batch-items", "4", "--in-flight", "2"])
}

/// What a run's progress says; nothing while there is none.
fn progress(house: &House, name: &str) -> Value {
    let text = std::fs::read(path(house, name)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or(Value::Null)
}

/// Starts a run, and waits until some of it is durable.
fn started(run: &Run<'_>, out: &str) -> Program {
    let house = run.house;
    let mut program = Program::start(&mut run.command("tax-bureau"), &path(house, "run.log"));
    let progress_file = format!("{out}.progress");
    let before = progress(house, &progress_file)["batch"]
        .as_u64()
        .unwrap_or(0);
    program.wait_for(|| progress(house, &progress_file)["batch"].as_u64() > Some(before));
    program
}

/// Values that the ledger says were tokenized, without those given again.
fn issued(house: &mut House) -> u64 {
    let entries = house.audited();
    let issued = entries.iter().filter(|entry| {
        entry["operation"] == "tokenize" && entry["outcome"] == "ok" && entry["reason"].is_null()
    });
    issued
        .map(|entry| entry["batch"]["count"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one() {
    let mut house = House::open();
    write(&house, "in.csv", sample());
    let run = || slowly(tokenize(&house, "in.csv", PERSONS));
    started(&run(), "in.tokenized.csv").kill();
    run().refused("--resume goes on, --force begins anew");
    for _ in 0..3 {
        started(&run().with(&["--resume"]), "in.tokenized.csv").kill();
    }
    let said = run().with(&["--resume"]).whole();
    assert_eq!(
        (&said["rows"], &said["resumed"]),
        (&ROWS.into(), &true.into())
    );
    tidy(&house);
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert!(
        bytes(&house, "back.csv") == sample().as_bytes(),
        "a row is lost, doubled or altered"
    );
    // What is repeatable is the same in a run that nobody disturbs.
    let mobile = "domain = 'city'\n[[column]]\nname = 'mobile'\nclass = 'mobile'\n";
    let undisturbed = ["--out", "whole.csv"];
    tokenize(&house, "in.csv", mobile)
        .with(&undisturbed)
        .whole();
    let again = || slowly(tokenize(&house, "in.csv", mobile)).with(&["--out", "killed.csv"]);
    started(&again(), "killed.csv").kill();
    again().with(&["--resume"]).whole();
    assert!(bytes(&house, "whole.csv") == bytes(&house, "killed.csv"));
    // Batches that were on their way when the run was killed were sent again under their own names.
    assert_eq!(house.rows(), 2 * ROWS as u64);
    assert_eq!(issued(&mut house), 4 * ROWS as u64);
}

#[test]
fn a_run_that_is_asked_to_stop_says_how_to_go_on() {
    let house = House::open();
    write(&house, "in.csv", sample());
    let run = || slowly(tokenize(&house, "in.csv", PERSONS));
    let program = started(&run(), "in.tokenized.csv");
    let log = program.log().to_owned();
    let status = program.stop();
    assert_eq!((status.code(), status.signal()), (Some(1), None));
    let said: Value = serde_json::from_slice(&std::fs::read(log).unwrap()).unwrap();
    assert_eq!(said["ended"], "stopped");
    let rows = said["rows"].as_u64().unwrap();
    assert_eq!(progress(&house, "in.tokenized.csv.progress")["rows"], rows);
    // All that was at the vault is in the output.
    assert_eq!(house.rows(), 2 * rows);
    let other = format!("{PERSONS}required = true\n");
    slowly(tokenize(&house, "in.csv", &other))
        .with(&["--resume"])
        .refused("have changed since");
    run().with(&["--resume"]).whole();
    assert_eq!(house.rows(), 2 * ROWS as u64);
    tidy(&house);
}

#[test]
fn a_run_outlives_a_vault_that_is_killed() {
    let mut house = House::open();
    write(&house, "in.csv", sample());
    let run = slowly(tokenize(&house, "in.csv", PERSONS));
    let log = std::fs::File::create(path(&house, "run.log")).unwrap();
    let mut child = run.command("tax-bureau").stdout(log).spawn().unwrap();
    while progress(&house, "in.tokenized.csv.progress")["batch"].as_u64() < Some(1) {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    house.kill();
    house.serve();
    assert!(child.wait().unwrap().success());
    detokenize(&house, "in.tokenized.csv")
        .with(&["--out", "back.csv"])
        .whole();
    assert!(bytes(&house, "back.csv") == sample().as_bytes());
    assert_eq!(house.rows(), 2 * ROWS as u64);
}
