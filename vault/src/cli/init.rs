//! `jinku init`: a development installation in a new directory, complete and ready to serve.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;

use super::companion::Companions;
use super::screen;
use super::wallet::{AUDIENCE, ISSUER, Wallet};
use crate::model::{Catalogue, Registry};

/// What ships with the program: the sample policies, classes, units, routes and records.
const POLICY_FILES: [(&str, &str); 22] = [
    (
        "schema.cedarschema",
        include_str!("../../../policies/schema.cedarschema"),
    ),
    (
        "policies/00-guardrails.cedar",
        include_str!("../../../policies/policies/00-guardrails.cedar"),
    ),
    (
        "policies/10-tokenize.cedar",
        include_str!("../../../policies/policies/10-tokenize.cedar"),
    ),
    (
        "policies/20-detokenize.cedar",
        include_str!("../../../policies/policies/20-detokenize.cedar"),
    ),
    (
        "classes.toml",
        include_str!("../../../policies/classes.toml"),
    ),
    ("units.toml", include_str!("../../../policies/units.toml")),
    ("routes.toml", include_str!("../../../policies/routes.toml")),
    (
        "tests/city.toml",
        include_str!("../../../policies/tests/city.toml"),
    ),
    (
        "sample/parking-fee.json",
        include_str!("../../../policies/sample/parking-fee.json"),
    ),
    (
        "sample/medical-fee.json",
        include_str!("../../../policies/sample/medical-fee.json"),
    ),
    (
        "sample/tax.json",
        include_str!("../../../policies/sample/tax.json"),
    ),
    (
        "policies/30-keys.cedar",
        include_str!("../../../policies/policies/30-keys.cedar"),
    ),
    (
        "policies/40-tokens.cedar",
        include_str!("../../../policies/policies/40-tokens.cedar"),
    ),
    (
        "policies/50-guard.cedar",
        include_str!("../../../policies/policies/50-guard.cedar"),
    ),
    (
        "policies/60-delegation.cedar",
        include_str!("../../../policies/policies/60-delegation.cedar"),
    ),
    (
        "budgets.toml",
        include_str!("../../../policies/budgets.toml"),
    ),
    (
        "tests/units.toml",
        include_str!("../../../policies/tests/units.toml"),
    ),
    (
        "policies/70-units.cedar",
        include_str!("../../../policies/policies/70-units.cedar"),
    ),
    (
        "calendars.toml",
        include_str!("../../../policies/calendars.toml"),
    ),
    (
        "policies/80-policy.cedar",
        include_str!("../../../policies/policies/80-policy.cedar"),
    ),
    (
        "policies/90-grants.cedar",
        include_str!("../../../policies/policies/90-grants.cedar"),
    ),
    ("links.toml", include_str!("../../../policies/links.toml")),
];

/// The HSM token's label in a development installation.
const TOKEN_LABEL: &str = "jinku-development";

/// Arguments of `jinku init`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// A directory that is new or empty.
    directory: PathBuf,
    /// Where the vault will listen.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: std::net::SocketAddr,
    /// Where the gateway filter will listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: std::net::SocketAddr,
    /// Where the filter sends what it has rewritten.
    #[arg(long, default_value = "127.0.0.1:8081")]
    upstream: std::net::SocketAddr,
}

impl Options {
    pub(super) fn new(
        directory: PathBuf,
        listen: std::net::SocketAddr,
        gateway: std::net::SocketAddr,
        upstream: std::net::SocketAddr,
    ) -> Self {
        Self {
            directory,
            listen,
            gateway,
            upstream,
        }
    }

