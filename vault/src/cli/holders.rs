//! Shares to and from their holders: at a terminal, one person at a time, or by files.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use kms::shares::{Collector, Share};
use kms::{RecoveryFile, SecretBytes};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::screen;

/// Longest file with a share, in bytes.
const SHARE_BYTES_MAX: u64 = 512;

/// How shares come and go.
pub(super) enum Table {
    /// At the terminal: what is typed does not show, what was shown is wiped from the screen.
    Terminal,
    /// One file a share, for holders who are not here: `share-1-of-5.txt`.
    Folder(PathBuf),
}

impl Table {
    /// A folder, or the terminal if there is one.
    pub(super) fn set(folder: Option<&Path>) -> anyhow::Result<Self> {
        match folder {
            Some(folder) => Ok(Self::Folder(folder.to_owned())),
            None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => {
                Ok(Self::Terminal)
            }
            None => bail!("this is no terminal: name a folder with --share-dir, or run it at one"),
        }
    }

    /// Gives each share out, once.
    pub(super) fn give(&self, shares: &[Share]) -> anyhow::Result<()> {
        for share in shares {
            match self {
                Self::Terminal => show(share)?,
                Self::Folder(folder) => {
                    let path = folder.join(name(share));
                    write_new(&path, &share.line())?;
                    screen::good(&format!("share {} is in {}", share.index(), path.display()));
                }
            }
        }
        Ok(())
    }

    /// Takes every share back, so that a wrong copy is found while it can be mended.
    pub(super) fn verify(&self, shares: &[Share], file: &RecoveryFile) -> anyhow::Result<()> {
        for share in shares {
            let number = share.index();
            let given = match self {
                Self::Terminal => asked(&format!(
                    "Holder {number}: your share, as you wrote it down"
                ))?,
                Self::Folder(folder) => read(&folder.join(name(share)))?,
            };
            let given = Share::parse(given.trim_end())?;
            if given.index() != number {
                bail!("this is share {}, not share {number}", given.index());
            }
            file.check_share(&given)?;
            screen::good(&format!("share {number} is as it was given out"));
        }
        Ok(())
    }
}

/// The secret, of shares in files or typed at the terminal.
pub(super) fn collect(file: &RecoveryFile, paths: &[PathBuf]) -> anyhow::Result<SecretBytes> {
    let mut collector = Collector::of(file);
    for path in paths {
        if collector.missing() > 0 {
            let share = Share::parse(read(path)?.trim_end())?;
            collector
                .take(share)
                .with_context(|| format!("`{}`", path.display()))?;
        }
    }
    if !paths.is_empty() || collector.missing() == 0 {
        return Ok(collector.combine()?);
    }
    while collector.missing() > 0 {
        let prompt = format!("A share ({} more needed)", collector.missing());
        let typed = asked(&prompt)?;
        match Share::parse(typed.trim_end()).and_then(|share| collector.take(share)) {
            Ok(_) => screen::good("taken"),
            Err(error) => screen::bad(&error.to_string()),
        }
    }
    Ok(collector.combine()?)
}

/// A line that is typed without being shown; from a pipe, as it comes.
pub(super) fn asked(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    let mut line = Zeroizing::new(String::with_capacity(512));
    if !stdin.is_terminal() {
        stdin.lock().take(SHARE_BYTES_MAX).read_line(&mut line)?;
        return Ok(line);
    }
    screen::ask(prompt);
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let typed = stdin.lock().take(SHARE_BYTES_MAX).read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    screen::line("");
    typed?;
    Ok(line)
}

fn show(share: &Share) -> anyhow::Result<()> {
    asked(&format!(
        "Share {}: only its holder looks. Enter shows it",
        share.index()
    ))?;
    screen::line(&share.line());
    asked("Written down? It is not shown again. Enter wipes it")?;
    screen::wipe();
    Ok(())
}

fn name(share: &Share) -> String {
    format!("share-{}-of-{}.txt", share.index(), share.set().count())
}

pub(super) fn read(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    let file = File::open(path).with_context(|| format!("`{}` can't be read", path.display()))?;
    file.take(SHARE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// A file for its owner alone, that was not there before, and is on disk when this returns.
pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file =
        file.with_context(|| format!("`{}` can't be made: is it there already?", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(file.sync_all()?)
}
