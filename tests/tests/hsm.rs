//! One behaviour over every PKCS#11 module and vendor's habit, in the vault's process and in another: the key
//! service's contract, whole vaults, and a vault whose HSM's processes die.

#[path = "../../kms/tests/contract/mod.rs"]
mod contract;
#[path = "hsm/contracts.rs"]
mod contracts;
#[path = "hsm/habits.rs"]
mod habits;
#[path = "hsm/killed.rs"]
mod killed;
#[path = "hsm/opensc.rs"]
mod opensc;
#[path = "hsm/softhsm.rs"]
mod softhsm;

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{House, Program, binary, hsm_client};

/// Set in a child: a module reads its settings from the environment when it is loaded.
const CHILD: &str = "JINKU_TEST_CHILD";

/// Whose habits the simulator can have, and the setting that each needs.
const PROFILES: [(&str, &str); 5] = [
    ("strict", "caller"),
    ("softhsm", "caller"),
    ("luna", "appended"),
    ("nshield", "zero-buffer"),
    ("cloudhsm", "zero-buffer"),
];

fn gcm_iv(profile: &str) -> &'static str {
    let known = PROFILES.into_iter().find(|(name, _)| *name == profile);
    known.unwrap().1
}

/// Runs a test once more, in a child with more environment.
fn in_child(name: &str, environment: &[(&str, OsString)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, name)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// A running `jinku-hsm serve`, whose socket is in a directory of its own.
struct Server {
    folder: tempfile::TempDir,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    program: Option<Program>,
}

impl Server {
    /// Over the simulated tokens of a directory.
    fn of_tokens(directory: &Path, profile: &str) -> Self {
        let arguments = ["--dir".into(), directory.into()];
        Self::start(&arguments, &[("JINKU_HSM_PROFILE", profile.into())])
    }

    /// Over a vendor's module.
    fn of_module(module: &str, environment: (&'static str, OsString)) -> Self {
        Self::start(&["--module".into(), module.into()], &[environment])
    }

    fn start(arguments: &[OsString], environment: &[(&'static str, OsString)]) -> Self {
        let mut server = Self {
            folder: private_folder(),
            arguments: arguments.to_vec(),
            environment: environment.to_vec(),
            program: None,
        };
        server.serve();
        server
    }

    /// Starts it, and waits until it serves.
    fn serve(&mut self) {
        let ready = self.folder.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let mut command = Command::new(binary("jinku-hsm"));
        command
            .arg("serve")
            .arg("--socket")
            .arg(self.socket())
            .arg("--ready-file")
            .arg(&ready)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut program = Program::start(&mut command, &self.folder.path().join("log"));
        program.wait_for(|| ready.exists());
        self.program = Some(program);
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("hsm.sock")
    }

    /// `kill -9`: it and, with it, its workers.
    fn kill(&mut self) {
        self.program.take().unwrap().kill();
    }

    /// The workers that run: one for each application.
    fn workers(&self) -> Vec<String> {
        let id = self.program.as_ref().unwrap().id();
        let threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let children = |thread: std::io::Result<std::fs::DirEntry>| {
            let children = thread.unwrap().path().join("children");
            std::fs::read_to_string(children).unwrap_or_default()
        };
        let listed: Vec<String> = threads.map(children).collect();
        listed
            .iter()
            .flat_map(|line| line.split_whitespace())
            .map(str::to_owned)
            .collect()
    }

    /// `kill -9` of the workers: how many there were.
    fn kill_workers(&self) -> usize {
        let workers = self.workers();
        for worker in &workers {
            let killed = Command::new("kill").args(["-9", worker]).status();
            assert!(killed.unwrap().success());
        }
        workers.len()
    }
}

/// A folder that is ours alone, as a server asks for its socket.
fn private_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// The house's vault reaches this module, wherever its token is.
fn reach(house: &mut House, module: &Path) {
    let file = house.directory().join("jinku.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.starts_with("module = "));
    let line = line.unwrap().to_owned();
    let named = format!("module = \"{}\"", module.display());
    house.edit("jinku.toml", &line, &named);
}

/// The house's vault reaches its token through a server.
fn reach_through(house: &mut House, server: &Server) {
    reach(house, &hsm_client());
    house.set_environment("JINKU_HSM_SOCKET", server.socket());
}
