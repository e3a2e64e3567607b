//! `[ledger.stamps]`: who stamps the log with its time (RFC 3161), and how often.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::StampTrust;
use serde::Deserialize;

use super::{ConfigError, millis, read, within};
use crate::server::{StampAuthority, StampTerms};

const DAY: u64 = 24 * 3_600;
/// Most authorities.
const URLS_MAX: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStamps {
    urls: Vec<String>,
    ca: Option<PathBuf>,
    certificates: PathBuf,
    #[serde(default = "interval_seconds")]
    interval_seconds: u64,
    #[serde(default)]
    entries_max: u64,
    #[serde(default = "deadline_ms")]
    deadline_ms: u64,
}

fn interval_seconds() -> u64 {
    DAY
}

fn deadline_ms() -> u64 {
    30_000
}

impl RawStamps {
    pub(super) fn checked(self, folder: &Path) -> Result<StampTerms, ConfigError> {
        within(
            "ledger.stamps.urls",
            self.urls.len(),
            1,
            URLS_MAX,
            "1 to 8 URLs of authorities",
        )?;
        let deadline = within(
            "ledger.stamps.deadline_ms",
            millis("ledger.stamps.deadline_ms", self.deadline_ms)?,
            Duration::from_millis(1),
            Duration::from_mins(5),
            "between 1 and 300000 (5 minutes)",
        )?;
        let certificates = folder.join(self.certificates);
        let trust = StampTrust::parse(read(&certificates)?.as_bytes());
        let trust = trust.map_err(|cause| ConfigError::Stamps {
            place: certificates.display().to_string(),
            cause: cause.to_string(),
        })?;
        let ca = self.ca.map(|ca| folder.join(ca));
        let authority = |url: String| {
            let authority = StampAuthority::at(&url, ca.as_deref(), deadline, trust.clone());
            match authority {
                Ok(authority) => Ok((url, authority)),
                Err(cause) => Err(ConfigError::Stamps {
                    place: url,
                    cause: cause.to_string(),
                }),
            }
        };
        Ok(StampTerms {
            authorities: self
                .urls
                .into_iter()
                .map(authority)
                .collect::<Result<_, _>>()?,
            interval: within(
                "ledger.stamps.interval_seconds",
                Duration::from_secs(self.interval_seconds),
                Duration::from_mins(1),
                Duration::from_secs(366 * DAY),
                "between 60 (a minute) and 31622400 (a year)",
            )?,
            entries_max: match self.entries_max {
                0 => None,
                entries => Some(within(
                    "ledger.stamps.entries_max",
                    entries,
                    1,
                    1_000_000_000,
                    "0 (by time alone), or between 1 and 1000000000",
                )?),
            },
        })
    }
}
