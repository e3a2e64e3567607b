//! A write lock on the vault's database, held from outside as a stuck backup would hold it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::House;

/// Nobody else writes while this lives.
pub struct WriteLock(Child);

impl House {
    /// Takes the write lock.
    pub fn lock_database(&self) -> WriteLock {
        let mut shell = Command::new("sqlite3")
            .args(["-batch", "-cmd", ".timeout 10000"])
            .arg(self.directory().join("data/vault.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`sqlite3` is missing: install Debian's package sqlite3");
        let input = shell.stdin.as_mut().unwrap();
        input
            .write_all(b"BEGIN IMMEDIATE;\nSELECT 'held';\n")
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(shell.stdout.as_mut().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        WriteLock(shell)
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Its transaction ends with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
