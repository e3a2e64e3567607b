//! Owns the configuration as it is written: every key, its default, nothing unknown.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::raw_signing::{
    RawCode, RawSide, RawSign, RawSignatures, RawSigningKey, RawVaultKeys, RawVerify,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSettings {
    pub(super) vault: RawVault,
    #[serde(default)]
    pub(super) limits: RawLimits,
    pub(super) proxy: Option<RawProxy>,
    #[serde(default)]
    pub(super) ext_proc: RawExtProc,
    pub(super) monitor: Option<RawMonitor>,
    #[serde(default)]
    pub(super) signatures: RawSignatures,
    #[serde(default)]
    pub(super) signing_key: Vec<RawSigningKey>,
    #[serde(default)]
    pub(super) sign_code: Vec<RawCode>,
    #[serde(default)]
    pub(super) route: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVault {
    pub(super) url: String,
    pub(super) ca: String,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) keys: Option<RawVaultKeys>,
    pub(super) log_origin: Option<String>,
    #[serde(default = "vault_timeout_ms")]
    pub(super) timeout_ms: u64,
    #[serde(default = "retries_max")]
    pub(super) retries_max: u64,
    #[serde(default = "circuit_failures_max")]
    pub(super) circuit_failures_max: u64,
    #[serde(default = "circuit_pause_ms")]
    pub(super) circuit_pause_ms: u64,
}

fn retries_max() -> u64 {
    2
}

fn circuit_failures_max() -> u64 {
    5
}

fn circuit_pause_ms() -> u64 {
    1_000
}

fn vault_timeout_ms() -> u64 {
    2_000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) body_bytes_max: u64,
    pub(super) depth_max: u64,
    pub(super) nodes_max: u64,
    pub(super) fields_max: u64,
    pub(super) in_flight_max: u64,
    pub(super) held_bytes_max: u64,
    pub(super) unmatched: RawUnmatched,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1_048_576,
            depth_max: 64,
            nodes_max: 100_000,
            fields_max: 1_000,
            in_flight_max: 1_024,
            held_bytes_max: 268_435_456,
            unmatched: RawUnmatched::Refuse,
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawUnmatched {
    Refuse,
    Pass,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProxy {
    #[serde(default = "proxy_listen")]
    pub(super) listen: String,
    pub(super) upstream: RawUpstreams,
    #[serde(default)]
    pub(super) upstream_protocol: RawProtocol,
    pub(super) tls: Option<RawTls>,
    pub(super) upstream_tls: Option<RawUpstreamTls>,
    pub(super) health_path: Option<String>,
    #[serde(default = "health_interval_ms")]
    pub(super) health_interval_ms: u64,
    #[serde(default = "idle_timeout_ms")]
    pub(super) idle_timeout_ms: u64,
    #[serde(default = "drain_timeout_ms")]
    pub(super) drain_timeout_ms: u64,
    #[serde(default = "header_timeout_ms")]
    pub(super) header_timeout_ms: u64,
    #[serde(default = "body_timeout_ms")]
    pub(super) body_timeout_ms: u64,
    #[serde(default = "connect_timeout_ms")]
    pub(super) connect_timeout_ms: u64,
    #[serde(default = "upstream_timeout_ms")]
    pub(super) upstream_timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawUpstreams {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawProtocol {
    #[default]
    Http1,
    Http2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) client_ca: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUpstreamTls {
    pub(super) ca: String,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMonitor {
    pub(super) listen: String,
}

fn health_interval_ms() -> u64 {
    2_000
}

fn drain_timeout_ms() -> u64 {
    20_000
}

fn idle_timeout_ms() -> u64 {
    60_000
}

fn proxy_listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn header_timeout_ms() -> u64 {
    10_000
}

fn body_timeout_ms() -> u64 {
    30_000
}

fn connect_timeout_ms() -> u64 {
    2_000
}

fn upstream_timeout_ms() -> u64 {
    30_000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawExtProc {
    pub(super) listen: String,
    pub(super) header_timeout_ms: u64,
    pub(super) body_timeout_ms: u64,
    pub(super) drain_timeout_ms: u64,
}

impl Default for RawExtProc {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:18080".to_owned(),
            header_timeout_ms: header_timeout_ms(),
            body_timeout_ms: body_timeout_ms(),
            drain_timeout_ms: drain_timeout_ms(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    pub(super) name: String,
    #[serde(default = "any")]
    pub(super) host: String,
    #[serde(default = "any")]
    pub(super) method: String,
    pub(super) path: String,
    pub(super) domain: String,
    pub(super) purpose: Option<String>,
    pub(super) body_bytes_max: Option<u64>,
    #[serde(default)]
    pub(super) forward_authorization: bool,
    #[serde(default)]
    pub(super) namespaces: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) request: Vec<RawField>,
    #[serde(default)]
    pub(super) response: Vec<RawField>,
    pub(super) request_payload: Option<RawPayload>,
    pub(super) response_payload: Option<RawPayload>,
    #[serde(default)]
    pub(super) verify: Vec<RawVerify>,
    #[serde(default)]
    pub(super) sign: Vec<RawSign>,
    #[serde(default)]
    pub(super) receipt: Vec<RawSide>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPayload {
    pub(super) action: RawPayloadAction,
    pub(super) key: String,
    pub(super) alg: Option<String>,
    pub(super) content_types: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawPayloadAction {
    Encrypt,
    Decrypt,
}

fn any() -> String {
    "*".to_owned()
}

/// Exactly one of the first eight says where the field is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    pub(super) field: Option<String>,
    pub(super) form: Option<String>,
    pub(super) csv: Option<RawColumn>,
    pub(super) xml: Option<String>,
    pub(super) part: Option<String>,
    pub(super) query: Option<String>,
    pub(super) segment: Option<String>,
    pub(super) header: Option<String>,
    pub(super) class: Option<String>,
    pub(super) action: RawAction,
    pub(super) numbers: Option<RawNumbers>,
    pub(super) mask: Option<RawMask>,
    pub(super) key: Option<String>,
    pub(super) alg: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawColumn {
    Named(String),
    At(usize),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawAction {
    Tokenize,
    Detokenize,
    Mask,
    Drop,
    Encrypt,
    Decrypt,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawNumbers {
    Refuse,
    Keep,
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMask {
    #[serde(default)]
    pub(super) keep_first: usize,
    #[serde(default)]
    pub(super) keep_last: usize,
    #[serde(default = "star")]
    pub(super) with: char,
}

fn star() -> char {
    '*'
}
