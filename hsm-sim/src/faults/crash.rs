//! The power cut on order: where it strikes, and that it strikes once. Whoever removes the mark
//! `crash-armed` is the one that ends.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

/// The mark's name in the tokens' directory.
const MARK: &str = "crash-armed";

/// What this program's module waits for. The store asks on every write, so it is no lock.
static ARMED: AtomicU8 = AtomicU8::new(0);

/// Where the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashPoint {
    /// At the next call, before it did anything.
    Call,
    /// When the next change of a token is about to be stored.
    BeforeWrite,
    /// When the next change of a token is stored, but not yet answered.
    AfterWrite,
}

impl CrashPoint {
    fn number(self) -> u8 {
        match self {
            Self::Call => 1,
            Self::BeforeWrite => 2,
            Self::AfterWrite => 3,
        }
    }
}

/// Sets or removes the mark.
pub(super) fn arm(directory: &Path, point: Option<CrashPoint>) -> std::io::Result<()> {
    let mark = directory.join(MARK);
    if point.is_some() {
        return File::create(mark).map(drop);
    }
    match fs::remove_file(mark) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether nobody took the crash yet.
pub(super) fn is_armed(directory: &Path) -> bool {
    directory.join(MARK).exists()
}

/// This program's module follows the faults file.
pub(super) fn expect(point: Option<CrashPoint>) {
    ARMED.store(point.map_or(0, CrashPoint::number), Ordering::Relaxed);
}

/// Ends the program if a crash is ordered here and nobody took it yet.
pub(crate) fn at(directory: &Path, point: CrashPoint) {
    if ARMED.load(Ordering::Relaxed) == point.number()
        && fs::remove_file(directory.join(MARK)).is_ok()
    {
        std::process::abort();
    }
}
