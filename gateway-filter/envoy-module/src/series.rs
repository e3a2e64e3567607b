//! Owns the question which Envoy this is: by its own program's word, since its ABI can't be asked.

use std::process::{Command, Stdio};

/// The series whose ABI this module was made for: `v0.2.0`.
const SERIES: &str = "1.40.";

/// Why the module does not load.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeriesError {
    /// The program does not say what it is.
    #[error("this program does not say which Envoy it is: the module is for Envoy {SERIES}x alone")]
    Unknown,
    /// Another Envoy.
    #[error("this is Envoy {0}: the module is for {SERIES}x alone, whose ABI it knows")]
    Other(String),
}

/// Asks the running program for its version, in a process of its own.
pub(crate) fn check() -> Result<(), SeriesError> {
    let said = Command::new("/proc/self/exe")
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|_| SeriesError::Unknown)?;
    judge(&String::from_utf8_lossy(&said.stdout))
}

/// `envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`
fn judge(said: &str) -> Result<(), SeriesError> {
    let version = said
        .split_once("version: ")
        .and_then(|(_, version)| version.split('/').nth(1))
        .ok_or(SeriesError::Unknown)?;
    if version.starts_with(SERIES) {
        Ok(())
    } else {
        Err(SeriesError::Other(version.to_owned()))
    }
}
