//! `[ledger]`: the log's name and pace, who reads it over HTTP, who must cosign it, and who stamps it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::{Origin, Policy};
use serde::Deserialize;

use super::stamps::RawStamps;
use super::{ConfigError, millis, read, within};
use crate::model::UnitName;
use crate::server::{LedgerReaders, StampTerms, WebhookError, witness_at};

use crate::commit::Ask;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLedger {
    origin: String,
    #[serde(default = "publish_interval_ms")]
    publish_interval_ms: u64,
    #[serde(default = "deadline_ms")]
    deadline_ms: u64,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    readers: BTreeSet<UnitName>,
    second_signature: Option<SecondAlgorithm>,
    witnesses: Option<RawWitnesses>,
    stamps: Option<RawStamps>,
    #[serde(default = "epoch_days")]
    epoch_days: u64,
}

/// What signs checkpoints beside the HSM's Ed25519 key.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum SecondAlgorithm {
    /// ML-DSA-44 (FIPS 204), under a key that the HSM's root key wraps.
    #[serde(rename = "ml-dsa-44")]
    MlDsa44,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWitnesses {
    policy: PathBuf,
    ca: Option<PathBuf>,
    #[serde(default = "witness_deadline_ms")]
    deadline_ms: u64,
    #[serde(default)]
    unpublished_entries_max: u64,
}

fn publish_interval_ms() -> u64 {
    1_000
}

fn deadline_ms() -> u64 {
    5_000
}

fn epoch_days() -> u64 {
    365
}

fn witness_deadline_ms() -> u64 {
    5_000
}

/// The log.
pub struct LedgerConfig {
    /// Its name: `organisation/node`.
    pub origin: Origin,
    /// Time between checkpoints while there is something new.
    pub publish_interval: Duration,
    /// How long a request waits for its entry.
    pub deadline: Duration,
    /// Who reads it over HTTP.
    pub readers: LedgerReaders,
    /// Whether its checkpoints are signed a second time, and how.
    pub second_signature: Option<SecondAlgorithm>,
    /// Who must cosign it, if anybody must.
    pub witnesses: Option<WitnessesConfig>,
    /// Who stamps it with its time, if anybody does.
    pub stamps: Option<StampTerms>,
    /// How old an epoch of pseudonyms gets before the next one is opened; `None`: only by hand.
    pub epoch: Option<Duration>,
}

/// Who must cosign checkpoints before they are published.
pub struct WitnessesConfig {
    /// The operator's policy.
    pub policy: Policy,
    /// How long a round waits for them.
    pub deadline: Duration,
    /// So many entries may be sequenced that are not published.
    pub unpublished_entries_max: Option<u64>,
    ca: Option<PathBuf>,
}

impl RawLedger {
    pub(super) fn checked(self, folder: &Path) -> Result<LedgerConfig, ConfigError> {
        let origin = Origin::parse(&self.origin).map_err(|_| ConfigError::Origin)?;
        let readers = match (self.public, self.readers.is_empty()) {
            (false, true) => LedgerReaders::Nobody,
            (false, false) => LedgerReaders::Units(self.readers),
            (true, true) => LedgerReaders::Anyone,
            (true, false) => {
                return Err(ConfigError::Range {
                    key: "ledger.readers",
                    range: "absent where `ledger.public` is true: then anyone reads it",
                });
            }
        };
        let witnesses = self.witnesses.map(|raw| raw.checked(folder, &origin));
        Ok(LedgerConfig {
            publish_interval: millis("ledger.publish_interval_ms", self.publish_interval_ms)?,
            deadline: millis("ledger.deadline_ms", self.deadline_ms)?,
            readers,
            second_signature: self.second_signature,
            witnesses: witnesses.transpose()?,
            stamps: self.stamps.map(|raw| raw.checked(folder)).transpose()?,
            epoch: match self.epoch_days {
                0 => None,
                days => Some(Duration::from_hours(
                    24 * within(
                        "ledger.epoch_days",
                        days,
                        1,
                        3_650,
                        "0 (never by itself), or between 1 and 3650",
                    )?,
                )),
            },
            origin,
        })
    }
}

impl RawWitnesses {
    fn checked(self, folder: &Path, origin: &Origin) -> Result<WitnessesConfig, ConfigError> {
        let path = folder.join(self.policy);
        let policy = Policy::parse(read(&path)?.as_bytes()).map_err(|cause| {
            let path = path.clone();
            ConfigError::WitnessPolicy { path, cause }
        })?;
        let names_this = policy
            .logs()
            .iter()
            .any(|log| log.key.name() == origin.as_str());
        if !policy.logs().is_empty() && !names_this {
            return Err(ConfigError::Range {
                key: "ledger.witnesses.policy",
                range: "a policy whose `log` lines name this log too, or name none",
            });
        }
        let config = WitnessesConfig {
            policy,
            deadline: within(
                "ledger.witnesses.deadline_ms",
                millis("ledger.witnesses.deadline_ms", self.deadline_ms)?,
                Duration::from_millis(1),
                Duration::from_mins(1),
                "between 1 and 60000 (a minute)",
            )?,
            unpublished_entries_max: match self.unpublished_entries_max {
                0 => None,
                entries => Some(within(
                    "ledger.witnesses.unpublished_entries_max",
                    entries,
                    100,
                    1_000_000_000,
                    "0 (no bound), or between 100 and 1000000000",
                )?),
            },
            ca: self.ca.map(|ca| folder.join(ca)),
        };
        // Said now, and not when the first checkpoint waits.
        config.asks().map(drop)?;
        let reachable = |index: usize| config.policy.witnesses()[index].url.is_some();
        if config.policy.is_met(reachable) {
            Ok(config)
        } else {
            Err(ConfigError::Range {
                key: "ledger.witnesses.policy",
                range: "a policy that gives a URL for the witnesses of a quorum, at the least",
            })
        }
    }
}

impl WitnessesConfig {
    /// How each witness of the policy is asked, in its order; `None` where it has no URL.
    pub fn asks(&self) -> Result<Vec<Option<Ask>>, ConfigError> {
        let ask = |witness: &ledger::policy::Witness| {
            let url = witness.url.as_deref();
            let ask = url.map(|url| witness_at(url, self.ca.as_deref(), self.deadline));
            ask.transpose()
                .map_err(|cause: WebhookError| ConfigError::Witness {
                    name: witness.name.clone(),
                    cause,
                })
        };
        self.policy.witnesses().iter().map(ask).collect()
    }
}
