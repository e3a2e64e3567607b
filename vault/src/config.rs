//! Configuration: [`RawConfig`] as written, [`Config`] as meant. After this file nothing checks again.
//!
//! One TOML file; every key is in `vault/examples/jinku.toml`. Paths are relative to the file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms::{CacheLimits, GcmIv};
use ledger::Origin;
use serde::Deserialize;

use crate::server::{Limits, ListenConfig};

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
    ledger: RawLedger,
    #[serde(default)]
    keys: RawKeys,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListen {
    address: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssuer {
    issuer: String,
    audience: String,
    jwks: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLedger {
    origin: String,
    #[serde(default = "publish_interval_ms")]
    publish_interval_ms: u64,
    #[serde(default = "deadline_ms")]
    deadline_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawKeys {
    cache_keys_max: usize,
    cache_bytes_max: usize,
    cache_ttl_ms: u64,
    outage_grace_ms: u64,
    item_bytes_max: usize,
    deletion_wait_seconds_min: u64,
    upkeep_interval_ms: u64,
}

impl Default for RawKeys {
    fn default() -> Self {
        Self {
            cache_keys_max: 100_000,
            cache_bytes_max: 64 * 1024 * 1024,
            cache_ttl_ms: 300_000,
            outage_grace_ms: 900_000,
            item_bytes_max: 1024 * 1024,
            deletion_wait_seconds_min: 7 * 24 * 3_600,
            upkeep_interval_ms: 60_000,
        }
    }
}

impl RawKeys {
    fn checked(self) -> Result<KeysConfig, ConfigError> {
        let count =
            |key, value: usize| within(key, value, 1, 1_000_000_000, "between 1 and 1000000000");
        Ok(KeysConfig {
            cache: CacheLimits {
                bytes_max: count("keys.cache_bytes_max", self.cache_bytes_max)?,
                keys_max: count("keys.cache_keys_max", self.cache_keys_max)?,
                ttl: millis("keys.cache_ttl_ms", self.cache_ttl_ms)?,
                grace: within(
                    "keys.outage_grace_ms",
                    Duration::from_millis(self.outage_grace_ms),
                    Duration::ZERO,
                    Duration::from_hours(24),
                    "between 0 and 86400000 (a day)",
                )?,
            },
            item_bytes_max: count("keys.item_bytes_max", self.item_bytes_max)?,
            deletion_wait_min: within(
                "keys.deletion_wait_seconds_min",
                Duration::from_secs(self.deletion_wait_seconds_min),
                Duration::ZERO,
                Duration::from_hours(24 * 365),
                "between 0 and 31536000 (a year)",
            )?,
            upkeep_interval: millis("keys.upkeep_interval_ms", self.upkeep_interval_ms)?,
        })
    }
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    body_bytes_max: usize,
    header_bytes_max: u32,
    batch_items_max: usize,
    requests_in_flight_max: usize,
    connections_max: usize,
    request_timeout_ms: u64,
    header_timeout_ms: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            header_bytes_max: 16 * 1024,
            batch_items_max: 1_000,
            requests_in_flight_max: 512,
            connections_max: 1_024,
            request_timeout_ms: 10_000,
            header_timeout_ms: 5_000,
        }
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

fn sessions_max() -> usize {
    4
}

fn import_label() -> String {
    "jinku-import".to_owned()
}

fn publish_interval_ms() -> u64 {
    1_000
}

fn deadline_ms() -> u64 {
    5_000
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
    /// The log.
    pub ledger: LedgerConfig,
    /// The key service.
    pub keys: KeysConfig,
    /// Every limit (invariant 14).
    pub limits: Limits,
}

/// The key service's bounds.
pub struct KeysConfig {
    /// Of the cache of opened key versions.
    pub cache: CacheLimits,
    /// Longest plaintext or message of one item, in bytes.
    pub item_bytes_max: usize,
    /// Shortest waiting period before a key is destroyed.
    pub deletion_wait_min: Duration,
    /// How often due rotations and destructions are looked for.
    pub upkeep_interval: Duration,
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
}

/// One OAuth2 issuer.
pub struct IssuerConfig {
    /// The `iss` its tokens carry.
    pub issuer: String,
    /// The `aud` its tokens for us carry.
    pub audience: String,
    /// Its JWK set.
    pub jwks: PathBuf,
}

/// The log.
pub struct LedgerConfig {
    /// Its name: `organisation/node`.
    pub origin: Origin,
    /// Time between checkpoints while there is something new.
    pub publish_interval: Duration,
    /// How long a request waits for its entry.
    pub deadline: Duration,
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

/// Reads a text file of bounded size.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |cause| ConfigError::File {
        path: path.to_owned(),
        cause,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > CONFIG_BYTES_MAX {
        return Err(failed(std::io::Error::other("larger than 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl RawConfig {
    fn checked(self, folder: &Path) -> Result<Config, ConfigError> {
        let at = |path: PathBuf| folder.join(path);
        let origin = Origin::parse(&self.ledger.origin).map_err(|_| ConfigError::Origin)?;
        let issuer = |raw: RawIssuer| IssuerConfig {
            issuer: raw.issuer,
            audience: raw.audience,
            jwks: at(raw.jwks),
        };
        Ok(Config {
            data: at(self.data),
            listen: ListenConfig {
                address: self.listen.address,
                certificate: at(self.listen.certificate),
                key: at(self.listen.key),
                client_ca: at(self.listen.client_ca),
            },
            hsm: self.hsm.checked(folder)?,
            policy: PolicyConfig {
                directory: at(self.policy.directory),
                classes: at(self.policy.classes),
                units: at(self.policy.units),
            },
            issuers: self.issuer.into_iter().map(issuer).collect(),
            ledger: LedgerConfig {
                origin,
                publish_interval: millis(
                    "ledger.publish_interval_ms",
                    self.ledger.publish_interval_ms,
                )?,
                deadline: millis("ledger.deadline_ms", self.ledger.deadline_ms)?,
            },
            keys: self.keys.checked()?,
            limits: self.limits.checked()?,
        })
    }
}

impl RawLimits {
    // INVARIANT 14: every limit has a range, and what lies outside is refused by its name.
    fn checked(self) -> Result<Limits, ConfigError> {
        const COUNT: &str = "between 1 and 1000000";
        let count = |key, value: usize| {
            if (1..=1_000_000).contains(&value) {
                Ok(value)
            } else {
                Err(ConfigError::Range { key, range: COUNT })
            }
        };
        if !(1_024..=64 * 1024 * 1024).contains(&self.body_bytes_max) {
            let range = "between 1024 and 67108864 (64 MiB)";
            return Err(ConfigError::Range {
                key: "limits.body_bytes_max",
                range,
            });
        }
        if !(8 * 1024..=1024 * 1024).contains(&self.header_bytes_max) {
            let range = "between 8192 and 1048576 (1 MiB)";
            return Err(ConfigError::Range {
                key: "limits.header_bytes_max",
                range,
            });
        }
        Ok(Limits {
            body_bytes_max: self.body_bytes_max,
            header_bytes_max: self.header_bytes_max,
            batch_items_max: count("limits.batch_items_max", self.batch_items_max)?,
            requests_in_flight_max: count(
                "limits.requests_in_flight_max",
                self.requests_in_flight_max,
            )?,
            connections_max: count("limits.connections_max", self.connections_max)?,
            request_timeout: millis("limits.request_timeout_ms", self.request_timeout_ms)?,
            header_timeout: millis("limits.header_timeout_ms", self.header_timeout_ms)?,
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
