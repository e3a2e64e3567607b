//! The log's signing key changes: old and new sign the statement, the log goes on, and neither key can be
//! used out of its turn.

#[path = "signer/second.rs"]
mod second;
#[path = "signer/stamp.rs"]
mod stamp;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ledger::{Signers, VerifierKey, open_checkpoint};
use rand::RngExt;
use tests::{House, Witness, binary, tokenize};

const ROTATE: &[&str] = &["ledger", "rotate-signer", "--to", "jinku-ledger-2"];

async fn tokenized(house: &House, values: usize) {
    let client = house.client(Some("tax-bureau"));
    for _ in 0..values {
        client
            .tokenize(tokenize("name", &["王測試"]), None)
            .await
            .unwrap();
    }
}

fn key(house: &House) -> VerifierKey {
    VerifierKey::parse(&house.ledger_key()).unwrap()
}

fn checkpoint(house: &House) -> String {
    std::fs::read_to_string(house.directory().join("data/ledger/checkpoint")).unwrap()
}

/// The keys that the archive's statements lead to, from a pinned one.
fn followed(house: &House, pinned: VerifierKey) -> Signers {
    let text = std::fs::read_to_string(house.directory().join("data/ledger/signers"));
    Signers::followed(&pinned, &text.unwrap_or_default()).unwrap()
}

fn rotated(house: &House, label: &str) -> (bool, String) {
    house.jinku(&["ledger", "rotate-signer", "--to", label], "")
}

