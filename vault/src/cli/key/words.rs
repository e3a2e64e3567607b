//! Words of the command line, and files: what is read, and what is never overwritten.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::screen;

/// A `NAME=VALUE`.
pub(super) type Pair = (String, String);

/// Reads `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Pairs, each name once.
pub(super) fn pairs(list: &[Pair]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (name, value) in list {
        if all.insert(name.clone(), value.clone()).is_some() {
            bail!("`{name}` is named twice");
        }
    }
    Ok(all)
}

/// Reads a period in whole seconds: `90d`, `12h`, `30m` or `45s`.
pub(super) fn period(text: &str) -> Result<u64, String> {
    let wrong = || "write a number and s, m, h or d, for example 90d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 24 * 3_600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).ok_or_else(wrong)
}

/// A file's bytes, or those of standard input.
pub(in crate::cli) fn read(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    if let Some(file) = file.filter(|file| *file != Path::new("-")) {
        return std::fs::read(file).with_context(|| format!("`{}` can't be read", file.display()));
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.context("standard input can't be read")?;
    Ok(bytes)
}

/// Writes a new file that only its owner may read. One that is there stays as it is.
pub(in crate::cli) fn write_new(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(bytes)?;
        opened.sync_all()
    });
    written.with_context(|| {
        let file = file.display();
        format!("`{file}` can't be written; a file that is there is never overwritten")
    })
}

/// Refuses a file that is there already, before the vault does anything.
pub(in crate::cli) fn vacant(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!("`{}` is there already: name a new file", file.display());
    }
    Ok(())
}

/// Gives bytes out: into a new file, or to standard output where that is no terminal.
pub(super) fn deliver(bytes: &[u8], out: Option<&PathBuf>, entry: u64) -> anyhow::Result<()> {
    match out {
        Some(file) => {
            write_new(file, bytes)?;
            let (length, file) = (bytes.len(), file.display());
            screen::good(&format!("{length} bytes are in {file} (entry {entry})"));
            Ok(())
        }
        None if std::io::stdout().is_terminal() && !readable(bytes) => {
            bail!("the answer is not text: name --out FILE, redirect it, or ask for --json")
        }
        None => screen::bytes(bytes).context("standard output was closed"),
    }
}

fn readable(bytes: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || c == '\n' || c == '\t';
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(printable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit() {
        assert_eq!(period("90d"), Ok(7_776_000));
        assert_eq!(period("1h"), Ok(3_600));
        for wrong in ["", "d", "90", "-1d", "1.5h", "9天", "99999999999999999999d"] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_stands_once() {
        let one = pair("case=114=2").unwrap();
        assert_eq!(one, ("case".to_owned(), "114=2".to_owned()));
        assert!(pair("=x").is_err() && pair("x").is_err());
        assert!(pairs(&[one.clone(), one]).is_err());
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup");
        write_new(&file, b"first").unwrap();
        assert!(write_new(&file, b"second").is_err() && vacant(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"first");
    }
}
