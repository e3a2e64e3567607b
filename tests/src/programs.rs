//! The programs under test, and those they are tested with.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;

/// How long a program may take to say that it listens.
const START_MAX: Duration = Duration::from_secs(60);

/// A running program; it ends with its owner.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts a program whose output goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Starts a program that takes `--address-file`, and waits until it listens.
    pub fn listening(command: &mut Command, log: &Path) -> Self {
        let address_file = log.with_extension("address");
        let _ = std::fs::remove_file(&address_file);
        command.arg("--address-file").arg(&address_file);
        let mut program = Self::start(command, log);
        program.wait_for(|| address_file.exists());
        program
    }

    /// Starts a program that takes `--address-file` and must end with an error instead of listening.
    pub fn refusing(command: &mut Command, log: &Path) -> String {
        let address_file = log.with_extension("address");
        command.arg("--address-file").arg(&address_file);
        let mut program = Self::start(command, log);
        let started = Instant::now();
        loop {
            assert!(!address_file.exists(), "it listens:\n{}", program.said());
            assert!(
                started.elapsed() < START_MAX,
                "it does not end:\n{}",
                program.said()
            );
            if let Some(status) = program.child.try_wait().unwrap() {
                assert!(!status.success(), "it ended well:\n{}", program.said());
                return program.said();
            }
            // pacing: the conditions above decide, this only spares the processor
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for something that this program brings about.
    pub fn wait_for(&mut self, reached: impl Fn() -> bool) {
        let started = Instant::now();
        while !reached() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended early:\n{}", self.said());
            assert!(
                started.elapsed() < START_MAX,
                "it does not listen:\n{}",
                self.said()
            );
            // pacing: the condition above decides, this only spares the processor
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything it has printed.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A termination signal, and how it ended.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let kill = kill.args(["-s", name, &self.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// The workspace's root.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A binary of this workspace, built with the same profile as the running test.
pub fn binary(name: &str) -> PathBuf {
    let path = profile().join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace`",
        path.display()
    );
    path
}

/// The HSM simulator as a PKCS#11 module in its caller's process.
pub fn hsm_module() -> PathBuf {
    library("libhsm_sim.so")
}

/// The PKCS#11 module that reaches `jinku-hsm serve`.
pub fn hsm_client() -> PathBuf {
    library("libhsm_client.so")
}

fn library(name: &str) -> PathBuf {
    let found = [profile().join(name), profile().join("deps").join(name)];
    let found = found.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --workspace`"))
}

/// Serves the tokens of `directory` at its `hsm.sock`, with these variables. Its log is `LOG`.
pub fn hsm_server(
    directory: &Path,
    environment: &[(&'static str, OsString)],
    log: &Path,
) -> Program {
    let ready = log.with_extension("ready");
    let _ = std::fs::remove_file(&ready);
    let mut command = Command::new(binary("jinku-hsm"));
    command
        .args(["serve", "--dir"])
        .arg(directory)
        .arg("--socket")
        .arg(directory.join("hsm.sock"))
        .arg("--ready-file")
        .arg(&ready)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let mut server = Program::start(&mut command, log);
    server.wait_for(|| ready.exists());
    server
}

fn profile() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().to_owned()
}

/// A committed sample record.
pub fn sample(kind: &str) -> String {
    std::fs::read_to_string(workspace().join(format!("policies/sample/{kind}.json"))).unwrap()
}

/// A port of loopback that was free a moment ago.
///
/// Below the range from which Linux takes ports of outgoing connections: none of those gets it meanwhile.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(12_000..32_000);
        if TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok() {
            return port;
        }
    }
}

/// The real Envoy, as `tests/run.sh` provides it.
pub fn envoy() -> PathBuf {
    let path = std::env::var_os("JINKU_TEST_ENVOY")
        .expect("JINKU_TEST_ENVOY names no Envoy: run `bash tests/run.sh`, which provides one");
    PathBuf::from(path)
}
