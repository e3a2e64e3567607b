//! `[signatures]`: what counts as a signed request.

use api::signature::{Demands, Message};
use serde::Deserialize;

use super::{ConfigError, within};
use crate::identity::SignatureRules;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSignatures {
    public_authorities: Vec<String>,
    #[serde(default = "lifetime_seconds_max")]
    lifetime_seconds_max: u64,
    #[serde(default = "clock_skew_seconds")]
    clock_skew_seconds: u64,
    #[serde(default = "nonces_per_unit_max")]
    nonces_per_unit_max: u32,
}

fn lifetime_seconds_max() -> u64 {
    300
}

fn clock_skew_seconds() -> u64 {
    30
}

fn nonces_per_unit_max() -> u32 {
    200_000
}

impl RawSignatures {
    pub(super) fn checked(self) -> Result<SignatureRules, ConfigError> {
        let normal = |name: &String| normal(name).ok_or(ConfigError::Authorities);
        let authorities: Vec<String> = self
            .public_authorities
            .iter()
            .map(normal)
            .collect::<Result<_, _>>()?;
        if authorities.is_empty() {
            return Err(ConfigError::Authorities);
        }
        Ok(SignatureRules {
            authorities,
            demands: Demands {
                lifetime_seconds_max: within(
                    "signatures.lifetime_seconds_max",
                    self.lifetime_seconds_max,
                    1,
                    3_600,
                    "between 1 and 3600 (an hour)",
                )?,
                skew_seconds: within(
                    "signatures.clock_skew_seconds",
                    self.clock_skew_seconds,
                    0,
                    300,
                    "between 0 and 300",
                )?,
            },
            nonces_per_unit_max: within(
                "signatures.nonces_per_unit_max",
                self.nonces_per_unit_max,
                1,
                10_000_000,
                "between 1 and 10000000",
            )?,
            floor_seconds: 0,
        })
    }
}

/// A name as requests' authorities are compared.
fn normal(name: &str) -> Option<String> {
    let (method, headers) = (http::Method::GET, http::HeaderMap::new());
    let message = Message::request(&method, "https", name, "/", &headers).ok()?;
    message.authority().map(str::to_owned)
}
