//! The log's second signature: its key opened or made, and held to the one that auditors were given.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail};
use kms::{Envelope, Hsm};
use ledger::SecondKey;

use super::open;
use crate::commit::{CheckpointSigner, Committer, SecondSigner};
use crate::config::{self, Config};
use crate::engine::Keys;
use crate::model::Clock;
use crate::store::{Reader, Shreds};

/// Where the publisher finds it.
pub(super) type Slot = Arc<OnceLock<SecondSigner>>;

/// The same, where the settings ask for one.
pub(super) struct Awaited(Option<Slot>);

/// Where auditors' copies come from.
fn key_file(config: &Config) -> PathBuf {
    config.data.join("ledger-second-key")
}

/// The signer with an empty place for it, where the settings ask for one.
pub(super) fn signing(config: &Config, signer: CheckpointSigner) -> (CheckpointSigner, Awaited) {
    let second = config.ledger.second_signature.map(|_| Slot::default());
    let signer = CheckpointSigner {
        second: second.clone(),
        ..signer
    };
    (signer, Awaited(second))
}

/// Opens the key, or makes it where none was handed out before, and puts it in its place.
pub(super) async fn fill(
    Awaited(slot): &Awaited,
    config: &Config,
    envelope: &Envelope,
    stores: (&Reader, &Shreds),
    (committer, clock): (&Committer, &Arc<dyn Clock>),
) -> anyhow::Result<()> {
    let Some(slot) = slot else { return Ok(()) };
    let file = key_file(config);
    let known = file.exists().then(|| config::read(&file)).transpose()?;
    // Made anew it would be another, and auditors hold the log to the one that they were given.
    if known.is_some() && Keys::standing_second_signer(envelope, stores.0)?.is_none() {
        bail!(
            "the database has no key of the second signature, and `{}` names one: restore the newest database, or take the \
             file away and tell the auditors",
            file.display()
        );
    }
    let signer = Keys::second_signer(envelope, stores, committer, clock).await?;
    let signer = named(config, signer)?;
    if known.is_some_and(|known| known.trim() != signer.key.to_string()) {
        bail!(
            "`{}` names another key than the database has: was it changed?",
            file.display()
        );
    }
    std::fs::write(&file, format!("{}\n", signer.key))
        .with_context(|| format!("`{}` can't be written", file.display()))?;
    // The slot is this process's own, and was empty.
    let _ = slot.set(signer);
    Ok(())
}

/// The same for a vault that does not run: where a vault with these settings made it.
pub(super) fn standing(
    config: &Config,
    hsm: &Arc<Hsm>,
    reader: &Reader,
) -> anyhow::Result<Option<Slot>> {
    if config.ledger.second_signature.is_none() {
        return Ok(None);
    }
    let root = open::root(hsm, &config.hsm, open::Age::Standing)?;
    under(config, &[&Envelope::new(Arc::clone(hsm), root)], reader)
}

/// The same where it may be wrapped under one or another root key.
pub(super) fn under(
    config: &Config,
    envelopes: &[&Envelope],
    reader: &Reader,
) -> anyhow::Result<Option<Slot>> {
    if config.ledger.second_signature.is_none() {
        return Ok(None);
    }
    let mut failure = None;
    for envelope in envelopes {
        match Keys::standing_second_signer(envelope, reader) {
            Ok(None) => return Ok(None),
            Ok(Some(signer)) => return Ok(Some(Arc::new(OnceLock::from(named(config, signer)?)))),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(None), |error| Err(error.into()))
}

fn named(config: &Config, signer: kms::SecondSigner) -> anyhow::Result<SecondSigner> {
    let key = SecondKey::new(config.ledger.origin.as_str(), &signer.public_key())?;
    let sign = move |message: &[u8]| signer.sign(message).map_err(|error| error.to_string());
    Ok(SecondSigner {
        key,
        sign: Box::new(sign),
    })
}
