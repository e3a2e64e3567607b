//! `[[issuer]]`, `[dpop]` and `[oauth]`: whose access tokens count, what proves that a unit has what its token is
//! bound to, and the vault as an issuer itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, millis, within};
use crate::engine::TokenTerms;
use crate::identity::{DpopTerms, KeyTerms, SenderConstraint};
use crate::model::{KeyRef, PublicUrl};
use crate::server::Target;

const DAY: u64 = 24 * 3_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    issuer: String,
    audience: String,
    jwks: Option<PathBuf>,
    jwks_uri: Option<String>,
    ca: Option<PathBuf>,
    #[serde(default = "refresh_seconds")]
    refresh_seconds: u64,
    #[serde(default = "cool_down_seconds")]
    cool_down_seconds: u64,
    #[serde(default = "keys_age_seconds_max")]
    keys_age_seconds_max: u64,
    #[serde(default = "timeout_ms")]
    timeout_ms: u64,
    sender_constraint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDpop {
    public_urls: Vec<PublicUrl>,
    window_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOauth {
    issuer: PublicUrl,
    audience: String,
    key: String,
    #[serde(default = "token_seconds")]
    token_seconds: u64,
}

impl Default for RawDpop {
    fn default() -> Self {
        Self {
            public_urls: Vec::new(),
            window_seconds: 60,
        }
    }
}

fn refresh_seconds() -> u64 {
    300
}

fn cool_down_seconds() -> u64 {
    30
}

fn keys_age_seconds_max() -> u64 {
    DAY
}

fn timeout_ms() -> u64 {
    5_000
}

fn token_seconds() -> u64 {
    300
}

/// One OAuth2 issuer.
pub struct IssuerConfig {
    /// The `iss` its tokens carry.
    pub issuer: String,
    /// The `aud` its tokens for us carry.
    pub audience: String,
    /// Where its keys come from.
    pub keys: IssuerKeys,
    /// What its tokens must be bound to.
    pub constraint: SenderConstraint,
}

/// Where an issuer's keys come from.
pub enum IssuerKeys {
    /// A file, read at the start.
    File(PathBuf),
    /// The issuer itself.
    Fetched {
        /// Its `jwks_uri`.
        target: Target,
        /// Time between two fetches.
        refresh: Duration,
        /// How long they count, and how often they may be asked for.
        terms: KeyTerms,
    },
}

/// All of them, each with a name of its own.
pub(super) fn checked(
    raw: Vec<RawIssuer>,
    own: Option<&TokenTerms>,
    folder: &Path,
) -> Result<Vec<IssuerConfig>, ConfigError> {
    let mut names: BTreeSet<String> = own.map(|terms| terms.issuer.clone()).into_iter().collect();
    let one = |raw: RawIssuer| {
        if names.insert(raw.issuer.clone()) {
            raw.checked(folder)
        } else {
            Err(ConfigError::Range {
                key: "issuer.issuer",
                range: "another one in each `[[issuer]]`, and than `oauth.issuer`",
            })
        }
    };
    raw.into_iter().map(one).collect()
}

impl RawIssuer {
    fn checked(self, folder: &Path) -> Result<IssuerConfig, ConfigError> {
        let word = self.sender_constraint.as_deref();
        let constraint = word.map_or(Some(SenderConstraint::None), SenderConstraint::parse);
        let constraint = constraint.ok_or(ConfigError::Range {
            key: "issuer.sender_constraint",
            range: "`none`, `certificate`, `dpop` or `any`",
        })?;
        let keys = match (&self.jwks, &self.jwks_uri) {
            (Some(file), None) => IssuerKeys::File(folder.join(file)),
            (None, Some(uri)) => self.fetched(uri, folder)?,
            _ => {
                return Err(ConfigError::Range {
                    key: "issuer.jwks",
                    range: "given, or `issuer.jwks_uri` instead of it",
                });
            }
        };
        Ok(IssuerConfig {
            issuer: self.issuer,
            audience: self.audience,
            keys,
            constraint,
        })
    }

    fn fetched(&self, uri: &str, folder: &Path) -> Result<IssuerKeys, ConfigError> {
        let timeout = millis("issuer.timeout_ms", self.timeout_ms)?;
        let timeout = within(
            "issuer.timeout_ms",
            timeout,
            Duration::from_millis(1),
            Duration::from_mins(1),
            "between 1 and 60000 (a minute)",
        )?;
        let ca = self.ca.as_ref().map(|path| folder.join(path));
        let target = Target::parse(uri, ca.as_deref(), timeout);
        let target = target.map_err(|cause| ConfigError::Issuer {
            issuer: self.issuer.clone(),
            cause,
        })?;
        let refresh = within(
            "issuer.refresh_seconds",
            self.refresh_seconds,
            1,
            DAY,
            "between 1 and 86400 (a day)",
        )?;
        let cool_down = within(
            "issuer.cool_down_seconds",
            self.cool_down_seconds,
            1,
            3_600,
            "between 1 and 3600 (an hour)",
        )?;
        let age_max = within(
            "issuer.keys_age_seconds_max",
            self.keys_age_seconds_max,
            refresh,
            7 * DAY,
            "between `refresh_seconds` and 604800 (7 days)",
        )?;
        Ok(IssuerKeys::Fetched {
            target,
            refresh: Duration::from_secs(refresh),
            terms: KeyTerms {
                age_max: Duration::from_secs(age_max),
                cool_down: Duration::from_secs(cool_down),
            },
        })
    }
}

impl RawDpop {
    pub(super) fn checked(self) -> Result<DpopTerms, ConfigError> {
        let window = within(
            "dpop.window_seconds",
            self.window_seconds,
            1,
            600,
            "between 1 and 600",
        )?;
        Ok(DpopTerms {
            public_urls: self.public_urls,
            window: Duration::from_secs(window),
        })
    }
}

impl RawOauth {
    pub(super) fn checked(self) -> Result<TokenTerms, ConfigError> {
        let key = KeyRef::parse(&self.key).map_err(|_| ConfigError::Range {
            key: "oauth.key",
            range: "the id or an alias of a key of kind ed25519",
        })?;
        let life = within(
            "oauth.token_seconds",
            self.token_seconds,
            1,
            3_600,
            "between 1 and 3600 (an hour)",
        )?;
        Ok(TokenTerms {
            issuer: self.issuer.as_str().to_owned(),
            audience: self.audience,
            key,
            life: Duration::from_secs(life),
        })
    }
}
