//! The key service's contract: under each vendor's habits, in this process and through a server.

use tests::{hsm_client, hsm_module};

use super::softhsm::{self, SOFTHSM};
use super::{Server, contract, in_child, is_child};

fn in_process(name: &str, profile: &str) {
    if is_child() {
        contract::run(&hsm_module());
        return contract::recover(&hsm_module());
    }
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("JINKU_HSM_DIR", folder.path().into()),
        ("JINKU_HSM_PROFILE", profile.into()),
    ];
    in_child(&format!("contracts::{name}"), &environment);
    assert!(
        std::fs::read_dir(folder.path()).unwrap().count() > 0,
        "the contract made no token"
    );
}

fn through_a_server(name: &str, profile: &str) {
    if is_child() {
        contract::run(&hsm_client());
        return contract::recover(&hsm_client());
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::of_tokens(folder.path(), profile);
    let environment = [
        ("JINKU_HSM_SOCKET", server.socket().into()),
        // It says what the vault's configuration says, too.
        ("JINKU_HSM_PROFILE", profile.into()),
    ];
    in_child(&format!("contracts::{name}"), &environment);
    assert!(
        std::fs::read_dir(folder.path()).unwrap().count() > 0,
        "the contract made no token"
    );
}

macro_rules! under {
    ($($name:ident: $way:ident $profile:literal;)*) => {
        $(#[test]
        fn $name() {
            $way(stringify!($name), $profile);
        })*
    };
}

under! {
    the_key_service_works_with_a_strict_module: in_process "strict";
    the_key_service_works_with_the_habits_of_softhsm: in_process "softhsm";
    the_key_service_works_with_the_habits_of_luna: in_process "luna";
    the_key_service_works_with_the_habits_of_nshield: in_process "nshield";
    the_key_service_works_with_the_habits_of_cloudhsm: in_process "cloudhsm";
    the_key_service_works_with_a_strict_module_behind_a_server: through_a_server "strict";
    the_key_service_works_with_the_habits_of_luna_behind_a_server: through_a_server "luna";
    the_key_service_works_with_the_habits_of_cloudhsm_behind_a_server: through_a_server "cloudhsm";
}

#[test]
fn the_key_service_works_with_softhsm2_behind_a_server() {
    if is_child() {
        contract::run(&hsm_client());
        return contract::recover(&hsm_client());
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = softhsm::settings(folder.path());
    let server = Server::of_module(SOFTHSM, ("SOFTHSM2_CONF", settings.into()));
    let name = "contracts::the_key_service_works_with_softhsm2_behind_a_server";
    in_child(name, &[("JINKU_HSM_SOCKET", server.socket().into())]);
    let tokens = std::fs::read_dir(folder.path().join("tokens"));
    assert_eq!(tokens.unwrap().count(), 1);
}
