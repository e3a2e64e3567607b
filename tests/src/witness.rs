//! Witnesses of a log: `jinku-ledger witness`, a process each, and the policy that names them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::House;
use crate::programs::{Program, binary, free_port};

/// A witness that watches one log.
pub struct Witness {
    dir: PathBuf,
    name: String,
    vkey: String,
    port: u16,
    running: Option<Program>,
}

impl Witness {
    /// Makes one in a folder that is not there yet, and runs it.
    pub fn watching(dir: &Path, name: &str, log_key: &str) -> Self {
        let output = Command::new(binary("jinku-ledger"))
            .args(["witness", "init"])
            .arg(dir)
            .args(["--name", &format!("witness.example/{name}")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let port = free_port();
        let settings = format!("listen = \"127.0.0.1:{port}\"\n[[log]]\nkeys = [\"{log_key}\"]\n");
        std::fs::write(dir.join("witness.toml"), settings).unwrap();
        let mut witness = Self {
            dir: dir.to_owned(),
            name: name.to_owned(),
            vkey: String::from_utf8(output.stdout).unwrap().trim().to_owned(),
            port,
            running: None,
        };
        witness.serve();
        witness
    }

    /// Runs it at the same address as before.
    pub fn serve(&mut self) {
        let mut command = Command::new(binary("jinku-ledger"));
        command.args(["witness", "serve"]).arg(&self.dir);
        let log = self.dir.join("witness.log");
        self.running = Some(Program::listening(&mut command, &log));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.running
            .take()
            .expect("the witness does not run")
            .kill();
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let running = self.running.as_ref();
        running.expect("the witness does not run").signal(name);
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its public key.
    pub fn vkey(&self) -> &str {
        &self.vkey
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its line in a policy.
    pub fn line(&self) -> String {
        format!("witness {} {} {}\n", self.name, self.vkey, self.url())
    }
}

impl House {
    /// The log's public key, as the vault writes it.
    pub fn ledger_key(&self) -> String {
        let key = std::fs::read_to_string(self.directory().join("data/ledger-key")).unwrap();
        key.trim().to_owned()
    }

    /// Runs so many witnesses of this log, and names them in the settings, of which `needed` must cosign; `more`
    /// are further lines of `[ledger.witnesses]`. For a vault that does not run, and ran before.
    pub fn witnessed(&self, count: usize, needed: usize, more: &str) -> Vec<Witness> {
        let witness = |n| {
            let name = format!("w{n}");
            let dir = self.directory().join(format!("witness-{n}"));
            Witness::watching(&dir, &name, &self.ledger_key())
        };
        let witnesses: Vec<Witness> = (1..=count).map(witness).collect();
        let lines: Vec<String> = witnesses.iter().map(Witness::line).collect();
        self.witnessed_by(&lines, needed, more);
        witnesses
    }

    /// The same for witnesses that run already, by their lines of a policy.
    pub fn witnessed_by(&self, lines: &[String], needed: usize, more: &str) {
        let names = lines.iter().filter_map(|line| line.split(' ').nth(1));
        let names = names.collect::<Vec<_>>().join(" ");
        let lines = lines.concat();
        let policy = format!("{lines}group all-of-them {needed} {names}\nquorum all-of-them\n");
        std::fs::write(self.directory().join("witnesses.policy"), policy).unwrap();
        // Behind what `init` wrote, where tests put keys of `[ledger]`.
        let path = self.directory().join("jinku.toml");
        let settings = std::fs::read_to_string(&path).unwrap();
        let table = format!(
            "\n[ledger.witnesses]\npolicy = \"witnesses.policy\"\ndeadline_ms = 2000\n{more}\n"
        );
        std::fs::write(path, settings + &table).unwrap();
    }
}
