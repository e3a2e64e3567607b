//! Two PKCS#11 modules, one behaviour: the key service's contract on the HSM simulator, and a whole
//! vault on `SoftHSM2` by changing its configuration only.

#[path = "../../kms/tests/contract/mod.rs"]
mod contract;

use std::path::{Path, PathBuf};
use std::process::Command;

use api::v1::View;
use kms::{Hsm, Pin};
use tests::{House, detokenize, hsm_client, hsm_module, tokenize, values};

/// Set in a child: a module reads its settings from the environment when it is loaded.
const CHILD: &str = "JINKU_TEST_CHILD";
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const LABEL: &str = "city";
const PIN: &str = "city-pin-1234";

/// Runs this test once more, in a child with this environment.
fn in_child(name: &str, variable: &str, value: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, name)
        .env(variable, value)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn the_key_service_works_with_the_simulator() {
    if is_child() {
        return contract::run(&hsm_module());
    }
    let folder = tempfile::tempdir().unwrap();
    in_child(
        "the_key_service_works_with_the_simulator",
        "JINKU_HSM_DIR",
        folder.path(),
    );
    assert!(
        std::fs::read_dir(folder.path()).unwrap().count() > 0,
        "the contract made no token"
    );
}

#[test]
fn a_token_is_made_in_softhsm2() {
    if is_child() {
        let so_pin = Pin::new("city-so-pin-1234".to_owned());
        Hsm::initialize_token(
            Path::new(SOFTHSM),
            LABEL,
            &so_pin,
            &Pin::new(PIN.to_owned()),
        )
        .unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    softhsm_token(folder.path());
    assert_eq!(
        std::fs::read_dir(folder.path().join("tokens"))
            .unwrap()
            .count(),
        1
    );
}

/// A `SoftHSM2` with one token; gives its settings file.
fn softhsm_token(folder: &Path) -> PathBuf {
    assert!(
        Path::new(SOFTHSM).is_file(),
        "SoftHSM2 is missing: apt-get install softhsm2"
    );
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let settings = folder.join("softhsm2.conf");
    std::fs::write(
        &settings,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    in_child("a_token_is_made_in_softhsm2", "SOFTHSM2_CONF", &settings);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_runs_on_softhsm2_by_its_configuration_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = softhsm_token(folder.path());
    let mut house = House::install();
    std::fs::remove_dir_all(house.directory().join("hsm")).unwrap();
    house.edit("jinku.toml", &hsm_client().display().to_string(), SOFTHSM);
    house.edit(
        "jinku.toml",
        "token_label = \"jinku-development\"",
        &format!("token_label = \"{LABEL}\""),
    );
    std::fs::write(house.directory().join("hsm-pin"), format!("{PIN}\n")).unwrap();
    house.set_environment("SOFTHSM2_CONF", &settings);
    house.serve();
    let sent = ["A123456789", "F120000002"];
    let client = house.client(Some("tax-bureau"));
    let tokens = client
        .tokenize(tokenize("national-id", &sent), None)
        .await
        .unwrap()
        .tokens;
    drop(client);
    house.stop();
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let again = client
        .tokenize(tokenize("national-id", &sent), None)
        .await
        .unwrap()
        .tokens;
    assert_eq!(tokens, again);
    let answer = client
        .detokenize(detokenize("tax-assessment", &tokens), None)
        .await
        .unwrap();
    assert_eq!(values(&answer.items), sent);
    assert!(answer.items.iter().all(|item| item.view() == View::Plain));
    drop(client);
    let entries = house.audited();
    assert!(
        entries.len() > 4,
        "the ledger signed by SoftHSM2 has few entries"
    );
    // Without its HSM's token it does not serve.
    let empty = folder.path().join("empty.conf");
    std::fs::create_dir(folder.path().join("none")).unwrap();
    std::fs::write(
        &empty,
        format!(
            "directories.tokendir = {}\n",
            folder.path().join("none").display()
        ),
    )
    .unwrap();
    house.set_environment("SOFTHSM2_CONF", empty);
    let said = house.refuses_to_serve();
    assert!(
        said.contains("no initialised token is labelled `city`"),
        "{said}"
    );
}
