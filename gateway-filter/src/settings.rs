//! Owns the configuration: [`Settings`] as meant. `settings/raw.rs` is the file as written; after
//! `Settings::parse` nothing checks again.

mod field;
mod jose;
mod proxy;
mod raw;
mod raw_signing;
mod route;
mod sign_code;
mod signing;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::body::xml::XmlPathError;
use crate::path::PathError;
use crate::route::{Route, TemplateFault};
use crate::scan::Bounds;
use crate::sign::receipt::is_origin;
pub use proxy::{ProxySettings, TlsSettings, UpstreamProtocol, UpstreamTlsSettings};
use raw::{RawExtProc, RawLimits, RawSettings, RawUnmatched, RawVault};
pub use sign_code::SignCodeFault;
pub use signing::{SigningKeyFault, SigningRuleFault};

/// The whole configuration.
#[derive(Debug)]
pub struct Settings {
    /// Where the vault is.
    pub vault: VaultSettings,
    /// Routes and limits.
    pub rules: Rules,
    /// The reverse proxy; absent where only `ext-proc` is used.
    pub proxy: Option<ProxySettings>,
    /// The external processor.
    pub ext_proc: ExtProcSettings,
    /// Where monitoring asks, if anywhere.
    pub monitor: Option<SocketAddr>,
    /// Partners' public keys.
    key_files: Vec<PathBuf>,
}

/// Where the vault is and how this machine proves itself.
#[derive(Debug)]
pub struct VaultSettings {
    /// `https://host:port`.
    pub url: String,
    /// PEM file of the authorities that may sign the vault's certificate.
    pub ca: PathBuf,
    /// PEM files of this machine's certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// PEM files of certificate and key of the unit as which the filter uses keys; `None` where they are used
    /// as the unit whose message it is.
    pub keys: Option<(PathBuf, PathBuf)>,
    /// How long one call may take, connecting and retries included.
    pub timeout: Duration,
    /// Most attempts after the first, where a connection was lost.
    pub retries_max: u32,
    /// After so many failures in a row the vault is not asked for a while.
    pub circuit_failures_max: u32,
    /// For how long it is not.
    pub circuit_pause: Duration,
}

/// What the core keeps to.
#[derive(Debug)]
pub struct Rules {
    /// Limits of one document.
    pub bounds: Bounds,
    /// What happens to a request that no route matches.
    pub unmatched: Unmatched,
    /// Most messages under way at once, in each front.
    pub in_flight_max: usize,
    /// Most bytes of bodies held in memory at once, over all messages.
    pub held_bytes_max: usize,
    /// Most nonces of one key that are remembered at once.
    pub nonces_max: usize,
    /// What receipts call the vault's log.
    pub log_origin: Option<String>,
    routes: Vec<Arc<Route>>,
}

/// What happens to a request that no route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// 404.
    Refuse,
    /// It goes on unread.
    Pass,
}

/// The external processor's part.
#[derive(Debug, Clone)]
pub struct ExtProcSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How long a connection may take until its first stream.
    pub header_timeout: Duration,
    /// How long a body that comes in parts may take to arrive, in each direction.
    pub body_timeout: Duration,
    /// How long streams under way may take after the shutdown has begun.
    pub drain_timeout: Duration,
}

