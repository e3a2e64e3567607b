//! Another HSM is a change of one path: the same contract, and the same vault, on two modules.

#[path = "../../kms/tests/contract/mod.rs"]
mod contract;

use std::path::Path;
use std::process::Command;

use tests::{House, detokenize, hsm_module, tokenize, values};

/// Set in the child that runs the contract: a module reads its settings from the environment.
const CHILD: &str = "JINKU_TEST_CONTRACT";
/// Where Debian's package `softhsm2` puts its module.
const SOFTHSM2: &str = "/usr/lib/softhsm/libsofthsm2.so";

#[test]
fn the_key_service_works_with_the_simulator() {
    if std::env::var_os(CHILD).is_some() {
        return contract::run(&hsm_module());
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_key_service_works_with_the_simulator",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .env("JINKU_HSM_DIR", folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        std::fs::read_dir(folder.path()).unwrap().next().is_some(),
        "it made no token"
    );
}

fn softhsm2_token(folder: &Path, pin: &str) {
    let settings = folder.join("softhsm2.conf");
    let tokens = folder.join("softhsm2");
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(
        &settings,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    let status = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "jinku-softhsm2",
            "--so-pin",
            "87654321",
        ])
        .args(["--pin", pin])
        .env("SOFTHSM2_CONF", &settings)
        .output()
        .expect("SoftHSM2 is missing: apt-get install softhsm2");
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_runs_on_softhsm2_by_its_path_alone() {
    let mut house = House::install();
    let directory = house.directory();
    softhsm2_token(&directory, "12345678");
    std::fs::write(directory.join("softhsm2-pin"), "12345678\n").unwrap();
    house.edit("jinku.toml", &hsm_module().display().to_string(), SOFTHSM2);
    house.edit("jinku.toml", "jinku-development", "jinku-softhsm2");
    house.edit("jinku.toml", "\"hsm-pin\"", "\"softhsm2-pin\"");
    house.set_environment("SOFTHSM2_CONF", directory.join("softhsm2.conf"));
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let issued = client
        .tokenize(tokenize("name", &["王測試"]), None)
        .await
        .unwrap();
    house.stop();
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let request = detokenize("tax-assessment", &issued.tokens);
    let answer = client.detokenize(request, None).await.unwrap();
    assert_eq!(values(&answer.items), ["王測試"]);
    house.stop();
    let archive = house.export("archive");
    assert_eq!(
        house.verify(&archive).0,
        0,
        "a checkpoint signed by SoftHSM2 does not verify"
    );
}

// Invariant 6: database and settings open nothing with another HSM.
#[test]
fn another_hsm_does_not_open_the_database() {
    let mut house = House::open();
    house.stop();
    let other = House::install();
    for file in ["hsm-pin", "hsm-so-pin"] {
        std::fs::copy(other.directory().join(file), house.directory().join(file)).unwrap();
    }
    house.set_environment("JINKU_HSM_DIR", other.directory().join("hsm"));
    let said = house.refuses_to_serve();
    assert!(said.contains("no root key"), "{said}");
}
