//! `[keys]`: the key service's bounds.

use std::time::Duration;

use kms::CacheLimits;
use serde::Deserialize;

use super::{ConfigError, millis, within};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKeys {
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
    pub(super) fn checked(self) -> Result<KeysConfig, ConfigError> {
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
