//! A whole installation on loopback: HSM, vault, gateway filter and upstream, as they really run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::companion::{Companions, Running};
use super::init::{self, Options};
use super::upstream::{self, Received};
use super::wallet::Wallet;

/// How long a program may take to say that it listens.
const START_MAX: Duration = Duration::from_mins(1);

/// Everything that runs. Dropping it ends what it started.
pub(super) struct Stage {
    pub(super) directory: PathBuf,
    pub(super) vault_url: String,
    pub(super) gateway_url: String,
    pub(super) received: Received,
    pub(super) wallet: Wallet,
    pub(super) companions: Companions,
    door: Door,
    options: Options,
    _filter: Running,
    vault: Running,
    /// The last to end: the others speak to it.
    _hsm: Running,
}

/// An HTTP client of the gateway, as a unit's system is one. Clones share connections.
#[derive(Clone)]
pub(super) struct Door {
    url: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

impl Door {
    /// A JSON body without a purpose.
    pub(super) async fn post(
        &self,
        path: &str,
        token: &str,
        body: &[u8],
    ) -> anyhow::Result<Response<Bytes>> {
        self.send(Method::POST, path, token, None, body).await
    }

    /// A request with the unit's access token.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        purpose: Option<&str>,
        body: &[u8],
    ) -> anyhow::Result<Response<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(purpose) = purpose {
            request = request.header("jinku-purpose", purpose);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body)))?;
        let (parts, body) = self.http.request(request).await?.into_parts();
        Ok(Response::from_parts(
            parts,
            body.collect().await?.to_bytes(),
        ))
    }
}

impl Stage {
    /// Installs into `directory` and starts everything.
    pub(super) async fn set(directory: &Path) -> anyhow::Result<Self> {
        Self::start(directory, |_| Ok(())).await
    }

    /// The same without the units' request rates and budgets: a benchmark would meet them first.
    pub(super) async fn set_unpaced(directory: &Path) -> anyhow::Result<Self> {
        Self::start(directory, unpaced).await
    }

    /// The same, where one class is shown to nobody: for who measures whether that shows.
    pub(super) async fn set_to_hide(directory: &Path) -> anyhow::Result<Self> {
        Self::start(directory, hiding).await
    }

    async fn start(
        directory: &Path,
        adapt: fn(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let companions = Companions::find()?;
        let (upstream, received) = upstream::start().await?;
        let (listen, gateway) = (free_address()?, free_address()?);
        let options = Options::new(directory.to_owned(), listen, gateway, upstream);
        init::install(&options, &companions)?;
        adapt(directory)?;
        let directory = std::fs::canonicalize(directory)?;
        let hsm = start_hsm(&directory, &companions)?;
        let vault = start(
            ("vault", "--address-file"),
            &directory,
            Command::new(companions.vault())
                .arg("serve")
                .arg("--config")
                .arg(directory.join("jinku.toml"))
                .env("JINKU_HSM_DIR", directory.join("hsm")),
        )?;
        let filter = start(
            ("filter", "--address-file"),
            &directory,
            Command::new(companions.filter())
                .arg("proxy")
                .arg("--config")
                .arg(directory.join("filter.toml")),
        )?;
        Ok(Self {
            wallet: Wallet::open(&directory)?,
            vault_url: format!("https://localhost:{}", listen.port()),
            gateway_url: format!("http://{gateway}"),
            directory,
            received,
            companions,
            options,
            door: Door {
                url: format!("http://{gateway}"),
                http: HttpClient::builder(TokioExecutor::new()).build_http(),
            },
            _filter: filter,
            vault,
            _hsm: hsm,
        })
    }

    /// An HTTP client of the gateway.
    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Another installation with the same settings, which nothing serves. Its HSM runs.
    pub(super) fn install_beside(&self, directory: &Path) -> anyhow::Result<Running> {
        init::install(&self.options.elsewhere(directory), &self.companions)?;
        unpaced(directory)?;
        start_hsm(directory, &self.companions)
    }

    /// A gRPC client of the vault that proves itself with a unit's certificate.
    pub(super) fn client(&self, name: &str) -> anyhow::Result<api::Client> {
        Ok(api::Client::new(
            &self.wallet.client_settings(&self.vault_url, Some(name))?,
        )?)
    }

    /// Process id of the vault.
    pub(super) fn vault_id(&self) -> u32 {
        self.vault.id()
    }
}

fn unpaced(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join("policies/units.toml");
    let units = std::fs::read_to_string(&path)?;
    let lines = units
        .lines()
        .filter(|line| !line.starts_with("requests_per_second"));
    let units = lines.collect::<Vec<_>>().join("\n");
    let free = units.replace("[[unit]]", "[[unit]]\nrequests_per_second = 1000000");
    std::fs::write(path, free)?;
    let path = directory.join("policies/budgets.toml");
    Ok(std::fs::write(
        path,
        "# No budgets: a benchmark reads en masse.\n",
    )?)
}

fn hiding(directory: &Path) -> anyhow::Result<()> {
    const NO_MAIL: &str = "@id(\"no-mail\")\nforbid (principal, action in [\
        Jinku::Action::\"DetokenizePlain\", Jinku::Action::\"DetokenizeMasked\", \
        Jinku::Action::\"DetokenizeToken\"], resource == Jinku::DataClass::\"email\");\n";
    unpaced(directory)?;
    let path = directory.join("policies/policies/90-no-mail.cedar");
    Ok(std::fs::write(path, NO_MAIL)?)
}

/// The HSM simulator in processes of its own, at the installation's socket.
fn start_hsm(directory: &Path, companions: &Companions) -> anyhow::Result<Running> {
    let tokens = directory.join("hsm");
    start(
        ("hsm", "--ready-file"),
        directory,
        Command::new(companions.hsm_tool())
            .args(["serve", "--dir"])
            .arg(&tokens)
            .arg("--socket")
            .arg(tokens.join("hsm.sock")),
    )
}

/// Starts a program that writes a file, which an option names, when it listens; waits for that.
fn start(
    (name, option): (&str, &str),
    directory: &Path,
    command: &mut Command,
) -> anyhow::Result<Running> {
    let address_file = directory.join(format!("{name}.address"));
    let log = directory.join(format!("{name}.log"));
    let output = std::fs::File::create(&log)?;
    command.arg(option).arg(&address_file);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    let mut program = Running::start(command)?;
    let started = Instant::now();
    while !address_file.exists() {
        if let Some(status) = program.ended() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("the {name} ended at its start ({status}):\n{}", said.trim());
        }
        if started.elapsed() > START_MAX {
            bail!(
                "the {name} does not listen after {START_MAX:?}: see {}",
                log.display()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(program)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").context("loopback can't be bound")?;
    Ok(probe.local_addr()?)
}
