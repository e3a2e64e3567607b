//! The programs beside this one: the gateway filter, the HSM simulator, the auditor's tool.
//!
//! They share no code with the vault, so they are other files. An installation has them beside
//! `jinku`; under `cargo run` they are built first.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, bail};

/// Where the other programs are.
pub(super) struct Companions {
    folder: PathBuf,
}

/// A program that ends with the one who started it.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts a program.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(
            command
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
        companions.hsm_module()?;
        Ok(companions)
    }

    /// The same package selection as `cargo run`, so that nothing is compiled twice.
    fn build(&self, cargo: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--manifest-path"]);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
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

    /// The simulator's PKCS#11 module.
    pub(super) fn hsm_module(&self) -> anyhow::Result<PathBuf> {
        let name = "libhsm_sim.so";
        let beside = self.folder.join(name);
        let found = [beside.clone(), self.folder.join("deps").join(name)]
            .into_iter()
            .find(|path| path.is_file());
        found.with_context(|| format!("`{}` is missing: run `cargo build`", beside.display()))
    }
}
