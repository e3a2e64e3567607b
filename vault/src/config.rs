//! Configuration: [`RawConfig`] as written, [`Config`] as meant. After this file nothing checks again.
//!
//! One TOML file; every key is in `vault/examples/jinku.toml`. Paths are relative to the file.

mod activation;
mod alert;
mod issuer;
mod keys;
mod ledger;
mod limits;
mod metrics;
mod signatures;
mod stamps;
mod units;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms::GcmIv;
use serde::Deserialize;

use crate::engine::TokenTerms;
use crate::engine::guard::GuardLimits;
use crate::engine::units::UnitLimits;
use crate::identity::{DpopTerms, SignatureRules};
use crate::model::HookName;
use crate::server::{Limits, ListenConfig, OutdatedCrl, WebhookError};
use crate::store::ShredFiles;

pub use activation::Activation;
pub use alert::AlertConfig;
pub use issuer::{IssuerConfig, IssuerKeys};
pub use keys::KeysConfig;
pub use ledger::{LedgerConfig, WitnessesConfig};

use alert::RawAlert;
use issuer::{RawDpop, RawIssuer, RawOauth};
use keys::RawKeys;
use ledger::RawLedger;
use limits::RawLimits;
use metrics::RawMetrics;
use signatures::RawSignatures;
use units::RawUnits;

/// Largest configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("`{path}` can't be read: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML of the expected shape.
    #[error("`{path}` is not a valid configuration: {cause}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        cause: toml::de::Error,
    },
    /// A value is out of its range.
    #[error("`{key}` must be {range}")]
    Range {
        /// The key.
        key: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The PIN comes from nowhere, or from two places.
    #[error(
        "give `hsm.pin_file`, or `hsm.unseal = true`: one of them says where the HSM's PIN comes from"
    )]
    Pin,
    /// The log's name can't be used.
    #[error("`ledger.origin` can't be used: give a name such as `city.example/vault/node-1`")]
    Origin,
    /// The witness policy can't be used.
    #[error("`{path}` is not a usable witness policy: {cause}")]
    WitnessPolicy {
        /// The file.
        path: PathBuf,
        /// Its line, and why.
        cause: ::ledger::PolicyError,
    },
    /// A witness can't be reached as the policy says.
    #[error("witness `{name}` of `ledger.witnesses.policy` can't be used: {cause}")]
    Witness {
        /// What the policy calls it.
        name: String,
        /// Why.
        cause: WebhookError,
    },
    /// Who stamps the log, or by which certificates that is known, can't be used.
    #[error("`{place}` of `ledger.stamps` can't be used: {cause}")]
    Stamps {
        /// The URL, or the file.
        place: String,
        /// Why.
        cause: String,
    },
    /// A name that clients call the vault by can't be used.
    #[error(
        "`signatures.public_authorities` needs one name or more that clients call the vault by: `host` or `host:port`"
    )]
    Authorities,
    /// A place that alerts go to can't be used.
    #[error("`alert` `{name}` can't be used: {cause}")]
    Webhook {
        /// Its name.
        name: HookName,
        /// Why.
        cause: WebhookError,
    },
    /// The place that an issuer's keys come from can't be used.
    #[error("`jwks_uri` of issuer `{issuer}` can't be used: {cause}")]
    Issuer {
        /// Its name.
        issuer: String,
        /// Why.
        cause: WebhookError,
    },
}

/// The configuration file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Directory of the database and of the ledger's files.
    data: PathBuf,
    listen: RawListen,
    hsm: RawHsm,
    policy: RawPolicy,
    #[serde(default)]
    issuer: Vec<RawIssuer>,
    #[serde(default)]
    dpop: RawDpop,
    oauth: Option<RawOauth>,
    ledger: RawLedger,
    #[serde(default)]
    shreds: RawShreds,
    #[serde(default)]
    keys: RawKeys,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    units: RawUnits,
    #[serde(default)]
    alert: Vec<RawAlert>,
    #[serde(default)]
    metrics: RawMetrics,
    signatures: Option<RawSignatures>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListen {
    address: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
    #[serde(default)]
    crl: Vec<PathBuf>,
    #[serde(default)]
    crl_outdated: Option<String>,
    #[serde(default = "reload_seconds")]
    reload_seconds: u64,
}

