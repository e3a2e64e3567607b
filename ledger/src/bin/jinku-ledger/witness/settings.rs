//! `witness.toml`: where it listens, and whose logs it watches.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ledger::witness::WatchedLog;
use ledger::{Origin, VerifierKey};
use serde::Deserialize;

pub(super) const FILE: &str = "witness.toml";

/// The most logs of one witness: their state is written as one file.
const LOGS_MAX: usize = 1_024;

/// Every key, as `witness init` leaves it.
pub(super) const EXAMPLE: &str = r#"# The witness's settings. Relative paths start at this file's folder; unknown keys are refused.

listen = "127.0.0.1:7380"         # IP address and port; port 0 takes a free one
# certificate = "tls.pem"         # PEM: the server's chain. With `key` the witness speaks TLS 1.3; without, give it
# key = "tls-key.pem"             #   a proxy that does, unless it listens on loopback. Cosignatures are signed anyway

# The logs that it cosigns, at most 1024: their public keys, as their operators publish them (a Jinku vault: `ledger-key`
# in its data directory). Get them by a way that the operator of the log's network can't change.
# [[log]]
# keys = ["bank.example/vault/node-1+1a2b3c4d+AbCd..."]  # oldest first: once a later key signed, an older one counts no more
# origin = "bank.example/vault/node-1"                   # default: the keys' name
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: SocketAddr,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    log: Vec<RawLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    keys: Vec<String>,
    origin: Option<String>,
}

/// The settings as meant.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    /// Chain and key, in PEM.
    pub(super) tls: Option<(PathBuf, PathBuf)>,
    pub(super) logs: Vec<WatchedLog>,
}

impl Settings {
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(dir.join(FILE));
        let text = text.with_context(|| format!("`{FILE}` can't be read"))?;
        Self::parse(&text, dir)
    }

    fn parse(text: &str, dir: &Path) -> anyhow::Result<Self> {
        let raw: Raw = toml::from_str(text).with_context(|| format!("`{FILE}`"))?;
        let tls = match (raw.certificate, raw.key) {
            (Some(chain), Some(key)) => Some((dir.join(chain), dir.join(key))),
            (None, None) => None,
            _ => bail!("give both `certificate` and `key`, or none of them"),
        };
        ensure!(raw.log.len() <= LOGS_MAX, "at most {LOGS_MAX} logs");
        let logs = raw.log.iter().map(RawLog::checked);
        let logs = logs.collect::<anyhow::Result<Vec<_>>>()?;
        let mut origins = BTreeSet::new();
        for log in &logs {
            let first = origins.insert(log.origin.as_str());
            ensure!(first, "the log `{}` stands twice", log.origin);
        }
        Ok(Self {
            listen: raw.listen,
            tls,
            logs,
        })
    }
}

impl RawLog {
    fn checked(&self) -> anyhow::Result<WatchedLog> {
        let key = |text: &String| {
            VerifierKey::parse(text).with_context(|| format!("the log's key `{text}`"))
        };
        let keys = self.keys.iter().map(key);
        let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
        let name = keys.first().context("a log needs a key")?.name();
        let origin = Origin::parse(self.origin.as_deref().unwrap_or(name))?;
        Ok(WatchedLog { origin, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMDB: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

    fn parse(rest: &str) -> anyhow::Result<Settings> {
        Settings::parse(
            &format!("listen = \"127.0.0.1:0\"\n{rest}"),
            Path::new("/w"),
        )
    }

    #[test]
    fn the_example_is_read_and_watches_nothing() {
        let settings = Settings::parse(EXAMPLE, Path::new("/w")).unwrap();
        assert!(settings.logs.is_empty() && settings.tls.is_none());
    }

    #[test]
    fn a_log_is_named_after_its_key_unless_it_says_so() {
        let one = parse(&format!("[[log]]\nkeys = [\"{SUMDB}\"]")).unwrap();
        assert_eq!(one.logs[0].origin.as_str(), "sum.golang.org");
        let other = parse(&format!("[[log]]\nkeys = [\"{SUMDB}\"]\norigin = \"a/b\"")).unwrap();
        assert_eq!(other.logs[0].origin.as_str(), "a/b");
        for bad in [
            "[[log]]\nkeys = []".to_owned(),
            "[[log]]\nkeys = [\"x\"]".to_owned(),
            format!("[[log]]\nkeys = [\"{SUMDB}\"]\n[[log]]\nkeys = [\"{SUMDB}\"]"),
            "key = \"a\"".to_owned(),
            "other = 1".to_owned(),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
