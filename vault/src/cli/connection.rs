//! Where the vault is, and how a unit proves who asks. Yields what a client is made of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use api::{ClientError, ClientSettings, UnitProof};
use tonic_types::StatusExt;

use super::wallet::Wallet;

/// How to reach the vault. Proofs are read from files: none stands on the command line.
#[derive(clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// The vault: `https://HOST:PORT`.
    #[arg(long, global = true, env = "JINKU_URL")]
    url: Option<String>,
    /// The authorities that may sign the vault's certificate, PEM.
    #[arg(long, global = true, env = "JINKU_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your unit's certificate chain, PEM.
    #[arg(long, global = true, env = "JINKU_CERTIFICATE", value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    #[arg(
        id = "certificate_key",
        long = "key",
        global = true,
        env = "JINKU_KEY",
        value_name = "FILE"
    )]
    certificate_key: Option<PathBuf>,
    /// Your unit's access token, instead of a certificate.
    #[arg(long, global = true, env = "JINKU_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A development installation: its address and certificates are taken, for `--unit`.
    #[arg(long, global = true, env = "JINKU_INSTALLATION", value_name = "DIR")]
    installation: Option<PathBuf>,
    /// Which unit of the installation you are.
    #[arg(long, global = true, env = "JINKU_UNIT")]
    unit: Option<String>,
    /// Seconds that one call may take.
    #[arg(long, global = true, default_value_t = 30)]
    timeout_seconds: u64,
}

impl Connection {
    /// What a client is made of, and the unit's proof where no certificate is it.
    pub(super) fn settings(&self) -> anyhow::Result<(ClientSettings, Option<UnitProof>)> {
        let proof = self.token_file.as_deref().map(bearer).transpose()?;
        let mut settings = match &self.installation {
            Some(directory) => self.of_installation(directory)?,
            None => self.of_files()?,
        };
        settings.timeout = Duration::from_secs(self.timeout_seconds);
        if settings.identity_pem.is_none() && proof.is_none() {
            bail!("nothing proves who asks: name --certificate and --key, or --token-file");
        }
        Ok((settings, proof))
    }

    fn of_files(&self) -> anyhow::Result<ClientSettings> {
        let (Some(url), Some(ca)) = (&self.url, &self.ca) else {
            bail!("name the vault with --url and --ca, or with --installation and --unit");
        };
        Ok(ClientSettings {
            url: url.clone(),
            ca_pem: read(ca)?,
            identity_pem: self.identity()?,
            timeout: Duration::ZERO,
        })
    }

    fn of_installation(&self, directory: &Path) -> anyhow::Result<ClientSettings> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => listening(directory)?,
        };
        let unit = self.unit.as_deref();
        if unit.is_none() && self.certificate.is_none() && self.token_file.is_none() {
            bail!("name your unit with --unit, for example `key-office`");
        }
        let mut settings = Wallet::open(directory)?.client_settings(&url, unit)?;
        if let Some(ca) = &self.ca {
            settings.ca_pem = read(ca)?;
        }
        if let Some(identity) = self.identity()? {
            settings.identity_pem = Some(identity);
        }
        Ok(settings)
    }

    fn identity(&self) -> anyhow::Result<Option<(Vec<u8>, Vec<u8>)>> {
        match (&self.certificate, &self.certificate_key) {
            (Some(certificate), Some(key)) => Ok(Some((read(certificate)?, read(key)?))),
            (None, None) => Ok(None),
            _ => bail!("--certificate and --key go together"),
        }
    }
}

/// The address in an installation's settings.
fn listening(directory: &Path) -> anyhow::Result<String> {
    let file = directory.join("jinku.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("`{}` can't be read", file.display()))?;
    let settings: toml::Table = toml::from_str(&text)?;
    let address = settings
        .get("listen")
        .and_then(|listen| listen.get("address"))
        .and_then(toml::Value::as_str)
        .and_then(|address| address.rsplit_once(':'));
    let (_, port) = address.context("the installation's settings name no address: say --url")?;
    Ok(format!("https://localhost:{port}"))
}

fn bearer(file: &Path) -> anyhow::Result<UnitProof> {
    let mut header = b"Bearer ".to_vec();
    header.extend_from_slice(read(file)?.trim_ascii());
    Ok(UnitProof::authorization(&header)?)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("`{}` can't be read", file.display()))
}

/// The stable code of a refusal, where the vault said one.
pub(super) fn code(error: &ClientError) -> Option<String> {
    match error {
        ClientError::Refused(status) => status.get_details_error_info().map(|info| info.reason),
        _ => None,
    }
}

/// A refusal as a person reads it: the stable code, and the remedy.
pub(super) fn refused(error: ClientError) -> anyhow::Error {
    if error.is_unreachable() {
        // The links between repeat each other.
        let cause = anyhow!("{}", anyhow::Error::new(error).root_cause());
        return cause.context("the vault can't be reached: check its address, and that it runs");
    }
    match (code(&error), &error) {
        (Some(code), ClientError::Refused(status)) => anyhow!("{code}: {}", status.message()),
        (None, ClientError::Refused(status)) => anyhow!("{}", status.message()),
        _ => error.into(),
    }
}
