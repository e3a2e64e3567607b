//! A running module's view of the faults file: read again when it was replaced, and what became
//! of it since the last look.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;

use super::{CrashPoint, Faults, Happened, crash, file_of, names};
use crate::error::{Error, Result};

/// The one fault that strikes below the calls: wherever the token draws random bytes.
static RANDOM_FAILS: AtomicBool = AtomicBool::new(false);

/// Changes whenever the file is replaced.
type Stamp = Option<(u64, u64, i64, i64)>;

/// The faults as last read.
pub(crate) struct Watch {
    directory: PathBuf,
    stamp: Stamp,
    faults: Faults,
    seen: Happened,
}

/// What happened since the last look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    TokensTampered,
    LoginsLost,
    SessionsLost,
    PresenceChanged,
}

impl Watch {
    /// Begins with what is; what happened before is past.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let stamp = stamp(directory);
        let faults = Faults::load(directory)?;
        let watch = Self {
            directory: directory.to_path_buf(),
            stamp,
            seen: faults.happened,
            faults,
        };
        watch.announce();
        Ok(watch)
    }

    /// Looks whether the file was replaced, and tells what became of it.
    pub(crate) fn look(&mut self) -> Result<Vec<Event>> {
        let found = stamp(&self.directory);
        if found == self.stamp {
            return Ok(Vec::new());
        }
        let faults = Faults::load(&self.directory)?;
        let (before, now) = (self.seen, faults.happened);
        let is_replugged = now.removals != before.removals;
        let is_moved = is_replugged || faults.is_removed != self.faults.is_removed;
        let is_cut = is_replugged || now.sessions_lost != before.sessions_lost;
        let events = [
            (now.tamperings != before.tamperings, Event::TokensTampered),
            (now.logins_lost != before.logins_lost, Event::LoginsLost),
            (is_cut, Event::SessionsLost),
            (is_moved, Event::PresenceChanged),
        ];
        (self.stamp, self.seen, self.faults) = (found, now, faults);
        self.announce();
        let happened = events.into_iter().filter(|(happened, _)| *happened);
        Ok(happened.map(|(_, event)| event).collect())
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.faults.is_removed
    }

    pub(crate) fn is_full(&self) -> bool {
        self.faults.is_full
    }

    /// How long this call waits.
    pub(crate) fn delay(&self, function: &str) -> Duration {
        let latency = self.faults.latency.as_ref();
        latency
            .filter(|latency| names(&latency.functions, function))
            .map_or(Duration::ZERO, |latency| {
                let jitter_ms = rand::rng().next_u64() % latency.jitter_ms.saturating_add(1).max(1);
                Duration::from_millis(latency.fixed_ms.saturating_add(jitter_ms))
            })
    }

    /// The failure that hits this call, if one does.
    pub(crate) fn failure(&self, function: &str) -> Option<Error> {
        let mut named = self
            .faults
            .failures
            .iter()
            .filter(|failures| names(&failures.functions, function));
        let hit = named.find(|failures| percent() < failures.percent)?;
        Some(Error::named(&hit.code).unwrap_or(Error::General))
    }

    /// Ends the program if that is ordered for the next call.
    pub(crate) fn crash(&self) {
        crash::at(&self.directory, CrashPoint::Call);
    }

    fn announce(&self) {
        RANDOM_FAILS.store(self.faults.is_without_random, Ordering::Relaxed);
        crash::expect(self.faults.crash);
    }
}

/// Whether the device's random source is out of order.
pub(crate) fn random_fails() -> bool {
    RANDOM_FAILS.load(Ordering::Relaxed)
}

/// A draw from 0 to just below 100.
fn percent() -> f64 {
    f64::from(rand::rng().next_u32()) / (f64::from(u32::MAX) + 1.0) * 100.0
}

fn stamp(directory: &Path) -> Stamp {
    let found = fs::metadata(file_of(directory)).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
