//! A whole vault on `SoftHSM2`, a module nobody here wrote, by changing its configuration only.

use std::path::{Path, PathBuf};

use api::v1::View;
use kms::{Hsm, Pin};
use tests::{House, detokenize, tokenize, values};

use super::{in_child, is_child, reach};

/// Where Debian's package `softhsm2` puts its module.
pub(super) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const LABEL: &str = "city";
const PIN: &str = "city-pin-1234";

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
    token(folder.path());
    assert_eq!(
        std::fs::read_dir(folder.path().join("tokens"))
            .unwrap()
            .count(),
        1
    );
}

/// A settings file of a `SoftHSM2` without a token.
pub(super) fn settings(folder: &Path) -> PathBuf {
    assert!(
        Path::new(SOFTHSM).is_file(),
        "SoftHSM2 is missing: apt-get install softhsm2"
    );
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let settings = folder.join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\n", tokens.display());
    std::fs::write(&settings, text).unwrap();
    settings
}

/// A `SoftHSM2` with one token; gives its settings file.
fn token(folder: &Path) -> PathBuf {
    let settings = settings(folder);
    let environment = [("SOFTHSM2_CONF", settings.clone().into())];
    in_child("softhsm::a_token_is_made_in_softhsm2", &environment);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_runs_on_softhsm2_by_its_configuration_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = token(folder.path());
    let mut house = House::install();
    std::fs::remove_dir_all(house.directory().join("hsm")).unwrap();
    reach(&mut house, Path::new(SOFTHSM));
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
