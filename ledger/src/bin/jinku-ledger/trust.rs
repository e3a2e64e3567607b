//! What the auditor brings: keys, names, pinned checkpoints. All of it from outside of the archive.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ledger::policy::{POLICY_BYTES_MAX, Witness};
use ledger::verify::{Witnessing, signers_of, stated_origin};
use ledger::{
    ANY_TIME, Checkpoint, Origin, Policy, RotationError, SIGNERS_BYTES_MAX, SecondKey, Signers,
    StampTrust, Trust, VerifierKey,
};

use crate::args;
use crate::files::read;
use crate::screen::{Screen, shown};

/// A chain of certificates has a few kilobytes.
const CERTIFICATES_BYTES_MAX: u64 = 1024 * 1024;

/// The keys that the auditor holds.
pub(crate) struct Keyring {
    held: Vec<VerifierKey>,
    /// How many of them were named by themselves, and not in a policy, which may list logs of others.
    named: usize,
    /// Keys of second signatures, which are demanded then.
    second: Vec<SecondKey>,
    witnessing: Option<Witnessing>,
    stamps: Option<StampTrust>,
}

impl Keyring {
    /// The keys that were named. A file has one key a line; it lies outside of every archive.
    pub(crate) fn open(keys: &args::Keys, dirs: &[&Path]) -> anyhow::Result<Self> {
        let held = listed(&keys.key, &keys.key_file, dirs)?;
        let held = held.iter().map(|text| VerifierKey::parse(text));
        let held = held.collect::<Result<Vec<_>, _>>()?;
        let second = listed(&keys.second_key, &keys.second_key_file, dirs)?;
        let second = second.iter().map(|text| SecondKey::parse(text));
        Ok(Self {
            named: held.len(),
            held,
            second: second
                .collect::<Result<_, _>>()
                .context("the key of the second signature")?,
            witnessing: None,
            stamps: None,
        })
    }

    /// The key whose signature is demanded too: the one there is, or of several the one with this log's name.
    pub(crate) fn second(&self, origin: Option<&Origin>) -> anyhow::Result<Option<SecondKey>> {
        if self.second.len() < 2 {
            return Ok(self.second.first().cloned());
        }
        let named = |key: &&SecondKey| origin.is_some_and(|origin| origin.as_str() == key.name());
        let mut found = self.second.iter().filter(named);
        // None would demand nothing, and say so nowhere.
        let key = found
            .next()
            .context("no key of a second signature has the name of this log")?;
        ensure!(
            found.all(|other| other == key),
            "two keys of a second signature have the name of this log"
        );
        Ok(Some(key.clone()))
    }

    /// The same, with the policy's own keys of logs, and what it asks of witnesses.
    pub(crate) fn witnessed(
        keys: &args::Keys,
        witnesses: &args::Witnesses,
        dirs: &[&Path],
    ) -> anyhow::Result<Self> {
        let mut ring = Self::open(keys, dirs)?;
        for file in &witnesses.tsa_cert {
            dirs.iter().try_for_each(|dir| outside(file, dir))?;
            let held = StampTrust::parse(&read(file, CERTIFICATES_BYTES_MAX)?)
                .with_context(|| format!("the certificates {}", file.display()))?;
            ring.stamps.get_or_insert_default().extend(held);
        }
        let Some(file) = &witnesses.policy else {
            return Ok(ring);
        };
        dirs.iter().try_for_each(|dir| outside(file, dir))?;
        let text = read(file, POLICY_BYTES_MAX as u64)?;
        let policy = Policy::parse(&text)
            .with_context(|| format!("the policy {} cannot be used", file.display()))?;
        let is_log = |witness: &Witness| {
            let mut second = ring.second.iter();
            second.any(|key| key.public() == witness.key.public())
        };
        ensure!(
            !policy.witnesses().iter().any(is_log),
            "a witness in the policy {} has the key of a second signature: no log witnesses itself",
            file.display()
        );
        let logs = policy.logs().iter().map(|log| log.key.clone());
        ring.held.extend(logs);
        let since_s = witnesses
            .cosigned_since
            .map(|since| since.div_ceil(1_000_000));
        let times = since_s.unwrap_or(*ANY_TIME.start()).max(1)..=*ANY_TIME.end();
        ring.witnessing = Some(Witnessing { policy, times });
        Ok(ring)
    }

    /// The one key there is, whatever it is named; of several the one with this log's name.
    pub(crate) fn of(&self, origin: Option<&Origin>) -> anyhow::Result<Option<VerifierKey>> {
        if let [key] = self.held.as_slice() {
            return Ok(Some(key.clone()));
        }
        let named = |key: &&VerifierKey| origin.is_some_and(|origin| origin.as_str() == key.name());
        let mut found = self.held.iter().filter(named);
        let key = found.next();
        let other = found.find(|other| Some(*other) != key);
        ensure!(
            other.is_none(),
            "two keys have the name of this log: pass only the one that it signs with"
        );
        Ok(key.cloned())
    }

