//! Where the attacks are made: a folder with a fresh copy of the honest archive for each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ledger::tile::{bundle, entries_path};
use ledger::verify::{Class, Code, Finding, Options, verify_archive};
use ledger::{Report, Trust};

use super::{details, epochs, second, stamps, told, witnesses};
use crate::forge::{Forged, put};

/// Entries of the honest log: two whole bundles and a partial one.
pub(super) const SIZE: u64 = 700;
/// The sizes at which it was published.
pub(super) const SIZES: [u64; 4] = [1, 300, 512, SIZE];

/// One way to attack a ledger, and how it must be found.
pub(super) struct Attack {
    /// Its number in the catalogue of attacks.
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) make: fn(&Scene<'_>) -> anyhow::Result<Found>,
    pub(super) code: Code,
    pub(super) exit: u8,
    pub(super) at: At,
}

/// The place that must be named.
pub(super) enum At {
    Anywhere,
    Seq(u64),
    File(&'static str),
}

/// What was found.
pub(super) struct Found {
    pub(super) exit: u8,
    pub(super) codes: Vec<Code>,
    findings: Vec<Finding>,
}

impl Attack {
    pub(super) fn is_found(&self, found: &Found) -> bool {
        let placed = |finding: &&Finding| match self.at {
            At::Anywhere => true,
            At::Seq(seq) => {
                finding.seq <= Some(seq) && finding.seq_last.or(finding.seq) >= Some(seq)
            }
            At::File(file) => finding.file.as_deref() == Some(file),
        };
        let named = found
            .findings
            .iter()
            .filter(|finding| finding.code == self.code);
        let named = named.filter(placed).count() > 0;
        let said = named || matches!(self.at, At::Anywhere) && found.codes.contains(&self.code);
        said && found.exit == self.exit
    }
}

impl Found {
    /// A verdict that is one code.
    pub(super) fn of(code: Code) -> Self {
        Self {
            exit: code.class().exit_code(),
            codes: vec![code],
            findings: Vec::new(),
        }
    }

    /// A verdict that is one code, at an entry.
    pub(super) fn at(code: Code, seq: u64) -> Self {
        let finding = Finding {
            code,
            class: code.class(),
            file: None,
            offset: None,
            seq: Some(seq),
            seq_last: None,
            message: code.meaning().to_owned(),
        };
        Self {
            findings: vec![finding],
            ..Self::of(code)
        }
    }

    /// A verdict that all is well.
    pub(super) fn nothing() -> Self {
        Self {
            exit: Class::Verified.exit_code(),
            codes: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Where the finding of this code was placed.
    pub(super) fn place_of(&self, code: Code) -> String {
        let found = self.findings.iter().find(|finding| finding.code == code);
        let Some(found) = found else {
            return String::new();
        };
        let offset = found.offset.map(|offset| format!("byte {offset}"));
        let seq = found.seq.map(|seq| format!("seq {seq}"));
        let place: Vec<String> = [found.file.clone(), offset, seq]
            .into_iter()
            .flatten()
            .collect();
        place.join(" ")
    }
}

impl From<Report> for Found {
    fn from(report: Report) -> Self {
        Self {
            exit: report.exit_code,
            codes: report.findings.iter().map(|finding| finding.code).collect(),
            findings: report.findings,
        }
    }
}

/// The folder of all attacks.
pub(super) struct Bench {
    folder: PathBuf,
    log: Forged,
    kept: bool,
}

impl Bench {
    pub(super) fn set_up(keep: Option<&Path>) -> anyhow::Result<Self> {
        let own = || {
            let name = format!("jinku-ledger-selftest-{}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let folder = keep.map_or_else(own, Path::to_owned);
        ensure!(
            !folder.exists(),
            "{} is there already: name a new folder",
            folder.display()
        );
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self {
            folder,
            log: Forged::honest(SIZE)?,
            kept: keep.is_some(),
        })
    }

    /// What honest archives come to: alone, with witnesses, stamped, signed a second time, with reasons, with epochs.
    pub(super) fn honest(&self) -> anyhow::Result<Vec<Found>> {
        let scene = self.scene("honest")?;
        let mut found = vec![scene.judged()?, witnesses::honest(&scene)?];
        found.push(stamps::honest(&scene)?);
        found.extend(second::honest(&scene)?);
        found.extend(details::honest(&self.scene("honest-reasons")?)?);
        found.push(epochs::honest(&self.scene("honest-epochs")?)?);
        found.extend(told::honest(&scene)?);
        Ok(found)
    }

    pub(super) fn attack(&self, attack: &Attack) -> anyhow::Result<Found> {
        let name = format!("{}-{}", attack.id, attack.code);
        let scene = self.scene(&name)?;
        (attack.make)(&scene).with_context(|| format!("attack {} ({})", attack.id, attack.what))
    }

    /// Takes the folder away, unless it is to be kept.
    pub(super) fn clear(self) -> anyhow::Result<()> {
        if self.kept {
            return Ok(());
        }
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    fn scene(&self, name: &str) -> anyhow::Result<Scene<'_>> {
        let mut dir = self.folder.join(name);
        let mut again = 2;
        while dir.exists() {
            dir = self.folder.join(format!("{name}-{again}"));
            again += 1;
        }
        self.log.publish(&dir, &SIZES)?;
        Ok(Scene {
            dir,
            log: &self.log,
        })
    }
}

/// An honest archive, about to be attacked.
pub(super) struct Scene<'a> {
    pub(super) dir: PathBuf,
    pub(super) log: &'a Forged,
}

impl Scene<'_> {
    /// What the tool says of the archive now.
    pub(super) fn verify(&self, trust: &Trust) -> Found {
        verify_archive(&self.dir, trust, &Options::default()).into()
    }

    /// The same, with the log's own key.
    pub(super) fn judged(&self) -> anyhow::Result<Found> {
        Ok(self.verify(&self.log.trust()?))
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        put(&self.dir, path, bytes)
    }

    pub(super) fn remove(&self, path: &str) -> anyhow::Result<()> {
        let path = self.dir.join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    pub(super) fn flip(&self, path: &str, at: usize) -> anyhow::Result<()> {
        self.change(path, |bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1;
            }
        })
    }

    pub(super) fn change(
        &self,
        path: &str,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> anyhow::Result<()> {
        let mut bytes = fs::read(self.dir.join(path))?;
        change(&mut bytes);
        self.put(path, &bytes)
    }

    /// Writes the whole bundle `n` with other entries, and no hash with them.
    pub(super) fn put_bundle(&self, n: u64, entries: &[Vec<u8>]) -> anyhow::Result<()> {
        self.put(&entries_path(n, None), &bundle(entries))
    }

    /// The entries of the whole bundle `n`.
    pub(super) fn bundle(&self, n: usize) -> Vec<Vec<u8>> {
        self.log.entries[256 * n..256 * (n + 1)].to_vec()
    }

    /// Puts another log in the archive's place, as its operator can: signed with `log`'s key.
    pub(super) fn replace(&self, log: &Forged, sizes: &[u64]) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.dir)?;
        log.publish(&self.dir, sizes)
    }
}
