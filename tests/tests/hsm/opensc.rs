//! OpenSC's own test of a PKCS#11 module, which nobody here wrote, over the simulator: in process, and through the
//! client. `hsm-sim/conformance.sh` runs the long suites beside it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use tests::{binary, hsm_client, hsm_module};

use super::Server;

const PIN: &str = "12345678";

/// `pkcs11-tool`, logged in; what it said.
fn tool(module: &Path, environment: (&str, OsString), arguments: &[&str]) -> String {
    let output = Command::new("pkcs11-tool")
        .arg("--module")
        .arg(module)
        .args(["--login", "--pin", PIN])
        .args(arguments)
        .env("JINKU_HSM_PROFILE", "strict")
        .env(environment.0, environment.1)
        .output()
        .expect("`pkcs11-tool` is missing: install Debian's package opensc");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A token for it to try.
fn token(directory: &Path) {
    let pin = directory.join("pin");
    std::fs::write(&pin, PIN).unwrap();
    let made = Command::new(binary("jinku-hsm"))
        .args(["init", "--label", "tool", "--so-pin-file"])
        .arg(&pin)
        .arg("--pin-file")
        .arg(&pin)
        .arg("--dir")
        .arg(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Keys for its signatures and decryptions, then the test itself.
fn passes(module: &Path, environment: (&str, OsString)) {
    let run = |arguments: &[&str]| tool(module, (environment.0, environment.1.clone()), arguments);
    for (kind, id, usage) in [
        ("rsa:2048", "01", "--usage-sign"),
        ("rsa:2048", "02", "--usage-decrypt"),
        ("EC:prime256v1", "03", "--usage-sign"),
    ] {
        run(&["--keypairgen", "--key-type", kind, "--id", id, usage]);
    }
    // The token is software, and does not claim otherwise.
    let said = run(&["--test", "--allow-sw"]);
    assert!(said.trim_end().ends_with("No errors"), "{said}");
    for part in ["C_SeedRandom", "Digests", "Signatures", "Decryption"] {
        assert!(said.contains(part), "it did not try {part}: {said}");
    }
}

#[test]
fn opensc_finds_no_error_in_the_module() {
    let folder = tempfile::tempdir().unwrap();
    token(folder.path());
    passes(&hsm_module(), ("JINKU_HSM_DIR", folder.path().into()));
}

#[test]
fn opensc_finds_no_error_through_a_server() {
    let folder = tempfile::tempdir().unwrap();
    token(folder.path());
    let server = Server::of_tokens(folder.path(), "strict");
    passes(&hsm_client(), ("JINKU_HSM_SOCKET", server.socket().into()));
}