/// Why a configuration can't be used. The text says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file can't be read.
    #[error("{}: can't be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not these keys.
    #[error("not a filter configuration: {0}")]
    Syntax(Box<toml::de::Error>),
    /// A number outside its range.
    #[error("`{key}` must be {min} to {max}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// `vault.url`.
    #[error("`vault.url` must be https://host:port")]
    VaultUrl,
    /// One of `vault.certificate` and `vault.key`.
    #[error("`vault.certificate` and `vault.key` come together: set both or neither")]
    HalfIdentity,
    /// `proxy.upstream`.
    #[error(
        "`proxy.upstream` must be http://host:port or https://host:port, without a path, or 1 to 64 \
         of them with the same scheme"
    )]
    Upstream,
    /// `https` without authorities.
    #[error("`proxy.upstream` is https: add [proxy.upstream_tls] with `ca`")]
    UpstreamTls,
    /// One of the proxy's certificate and key.
    #[error("`proxy.upstream_tls.certificate` and `key` come together: set both or neither")]
    HalfUpstreamIdentity,
    /// `proxy.health_path`.
    #[error("`proxy.health_path` must be a path, such as /healthz")]
    HealthPath,
    /// `listen`.
    #[error("`{0}` must be an IP address and a port, such as 127.0.0.1:8080")]
    Listen(&'static str),
    /// No route at all.
    #[error("there is no [[route]]: a filter without routes protects nothing")]
    NoRoute,
    /// `vault.log_origin`.
    #[error("`vault.log_origin` must be 1 to 256 characters of visible ASCII, without quotes")]
    LogOrigin,
    /// One key of signatures can't be used.
    #[error("signing_key `{key}`: {fault}")]
    SigningKey {
        /// Its name.
        key: String,
        /// What is wrong with it.
        fault: SigningKeyFault,
    },
    /// One profile can't be used.
    #[error("sign_code `{code}`: {fault}")]
    SignCode {
        /// Its name.
        code: String,
        /// What is wrong with it.
        fault: SignCodeFault,
    },
    /// One route can't be used.
    #[error("route `{route}`: {fault}")]
    Route {
        /// Its name.
        route: String,
        /// What is wrong with it.
        fault: RouteFault,
    },
}

/// What is wrong with one route.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteFault {
    /// A name twice, or none.
    #[error("`name` must be there and differ from all others")]
    Name,
    /// A route that an earlier one hides.
    #[error("route `{0}` before it already takes all of its messages: merge the two")]
    Shadowed(String),
    /// Host, method or path.
    #[error(transparent)]
    Template(#[from] TemplateFault),
    /// A field's path.
    #[error("field {0}")]
    Path(#[from] PathError),
    /// An empty domain, purpose or class.
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
    /// Not one place, or none.
    #[error(
        "a field is found by exactly one of `field`, `form`, `csv`, `xml`, `part`, `query`, `segment`, `header`"
    )]
    Place,
    /// A path into XML.
    #[error("xml `{path}`: {fault}")]
    Xml {
        /// The path.
        path: String,
        /// What is wrong with it.
        fault: XmlPathError,
    },
    /// A place that only requests have.
    #[error("`{0}` is a place in requests alone")]
    RequestOnly(&'static str),
    /// A segment that the path template does not name once.
    #[error("segment `{0}`: the route's `path` must have `{{{0}}}` once")]
    Segment(String),
    /// A header that can't be a field.
    #[error("header `{0}` can't be a field: it is no header's name, or the gateway's own")]
    Header(String),
    /// A column number.
    #[error("csv columns count from 1")]
    Column,
    /// A setting that means nothing there.
    #[error("field `{field}`: `{setting}` means nothing there, remove it")]
    Unused {
        /// The field's place.
        field: String,
        /// The setting.
        setting: &'static str,
    },
    /// Something that can't be dropped without leaving nothing behind.
    #[error("field `{0}` can't be dropped: it is a whole document, or part of the path")]
    DropWhole(String),
    /// Both actions in one direction.
    #[error("the {0} both tokenizes and detokenizes: one direction asks the vault for one thing")]
    Mixed(&'static str),
    /// No class where one is needed.
    #[error("field `{0}` is tokenized and needs a `class`")]
    ClassMissing(String),
    /// No mask where one is needed.
    #[error("field `{0}` is masked and needs `mask = {{ keep_first = 1, keep_last = 3 }}`")]
    MaskMissing(String),
    /// No key where one is needed.
    #[error("field `{0}` is encrypted or decrypted and needs a `key` of the vault")]
    KeyMissing(String),
    /// No name of a key.
    #[error(
        "`{0}` is no key's name: an id or alias of the vault is 1 to 64 of a-z, 0-9, '.', '_', '-'"
    )]
    KeyName(String),
    /// Another algorithm.
    #[error("`alg` must be \"dir\" or \"A256KW\", not `{0}`")]
    Alg(String),
    /// What may come out of a payload.
    #[error("`content_types` must name 1 to {0} media types without parameters that may come out")]
    ContentTypes(usize),
    /// A class where it means nothing.
    #[error("field `{0}` is detokenized: remove its `class`, the vault knows it")]
    ClassUnused(String),
    /// One field twice.
    #[error("field `{0}` comes twice")]
    FieldRepeated(String),
    /// Too many rules.
    #[error("the {side} has more than {rules_max} fields")]
    TooManyRules {
        /// Which direction.
        side: &'static str,
        /// The limit.
        rules_max: usize,
    },
    /// A demand, or a signature to make.
    #[error(transparent)]
    Signing(#[from] SigningRuleFault),
    /// The route's own body limit.
    #[error("`body_bytes_max` must be 1 to {0}")]
    BodyLimit(u64),
}

