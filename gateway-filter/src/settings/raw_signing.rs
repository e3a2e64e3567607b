//! Owns signatures as they are written: keys, profiles, and what routes demand and make.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSignatures {
    pub(super) nonces_max: u64,
}

impl Default for RawSignatures {
    fn default() -> Self {
        Self {
            nonces_max: 100_000,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVaultKeys {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSigningKey {
    pub(super) name: String,
    pub(super) alg: String,
    pub(super) vault_key: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) public_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCode {
    pub(super) name: String,
    pub(super) profile: RawProfile,
    pub(super) source: Option<RawSource>,
    pub(super) parts: Option<Vec<RawPart>>,
    pub(super) joiner: Option<String>,
    pub(super) encoding: Option<RawEncoding>,
    pub(super) header: Option<String>,
    pub(super) parameter: Option<String>,
    pub(super) pair_joiner: Option<String>,
    pub(super) value_joiner: Option<String>,
    pub(super) empty: Option<RawEmpty>,
    pub(super) values: Option<RawValues>,
    pub(super) timestamp: Option<RawStamp>,
    pub(super) nonce: Option<RawPlace>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawProfile {
    RawBody,
    SortedParameters,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawSource {
    Body,
    Query,
    BodyOrQuery,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPart {
    Method,
    Path,
    Timestamp,
    Nonce,
    Content,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawEncoding {
    HexLower,
    HexUpper,
    Base64,
    Base64url,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawEmpty {
    Skip,
    Keep,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawValues {
    Plain,
    Percent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlace {
    pub(super) header: Option<String>,
    pub(super) parameter: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStamp {
    pub(super) header: Option<String>,
    pub(super) parameter: Option<String>,
    #[serde(default)]
    pub(super) unit: RawUnit,
    #[serde(default = "window_seconds")]
    pub(super) window_seconds: u64,
    #[serde(default = "skew_seconds")]
    pub(super) skew_seconds: u64,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum RawUnit {
    #[default]
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawSide {
    #[default]
    Request,
    Response,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVerify {
    #[serde(default)]
    pub(super) on: RawSide,
    pub(super) keys: Vec<String>,
    pub(super) sign_code: Option<String>,
    pub(super) covered: Option<Vec<String>>,
    pub(super) lifetime_seconds_max: Option<u64>,
    pub(super) skew_seconds: Option<u64>,
    pub(super) scheme: Option<String>,
    pub(super) tag: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSign {
    #[serde(default)]
    pub(super) on: RawSide,
    pub(super) key: String,
    pub(super) sign_code: Option<String>,
    pub(super) covered: Option<Vec<String>>,
    pub(super) lifetime_seconds: Option<u64>,
    pub(super) scheme: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) tag: Option<String>,
}

pub(super) fn window_seconds() -> u64 {
    300
}

pub(super) fn skew_seconds() -> u64 {
    30
}
