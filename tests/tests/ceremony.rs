//! The root key's ceremony on the built programs: shares made, proven, brought, lost with their HSM, and recovered.

#[path = "ceremony/root.rs"]
mod root;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::Command;

use tests::{House, binary, detokenize, tokenize, values};

const PURPOSE: &str = "tax-assessment";

/// A house whose root key was made in a ceremony: any 2 of 3 shares, in files.
fn after_a_ceremony() -> House {
    let house = House::install();
    std::fs::create_dir(house.directory().join("shares")).unwrap();
    let ceremony = [
        "key",
        "ceremony",
        "--threshold",
        "2",
        "--shares",
        "3",
        "--share-dir",
        "shares",
    ];
    let (well, said) = house.jinku(&ceremony, "");
    assert!(well, "{said}");
    house
}

fn share(number: u8) -> String {
    format!("shares/share-{number}-of-3.txt")
}

fn sealed_house() -> House {
    let house = after_a_ceremony();
    house.edit("jinku.toml", "pin_file = \"hsm-pin\"", "unseal = true");
    std::fs::rename(
        house.directory().join("hsm-pin"),
        house.directory().join("shares/hsm-pin"),
    )
    .unwrap();
    house
}

fn drilled(house: &House, shares: &[u8]) -> (bool, String) {
    let files: Vec<String> = shares.iter().map(|number| share(*number)).collect();
    let mut arguments = vec!["key", "drill"];
    for file in &files {
        arguments.extend(["--share-file", file]);
    }
    house.jinku(&arguments, "")
}

#[test]
fn any_two_shares_pass_the_drill_and_fewer_do_not() {
    let house = after_a_ceremony();
    for pair in [[1, 2], [2, 3], [3, 1]] {
        let (well, said) = drilled(&house, &pair);
        assert!(well && said.contains("holds the HSM's root key"), "{said}");
    }
    for (wrong, cause) in [
        ([1].as_slice(), "more shares are needed"),
        (&[2, 2], "given already"),
    ] {
        let (well, said) = drilled(&house, wrong);
        assert!(!well && said.contains(cause), "{said}");
    }
    let path = house.directory().join(share(1));
    let line = std::fs::read_to_string(&path).unwrap();
    let altered = if line.contains(":1:0") {
        line.replace(":1:0", ":1:1")
    } else {
        line.replace(":1:", ":1:0")
    };
    std::fs::write(&path, altered).unwrap();
    let (well, said) = drilled(&house, &[1, 2]);
    assert!(!well && !said.contains(line.trim()), "{said}");
}

#[test]
fn a_second_ceremony_is_refused_and_changes_nothing() {
    let house = after_a_ceremony();
    let before = std::fs::read(house.directory().join("jinku-recovery")).unwrap();
    let again = ["key", "ceremony", "--share-dir", "shares"];
    let (well, said) = house.jinku(&again, "");
    assert!(!well && said.contains("is there already"), "{said}");
    assert_eq!(
        std::fs::read(house.directory().join("jinku-recovery")).unwrap(),
        before
    );
    std::fs::remove_file(house.directory().join("jinku-recovery")).unwrap();
    let (well, said) = house.jinku(&again, "");
    assert!(!well && said.contains("no key leaves the HSM"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_vault_serves_nobody_until_enough_holders_came() {
    let mut house = sealed_house();
    house.serve_sealed();
    let directory = house.directory();
    let text = |number| std::fs::read_to_string(directory.join(share(number))).unwrap();
    let unseal = |typed: &str| house.jinku(&["unseal"], typed);
    for (typed, cause) in [("", "whole line"), ("A123456789\n", "whole line")] {
        let (well, said) = unseal(typed);
        assert!(
            !well && said.contains(cause) && !said.contains("A123456789"),
            "{said}"
        );
    }
    let (well, said) = unseal(&text(2));
    assert!(well && said.contains("1 more needed"), "{said}");
    let (well, said) = unseal(&text(2));
    assert!(!well && said.contains("given already"), "{said}");
    let address = house.directory().join("vault.address");
    assert!(!address.exists(), "it listens while it is sealed");
    let (well, said) = unseal(&text(3));
    assert!(well && said.contains("is unsealed"), "{said}");
    house.wait_until_it_listens();
    let client = house.client(Some("tax-bureau"));
    client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    let said = house.vault().said();
    assert!(
        said.contains("opens with the PIN that the shares gave"),
        "{said}"
    );
    for number in [2, 3] {
        assert!(!said.contains(text(number).trim()), "a share is in the log");
    }
    let (well, said) = house.jinku(&["unseal"], &text(1));
    assert!(!well && said.contains("no sealed vault listens"), "{said}");
}

/// Another HSM in the place of the one that is lost, with its own PIN.
fn replace_hsm(house: &mut House) {
    house.stop_hsm();
    let hsm = house.directory().join("hsm");
    std::fs::remove_dir_all(&hsm).unwrap();
    std::fs::DirBuilder::new().mode(0o700).create(&hsm).unwrap();
    std::fs::write(house.directory().join("new-pin"), "another-pin-1234").unwrap();
    let made = Command::new(binary("jinku-hsm"))
        .args(["init", "--label", "jinku-development", "--so-pin-file"])
        .arg(house.directory().join("hsm-so-pin"))
        .arg("--pin-file")
        .arg(house.directory().join("new-pin"))
        .arg("--dir")
        .arg(&hsm)
        .status();
    assert!(made.unwrap().success());
    house.serve_hsm();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_hsm_is_replaced_with_two_shares_and_every_token_opens() {
    let mut house = sealed_house();
    let bring = |house: &House| {
        let (one, two) = (share(1), share(3));
        let (well, said) = house.jinku(&["unseal", "--share-file", &one, "--share-file", &two], "");
        assert!(well, "{said}");
    };
    house.serve_sealed();
    bring(&house);
    house.wait_until_it_listens();
    let client = house.client(Some("tax-bureau"));
    let issued = client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    house.stop();
    let old_key = std::fs::read(house.directory().join("data/ledger-key")).unwrap();

    replace_hsm(&mut house);
    let pin = [
        "key",
        "recover",
        "--pin-file",
        "new-pin",
        "--share-file",
        &share(2),
    ];
    let (well, said) = house.jinku(&pin, "");
    assert!(
        !well && said.contains("needed"),
        "one share recovered it: {said}"
    );
    let (one, two) = (share(1), share(2));
    let with_two = [
        "key",
        "recover",
        "--pin-file",
        "new-pin",
        "--share-file",
        &one,
        "--share-file",
        &two,
    ];
    let (well, said) = house.jinku(&with_two, "");
    assert!(well && said.contains("under a new key"), "{said}");

    house.serve_sealed();
    bring(&house);
    house.wait_until_it_listens();
    let client = house.client(Some("tax-bureau"));
    let opened = client
        .detokenize(detokenize(PURPOSE, &issued.tokens), None)
        .await
        .unwrap();
    assert_eq!(values(&opened.items), ["王測試"]);
    house.audited();
    auditors_notice(&house, &old_key);
}

/// Whoever pinned the lost HSM's key is not told a comfortable story: the archive is not signed by it.
fn auditors_notice(house: &House, old_key: &[u8]) {
    let archive = house.directory().join("archive");
    let pinned = house.directory().join("pinned-key");
    std::fs::write(&pinned, old_key).unwrap();
    let verified = Command::new(binary("jinku-ledger"))
        .arg("verify")
        .arg(Path::new(&archive))
        .arg("--key-file")
        .arg(&pinned)
        .status();
    assert_eq!(verified.unwrap().code(), Some(3));
}
