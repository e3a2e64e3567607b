//! The programs beside this one: the gateway filter, the HSM simulator, the auditor's tool.
//!
//! They share no code with the vault, so they are other files. An installation has them beside
//! `jinku`; under `cargo run` they are built first.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Where the other programs are.
pub(super) struct Companions {
    folder: PathBuf,
}

/// How long a program may take to end in order.
const END_MAX: Duration = Duration::from_secs(5);

/// A program that ends with the one who started it.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.terminate();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Asks the program to end, and gives it time.
    fn terminate(&mut self) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let asked = id.map(|id| kill_process(id, Signal::TERM));
        let started = Instant::now();
        while asked == Some(Ok(())) && self.ended().is_none() && started.elapsed() < END_MAX {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a program, out of reach of the terminal's Ctrl-C: its owner ends what it started, in order.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(
            command
                .process_group(0)
                .spawn()
                .with_context(|| format!("`{name}` can't be started"))?,
        ))
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended already.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Companions {
    /// Finds them, and builds them where this program runs under `cargo run`.
    pub(super) fn find() -> anyhow::Result<Self> {
        let here = std::env::current_exe().context("this program's own path is unknown")?;
        let folder = here
            .parent()
            .context("this program has no folder")?
            .to_owned();
        let companions = Self { folder };
        if let Some(cargo) = std::env::var_os("CARGO") {
            companions.build(Path::new(&cargo))?;
        }
        for path in [
            companions.filter(),
            companions.auditor(),
            companions.hsm_tool(),
        ] {
            if !path.is_file() {
                bail!(
                    "`{}` is missing: run `cargo build` with the profile of this program",
                    path.display()
                );
            }
        }
        companions.hsm_client()?;
        Ok(companions)
    }

    /// The same package selection as `cargo run`, and without what that says of the package it runs: build scripts
    /// that look at it (`ring`'s) would run anew, and nearly everything be compiled twice.
    fn build(&self, cargo: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--manifest-path"]);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        for (name, _) in std::env::vars_os() {
            let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
            let name = name.to_string_lossy();
            if of_package.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&*name);
            }
        }
        if self.folder.ends_with("release") {
            command.arg("--release");
        }
        super::screen::quiet(
            "building the gateway filter, the HSM simulator and the auditor's tool…",
        );
        let status = command.status().context("`cargo build` can't be started")?;
        if !status.success() {
            bail!("`cargo build` failed");
        }
        Ok(())
    }

    pub(super) fn vault(&self) -> PathBuf {
        self.folder.join("jinku")
    }

    pub(super) fn filter(&self) -> PathBuf {
        self.folder.join("jinku-filter")
    }

    pub(super) fn auditor(&self) -> PathBuf {
        self.folder.join("jinku-ledger")
    }

    pub(super) fn hsm_tool(&self) -> PathBuf {
        self.folder.join("jinku-hsm")
    }

    /// The PKCS#11 module that reaches `jinku-hsm serve`.
    pub(super) fn hsm_client(&self) -> anyhow::Result<PathBuf> {
        let name = "libhsm_client.so";
        let beside = self.folder.join(name);
        let found = [beside.clone(), self.folder.join("deps").join(name)]
            .into_iter()
            .find(|path| path.is_file());
        found.with_context(|| format!("`{}` is missing: run `cargo build`", beside.display()))
    }
}