impl Settings {
    /// Reads the file; relative paths in it are relative to its folder.
    pub fn load(file: &FilePath) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(file).map_err(|source| SettingsError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(&text, file.parent().unwrap_or_else(|| FilePath::new("")))
    }

    /// Reads the text of a configuration file that lies in `folder`.
    pub fn parse(text: &str, folder: &FilePath) -> Result<Self, SettingsError> {
        let raw: RawSettings =
            toml::from_str(text).map_err(|error| SettingsError::Syntax(Box::new(error)))?;
        let body_bytes_max = bounded(
            "limits.body_bytes_max",
            raw.limits.body_bytes_max,
            1,
            BODY_BYTES_CEILING,
        )?;
        let log_origin = raw.vault.log_origin.clone();
        if log_origin.as_deref().is_some_and(|text| !is_origin(text)) {
            return Err(SettingsError::LogOrigin);
        }
        let key_files = signing::key_files(&raw.signing_key, folder);
        let shelf = signing::shelf(&raw.signing_key, &raw.sign_code, folder)?;
        Ok(Self {
            key_files,
            vault: vault(raw.vault, folder)?,
            rules: Rules {
                bounds: bounds(&raw.limits)?,
                unmatched: match raw.limits.unmatched {
                    RawUnmatched::Refuse => Unmatched::Refuse,
                    RawUnmatched::Pass => Unmatched::Pass,
                },
                in_flight_max: bounded(
                    "limits.in_flight_max",
                    raw.limits.in_flight_max,
                    1,
                    1_000_000,
                )?,
                held_bytes_max: bounded(
                    "limits.held_bytes_max",
                    raw.limits.held_bytes_max,
                    1,
                    HELD_BYTES_CEILING,
                )?,
                nonces_max: bounded(
                    "signatures.nonces_max",
                    raw.signatures.nonces_max,
                    1,
                    10_000_000,
                )?,
                log_origin,
                routes: route::routes(raw.route, body_bytes_max, &shelf)?,
            },
            proxy: raw
                .proxy
                .as_ref()
                .map(|raw| proxy::proxy(raw, folder))
                .transpose()?,
            ext_proc: ext_proc(&raw.ext_proc)?,
            monitor: raw
                .monitor
                .map(|raw| listen("monitor.listen", &raw.listen))
                .transpose()?,
        })
    }
}

