//! Owns the reading of the settings while the filter runs: on SIGHUP, and when the file or a key file
//! changes. What can't be used changes nothing: the last good settings stay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::filter::{Filter, Vault};
use crate::listen::{ListenError, Shutdown};
use crate::live::Live;

/// How often the files are looked at. A change counts once it was seen twice: a file that is being written
/// may read well and lack its last routes.
const LOOK: Duration = Duration::from_secs(2);

/// What was read: the filter, and all files that it came from.
pub struct Reread<V> {
    /// The filter as the settings say now.
    pub filter: Filter<V>,
    /// The files to watch from now on, beside the settings themselves.
    pub files: Vec<PathBuf>,
}

/// Whose SIGHUP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangups {
    /// It asks for the settings to be read again.
    Ours,
    /// It is the host's own; only changes of the files count.
    Others,
}

/// Why the files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Asked,
    Routine,
}

/// The files as they were when they were read last.
pub struct Watch {
    settings: PathBuf,
    files: Vec<PathBuf>,
    known: Vec<Stamp>,
    /// A change that was seen once.
    fresh: Option<Vec<Stamp>>,
}

impl Watch {
    /// Begins with the files as they are now.
    pub fn new(settings: PathBuf, files: Vec<PathBuf>) -> Self {
        let known = stamps(&settings, &files);
        Self {
            settings,
            files,
            known,
            fresh: None,
        }
    }

    /// Watches until the shutdown has begun. `read` reads all files again; its error is logged, and must
    /// hold no value.
    pub async fn run<V: Vault, E: std::fmt::Display>(
        mut self,
        live: &Live<V>,
        read: impl Fn(&Path) -> Result<Reread<V>, E>,
        hangups: Hangups,
        shutdown: Shutdown,
    ) -> Result<(), ListenError> {
        let mut hangups = match hangups {
            Hangups::Ours => Some(signal(SignalKind::hangup()).map_err(ListenError::Signal)?),
            Hangups::Others => None,
        };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut begun = std::pin::pin!(shutdown.begun());
        loop {
            let look = tokio::select! {
                () = &mut begun => return Ok(()),
                _ = next(&mut hangups) => Look::Asked,
                _ = looks.tick() => Look::Routine,
            };
            if self.has_changed(look) {
                self.reread(live, read(&self.settings));
            }
        }
    }

    /// Whether to read again: when asked at once, else when a change has settled.
    fn has_changed(&mut self, look: Look) -> bool {
        // Taken before the reading: what changes meanwhile is seen at the next look.
        let seen = stamps(&self.settings, &self.files);
        let changed = seen != self.known;
        let settled = self.fresh.as_ref() == Some(&seen);
        if look == Look::Asked || (changed && settled) {
            (self.known, self.fresh) = (seen, None);
            return true;
        }
        self.fresh = changed.then_some(seen);
        false
    }

    fn reread<V: Vault, E: std::fmt::Display>(
        &mut self,
        live: &Live<V>,
        read: Result<Reread<V>, E>,
    ) {
        match read {
            Ok(Reread { filter, files }) => {
                if files != self.files {
                    self.known = stamps(&self.settings, &files);
                    self.files = files;
                }
                let routes = filter.rules().routes().len();
                live.replace(Arc::new(filter));
                live.metrics().reloaded("ok");
                tracing::info!(routes, "new settings");
            }
            Err(error) => {
                live.metrics().reloaded("refused");
                tracing::error!("the settings stay as they were: {error:#}");
            }
        }
    }
}

async fn next(hangups: &mut Option<Signal>) -> Option<()> {
    match hangups {
        Some(hangups) => hangups.recv().await,
        None => std::future::pending().await,
    }
}

/// When it was written, and its length in bytes.
type Stamp = Option<(SystemTime, u64)>;

/// When each file was written, and how long it is; a file that is away has none.
fn stamps(settings: &Path, files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &Path| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    std::iter::once(settings)
        .chain(files.iter().map(PathBuf::as_path))
        .map(stamp)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_was_seen_twice_or_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("filter.toml");
        std::fs::write(&file, "a").unwrap();
        let mut watch = Watch::new(file.clone(), Vec::new());
        assert!(!watch.has_changed(Look::Routine));
        std::fs::write(&file, "ab").unwrap();
        assert!(!watch.has_changed(Look::Routine));
        std::fs::write(&file, "abc").unwrap();
        assert!(!watch.has_changed(Look::Routine));
        assert!(watch.has_changed(Look::Routine));
        assert!(!watch.has_changed(Look::Routine));
        std::fs::write(&file, "abcd").unwrap();
        assert!(watch.has_changed(Look::Asked));
        assert!(!watch.has_changed(Look::Routine));
    }
}
