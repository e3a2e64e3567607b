//! `[metrics]`: where monitoring reads.

use std::net::SocketAddr;

use serde::Deserialize;

use super::ConfigError;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMetrics {
    address: Option<SocketAddr>,
}

impl RawMetrics {
    /// There is neither TLS nor a question who asks: so nobody but this machine may.
    pub(super) fn checked(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.address {
            Some(address) if !address.ip().is_loopback() => Err(ConfigError::Range {
                key: "metrics.address",
                range: "on loopback: it is served without TLS to whoever asks",
            }),
            address => Ok(address),
        }
    }
}
