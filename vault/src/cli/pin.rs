//! The HSM's PIN: from a file, or unsealed by holders of recovery shares. Says which way it takes.
//!
//! While the vault is sealed it listens on `unseal.sock` in its data directory, for its own user and
//! root alone, and takes shares one by one: a line in, a line out. Nothing else listens yet.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use kms::shares::{Collector, Share};
use kms::{HsmSettings, Pin, RecoveryFile};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use zeroize::Zeroizing;

use crate::config::{self, Config, HsmConfig, PinSource};

/// Longest line of the unsealing, in bytes. A share has less than half of it.
pub(super) const LINE_BYTES_MAX: u64 = 512;

/// How long a holder's connection may stay silent.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What a sealed vault answers when the last share was taken.
pub(super) const UNSEALED: &str = "unsealed";

/// Where a sealed vault takes shares.
pub(super) fn socket(config: &Config) -> PathBuf {
    config.data.join("unseal.sock")
}

/// The PIN. A sealed vault waits here until enough shares were brought.
pub(super) async fn obtain(config: &Config) -> anyhow::Result<Pin> {
    let (token, root) = (
        config.hsm.token_label.as_str(),
        config.hsm.root_label.as_str(),
    );
    match &config.hsm.pin {
        PinSource::File(file) => {
            tracing::info!(token, root, pin_file = %file.display(), "the root key opens with the PIN of a file");
            from_file(file)
        }
        PinSource::Unseal => {
            let file = recovery_file(&config.hsm.recovery_file)?;
            if !file.has_pin() {
                bail!(
                    "the recovery file holds no PIN: name `hsm.pin_file`, or hold a new ceremony"
                );
            }
            let pin = unsealed(&file, &socket(config), token, root).await?;
            tracing::info!(
                token,
                root,
                "the root key opens with the PIN that the shares gave"
            );
            Ok(pin)
        }
    }
}

/// The token that the configuration names, with its PIN.
pub(super) fn token(config: &HsmConfig, pin: Pin) -> HsmSettings {
    HsmSettings {
        sessions_max: config.sessions_max,
        gcm_iv: config.gcm_iv,
        ..HsmSettings::new(config.module.clone(), config.token_label.clone(), pin)
    }
}

/// The first line of a PIN file.
pub(super) fn from_file(path: &Path) -> anyhow::Result<Pin> {
    let text = config::read(path).context("the HSM's PIN file can't be read")?;
    let text = Zeroizing::new(text);
    Ok(Pin::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a recovery file.
pub(super) fn recovery_file(path: &Path) -> anyhow::Result<RecoveryFile> {
    let text =
        config::read(path).context("there is no recovery file: `jinku key ceremony` makes one")?;
    Ok(RecoveryFile::parse(&text)?)
}

async fn unsealed(
    file: &RecoveryFile,
    path: &Path,
    token: &str,
    root: &str,
) -> anyhow::Result<Pin> {
    let listener = listen(path)?;
    let set = file.set();
    tracing::warn!(
        token, root, socket = %path.display(), shares = set.threshold(), of = set.count(),
        "the vault is sealed: holders of recovery shares run `jinku unseal`"
    );
    let mut collector = Collector::of(file);
    while collector.missing() > 0 {
        let (stream, _) = listener.accept().await?;
        // A holder who says nothing, or hangs up, must not keep the next one out.
        match tokio::time::timeout(SILENCE_MAX, take(stream, &mut collector)).await {
            Ok(Ok(missing)) => tracing::info!(missing, "a holder brought a share"),
            Ok(Err(error)) => tracing::warn!(%error, "a share was not taken"),
            Err(_) => tracing::warn!("a holder's connection was silent"),
        }
    }
    drop(listener);
    std::fs::remove_file(path).context("the unsealing's socket can't be removed")?;
    let secret = collector.combine()?;
    file.pin(&secret)?.context("the recovery file holds no PIN")
}

/// One line in, one line out.
async fn take(stream: UnixStream, collector: &mut Collector<'_>) -> anyhow::Result<u8> {
    let (reading, mut writing) = stream.into_split();
    let mut line = Zeroizing::new(String::with_capacity(usize::try_from(LINE_BYTES_MAX)?));
    BufReader::new(reading.take(LINE_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let taken = Share::parse(line.trim_end()).and_then(|share| collector.take(share));
    let answer = match &taken {
        Ok(0) => format!("{UNSEALED}\n"),
        Ok(missing) => format!("taken: {missing} more needed\n"),
        Err(error) => format!("refused: {error}\n"),
    };
    writing.write_all(answer.as_bytes()).await?;
    Ok(taken?)
}

fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // What an earlier start left behind; a vault that runs holds the database's lock, not this.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)
        .with_context(|| format!("`{}` can't be listened on", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