impl RawListen {
    fn checked(self, folder: &Path) -> Result<ListenConfig, ConfigError> {
        let crl_outdated = match self.crl_outdated.as_deref() {
            None | Some("refuse") => OutdatedCrl::Refuse,
            Some("accept") => OutdatedCrl::Accept,
            Some(_) => {
                return Err(ConfigError::Range {
                    key: "listen.crl_outdated",
                    range: "`refuse` or `accept`",
                });
            }
        };
        let reload_interval = within(
            "listen.reload_seconds",
            Duration::from_secs(self.reload_seconds),
            Duration::from_secs(1),
            Duration::from_hours(24),
            "between 1 and 86400 (a day)",
        )?;
        Ok(ListenConfig {
            address: self.address,
            certificate: folder.join(self.certificate),
            key: folder.join(self.key),
            client_ca: folder.join(self.client_ca),
            crl: self.crl.into_iter().map(|path| folder.join(path)).collect(),
            crl_outdated,
            reload_interval,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHsm {
    module: PathBuf,
    token_label: String,
    #[serde(default)]
    pin_file: Option<PathBuf>,
    #[serde(default)]
    unseal: bool,
    #[serde(default = "recovery_file")]
    recovery_file: PathBuf,
    #[serde(default = "sessions_max")]
    sessions_max: usize,
    #[serde(default)]
    gcm_iv: Option<String>,
    #[serde(default = "root_label")]
    root_label: String,
    #[serde(default = "signer_label")]
    signer_label: String,
    #[serde(default = "import_label")]
    import_label: String,
}

impl RawHsm {
    fn checked(self, folder: &Path) -> Result<HsmConfig, ConfigError> {
        let pin = match (self.pin_file, self.unseal) {
            (Some(file), false) => PinSource::File(folder.join(file)),
            (None, true) => PinSource::Unseal,
            _ => return Err(ConfigError::Pin),
        };
        let way = self
            .gcm_iv
            .as_deref()
            .map_or(Some(GcmIv::Caller), GcmIv::parse);
        Ok(HsmConfig {
            module: folder.join(self.module),
            token_label: self.token_label,
            pin,
            recovery_file: folder.join(self.recovery_file),
            sessions_max: within(
                "hsm.sessions_max",
                self.sessions_max,
                1,
                64,
                "between 1 and 64",
            )?,
            gcm_iv: way.ok_or(ConfigError::Range {
                key: "hsm.gcm_iv",
                range: "`caller`, `zero-buffer` or `appended`",
            })?,
            root_label: self.root_label,
            signer_label: self.signer_label,
            import_label: self.import_label,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    directory: PathBuf,
    classes: PathBuf,
    units: PathBuf,
    budgets: Option<PathBuf>,
    calendars: Option<PathBuf>,
    #[serde(default)]
    activation: Activation,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawShreds {
    file: Option<PathBuf>,
    mirror: Option<PathBuf>,
}

fn within<T: Copy + PartialOrd>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
    range: &'static str,
) -> Result<T, ConfigError> {
    if least <= value && value <= most {
        Ok(value)
    } else {
        Err(ConfigError::Range { key, range })
    }
}

fn root_label() -> String {
    "jinku-root".to_owned()
}

fn signer_label() -> String {
    "jinku-ledger".to_owned()
}

fn recovery_file() -> PathBuf {
    PathBuf::from("jinku-recovery")
}

fn reload_seconds() -> u64 {
    60
}

fn sessions_max() -> usize {
    4
}

fn import_label() -> String {
    "jinku-import".to_owned()
}

/// The configuration as meant: absolute paths, checked ranges.
pub struct Config {
    /// Directory of the database and of the ledger's files.
    pub data: PathBuf,
    /// Where the vault listens, and its TLS material.
    pub listen: ListenConfig,
    /// How the HSM is reached.
    pub hsm: HsmConfig,
    /// Where policies, classes and units are.
    pub policy: PolicyConfig,
    /// The OAuth2 issuers whose access tokens count.
    pub issuers: Vec<IssuerConfig>,
    /// How proofs of possession are judged.
    pub dpop: DpopTerms,
    /// The vault's own access tokens, where it issues some.
    pub oauth: Option<TokenTerms>,
    /// The log.
    pub ledger: LedgerConfig,
    /// Where the shred keys are.
    pub shreds: ShredFiles,
    /// The key service.
    pub keys: KeysConfig,
    /// Every limit (invariant 14).
    pub limits: Limits,
    /// How much may be asked for beside policy.
    pub guard: GuardLimits,
    /// How units are registered.
    pub units: UnitLimits,
    /// Where people are told at once.
    pub alerts: Vec<AlertConfig>,
    /// Where monitoring reads, if it does.
    pub metrics: Option<SocketAddr>,
    /// What counts as a signed request; without it nothing does.
    pub signatures: Option<SignatureRules>,
}

/// How the HSM is reached.
pub struct HsmConfig {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The token's label.
    pub token_label: String,
    /// Where the user PIN comes from.
    pub pin: PinSource,
    /// What recovery shares open: a copy of the root key, and the PIN.
    pub recovery_file: PathBuf,
    /// Most sessions with the HSM, and so calls at once.
    pub sessions_max: usize,
    /// Who makes the IVs of AES-GCM in the HSM.
    pub gcm_iv: GcmIv,
    /// Label of the root key.
    pub root_label: String,
    /// Label of the key that signs checkpoints.
    pub signer_label: String,
    /// Label of the key pair that imported material is wrapped under.
    pub import_label: String,
}

/// Where the HSM's user PIN comes from.
pub enum PinSource {
    /// A file, one line.
    File(PathBuf),
    /// The recovery file, once enough holders have brought their shares.
    Unseal,
}

/// Where policies, classes and units are.
pub struct PolicyConfig {
    /// Directory with `schema.cedarschema` and `policies/`.
    pub directory: PathBuf,
    /// The class catalogue.
    pub classes: PathBuf,
    /// The unit registry.
    pub units: PathBuf,
    /// Budgets of distinct values, where there are any.
    pub budgets: Option<PathBuf>,
    /// Calendars of holidays, where there are any.
    pub calendars: Option<PathBuf>,
    /// What brings a policy set into force.
    pub activation: Activation,
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let raw: RawConfig = toml::from_str(&text).map_err(|cause| ConfigError::Syntax {
            path: path.to_owned(),
            cause,
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        raw.checked(folder)
    }
}

/// Largest unit registry, in bytes: some 50,000 units.
const UNITS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads a unit registry.
pub fn read_units(path: &Path) -> Result<String, ConfigError> {
    bounded(path, UNITS_BYTES_MAX)
}

/// Reads a text file of bounded size.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    bounded(path, CONFIG_BYTES_MAX)
}

fn bounded(path: &Path, bytes_max: u64) -> Result<String, ConfigError> {
    let failed = |cause| ConfigError::File {
        path: path.to_owned(),
        cause,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > bytes_max {
        let mib = bytes_max / 1024 / 1024;
        let cause = std::io::Error::other(format!("larger than {mib} MiB"));
        return Err(failed(cause));
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl RawConfig {
    fn checked(self, folder: &Path) -> Result<Config, ConfigError> {
        let at = |path: PathBuf| folder.join(path);
        let oauth = self.oauth.map(RawOauth::checked).transpose()?;
        let data = at(self.data);
        let shreds = ShredFiles {
            file: self.shreds.file.map_or_else(|| data.join("shreds"), at),
            mirror: self.shreds.mirror.map(at),
        };
        Ok(Config {
            data,
            shreds,
            listen: self.listen.checked(folder)?,
            hsm: self.hsm.checked(folder)?,
            policy: PolicyConfig {
                directory: at(self.policy.directory),
                classes: at(self.policy.classes),
                units: at(self.policy.units),
                budgets: self.policy.budgets.map(at),
                calendars: self.policy.calendars.map(at),
                activation: self.policy.activation,
            },
            issuers: issuer::checked(self.issuer, oauth.as_ref(), folder)?,
            dpop: self.dpop.checked()?,
            oauth,
            ledger: self.ledger.checked(folder)?,
            keys: self.keys.checked()?,
            guard: self.limits.guard()?,
            limits: self.limits.checked()?,
            units: self.units.checked()?,
            alerts: alert::checked(self.alert, folder)?,
            metrics: self.metrics.checked()?,
            signatures: self.signatures.map(RawSignatures::checked).transpose()?,
        })
    }
}

fn millis(key: &'static str, value: u64) -> Result<Duration, ConfigError> {
    if (1..=3_600_000).contains(&value) {
        Ok(Duration::from_millis(value))
    } else {
        Err(ConfigError::Range {
            key,
            range: "between 1 and 3600000 (an hour)",
        })
    }
}
