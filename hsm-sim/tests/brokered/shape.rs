//! The token in processes of its own, behind the client and a server.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The module that a program loads.
pub(crate) const LIBRARY: &str = "libhsm_client.so";

/// A running `jinku-hsm serve`, killed at the end.
pub(crate) struct Behind(Child);

impl Behind {
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[], &[])
    }

    /// Starts it, and waits until it says that it serves.
    pub(crate) fn start_with(
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"))
            .arg("serve")
            .args(arguments)
            .envs(environment.iter().copied())
            .arg("--dir")
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        assert!(said.starts_with("serving at"), "{said}");
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// As by `kill -9`, and waits until it is gone with all its workers.
    pub(crate) fn kill(&mut self) {
        let workers = self.workers();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        wait_for_end(&workers);
    }

    /// The workers that run.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let mut workers = Vec::new();
        for thread in threads {
            let children = thread.unwrap().path().join("children");
            let listed = std::fs::read_to_string(children).unwrap_or_default();
            workers.extend(
                listed
                    .split_whitespace()
                    .map(|id| id.parse::<u32>().unwrap()),
            );
        }
        workers
    }

    pub(crate) fn end(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until programs are gone, and fails if they stay.
pub(crate) fn wait_for_end(programs: &[u32]) {
    let start = Instant::now();
    let is_alive = |program: &u32| {
        let state = std::fs::read_to_string(format!("/proc/{program}/stat"));
        state.is_ok_and(|state| !state.contains(") Z "))
    };
    while programs.iter().any(is_alive) {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{programs:?} stay"
        );
        std::thread::yield_now();
    }
}
