//! An installation in a temporary directory, and the clients that speak to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use api::v1::{DetokenizeRequest, Revealed, TokenizeItem, TokenizeRequest};
use api::{Client, ClientError, ClientSettings, UnitProof};

use crate::programs::{Program, binary, free_port};

/// A development installation and its vault.
pub struct House {
    folder: tempfile::TempDir,
    port: u16,
    gateway_port: u16,
    upstream_port: u16,
    vault: Option<Program>,
}

/// What `curl` got.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
}

impl Reply {
    /// The stable code of a problem.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no problem: {} {}", self.status, self.body));
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl House {
    /// Makes a new installation.
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
        Self {
            folder,
            port,
            gateway_port,
            upstream_port,
            vault: None,
        }
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

    /// Runs the vault and waits until it is ready.
    pub fn serve(&mut self) {
        let mut command = Command::new(binary("jinku"));
        command
            .arg("serve")
            .arg("--config")
            .arg(self.directory().join("jinku.toml"));
        command.env("JINKU_HSM_DIR", self.directory().join("hsm"));
        self.vault = Some(Program::listening(
            &mut command,
            &self.directory().join("vault.log"),
        ));
    }

    /// Runs the gateway filter as a reverse proxy.
    pub fn proxy(&self) -> Program {
        let mut command = Command::new(binary("jinku-filter"));
        command
            .arg("proxy")
            .arg("--config")
            .arg(self.directory().join("filter.toml"));
        Program::listening(&mut command, &self.directory().join("filter.log"))
    }

    /// The running vault.
    pub fn vault(&self) -> &Program {
        self.vault.as_ref().expect("the vault does not run")
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

    /// A gRPC client with the certificate of a unit or gateway, or with none.
    pub fn client(&self, name: Option<&str>) -> Client {
        let tls = self.directory().join("tls");
        let read = |file: String| std::fs::read(tls.join(file)).unwrap();
        let identity_pem =
            name.map(|name| (read(format!("{name}.pem")), read(format!("{name}-key.pem"))));
        Client::new(&ClientSettings {
            url: format!("https://localhost:{}", self.port),
            ca_pem: read("ca.pem".to_owned()),
            identity_pem,
            timeout: Duration::from_secs(20),
        })
        .unwrap()
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

    /// `curl` against the vault with a unit's certificate, or with none.
    pub fn curl(&self, name: Option<&str>, path: &str, arguments: &[&str]) -> Reply {
        let tls = self.directory().join("tls");
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "20", "--cacert"]);
        command.arg(tls.join("ca.pem"));
        if let Some(name) = name {
            command.arg("--cert").arg(tls.join(format!("{name}.pem")));
            command
                .arg("--key")
                .arg(tls.join(format!("{name}-key.pem")));
        }
        command.arg(format!("https://localhost:{}{path}", self.port));
        curl(&mut command, arguments)
    }

    /// `curl` against any address.
    pub fn curl_plain(url: &str, arguments: &[&str]) -> Reply {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "20", url]);
        curl(&mut command, arguments)
    }

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

    /// The exported entries, as `jinku-ledger show --json` prints them.
    pub fn entries(&self, archive: &Path) -> String {
        let output = Command::new(binary("jinku-ledger"))
            .arg("show")
            .arg(archive)
            .arg("--json")
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }
}

fn curl(command: &mut Command, arguments: &[&str]) -> Reply {
    command
        .args(["--write-out", "\n%{http_code}"])
        .args(arguments);
    let output = command
        .output()
        .expect("`curl` is missing: install Debian's package curl");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let status = status.parse().unwrap();
    assert_ne!(
        status,
        0,
        "curl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Reply {
        status,
        body: body.to_owned(),
    }
}

/// A request to tokenize values of one class in the domain `city`.
pub fn tokenize(class: &str, values: &[&str]) -> TokenizeRequest {
    let item = |value: &&str| TokenizeItem {
        class: class.to_owned(),
        value: (*value).to_owned(),
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: values.iter().map(item).collect(),
    }
}

/// A request to detokenize in the domain `city`.
pub fn detokenize(purpose: &str, tokens: &[String]) -> DetokenizeRequest {
    DetokenizeRequest {
        domain: "city".to_owned(),
        purpose: purpose.to_owned(),
        tokens: tokens.to_vec(),
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
