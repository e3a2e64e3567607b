//! `[limits]`: every limit of the wire.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, millis, within};
use crate::engine::guard::GuardLimits;
use crate::server::Limits;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    body_bytes_max: usize,
    header_bytes_max: u32,
    batch_items_max: usize,
    ticket_seconds_max: u64,
    searches_per_minute: u32,
    requests_in_flight_max: usize,
    requests_waiting_max: usize,
    queue_wait_ms: u64,
    connections_max: usize,
    request_timeout_ms: u64,
    header_timeout_ms: u64,
    idempotency_seconds: u64,
    detokenize_items_without_grant: Option<usize>,
    grant_ttl_seconds_max: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            header_bytes_max: 16 * 1024,
            batch_items_max: 1_000,
            ticket_seconds_max: 300,
            searches_per_minute: 60,
            requests_in_flight_max: 512,
            requests_waiting_max: 1_024,
            queue_wait_ms: 1_000,
            connections_max: 1_024,
            request_timeout_ms: 10_000,
            header_timeout_ms: 5_000,
            idempotency_seconds: 24 * 3_600,
            detokenize_items_without_grant: None,
            grant_ttl_seconds_max: 3_600,
        }
    }
}

impl RawLimits {
    /// What the guard lets pass without asking anybody. Without a word, a whole batch.
    pub(super) fn guard(&self) -> Result<GuardLimits, ConfigError> {
        let items = self
            .detokenize_items_without_grant
            // What is out of its own range is refused under its own name.
            .unwrap_or(self.batch_items_max.clamp(1, 1_000_000));
        Ok(GuardLimits {
            items_without_grant: within(
                "limits.detokenize_items_without_grant",
                items,
                1,
                1_000_000,
                "between 1 and 1000000",
            )?,
            grant_ttl_max: within(
                "limits.grant_ttl_seconds_max",
                Duration::from_secs(self.grant_ttl_seconds_max),
                Duration::from_secs(1),
                Duration::from_hours(24),
                "between 1 and 86400 (a day)",
            )?,
        })
    }

    // INVARIANT 14: every limit has a range, and what lies outside is refused by its name.
    pub(super) fn checked(self) -> Result<Limits, ConfigError> {
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
        if !(1..=30 * 24 * 3_600).contains(&self.idempotency_seconds) {
            return Err(ConfigError::Range {
                key: "limits.idempotency_seconds",
                range: "between 1 and 2592000 (30 days)",
            });
        }
        Ok(Limits {
            body_bytes_max: self.body_bytes_max,
            header_bytes_max: self.header_bytes_max,
            batch_items_max: count("limits.batch_items_max", self.batch_items_max)?,
            ticket_life_max: within(
                "limits.ticket_seconds_max",
                Duration::from_secs(self.ticket_seconds_max),
                Duration::from_secs(1),
                Duration::from_hours(24),
                "between 1 and 86400 (a day)",
            )?,
            searches_per_minute: NonZeroU32::new(self.searches_per_minute)
                .filter(|searches| searches.get() <= 1_000_000)
                .ok_or(ConfigError::Range {
                    key: "limits.searches_per_minute",
                    range: COUNT,
                })?,
            requests_in_flight_max: count(
                "limits.requests_in_flight_max",
                self.requests_in_flight_max,
            )?,
            requests_waiting_max: within(
                "limits.requests_waiting_max",
                self.requests_waiting_max,
                0,
                1_000_000,
                "between 0 and 1000000",
            )?,
            queue_wait: millis("limits.queue_wait_ms", self.queue_wait_ms)?,
            connections_max: count("limits.connections_max", self.connections_max)?,
            request_timeout: millis("limits.request_timeout_ms", self.request_timeout_ms)?,
            idempotency: Duration::from_secs(self.idempotency_seconds),
            header_timeout: millis("limits.header_timeout_ms", self.header_timeout_ms)?,
        })
    }
}