    /// Refuses several archives where one may stand in for another: two of one log, or a key that was named for
    /// none of them.
    pub(crate) fn told_apart(&self, dirs: &[&Path], origin: Option<&str>) -> anyhow::Result<()> {
        if dirs.len() < 2 {
            return Ok(());
        }
        let (mut logs, mut used) = (BTreeSet::new(), Vec::new());
        let mut unknown = false;
        for dir in dirs {
            let Some(stated) = stated_origin(dir) else {
                // It gets a verdict of its own, and whose key it lacks can't be said.
                unknown = true;
                continue;
            };
            used.extend(self.trust(dir, origin)?.key);
            let name = stated.to_string();
            ensure!(
                logs.insert(name.clone()),
                "two folders hold the log `{}`: one was put in another's place",
                shown(&name)
            );
        }
        let mut named = self.held.iter().take(self.named);
        let idle = named.find(|key| !unknown && !used.contains(key));
        if let Some(key) = idle {
            bail!(
                "none of these archives is of the key `{key}`: is one missing, or another in its place?"
            );
        }
        Ok(())
    }

    /// The trust in the archive in `dir`: its key, and the expected name.
    pub(crate) fn trust(&self, dir: &Path, origin: Option<&str>) -> anyhow::Result<Trust> {
        let origin = origin.map(Origin::parse).transpose()?;
        // The stated name only chooses among the auditor's own keys.
        let stated = || stated_origin(dir);
        let named = origin.clone().or_else(stated);
        let key = self.of(named.as_ref())?;
        Ok(Trust {
            key,
            second: self.second(named.as_ref())?,
            origin,
            witnessing: self.witnessing.clone(),
            stamps: self.stamps.clone(),
            ..Trust::default()
        })
    }
}

/// Keys as they were given, and those of files, which lie outside of every archive: one a line.
fn listed(given: &[String], files: &[PathBuf], dirs: &[&Path]) -> anyhow::Result<Vec<String>> {
    let mut keys: Vec<String> = given.iter().map(|text| text.trim().to_owned()).collect();
    for file in files {
        dirs.iter().try_for_each(|dir| outside(file, dir))?;
        let text = fs::read_to_string(file)
            .with_context(|| format!("the key file {} cannot be read", file.display()))?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        keys.extend(lines.map(str::to_owned));
    }
    Ok(keys)
}

/// The keys that sign a log, from the auditor's own along the statements in a file, if there is one. It is not
/// believed: each statement is held to both its keys. What does not hold is the inner error.
pub(crate) fn followed(
    key: &VerifierKey,
    statements: &args::Statements,
) -> anyhow::Result<Result<Signers, RotationError>> {
    let Some(file) = &statements.signers else {
        return Ok(Ok(Signers::pinned(key.clone())));
    };
    let text = read(file, SIGNERS_BYTES_MAX)?;
    Ok(match std::str::from_utf8(&text) {
        Ok(text) => Signers::followed(key, text),
        Err(_) => Err(RotationError::Malformed("not UTF-8")),
    })
}

/// The operator can write in the archive: a key from there would prove nothing.
pub(crate) fn outside(file: &Path, dir: &Path) -> anyhow::Result<()> {
    let Ok(dir) = dir.canonicalize() else {
        // Nothing lies inside of what is not there; whoever opens it says so.
        return Ok(());
    };
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Both where the file is named and where a link leads.
    let named: PathBuf = parent
        .canonicalize()
        .context("the file's folder cannot be opened")?;
    let real = file.canonicalize().unwrap_or_else(|_| named.clone());
    let inside = named.starts_with(&dir) || real.starts_with(&dir);
    ensure!(
        !inside,
        "the file lies inside the archive: keep keys and state away from the operator"
    );
    Ok(())
}

/// The checkpoint that this file pins; nothing where the file is not there yet.
pub(crate) fn pinned(file: &Path, dir: &Path, trust: &Trust) -> anyhow::Result<Option<Checkpoint>> {
    outside(file, dir)?;
    let Some(key) = &trust.key else {
        bail!("a pinned checkpoint needs --key or --key-file: only what is signed is pinned");
    };
    match fs::read_to_string(file) {
        Ok(note) => {
            // The log's key may have handed over since the key was pinned.
            let pinned = signers_of(dir, key).open(&note);
            let pinned =
                pinned.context("the pinned file is not a checkpoint signed by this key")?;
            Ok(Some(pinned))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("the pinned checkpoint cannot be read"),
    }
}

/// The same, where there may be none yet.
pub(crate) fn state(file: &Path, dir: &Path, trust: &Trust) -> anyhow::Result<Option<Checkpoint>> {
    let pinned = pinned(file, dir, trust)?;
    if pinned.is_none() {
        Screen::remark("first run: no state file yet, so nothing holds the log to its past");
    }
    Ok(pinned)
}
