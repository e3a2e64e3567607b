//! Python with libraries that nobody here wrote: they mint tokens, make proofs and check signatures.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::programs::workspace;

/// The Python that has the libraries.
pub fn python() -> PathBuf {
    let named = std::env::var_os("JINKU_TEST_PYTHON").map(PathBuf::from);
    let path = named.unwrap_or_else(|| workspace().join(".tools/python/bin/python3"));
    let remedy =
        "run `bash tests/run.sh prepare`, which provides it, or name one in JINKU_TEST_PYTHON";
    assert!(
        path.exists(),
        "there is no Python with the libraries: {remedy}"
    );
    path
}

/// Runs a script on a JSON text, and gives the JSON that it prints.
pub fn run_python(script: &str, input: &Value) -> Value {
    let mut child = Command::new(python())
        .args(["-W", "ignore", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}
