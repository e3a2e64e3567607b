//! An installation in a temporary directory, and the clients that speak to it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use api::v1::{DetokenizeRequest, Revealed, TokenizeItem, TokenizeRequest};
use api::{
    Client, ClientError, ClientSettings, GuardClient, KeysClient, PolicyClient, TokensClient,
    UnitProof, UnitsClient,
};

use crate::programs::{Program, binary, free_port, hsm_server};

/// A development installation and its vault.
pub struct House {
    folder: tempfile::TempDir,
    port: u16,
    gateway_port: u16,
    upstream_port: u16,
    environment: Vec<(&'static str, OsString)>,
    vault: Option<Program>,
    /// Ends after the vault.
    hsm: Option<Program>,
}

impl House {
    /// Makes a new installation, whose HSM runs.
    pub fn install() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, gateway_port, upstream_port) = (free_port(), free_port(), free_port());
        let output = Command::new(binary("jinku"))
            .arg("init")
            .arg(folder.path().join("house"))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--gateway", &format!("127.0.0.1:{gateway_port}")])
            .args(["--upstream", &format!("127.0.0.1:{upstream_port}")])
            .env_remove("CARGO")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let hsm = folder.path().join("house/hsm");
        let mut house = Self {
            folder,
            port,
            gateway_port,
            upstream_port,
            environment: vec![("JINKU_HSM_DIR", hsm.into())],
            vault: None,
            hsm: None,
        };
        house.serve_hsm();
        house
    }

    /// Runs the installation's HSM in the environment that is set, in place of one that runs.
    pub fn serve_hsm(&mut self) {
        self.stop_hsm();
        let (hsm, log) = (
            self.directory().join("hsm"),
            self.directory().join("hsm.log"),
        );
        self.hsm = Some(hsm_server(&hsm, &self.environment, &log));
    }

    /// Ends the HSM in order.
    pub fn stop_hsm(&mut self) {
        if let Some(hsm) = self.hsm.take() {
            assert!(hsm.stop().success(), "the HSM did not end well");
        }
    }

    /// The running HSM.
    pub fn hsm(&self) -> &Program {
        self.hsm.as_ref().expect("the HSM does not run")
    }

    /// Makes a new installation and runs its vault.
    pub fn open() -> Self {
        let mut house = Self::install();
        house.serve();
        house
    }

    /// The installation's directory.
    pub fn directory(&self) -> PathBuf {
        self.folder.path().join("house")
    }

    /// Where the gateway filter listens, once it runs.
    pub fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway_port)
    }

    /// Where the filter expects the upstream.
    pub fn upstream_port(&self) -> u16 {
        self.upstream_port
    }

    /// The vault's own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets a variable of the vault's and the filter's environment.
    pub fn set_environment(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
    }

    /// Replaces `from`, which must be there, in a file of the installation.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.directory().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{file}` has no `{from}`");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn jinku_serve(&self) -> Command {
        let mut command = Command::new(binary("jinku"));
        command
            .arg("serve")
            .arg("--config")
            .arg(self.directory().join("jinku.toml"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the vault and waits until it is ready.
    pub fn serve(&mut self) {
        let log = self.directory().join("vault.log");
        self.vault = Some(Program::listening(&mut self.jinku_serve(), &log));
    }

    /// Runs a vault that waits for recovery shares before it listens.
    pub fn serve_sealed(&mut self) {
        self.serve_until_it_says("the vault is sealed");
    }

    /// Runs a vault that waits for something before it listens, and says so.
    pub fn serve_until_it_says(&mut self, words: &str) {
        let log = self.directory().join("vault.log");
        let _ = std::fs::remove_file(&log);
        let mut vault = Program::start(&mut self.addressed(&log), &log);
        vault.wait_for(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            said.contains(words)
        });
        self.vault = Some(vault);
    }

    /// Waits until the running vault's log has these words.
    pub fn wait_until_it_said(&mut self, words: &str) {
        let vault = self.vault.as_mut().expect("the vault does not run");
        let log = vault.log().to_owned();
        vault.wait_for(|| std::fs::read_to_string(&log).is_ok_and(|said| said.contains(words)));
    }

    /// Waits until the vault listens.
    pub fn wait_until_it_listens(&mut self) {
        let address = self.directory().join("vault.address");
        let vault = self.vault.as_mut().expect("the vault does not run");
        vault.wait_for(|| address.exists());
    }

    fn addressed(&self, log: &std::path::Path) -> Command {
        let address = log.with_extension("address");
        let _ = std::fs::remove_file(&address);
        let mut command = self.jinku_serve();
        command.arg("--address-file").arg(address);
        command
    }

    /// Runs `jinku` with the installation's environment: whether it ended well, and what it said.
    pub fn jinku(&self, arguments: &[&str], typed: &str) -> (bool, String) {
        let mut child = self.begin(arguments);
        // A program that does not read may have gone already.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// Begins to run `jinku` with the installation's environment.
    pub fn begin(&self, arguments: &[&str]) -> std::process::Child {
        let mut command = Command::new(binary("jinku"));
        command
            .args(arguments)
            .current_dir(self.directory())
            .env("JINKU_CONFIG", "jinku.toml")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs a vault that must refuse to serve, and gives what it said.
    pub fn refuses_to_serve(&self) -> String {
        let log = self.folder.path().join("refused.log");
        let _ = std::fs::remove_file(&log);
        Program::refusing(&mut self.jinku_serve(), &log)
    }

    /// Runs the gateway filter as a reverse proxy.
    pub fn proxy(&self) -> Program {
        self.filter("proxy", "filter.toml", "filter").0
    }

    /// Runs the gateway filter on a free port; gives where it listens. Its log is `NAME.log`.
    pub fn filter(&self, front: &str, config: &str, name: &str) -> (Program, String) {
        let mut command = Command::new(binary("jinku-filter"));
        command
            .arg(front)
            .arg("--config")
            .arg(self.directory().join(config))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if config != "filter.toml" || front != "proxy" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let log = self.directory().join(format!("{name}.log"));
        let program = Program::listening(&mut command, &log);
        let address = std::fs::read_to_string(log.with_extension("address")).unwrap();
        (program, address.trim().to_owned())
    }

    /// What the `sqlite3` shell prints for a statement on the vault's database.
    pub fn sql(&self, statement: &str) -> String {
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 10000"])
            .arg(self.directory().join("data/vault.db"))
            .arg(statement)
            .output()
            .expect("`sqlite3` is missing: install Debian's package sqlite3");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Rows of the table `token`.
    pub fn rows(&self) -> u64 {
        self.sql("select count(*) from token").parse().unwrap()
    }

    /// The running vault.
    pub fn vault(&self) -> &Program {
        self.vault.as_ref().expect("the vault does not run")
    }

    /// Tells the vault to read its policies again, and waits until its log says `outcome`.
    pub fn hang_up(&mut self, outcome: &str) {
        let vault = self.vault.as_mut().expect("the vault does not run");
        let before = vault.said().matches(outcome).count();
        vault.signal("HUP");
        let log = vault.log().to_owned();
        vault.wait_for(|| {
            let said = std::fs::read_to_string(&log).unwrap();
            said.matches(outcome).count() > before
        });
    }

    /// `kill -9` of the vault.
    pub fn kill(&mut self) {
        self.vault.take().expect("the vault does not run").kill();
    }

    /// Ends the vault in order: it publishes its last entries.
    pub fn stop(&mut self) {
        let status = self.vault.take().expect("the vault does not run").stop();
        assert!(status.success(), "the vault ended with {status}");
    }

    /// A gRPC client of tokens, with the certificate of a unit or gateway, or with none.
    pub fn client(&self, name: Option<&str>) -> Client {
        Client::new(&self.client_settings(name)).unwrap()
    }

    /// A gRPC client of keys, with the certificate of a unit or gateway, or with none.
    pub fn keys(&self, name: Option<&str>) -> KeysClient {
        KeysClient::new(&self.client_settings(name)).unwrap()
    }

    /// A gRPC client of tokens that stand, with the certificate of a unit or gateway, or with none.
    pub fn tokens(&self, name: Option<&str>) -> TokensClient {
        TokensClient::new(&self.client_settings(name)).unwrap()
    }

    /// A gRPC client of the guard, with the certificate of a unit or gateway, or with none.
    pub fn guard(&self, name: Option<&str>) -> GuardClient {
        GuardClient::new(&self.client_settings(name)).unwrap()
    }

    /// A gRPC client of registered units, with the certificate of a unit or gateway, or with none.
    pub fn units(&self, name: Option<&str>) -> UnitsClient {
        UnitsClient::new(&self.client_settings(name)).unwrap()
    }

    /// A gRPC client of policy sets, with the certificate of a unit or gateway, or with none.
    pub fn policies(&self, name: Option<&str>) -> PolicyClient {
        PolicyClient::new(&self.client_settings(name)).unwrap()
    }

    fn client_settings(&self, name: Option<&str>) -> ClientSettings {
        let tls = self.directory().join("tls");
        let read = |file: String| std::fs::read(tls.join(file)).unwrap();
        let identity_pem =
            name.map(|name| (read(format!("{name}.pem")), read(format!("{name}-key.pem"))));
        ClientSettings {
            url: format!("https://localhost:{}", self.port),
            ca_pem: read("ca.pem".to_owned()),
            identity_pem,
            timeout: Duration::from_secs(20),
        }
    }

    /// A unit's access token.
    pub fn access_token(&self, unit: &str) -> String {
        let output = Command::new(binary("jinku"))
            .arg("mint")
            .arg(self.directory())
            .arg(unit)
            .output();
        String::from_utf8(output.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    }

    /// A unit's proof, as a gateway forwards it.
    pub fn proof(&self, unit: &str) -> UnitProof {
        let header = format!("Bearer {}", self.access_token(unit));
        UnitProof::authorization(header.as_bytes()).unwrap()
    }
}

/// A request to tokenize values of one class in the domain `city`.
pub fn tokenize(class: &str, values: &[&str]) -> TokenizeRequest {
    let item = |value: &&str| TokenizeItem {
        class: class.to_owned(),
        value: (*value).to_owned(),
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: values.iter().map(item).collect(),
        ..TokenizeRequest::default()
    }
}

/// A request to detokenize in the domain `city`.
pub fn detokenize(purpose: &str, tokens: &[String]) -> DetokenizeRequest {
    DetokenizeRequest {
        domain: "city".to_owned(),
        purpose: purpose.to_owned(),
        tokens: tokens.to_vec(),
        ..DetokenizeRequest::default()
    }
}

/// The values of an answer, in order.
pub fn values(items: &[Revealed]) -> Vec<&str> {
    items.iter().map(|item| item.value.as_str()).collect()
}

/// The gRPC code and the stable code of a refusal.
pub fn refusal(error: &ClientError) -> (tonic::Code, String) {
    use tonic_types::StatusExt;
    let ClientError::Refused(status) = error else {
        panic!("no refusal: {error}")
    };
    let reason = status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    (status.code(), reason)
}
