//! The auditor's side of an installation: export, verify, read.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::House;
use crate::programs::{binary, workspace};

impl House {
    /// Exports the ledger and gives its directory.
    pub fn export(&self, name: &str) -> PathBuf {
        let to = self.directory().join(name);
        let output = Command::new(binary("jinku"))
            .args(["ledger", "export", "--data"])
            .arg(self.directory().join("data"))
            .arg("--to")
            .arg(&to)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        to
    }

    /// The auditor's verdict on an archive: exit code and report.
    pub fn verify(&self, archive: &Path) -> (i32, String) {
        let output = Command::new(binary("jinku-ledger"))
            .arg("verify")
            .arg(archive)
            .arg("--key-file")
            .arg(self.directory().join("data/ledger-key"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// What the verifier in Python says of an archive, which has nothing but Python's standard library.
    pub fn verify_in_python(&self, archive: &Path) -> (i32, String) {
        let key = std::fs::read_to_string(self.directory().join("data/ledger-key")).unwrap();
        let output = Command::new("python3")
            .arg(workspace().join("ledger/VERIFY.py"))
            .arg(archive)
            .arg(key.trim())
            .output()
            .expect("`python3` is missing");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// The exported entries, as `jinku-ledger show --json` prints them: one a line.
    pub fn entries(&self, archive: &Path) -> Vec<Value> {
        let output = Command::new(binary("jinku-ledger"))
            .arg("show")
            .arg(archive)
            .arg("--json")
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Stops the vault, has its ledger verified, and gives the entries.
    pub fn audited(&mut self) -> Vec<Value> {
        self.stop();
        let archive = self.export("archive");
        let (verdict, report) = self.verify(&archive);
        assert_eq!(verdict, 0, "{report}");
        let (verdict, said) = self.verify_in_python(&archive);
        assert_eq!(verdict, 0, "{said}");
        self.entries(&archive)
    }
}

/// Whether one entry has all of these facts.
pub fn has_entry(entries: &[Value], facts: &[(&str, &str)]) -> bool {
    let fits = |entry: &Value| facts.iter().all(|(name, fact)| entry[*name] == *fact);
    entries.iter().any(fits)
}