impl Settings {
    /// The key files that the settings name; a change of one is a change of the settings.
    pub fn files(&self) -> Vec<PathBuf> {
        let vault = self.vault.identity.iter();
        let mut files = vec![self.vault.ca.clone()];
        files.extend(vault.flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
        let keys = self.vault.keys.iter();
        files.extend(keys.flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
        files.extend(self.key_files.iter().cloned());
        files.extend(self.proxy.iter().flat_map(ProxySettings::files));
        files
    }
}

impl Rules {
    /// The routes, in the order in which they are tried.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The largest body that any route reads, in bytes.
    pub fn body_bytes_max(&self) -> usize {
        self.routes
            .iter()
            .map(|route| route.body_bytes_max)
            .max()
            .unwrap_or_default()
    }
}

/// No body limit may be larger: 256 MiB.
const BODY_BYTES_CEILING: u64 = 256 * 1024 * 1024;
/// No bound on all bodies may be larger: 64 GiB.
const HELD_BYTES_CEILING: u64 = 64 * 1024 * 1024 * 1024;
/// The scan recurses: its stack must not depend on the sender.
const DEPTH_CEILING: u64 = 256;
/// No timeout may be longer: ten minutes.
const TIMEOUT_MS_CEILING: u64 = 600_000;

fn bounds(limits: &RawLimits) -> Result<Bounds, SettingsError> {
    Ok(Bounds {
        depth_max: bounded("limits.depth_max", limits.depth_max, 1, DEPTH_CEILING)?,
        nodes_max: bounded("limits.nodes_max", limits.nodes_max, 1, 100_000_000)?,
        fields_max: bounded("limits.fields_max", limits.fields_max, 1, 1_000_000)?,
    })
}

fn vault(raw: RawVault, folder: &FilePath) -> Result<VaultSettings, SettingsError> {
    let url: Uri = raw.url.parse().map_err(|_| SettingsError::VaultUrl)?;
    if url.scheme_str() != Some("https") || url.host().is_none_or(str::is_empty) {
        return Err(SettingsError::VaultUrl);
    }
    let identity = match (raw.certificate, raw.key) {
        (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
        (None, None) => None,
        _ => return Err(SettingsError::HalfIdentity),
    };
    Ok(VaultSettings {
        url: raw.url,
        ca: folder.join(raw.ca),
        identity,
        keys: raw
            .keys
            .map(|own| (folder.join(own.certificate), folder.join(own.key))),
        timeout: timeout("vault.timeout_ms", raw.timeout_ms)?,
        retries_max: small("vault.retries_max", raw.retries_max, 0, 10)?,
        circuit_failures_max: small(
            "vault.circuit_failures_max",
            raw.circuit_failures_max,
            1,
            1_000_000,
        )?,
        circuit_pause: timeout("vault.circuit_pause_ms", raw.circuit_pause_ms)?,
    })
}

fn ext_proc(raw: &RawExtProc) -> Result<ExtProcSettings, SettingsError> {
    Ok(ExtProcSettings {
        listen: listen("ext_proc.listen", &raw.listen)?,
        header_timeout: timeout("ext_proc.header_timeout_ms", raw.header_timeout_ms)?,
        body_timeout: timeout("ext_proc.body_timeout_ms", raw.body_timeout_ms)?,
        drain_timeout: timeout("ext_proc.drain_timeout_ms", raw.drain_timeout_ms)?,
    })
}

fn listen(key: &'static str, text: &str) -> Result<SocketAddr, SettingsError> {
    text.parse().map_err(|_| SettingsError::Listen(key))
}

fn timeout(key: &'static str, milliseconds: u64) -> Result<Duration, SettingsError> {
    if (1..=TIMEOUT_MS_CEILING).contains(&milliseconds) {
        return Ok(Duration::from_millis(milliseconds));
    }
    Err(SettingsError::OutOfRange {
        key,
        min: 1,
        max: TIMEOUT_MS_CEILING,
    })
}

fn bounded(key: &'static str, value: u64, min: u64, max: u64) -> Result<usize, SettingsError> {
    usize::try_from(value)
        .ok()
        .filter(|_| (min..=max).contains(&value))
        .ok_or(SettingsError::OutOfRange { key, min, max })
}

fn small(key: &'static str, value: u64, min: u64, max: u64) -> Result<u32, SettingsError> {
    u32::try_from(value)
        .ok()
        .filter(|_| (min..=max).contains(&value))
        .ok_or(SettingsError::OutOfRange { key, min, max })
}
