//! The memory of a verification does not grow with the log: `verify` reads ten million entries in what it needs for
//! thirty thousand.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use ledger::verify::{Options, verify_archive};
use support::Log;
use tempfile::tempdir;

/// This file's test, which runs itself again in processes of their own.
const NAME: &str = "verifying_a_log_ten_times_as_long_takes_no_more_memory";
/// Names the archive to the process that verifies it.
const ARCHIVE: &str = "JINKU_TEST_ARCHIVE";
/// What one verification may take more than another, ten times as long a log or not.
const GROWTH_KIB: u64 = 3 * 1024;
/// What any verification may take.
const PEAK_KIB: u64 = 64 * 1024;

/// The most memory that this process had resident (proc(5)).
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Verifies the named archive in a process that did nothing else, and says its peak.
fn verified(dir: &Path) {
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let report = verify_archive(dir, &Log::empty().trust(), &options);
    assert_eq!(report.exit_code, 0, "{:?}", report.findings);
    fs::write(dir.with_extension("peak"), peak_kib().to_string()).unwrap();
}

fn peak_of(log: &Log) -> u64 {
    let home = tempdir().unwrap();
    let dir = home.path().join("archive");
    log.publish(&dir, &[log.entries.len() as u64]);
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(ARCHIVE, &dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let peak = fs::read_to_string(dir.with_extension("peak")).unwrap();
    peak.parse().unwrap()
}

#[test]
fn verifying_a_log_ten_times_as_long_takes_no_more_memory() {
    if let Some(dir) = env::var_os(ARCHIVE) {
        return verified(Path::new(&dir));
    }
    let mut log = Log::of(100_000);
    let longer = peak_of(&log);
    log.entries.truncate(10_000);
    log.items.truncate(10_000);
    let short = peak_of(&log);
    assert!(longer < PEAK_KIB, "{longer} KiB");
    assert!(
        longer <= short + GROWTH_KIB,
        "{short} KiB, and {longer} KiB for ten times as many"
    );
}
