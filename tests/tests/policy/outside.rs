//! The official Cedar engine, through PyPI's `cedarpy`, on entities that are translated anew in Python: it decides each
//! cell of the table as the vault does, and its validator takes the shipped sets.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::document;

const JUDGE: &str = include_str!("judge.py");
const CEDARPY: &str = "cedarpy==4.12.*";

/// Where `cedarpy` is, fetched once.
fn cedarpy() -> PathBuf {
    let home = tests::workspace().join(".tools/cedarpy");
    if !home.join("cedarpy").is_dir() {
        let output = Command::new("python3")
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["--target", home.to_str().unwrap(), CEDARPY])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "get {CEDARPY} with pip: {errors}");
    }
    home
}

/// A set of the same units and classes that permits nothing: what differs from it is all that is given.
fn nothing(set: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    for name in ["schema.cedarschema", "classes.toml", "units.toml"] {
        std::fs::copy(set.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn judged(set: &str) {
    let set = tests::workspace().join(set);
    let empty = nothing(&set);
    let (from, to) = (empty.path().to_str().unwrap(), set.to_str().unwrap());
    let (code, table) = document(&["policy", "diff", from, to, "--json"]);
    assert_eq!(code, 1);
    let file = empty.path().join("table.json");
    std::fs::write(&file, table.to_string()).unwrap();
    let output = Command::new("python3")
        .arg("-c")
        .arg(JUDGE)
        .arg(&set)
        .arg(&file)
        .env("PYTHONPATH", cedarpy())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let cells: u64 = said.trim().parse().unwrap();
    assert!(cells > 1_000, "{cells} cells");
}

#[test]
fn the_city_is_decided_as_the_official_engine_decides() {
    judged("policies");
}

#[test]
fn the_bank_is_decided_as_the_official_engine_decides() {
    judged("policies/examples/bank");
}
