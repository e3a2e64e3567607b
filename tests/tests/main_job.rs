//! The main job, end to end: what `jinku demo` tells is looked at again, from outside.

use std::process::Command;

use tests::{binary, leaks, sample};

/// Sensitive values of the sample records. None of them may lie anywhere on disk afterwards.
fn secrets() -> Vec<String> {
    fn walk(name: &str, value: &serde_json::Value, found: &mut Vec<String>) {
        const SENSITIVE: [&str; 6] = ["national_id", "name", "mobile", "address", "email", "pan"];
        match value {
            serde_json::Value::String(text) if SENSITIVE.contains(&name) => {
                found.push(text.clone());
            }
            serde_json::Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(name, field)| walk(name, field, found));
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| walk(name, item, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for kind in ["parking-fee", "medical-fee", "tax"] {
        walk(
            "",
            &serde_json::from_str(&sample(kind)).unwrap(),
            &mut found,
        );
    }
    assert!(
        found.len() >= 9,
        "the samples hold too few sensitive values: {found:?}"
    );
    found
}

// Invariants 11 and 13: neither logs nor ledger nor database hold a value.
#[test]
fn the_demo_tells_the_whole_story_and_leaves_no_value_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let output = Command::new(binary("jinku"))
        .args(["demo", "--once", "--data"])
        .arg(&data)
        .env_remove("CARGO")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complained}");
    for part in [
        "POST /payments/parking-fee",
        "POST /payments/medical-fee",
        "POST /payments/tax",
        "tax-bureau",
        "parking-office",
        "public-library",
        "PermissionDenied",
        "exit code 0",
        "exit code 2",
        "the data lies in",
    ] {
        assert!(told.contains(part), "the story lacks `{part}`:\n{told}");
    }
    assert!(
        told.lines().any(|line| line.contains(" plain ")),
        "nobody saw plain:\n{told}"
    );
    assert!(
        told.lines().any(|line| line.contains(" masked ")),
        "nobody saw masked:\n{told}"
    );
    // What goes in, for people to send again; everything else came out of the house.
    std::fs::remove_dir_all(data.join("policies/sample")).unwrap();
    assert_eq!(leaks(&data, &secrets()), Vec::<String>::new());
}

#[test]
fn the_search_for_leaks_finds_a_planted_value() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secrets().remove(0);
    std::fs::write(
        folder.path().join("plain.log"),
        format!("before {secret} after"),
    )
    .unwrap();
    assert_eq!(leaks(folder.path(), &[secret]).len(), 1);
}
