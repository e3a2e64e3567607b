//! The most memory that `verify` has of an archive: of a process of its own, for this one holds the whole log.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

/// How often it is looked at. The most that a process ever had is counted by the kernel, until it is gone.
const LOOKS_APART: Duration = Duration::from_millis(2);

/// `VmHWM` (proc(5)) of `verify` over this archive, in KiB; nothing where there is no such file system.
pub(super) fn peak_kib(dir: &Path, key: &str) -> anyhow::Result<Option<u64>> {
    let mut verify = Command::new(env::current_exe()?)
        .arg("verify")
        .arg(dir)
        .args(["--key", key, "--quiet"])
        .stdout(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", verify.id());
    let mut peak = None;
    let ended = loop {
        if let Some(ended) = verify.try_wait()? {
            break ended;
        }
        peak = peak.max(
            fs::read_to_string(&status)
                .ok()
                .and_then(|told| high_water(&told)),
        );
        thread::sleep(LOOKS_APART);
    };
    ensure!(
        ended.success(),
        "the archive made for this is not verified by `verify`"
    );
    Ok(peak)
}

fn high_water(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
