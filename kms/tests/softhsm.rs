//! The PKCS#11 contract against `SoftHSM2`, a module nobody here wrote.

#![expect(
    clippy::unwrap_used,
    reason = "the contract's steps are test code outside `#[test]`"
)]

mod contract;

use std::path::Path;
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use kms::{HsmError, KeyId, KeyKind};

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
        sessions_and_a_module_that_others_end_are_opened_again(module);
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

/// Another user of the module in this process, as a broken one would be.
fn sessions_and_a_module_that_others_end_are_opened_again(path: &Path) {
    let (hsm, envelope) = contract::opened(path);
    let id = KeyId::random().unwrap();
    let wrapped = envelope.generate(&id, 1, KeyKind::Aes256).unwrap();
    let module = Pkcs11::new(path).unwrap();
    let works = || {
        assert!(hsm.root("root").unwrap().is_some(), "the key looks absent");
        envelope.open(&wrapped).unwrap();
        hsm.alive().unwrap();
    };

    // The login is lost: the HSM then shows no private object.
    let slot = || module.get_slots_with_initialized_token().unwrap()[0];
    module.open_ro_session(slot()).unwrap().logout().unwrap();
    works();

    // Every session is lost.
    module.clone().finalize().unwrap();
    let arguments = || CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(arguments()).unwrap();
    works();

    // The module itself is.
    module.clone().finalize().unwrap();
    works();

    // A PIN that became wrong is tried once, and then never again.
    let session = module.open_rw_session(slot()).unwrap();
    let (old, new) = (
        AuthPin::new("12345678".into()),
        AuthPin::new("87654321".into()),
    );
    session.set_pin(&old, &new).unwrap();
    session.logout().unwrap();
    for _ in 0..3 {
        assert!(matches!(hsm.root("root"), Err(HsmError::WrongPin)));
    }
    session.login(UserType::User, Some(&new)).unwrap();
    assert!(matches!(hsm.root("root"), Err(HsmError::WrongPin)));
}
