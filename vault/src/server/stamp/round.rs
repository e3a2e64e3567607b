//! Has the published log stamped while the vault runs, beside publishing: nobody waits for an authority. A failure is logged
//! and counted, and tried again.

use std::sync::Arc;
use std::time::Duration;

use ledger::{VerifierKey, open_checkpoint};

use super::kept::{keep_stamp_of, newest};
use super::{KeptStamp, StampAuthority, StampFault};
use crate::model::Timestamp;
use crate::server::Vault;
use crate::server::webhook::pause;

/// Looked at least so often: a clock may step.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// Who stamps the log, and how often.
pub struct StampTerms {
    /// Asked one after another, until one stamps; each with its URL.
    pub authorities: Vec<(String, StampAuthority)>,
    /// The log is stamped this long after the last time, where it has grown.
    pub interval: Duration,
    /// And sooner, once so many entries are published that no stamp is over.
    pub entries_max: Option<u64>,
}

impl StampTerms {
    /// How long it is until the log is to be stamped; `None` where no stamp would say more than the newest one.
    fn wait(&self, newest: Option<KeptStamp>, size: u64, now: Timestamp) -> Option<Duration> {
        let Some(newest) = newest else {
            return (size > 0).then_some(Duration::ZERO);
        };
        let more = size.checked_sub(newest.size).filter(|more| *more > 0)?;
        if self.entries_max.is_some_and(|max| more >= max) {
            return Some(Duration::ZERO);
        }
        let age = Duration::from_micros(now.0.saturating_sub(newest.time.0));
        Some(self.interval.saturating_sub(age))
    }
}

/// Has the log stamped when that is due, for as long as the vault runs. `key` is what signs the log.
pub async fn keep_stamped(vault: Arc<Vault>, key: VerifierKey, terms: StampTerms) {
    let mut published = vault.ledger.published();
    let mut failures = 0;
    loop {
        // The command may have had it stamped meanwhile.
        let newest = in_its_own_thread(&vault, |vault| newest(vault.ledger.directory())).await;
        let newest = newest.unwrap_or_default();
        vault.metrics.stamps.newest(newest);
        let size = *published.borrow_and_update();
        let now = vault.engine.now();
        let wait = terms.wait(newest, size, now).unwrap_or(LOOK_MAX);
        if !wait.is_zero() {
            // Whichever comes first: more is published, or it is time. A publisher that has ended publishes no more.
            let grown = async {
                if published.changed().await.is_err() {
                    tokio::time::sleep(LOOK_MAX).await;
                }
            };
            let _ = tokio::time::timeout(wait.min(LOOK_MAX), grown).await;
            continue;
        }
        if stamped(&vault, &key, &terms).await {
            failures = 0;
        } else {
            vault.metrics.stamps.failed();
            tokio::time::sleep(pause(failures, None)).await;
            failures += 1;
        }
    }
}

/// Asks each authority in turn, until one has stamped the log.
async fn stamped(vault: &Arc<Vault>, key: &VerifierKey, terms: &StampTerms) -> bool {
    for (url, authority) in &terms.authorities {
        match stamped_by(vault, key, authority).await {
            Ok(size) => {
                tracing::info!(url, size, "the log is stamped");
                return true;
            }
            Err(error) => {
                tracing::warn!(url, %error, "the log is not stamped, and it is tried again");
            }
        }
    }
    false
}

async fn stamped_by(
    vault: &Arc<Vault>,
    key: &VerifierKey,
    authority: &StampAuthority,
) -> Result<u64, StampFault> {
    let note = in_its_own_thread(vault, |vault| vault.ledger.checkpoint()).await?;
    let note = String::from_utf8(note.unwrap_or_default()).unwrap_or_default();
    let checkpoint = open_checkpoint(&note, key).map_err(|_| StampFault::Checkpoint)?;
    let asked = vault.engine.now();
    let (response, _) = authority.stamp(&checkpoint).await?;
    let size = checkpoint.size;
    let keep = move |vault: &Vault| {
        let kept = keep_stamp_of(vault.ledger.directory(), (size, &response), asked);
        Ok(kept.map(|_| size))
    };
    in_its_own_thread(vault, keep).await?
}

/// Files are looked at where no request waits.
async fn in_its_own_thread<T: Send + 'static>(
    vault: &Arc<Vault>,
    look: impl FnOnce(&Vault) -> std::io::Result<T> + Send + 'static,
) -> Result<T, StampFault> {
    let vault = Arc::clone(vault);
    let looked = tokio::task::spawn_blocking(move || look(&vault)).await;
    let looked = looked.unwrap_or_else(|ended| Err(std::io::Error::other(ended)));
    looked.map_err(StampFault::Unkept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_by_time_or_by_entries_and_never_without_news() {
        let terms = |entries_max| StampTerms {
            authorities: Vec::new(),
            interval: Duration::from_secs(100),
            entries_max,
        };
        let kept = |size, seconds: u64| {
            let time = Timestamp(seconds * 1_000_000);
            Some(KeptStamp { size, time })
        };
        let wait = |entries_max, newest, size, seconds: u64| {
            let waits = terms(entries_max).wait(newest, size, Timestamp(seconds * 1_000_000));
            waits.map(|wait| wait.as_secs())
        };
        assert_eq!(wait(None, None, 0, 5), None);
        assert_eq!(wait(None, None, 1, 5), Some(0));
        assert_eq!(wait(None, kept(7, 50), 7, 1_000), None);
        assert_eq!(wait(None, kept(7, 50), 6, 1_000), None);
        assert_eq!(wait(None, kept(7, 50), 8, 60), Some(90));
        assert_eq!(wait(None, kept(7, 50), 8, 150), Some(0));
        // An authority whose clock is ahead.
        assert_eq!(wait(None, kept(7, 50), 8, 40), Some(100));
        assert_eq!(wait(Some(3), kept(7, 50), 9, 60), Some(90));
        assert_eq!(wait(Some(3), kept(7, 50), 10, 60), Some(0));
    }
}
