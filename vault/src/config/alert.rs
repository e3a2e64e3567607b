//! `[[alert]]`: where people are told at once, of what, and how long it is tried.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, millis, within};
use crate::model::{AlertKind, Hook, HookName, KeyRef};
use crate::server::{Target, Webhook};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    name: HookName,
    url: String,
    ca: Option<PathBuf>,
    key: String,
    kinds: Option<Vec<String>>,
    #[serde(default = "timeout_ms")]
    timeout_ms: u64,
    #[serde(default = "attempts_max")]
    attempts_max: u32,
    #[serde(default = "age_seconds_max")]
    age_seconds_max: u64,
}

fn timeout_ms() -> u64 {
    15_000
}

fn attempts_max() -> u32 {
    100
}

fn age_seconds_max() -> u64 {
    3 * 24 * 3_600
}

/// One place that alerts go to: what the engine knows of it, and what the wire does.
pub struct AlertConfig {
    /// Its name, kinds and key.
    pub hook: Hook,
    /// Its address and bounds.
    pub webhook: Webhook,
}

/// Reads all of them: each has a name of its own.
pub(super) fn checked(raw: Vec<RawAlert>, folder: &Path) -> Result<Vec<AlertConfig>, ConfigError> {
    let mut names = BTreeSet::new();
    let one = |raw: RawAlert| {
        if names.insert(raw.name.clone()) {
            raw.checked(folder)
        } else {
            Err(ConfigError::Range {
                key: "alert.name",
                range: "one of its own in each `[[alert]]`",
            })
        }
    };
    raw.into_iter().map(one).collect()
}

impl RawAlert {
    fn checked(self, folder: &Path) -> Result<AlertConfig, ConfigError> {
        const DAY: u64 = 24 * 3_600;
        let ca = self.ca.map(|path| folder.join(path));
        let timeout = within(
            "alert.timeout_ms",
            millis("alert.timeout_ms", self.timeout_ms)?,
            Duration::from_millis(1),
            Duration::from_mins(1),
            "between 1 and 60000 (a minute)",
        )?;
        let target = Target::parse(&self.url, ca.as_deref(), timeout);
        let target = target.map_err(|cause| ConfigError::Webhook {
            name: self.name.clone(),
            cause,
        })?;
        let kinds = match self.kinds {
            None => AlertKind::ALL.iter().copied().collect(),
            Some(words) => kinds(&words)?,
        };
        let key = KeyRef::parse(&self.key).map_err(|_| ConfigError::Range {
            key: "alert.key",
            range: "the id or an alias of a key of kind hmac-sha-256",
        })?;
        let age_max = within(
            "alert.age_seconds_max",
            Duration::from_secs(self.age_seconds_max),
            Duration::from_secs(1),
            Duration::from_secs(30 * DAY),
            "between 1 and 2592000 (30 days)",
        )?;
        let attempts_max = within(
            "alert.attempts_max",
            self.attempts_max,
            1,
            1_000,
            "between 1 and 1000",
        )?;
        Ok(AlertConfig {
            hook: Hook {
                name: self.name.clone(),
                kinds,
                key,
            },
            webhook: Webhook {
                name: self.name,
                target,
                attempts_max,
                age_max,
            },
        })
    }
}

fn kinds(words: &[String]) -> Result<BTreeSet<AlertKind>, ConfigError> {
    let kind = |word: &String| {
        AlertKind::parse(word).ok_or(ConfigError::Range {
            key: "alert.kinds",
            range: "of honeytoken, budget, unit-locked, space-warn and grant-approved",
        })
    };
    words.iter().map(kind).collect()
}
