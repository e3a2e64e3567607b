//! What can go wrong with the device, on order: the faults file beside the tokens, which the
//! command `jinku-hsm fault` replaces and running modules read when it changes.

mod crash;
mod watch;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::token::store::Store;

pub use crash::CrashPoint;
pub(crate) use crash::at as crash_at;
pub(crate) use watch::{Event, Watch, random_fails};

/// The faults file's name in the tokens' directory.
const FILE: &str = "faults";

/// Every fault that is in force. What happens once is a count: a running module applies it when
/// the count rises, and a module that starts later does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Faults {
    /// Each call waits.
    pub latency: Option<Latency>,
    /// Calls fail at random; the first that hits decides.
    pub failures: Vec<Failures>,
    /// The device is unplugged.
    pub is_removed: bool,
    /// No further object can be made.
    pub is_full: bool,
    /// The device gives no random numbers.
    pub is_without_random: bool,
    /// The next call, or the next write of a token, ends the whole program.
    pub crash: Option<CrashPoint>,
    /// What happened once.
    pub happened: Happened,
}

/// How long a call waits before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// At least so many milliseconds.
    pub fixed_ms: u64,
    /// Up to so many milliseconds more, at random.
    pub jitter_ms: u64,
    /// Only these functions (`C_Encrypt`); all of the device's if empty.
    pub functions: Vec<String>,
}

/// A share of calls that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// Calls of a hundred that fail: 0 to 100.
    pub percent: f64,
    /// The return value (`CKR_DEVICE_ERROR`).
    pub code: String,
    /// Only these functions (`C_Encrypt`); all of the device's if empty.
    pub functions: Vec<String>,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Happened {
    /// All sessions were closed.
    pub sessions_lost: u64,
    /// All logins were ended.
    pub logins_lost: u64,
    /// The device was unplugged.
    pub removals: u64,
    /// A token's keys were destroyed.
    pub tamperings: u64,
}

impl Faults {
    /// The faults of a tokens' directory; none if there is no file.
    ///
    /// # Errors
    /// [`Error::DeviceError`] if the file cannot be read or is not one of ours.
    pub fn load(directory: &Path) -> Result<Self> {
        match fs::read(directory.join(FILE)) {
            Ok(bytes) => {
                let mut faults: Self =
                    serde_json::from_slice(&bytes).map_err(|_| Error::DeviceError)?;
                // A crash that struck is over, though nobody lived to write so.
                faults.crash = faults.crash.filter(|_| crash::is_armed(directory));
                Ok(faults)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(_) => Err(Error::DeviceError),
        }
    }

    /// Changes the faults of a directory, atomically; running modules follow at their next call.
    ///
    /// # Errors
    /// [`Error::DeviceError`] if the directory or its file cannot be used.
    pub fn change(directory: &Path, change: impl FnOnce(&mut Self)) -> Result<Self> {
        let _held = Store::open(directory, None)?.hold()?;
        let mut faults = Self::load(directory)?;
        change(&mut faults);
        crash::arm(directory, faults.crash).map_err(|_| Error::DeviceError)?;
        faults.save(directory).map_err(|_| Error::DeviceError)?;
        Ok(faults)
    }

    /// Ends every fault that lasts. What happened stays: lost sessions, locked PINs and destroyed
    /// keys are not brought back.
    pub fn clear(&mut self) {
        let happened = self.happened;
        *self = Self {
            happened,
            ..Self::default()
        };
    }

    fn save(&self, directory: &Path) -> std::io::Result<()> {
        let fresh = directory.join(format!("{FILE}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(fresh, file_of(directory))
    }
}

fn file_of(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Whether a list of functions means this one.
fn names(functions: &[String], function: &str) -> bool {
    functions.is_empty() || functions.iter().any(|named| named == function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_kept_and_cleared_but_what_happened_stays() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Faults::load(directory.path()), Ok(Faults::default()));
        let changed = Faults::change(directory.path(), |faults| {
            faults.is_full = true;
            faults.happened.sessions_lost += 1;
        })
        .unwrap();
        assert_eq!(Faults::load(directory.path()), Ok(changed));
        let cleared = Faults::change(directory.path(), Faults::clear).unwrap();
        assert!(!cleared.is_full);
        assert_eq!(cleared.happened.sessions_lost, 1);
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "{\"latencies\":1}").unwrap();
        assert_eq!(Faults::load(directory.path()), Err(Error::DeviceError));
    }
}