    pub(super) fn elsewhere(&self, directory: &Path) -> Self {
        Self::new(
            directory.to_owned(),
            self.listen,
            self.gateway,
            self.upstream,
        )
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let companions = Companions::find()?;
    install(options, &companions)?;
    let directory = fs::canonicalize(&options.directory)?;
    screen::headline(
        "A development installation is ready. Its credentials are for development only.",
    );
    screen::block(&format!(
        "export JINKU_HSM_DIR={0}/hsm\n\
         jinku-hsm serve &\n\
         jinku serve --config {0}/jinku.toml &\n\
         jinku-filter proxy --config {0}/filter.toml",
        directory.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes everything below the options' directory.
pub(super) fn install(options: &Options, companions: &Companions) -> anyhow::Result<()> {
    let directory = &options.directory;
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "`{}` is not empty: name a new directory",
            directory.display()
        );
    }
    for folder in ["policies/policies", "policies/tests", "policies/sample"] {
        fs::create_dir_all(directory.join(folder))?;
    }
    // The HSM's socket is made in it: its own user's alone.
    fs::DirBuilder::new()
        .mode(0o700)
        .create(directory.join("hsm"))?;
    let (wallet, authority) = Wallet::create(directory)?;
    wallet.server(&authority)?;
    for (name, text) in POLICY_FILES {
        fs::write(directory.join("policies").join(name), text)?;
    }
    for (name, uri) in certificate_names()? {
        wallet.client(&name, &uri, &authority)?;
    }
    token(&wallet, directory, companions)?;
    fs::write(
        directory.join("jinku.toml"),
        vault_config(options, companions)?,
    )?;
    fs::write(directory.join("filter.toml"), filter_config(options))?;
    Ok(())
}

/// Everyone of the sample registry who has a certificate, and the URI it carries.
fn certificate_names() -> anyhow::Result<Vec<(String, String)>> {
    let text = |name: &str| {
        let found = POLICY_FILES.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| *text).unwrap_or_default()
    };
    let catalogue = Catalogue::parse(text("classes.toml"))?;
    let registry = Registry::parse(text("units.toml"), &catalogue)?;
    let units = registry
        .units()
        .filter_map(|unit| Some((unit.name.to_string(), unit.certificate_uri.clone()?)));
    let gateways = registry
        .gateways()
        .map(|gateway| (gateway.name.to_string(), gateway.certificate_uri.clone()));
    Ok(units.chain(gateways).collect())
}

fn token(wallet: &Wallet, directory: &Path, companions: &Companions) -> anyhow::Result<()> {
    for file in ["hsm-pin", "hsm-so-pin"] {
        let mut bytes = [0; 18];
        rand::rngs::SysRng
            .try_fill_bytes(&mut bytes)
            .context("the system's random numbers failed")?;
        wallet.write(file, URL_SAFE_NO_PAD.encode(bytes).as_bytes())?;
    }
    let output = Command::new(companions.hsm_tool())
        .args(["init", "--label", TOKEN_LABEL, "--pin-file"])
        .arg(directory.join("hsm-pin"))
        .arg("--so-pin-file")
        .arg(directory.join("hsm-so-pin"))
        .arg("--dir")
        .arg(directory.join("hsm"))
        .output()
        .context("`jinku-hsm` can't be started")?;
    if !output.status.success() {
        bail!(
            "`jinku-hsm init` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn vault_config(options: &Options, companions: &Companions) -> anyhow::Result<String> {
    Ok(format!(
        r#"# A development installation. Every key is explained in vault/examples/jinku.toml.
data = "data"

[listen]
address = "{listen}"
certificate = "tls/vault.pem"
key = "tls/vault-key.pem"
client_ca = "tls/ca.pem"

[hsm]
module = "{module}"
token_label = "{TOKEN_LABEL}"
pin_file = "hsm-pin"

[policy]
directory = "policies"
classes = "policies/classes.toml"
units = "policies/units.toml"
budgets = "policies/budgets.toml"
calendars = "policies/calendars.toml"

[[issuer]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "issuer/jwks.json"

[signatures]
public_authorities = ["localhost:{port}", "{listen}"]

[ledger]
origin = "jinku.example/development/node-1"
"#,
        listen = options.listen,
        port = options.listen.port(),
        module = companions.hsm_client()?.display(),
    ))
}

fn filter_config(options: &Options) -> String {
    let (_, routes) = POLICY_FILES[6];
    format!(
        r#"{routes}
[vault]
url = "https://localhost:{vault}"
ca = "tls/ca.pem"
certificate = "tls/city-gateway.pem"
key = "tls/city-gateway-key.pem"

[proxy]
listen = "{gateway}"
upstream = "http://{upstream}"
"#,
        vault = options.listen.port(),
        gateway = options.gateway,
        upstream = options.upstream,
    )
}