/// Names the key that signs in the settings.
fn sign_with(house: &House, label: &str) {
    let path = house.directory().join("jinku.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let others = settings
        .lines()
        .filter(|line| !line.starts_with("signer_label"));
    let settings = others.collect::<Vec<_>>().join("\n") + "\n";
    let named = format!("[hsm]\nsigner_label = \"{label}\"\n");
    std::fs::write(path, settings.replace("[hsm]\n", &named)).unwrap();
}

/// The auditor's tool with this key.
fn audited(key: &VerifierKey, arguments: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(binary("jinku-ledger"))
        .args(arguments)
        .args(["--key", &key.to_string()])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Keeps the receipt of a new entry, as a unit would.
async fn receipt(house: &House, folder: &Path) -> PathBuf {
    let client = house.client(Some("tax-bureau"));
    let request = tokenize("name", &["王測試"]);
    let entry = client.tokenize(request, None).await.unwrap().entry;
    let reply = house.curl(Some("tax-bureau"), &format!("/v1/receipts/{entry}"), &[]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join(format!("{entry}.tlog-proof"));
    std::fs::write(&file, reply.body).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_handed_over_to_another_key_and_goes_on() {
    let mut house = House::open();
    tokenized(&house, 3).await;
    house.stop();
    let old = key(&house);
    let (well, said) = house.jinku(ROTATE, "");
    assert!(well, "{said}");
    // The last checkpoint of the old key, which covers the statement, has both signatures.
    let handed = checkpoint(&house);
    let covered = open_checkpoint(&handed, &old).unwrap();
    let signers = followed(&house, old.clone());
    let new = signers.newest().clone();
    assert!(said.contains(&new.to_string()), "{said}");
    assert_eq!(open_checkpoint(&handed, &new), Ok(covered.clone()));
    assert_eq!(signers.rotations()[0].seq + 1, covered.size);
    // The old key signs nothing more: a vault that names it does not start, and it hands over once.
    let said = house.refuses_to_serve();
    assert!(said.contains("handed the log over to another"), "{said}");
    let (well, said) = house.jinku(&[ROTATE[0], ROTATE[1], ROTATE[2], "jinku-ledger-3"], "");
    assert!(
        !well && said.contains("handed the log over to another"),
        "{said}"
    );
    house.edit(
        "jinku.toml",
        "[hsm]\n",
        "[hsm]\nsigner_label = \"jinku-ledger-2\"\n",
    );
    house.serve();
    tokenized(&house, 3).await;
    house.stop();
    assert_eq!(key(&house), new);
    let last = checkpoint(&house);
    assert!(open_checkpoint(&last, &old).is_err());
    let after = signers.open(&last).unwrap();
    assert!(after.size > covered.size);
    // The entry stands where the statement says, and carries it. An auditor who pinned the old key needs no other, and
    // one who has the new one verifies the past with it too.
    let archive = house.export("archive");
    for pinned in [&old, &new] {
        let output = std::process::Command::new(binary("jinku-ledger"))
            .arg("verify")
            .arg(&archive)
            .args(["--key", &pinned.to_string()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    let entries = house.entries(&archive);
    let seq = usize::try_from(signers.rotations()[0].seq).unwrap();
    assert_eq!(entries[seq]["operation"], "signer-rotate");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_goes_on_where_it_ended() {
    let mut house = House::open();
    tokenized(&house, 2).await;
    house.stop();
    let old = key(&house);
    let before = checkpoint(&house);
    assert!(house.jinku(ROTATE, "").0);
    // As if the process had ended with the entry written, and nothing else.
    let ledger = house.directory().join("data/ledger");
    let both = checkpoint(&house);
    std::fs::remove_file(ledger.join("signers")).unwrap();
    std::fs::write(ledger.join("checkpoint"), &before).unwrap();
    let said = house.refuses_to_serve();
    assert!(said.contains("rotate-signer` again"), "{said}");
    let (well, said) = house.jinku(ROTATE, "");
    assert!(well, "{said}");
    assert_eq!(checkpoint(&house), both);
    assert_eq!(followed(&house, old).rotations().len(), 1);
}

// Whoever pinned any of the keys goes on with it: for the archive, for receipts of any age, and for both copies of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_handover_follows_the_first() {
    let mut house = House::open();
    let kept = house.directory().join("kept");
    let (mut keys, mut receipts) = (Vec::new(), vec![receipt(&house, &kept).await]);
    for label in ["jinku-ledger-2", "jinku-ledger-3"] {
        house.stop();
        keys.push(key(&house));
        let (well, said) = rotated(&house, label);
        assert!(well, "{said}");
        sign_with(&house, label);
        house.serve();
        receipts.push(receipt(&house, &kept).await);
    }
    house.stop();
    keys.push(key(&house));
    // A key that was retired does not come back: nothing is written that auditors would hold against the log.
    let before = house.sql("select count(*) from entry");
    let (well, said) = rotated(&house, "jinku-ledger");
    assert!(!well && said.contains("signed this log before"), "{said}");
    assert_eq!(house.sql("select count(*) from entry"), before);
    let archive = house.export("archive");
    let (archive, copy) = (archive.to_str().unwrap(), house.directory().join("copy"));
    let copy = copy.to_str().unwrap();
    let exported = audited(&keys[0], &["export", archive, copy]);
    assert_eq!(exported.0, Some(0), "{}", exported.1);
    let statements = format!("{copy}/signers");
    for pinned in &keys {
        for arguments in [
            &["verify", copy][..],
            &["checkpoints", copy],
            &["reconcile", copy, "--receipts", kept.to_str().unwrap()],
        ] {
            let (exit, said) = audited(pinned, arguments);
            assert_eq!(exit, Some(0), "{said}");
        }
        for (age, receipt) in receipts.iter().enumerate() {
            let receipt = receipt.to_str().unwrap();
            let led = audited(pinned, &["receipt", receipt, "--signers", &statements]);
            assert_eq!(led.0, Some(0), "{}", led.1);
            let (exit, _) = audited(pinned, &["receipt", receipt]);
            let own = keys[age] == *pinned;
            assert_eq!(exit, Some(if own { 0 } else { 3 }), "age {age}");
        }
        let verified = Command::new("python3")
            .args([&format!("{copy}/VERIFY.py"), copy, &pinned.to_string()])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_handover_is_ended_before_another_begins() {
    let mut house = House::open();
    tokenized(&house, 2).await;
    house.stop();
    let old = key(&house);
    let before = checkpoint(&house);
    assert!(rotated(&house, "jinku-ledger-2").0);
    // As if the process had ended with the entry written, and nothing published.
    let ledger = house.directory().join("data/ledger");
    std::fs::remove_file(ledger.join("signers")).unwrap();
    std::fs::write(ledger.join("checkpoint"), &before).unwrap();
    let entries = house.sql("select count(*) from entry");
    let (well, said) = rotated(&house, "jinku-ledger-3");
    assert!(
        !well && said.contains("hands over to another key"),
        "{said}"
    );
    assert_eq!(house.sql("select count(*) from entry"), entries);
    assert!(rotated(&house, "jinku-ledger-2").0);
    assert_eq!(followed(&house, old).rotations().len(), 1);
}

fn published(house: &House) -> bool {
    let sizes = house.curl(Some("tax-bureau"), "/v1/ledger", &[]).json();
    sizes["published"] == sizes["sequenced"]
}

fn until(house: &House, reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() {
        let late = started.elapsed() > Duration::from_secs(60);
        assert!(!late, "{}", house.vault().said());
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_witnesses_is_handed_over_and_they_go_on_with_the_new_key() {
    let mut house = House::open();
    house.stop();
    let mut witnesses = house.witnessed(1, 1, "");
    house.serve();
    tokenized(&house, 2).await;
    until(&house, || published(&house));
    house.stop();
    let old = key(&house);
    // A witness that is away: the statement is an entry, and waits for it.
    let before = checkpoint(&house);
    witnesses[0].kill();
    let (well, said) = rotated(&house, "jinku-ledger-2");
    assert!(!well && said.contains("witnesses cosigned"), "{said}");
    assert_eq!(checkpoint(&house), before);
    witnesses[0].serve();
    let (well, said) = rotated(&house, "jinku-ledger-2");
    assert!(well, "{said}");
    let new = followed(&house, old.clone()).newest().clone();
    sign_with(&house, "jinku-ledger-2");
    // A witness that was not told of the new key refuses it: entries wait, and are not lost.
    house.serve();
    tokenized(&house, 1).await;
    house.wait_until_it_said("the ledger is not published");
    witnesses[0].kill();
    let settings = witnesses[0].dir().join("witness.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let both = format!("\"{old}\", \"{new}\"");
    std::fs::write(&settings, text.replace(&format!("\"{old}\""), &both)).unwrap();
    witnesses[0].serve();
    until(&house, || published(&house));
    house.stop();
    let archive = house.export("archive");
    let policy = house.directory().join("witnesses.policy");
    let arguments = ["verify", archive.to_str().unwrap(), "--policy"];
    for pinned in [&old, &new] {
        let (exit, said) = audited(
            pinned,
            &[&arguments[..], &[policy.to_str().unwrap()]].concat(),
        );
        assert_eq!(exit, Some(0), "{said}");
        assert!(said.contains("which is a quorum"), "{said}");
    }
}

/// Begins a handover and kills it (`kill -9`) once something is so, or it ended.
fn killed(house: &House, label: &str, when: impl Fn() -> bool) {
    let mut child = house.begin(&["ledger", "rotate-signer", "--to", label]);
    while child.try_wait().unwrap().is_none() && !when() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
}

/// Ends it, where it did not end before it was killed.
fn ended(house: &House, label: &str, first: &VerifierKey, handovers: usize) {
    let (well, said) = rotated(house, label);
    assert!(
        well || said.contains("handed the log over to another"),
        "{said}"
    );
    assert_eq!(followed(house, first.clone()).rotations().len(), handovers);
    sign_with(house, label);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_survives_power_cuts_wherever_they_come() {
    let mut house = House::open();
    tokenized(&house, 3).await;
    house.stop();
    let first = key(&house);
    let ledger = house.directory().join("data/ledger");
    let read = |name: &str| std::fs::read(ledger.join(name)).unwrap_or_default();
    // One that nothing disturbs says how long it takes.
    let started = Instant::now();
    assert!(rotated(&house, "jinku-ledger-2").0);
    let whole = started.elapsed();
    sign_with(&house, "jinku-ledger-2");
    for round in 3..15 {
        let label = format!("jinku-ledger-{round}");
        let (checkpoint, signers) = (read("checkpoint"), read("signers"));
        let begun = Instant::now();
        let moment = whole.mul_f64(rand::rng().random_range(0.0..1.0));
        match round {
            3 => killed(&house, &label, || read("checkpoint") != checkpoint),
            4 => killed(&house, &label, || read("signers") != signers),
            _ => killed(&house, &label, || begun.elapsed() >= moment),
        }
        ended(&house, &label, &first, round - 1);
    }
    house.serve();
    tokenized(&house, 1).await;
    house.stop();
    let archive = house.export("archive");
    let archive = archive.to_str().unwrap();
    for pinned in [&first, &key(&house)] {
        let (exit, said) = audited(pinned, &["verify", archive]);
        assert_eq!(exit, Some(0), "{said}");
    }
}

// A checkpoint that was signed, and not yet published, when the power went: the key that signed it is retired when
// the vault starts next.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_before_a_power_cut_does_not_hold_the_new_key_back() {
    let mut house = House::open();
    house.stop();
    let witness = Witness::watching(&house.directory().join("slow"), "w1", &house.ledger_key());
    house.witnessed_by(&[witness.line()], 1, "");
    house.serve();
    tokenized(&house, 2).await;
    until(&house, || published(&house));
    house.stop();
    let first = key(&house);
    // The witness is asked and says nothing, so the process is killed between signing and publishing.
    witness.signal("STOP");
    let intended = house.directory().join("data/ledger.intended");
    killed(&house, "jinku-ledger-2", || intended.exists());
    witness.signal("CONT");
    let signed = std::fs::read(&intended).unwrap();
    ended(&house, "jinku-ledger-2", &first, 1);
    assert!(!intended.exists());
    // As if the process had ended after it was published, and before it was forgotten.
    std::fs::write(&intended, signed).unwrap();
    drop(witness);
    house.serve();
    house.stop();
}
