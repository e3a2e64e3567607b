//! `jinku key` and `jinku token`, as officers run them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::House;
use crate::programs::binary;

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as text, of a command that must have succeeded.
    pub fn text(&self) -> &str {
        assert_eq!(self.code, 0, "{}", self.err);
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output as JSON, of a command that must have succeeded.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    /// Standard error, of a command that must have failed.
    pub fn failure(&self) -> &str {
        assert_ne!(self.code, 0, "it succeeded");
        &self.err
    }
}

impl House {
    /// Runs `jinku key` in the installation's directory, as a unit.
    pub fn officer(&self, unit: &str, arguments: &[&str]) -> Said {
        self.officer_given(unit, arguments, b"")
    }

    /// The same, with something on standard input.
    pub fn officer_given(&self, unit: &str, arguments: &[&str], input: &[u8]) -> Said {
        let directory = self.directory();
        self.jinku_key(
            &[
                ("JINKU_INSTALLATION", directory.to_str().unwrap()),
                ("JINKU_UNIT", unit),
            ],
            arguments,
            input,
        )
    }

    /// Runs `jinku key` in the installation's directory, with nothing but this environment.
    pub fn jinku_key(
        &self,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Said {
        self.jinku_with(environment, &[&["key"], arguments].concat(), input)
    }

    /// Runs `jinku token` in the installation's directory, as a unit, with something on standard input.
    pub fn custodian(&self, unit: &str, arguments: &[&str], input: &[u8]) -> Said {
        let directory = self.directory();
        let environment = [
            ("JINKU_INSTALLATION", directory.to_str().unwrap()),
            ("JINKU_UNIT", unit),
        ];
        self.jinku_with(&environment, &[&["token"], arguments].concat(), input)
    }

    fn jinku_with(&self, environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Said {
        let mut child = Command::new(binary("jinku"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(self.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its arguments closes its input unread.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
