//! The witness's key pair. On disk as Go's `sumdb` writes private keys: `PRIVATE+KEY+name+id+base64`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::{WitnessKey, cosignature_line, cosigned_text};
use rand::TryRng as _;
use zeroize::Zeroizing;

const FILE: &str = "key";
const PREFIX: &str = "PRIVATE+KEY+";
/// C2SP tlog-cosignature's type of an Ed25519 cosigner.
const COSIGNATURE: u8 = 4;

/// A key pair under its name. The private half is wiped when it goes.
pub(super) struct KeyPair {
    signer: SigningKey,
    public: WitnessKey,
}

impl KeyPair {
    /// A new one, from the system's random numbers.
    pub(super) fn draw(name: &str) -> anyhow::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        let drawn = rand::rngs::SysRng.try_fill_bytes(seed.as_mut_slice());
        drawn.context("the system's random numbers failed")?;
        Self::of(name, &seed)
    }

    fn of(name: &str, seed: &[u8; 32]) -> anyhow::Result<Self> {
        let signer = SigningKey::from_bytes(seed);
        let public = WitnessKey::new(name, signer.verifying_key().to_bytes())?;
        Ok(Self { signer, public })
    }

    pub(super) fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// Writes the private half, for its owner alone.
    pub(super) fn keep(&self, dir: &Path) -> anyhow::Result<()> {
        let public = self.public.to_string();
        let id = public.split('+').nth(1).unwrap_or_default();
        let mut bytes = Zeroizing::new(vec![COSIGNATURE]);
        bytes.extend_from_slice(self.signer.as_bytes());
        let key = Zeroizing::new(STANDARD.encode(&*bytes));
        let text = format!("{PREFIX}{}+{id}+{}\n", self.public.name(), *key);
        let text = Zeroizing::new(text);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let mut file = file
            .open(dir.join(FILE))
            .context("the key can't be written")?;
        file.write_all(text.as_bytes())?;
        Ok(file.sync_all()?)
    }

    /// Reads it. Refuses a file that others may read.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let metadata = fs::metadata(&path).context("the witness's key can't be read")?;
        if metadata.permissions().mode() & 0o077 != 0 {
            bail!("`{}` can be read by others: chmod 600", path.display());
        }
        let text = Zeroizing::new(fs::read_to_string(&path).context("the witness's key")?);
        let broken = "the key file is not `PRIVATE+KEY+name+id+base64` of a witness";
        let mut parts = text
            .trim()
            .strip_prefix(PREFIX)
            .context(broken)?
            .splitn(3, '+');
        let (name, id, key) = (parts.next(), parts.next(), parts.next());
        let (name, id, key) = (
            name.context(broken)?,
            id.context(broken)?,
            key.context(broken)?,
        );
        let bytes = Zeroizing::new(STANDARD.decode(key).ok().context(broken)?);
        let (kind, seed) = bytes.split_first().context(broken)?;
        ensure!(*kind == COSIGNATURE, broken);
        let pair = Self::of(name, seed.try_into().ok().context(broken)?)?;
        let public = pair.public.to_string();
        ensure!(
            public.split('+').nth(1) == Some(id),
            "the key file's id is not its key's"
        );
        Ok(pair)
    }

    /// The cosignature's line over a checkpoint's text.
    pub(super) fn cosign(&self, body: &str, time_s: u64) -> String {
        let signature = self.signer.sign(cosigned_text(body, time_s).as_bytes());
        cosignature_line(&self.public, time_s, &signature.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::draw("witness.example/w1").unwrap();
        pair.keep(folder.path()).unwrap();
        assert!(
            pair.keep(folder.path()).is_err(),
            "a key is never overwritten"
        );
        let again = KeyPair::read(folder.path()).unwrap();
        assert_eq!(again.public, pair.public);
        assert_eq!(again.cosign("a\n", 7), pair.cosign("a\n", 7));
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("/w1", "/w2", 1)).unwrap();
        assert!(KeyPair::read(folder.path()).is_err(), "the id is another's");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyPair::read(folder.path()).is_err(), "others may read it");
    }
}
