//! The PKCS#11 contract against `SoftHSM2`, a module nobody here wrote.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the contract's steps are test code outside `#[test]`"
)]

mod contract;

use std::path::Path;
use std::process::Command;

/// Where Debian's package `softhsm2` puts its module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Set in the child that runs the contract: the module reads its settings from the environment.
const CHILD: &str = "JINKU_TEST_CONTRACT";

#[test]
fn the_key_service_works_with_softhsm2() {
    let module = Path::new(MODULE);
    assert!(
        module.is_file(),
        "SoftHSM2 is missing: apt-get install softhsm2"
    );
    if std::env::var_os(CHILD).is_some() {
        contract::run(module);
        contract::recover(module);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("softhsm2.conf");
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(
        &settings,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_key_service_works_with_softhsm2",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .env("SOFTHSM2_CONF", &settings)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        std::fs::read_dir(&tokens).unwrap().next().is_some(),
        "the contract made no token"
    );
}
