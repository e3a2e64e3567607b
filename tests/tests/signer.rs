//! The log's signing key changes: old and new sign the statement, the log goes on, and neither key can be
//! used out of its turn.

use ledger::{Rotation, Signers, VerifierKey, open_checkpoint, read_frames};
use tests::{House, binary, tokenize};

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
    let text = std::fs::read_to_string(house.directory().join("data/ledger/signers")).unwrap();
    let mut signers = Signers::pinned(pinned);
    for note in read_frames(&text).unwrap() {
        signers.extend(Rotation::open(note).unwrap()).unwrap();
    }
    signers
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
