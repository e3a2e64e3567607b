//! The examples that are shipped: each is taken by the program that it is for, and none is left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// RFC 9421 appendix B.1.4.
const PARTNER: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n\
    -----END PUBLIC KEY-----\n";
/// Routes alone: what stands before them is the machine's own.
const ROUTES_ALONE: [&str; 1] = ["jwe.toml"];
const OWN_PART: &str = "[vault]\nurl = \"https://127.0.0.1:8443\"\nca = \"ca.pem\"\n";
/// Needs the module's library: the workspace's `tests/tests/envoy_module.rs` runs it.
const WITHIN_ENVOY: [&str; 1] = ["envoy-module.yaml"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// All examples of this kind.
fn named(ending: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(examples()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(ending)).collect()
}

/// A folder with all files that the examples name.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    for name in ["ca", "gateway", "gateway-keys"] {
        std::fs::write(folder.path().join(format!("{name}.pem")), &certificate).unwrap();
        std::fs::write(folder.path().join(format!("{name}-key.pem")), &key).unwrap();
    }
    std::fs::write(folder.path().join("partner.pem"), PARTNER).unwrap();
    folder
}

#[tokio::test]
async fn every_example_of_settings_is_taken_by_check() {
    let (folder, files) = (machine(), named(".toml"));
    assert!(files.len() >= 3, "{files:?}");
    for name in files {
        let mut text = std::fs::read_to_string(examples().join(&name)).unwrap();
        if ROUTES_ALONE.contains(&name.as_str()) {
            text.insert_str(0, OWN_PART);
        }
        let file = folder.path().join(&name);
        std::fs::write(&file, &text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-filter"))
            .arg("check")
            .arg(&file)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        let shown = String::from_utf8(output.stdout).unwrap();
        let routes = text
            .lines()
            .filter(|line| line.trim_end() == "[[route]]")
            .count();
        // A line for each, after the head's.
        assert_eq!(shown.lines().count(), routes + 1, "{name}: {shown}");
    }
}

#[tokio::test]
async fn every_example_for_envoy_is_taken_by_envoy() {
    let program = std::env::var_os("JINKU_TEST_ENVOY")
        .expect("JINKU_TEST_ENVOY names no Envoy: run `bash tests/run.sh`, which provides one");
    let (folder, files) = (machine(), named(".yaml"));
    for name in WITHIN_ENVOY {
        assert!(files.contains(name), "{name} is gone");
    }
    assert!(files.len() >= 4, "{files:?}");
    for name in files {
        if WITHIN_ENVOY.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(examples().join(&name)).unwrap();
        let ports = ["LISTEN", "ADMIN", "EXT_PROC", "UPSTREAM"];
        let text = ports.iter().fold(text, |text, port| {
            text.replace(&format!("@{port}_PORT@"), "1")
        });
        let file = folder.path().join(&name);
        std::fs::write(&file, text).unwrap();
        let output = Command::new(&program)
            .args(["--mode", "validate", "--use-dynamic-base-id", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
    }
}
