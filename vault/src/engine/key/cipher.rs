//! Encrypt, decrypt, move ciphertexts, make data keys.

use std::sync::Arc;

use kms::{NamedKey, Sealer, SecretBytes, Usage};

use super::act::{ActFacts, Outcomes, fits, named, usable};
use super::{Acted, ItemFault, KeyFault};
use crate::commit::Withheld;
use crate::engine::{Engine, EngineError};
use crate::model::{EncryptionContext, KeyRecord, RequestId};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey};
use crate::seal::payload;

/// Longest data key, in bytes.
const DATA_KEY_BYTES_MAX: usize = 1024;

/// The version that a ciphertext names.
type NamedVersion = Result<u32, ItemFault>;

/// One payload to be encrypted.
pub struct EncryptRequest {
    /// The payload.
    pub plaintext: SecretBytes,
    /// What the ciphertext belongs to.
    pub context: EncryptionContext,
}

/// A ciphertext, and the version it is under.
pub struct Encrypted {
    /// Self-describing: it names key and version.
    pub ciphertext: Vec<u8>,
    /// The version.
    pub version: u32,
}

/// One ciphertext to be decrypted.
pub struct DecryptRequest {
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
    /// The context it was made in.
    pub context: EncryptionContext,
}

/// A payload, and the version it was under.
pub struct Decrypted {
    /// The payload.
    pub plaintext: SecretBytes,
    /// The version.
    pub version: u32,
}

/// One ciphertext to be moved.
pub struct MoveRequest {
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
    /// The context it was made in.
    pub source: EncryptionContext,
    /// The context it shall belong to.
    pub destination: EncryptionContext,
}

/// A ciphertext after a move.
pub struct Moved {
    /// The new ciphertext.
    pub ciphertext: Vec<u8>,
    /// The version it left.
    pub from_version: u32,
    /// The version it is under now.
    pub version: u32,
}

/// One data key to be made.
pub struct DataKeyRequest {
    /// How long it is: 1 to 1,024 bytes.
    pub bytes: usize,
    /// What its ciphertext belongs to.
    pub context: EncryptionContext,
}

/// A data key.
pub struct DataKey {
    /// The key itself; absent where only its ciphertext was asked for.
    pub plaintext: Option<SecretBytes>,
    /// It, encrypted.
    pub ciphertext: Vec<u8>,
    /// The version it is under.
    pub version: u32,
}

impl Engine {
    /// Encrypts payloads under the current version, or under an older one named by number.
    pub async fn encrypt(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Encrypt>>,
        version: Option<u32>,
        items: Vec<EncryptRequest>,
        request: RequestId,
    ) -> Result<Acted<Encrypted>, EngineError> {
        self.batch_size(items.len())?;
        let record = proof.grant().key();
        usable(record, Usage::Encrypt)?;
        let open = self.opened_to_protect(record, version).await?;
        let facts = key_facts(&proof, open.version(), request);
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| item.plaintext.len()).sum();
        let encrypt = move || {
            let mut cipher = payload::sealer(&open, items.len());
            let one = |item: EncryptRequest| {
                let context = item.context.binding();
                let sealed = fits(&item.plaintext, bytes_max)
                    .and_then(|()| batch(&mut cipher))
                    .and_then(|sealer| Ok(payload::encrypt(sealer, &context, item.plaintext)?));
                (context, sealed.map(|sealed| under(sealed, open.version())))
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, encrypt).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// Decrypts what the key encrypted, each in its own context.
    pub async fn decrypt(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Decrypt>>,
        items: Vec<DecryptRequest>,
        request: RequestId,
    ) -> Result<Acted<Decrypted>, EngineError> {
        self.batch_size(items.len())?;
        let record = Arc::clone(proof.grant().key());
        usable(&record, Usage::Encrypt)?;
        let versions = versions_of(items.iter().map(|item| &*item.ciphertext), &record);
        let opened = self
            .opened_versions(&record, versions.iter().flatten().copied())
            .await;
        let facts = key_facts(&proof, opened.only(), request);
        let bytes = items.iter().map(|item| item.ciphertext.len()).sum();
        let decrypt = move || {
            let one = |(item, version): (DecryptRequest, NamedVersion)| {
                let context = item.context.binding();
                let plain = version.and_then(|version| {
                    let open = opened.of(version)?;
                    let plain = payload::decrypt(open, &context, item.ciphertext)?;
                    Ok(plain
                        .with(version)
                        .map(|(plaintext, version)| Decrypted { plaintext, version }))
                });
                (context, plain)
            };
            items.into_iter().zip(versions).map(one).collect()
        };
        let outcomes = Self::worked(bytes, decrypt).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// Moves ciphertexts to another key, the newest version, or another context. No payload is shown.
    pub async fn re_encrypt(
        self: &Arc<Self>,
        proof: Authorized<key_act::Move>,
        items: Vec<MoveRequest>,
        request: RequestId,
    ) -> Result<Acted<Moved>, EngineError> {
        self.batch_size(items.len())?;
        let (from, to) = (Arc::clone(proof.grant().from()), proof.grant().to());
        usable(&from, Usage::Encrypt)?;
        usable(to, Usage::Encrypt)?;
        let target = self.opened_to_protect(to, None).await?;
        let versions = versions_of(items.iter().map(|item| &*item.ciphertext), &from);
        let opened = self
            .opened_versions(&from, versions.iter().flatten().copied())
            .await;
        let facts = ActFacts {
            operation: key_act::ReEncryptTo::OPERATION,
            key: Some(named(to, target.version())),
            purpose: proof.grant().purpose().cloned(),
            request,
        };
        let bytes = items.iter().map(|item| item.ciphertext.len()).sum();
        let re_encrypt = move || {
            let mut cipher = payload::sealer(&target, items.len());
            let one = |(item, version): (MoveRequest, NamedVersion)| {
                let (source, destination) = (item.source.binding(), item.destination.binding());
                let moved = version.and_then(|version| {
                    let open = opened.of(version)?;
                    let (from, to) = ((open, &source), (batch(&mut cipher)?, &destination));
                    let sealed = payload::re_encrypt(from, to, item.ciphertext)?;
                    Ok(sealed.with((open.version(), target.version())).map(moved))
                });
                (destination, moved)
            };
            items.into_iter().zip(versions).map(one).collect()
        };
        let outcomes = Self::worked(bytes, re_encrypt).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// Makes data keys, and gives them plain and encrypted.
    pub async fn data_keys(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::DataKey>>,
        items: Vec<DataKeyRequest>,
        request: RequestId,
    ) -> Result<Acted<DataKey>, EngineError> {
        let outcomes = self.drawn(proof.grant().key(), items).await?;
        let facts = key_facts(&proof, proof.grant().key().current, request);
        self.record_act(&proof, facts, outcomes).await
    }

    /// Makes data keys, and gives their ciphertexts only.
    pub async fn wrapped_data_keys(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::WrappedDataKey>>,
        items: Vec<DataKeyRequest>,
        request: RequestId,
    ) -> Result<Acted<DataKey>, EngineError> {
        let without = |key: DataKey| DataKey {
            plaintext: None,
            ..key
        };
        let outcomes = self.drawn(proof.grant().key(), items).await?.into_iter();
        let outcomes = outcomes.map(|(context, key)| (context, key.map(|key| key.map(without))));
        let facts = key_facts(&proof, proof.grant().key().current, request);
        self.record_act(&proof, facts, outcomes.collect()).await
    }

    async fn drawn(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        items: Vec<DataKeyRequest>,
    ) -> Result<Outcomes<DataKey>, EngineError> {
        self.batch_size(items.len())?;
        usable(record, Usage::Encrypt)?;
        if items
            .iter()
            .any(|item| !(1..=DATA_KEY_BYTES_MAX).contains(&item.bytes))
        {
            return Err(EngineError::Key(KeyFault::Range {
                name: "bytes",
                range: format!("1 to {DATA_KEY_BYTES_MAX}"),
            }));
        }
        let open = self.opened_to_protect(record, None).await?;
        let mut cipher = payload::sealer(&open, items.len());
        let one = |item: DataKeyRequest| {
            let context = item.context.binding();
            let made = batch(&mut cipher)
                .and_then(|sealer| Ok(payload::data_key(sealer, &context, item.bytes)?));
            let made = made.map(|made| made.with(open.version()).map(data_key));
            (context, made)
        };
        Ok(items.into_iter().map(one).collect())
    }
}

/// A batch's sealer: there is one, because [`usable`] has seen that the key encrypts.
fn batch<'all, 'key>(
    sealer: &'all mut Result<Sealer<'key>, kms::Error>,
) -> Result<&'all mut Sealer<'key>, ItemFault> {
    Ok(sealer.as_mut().map_err(|_| kms::Error::Usage)?)
}

/// The versions that ciphertexts of this key name. What one names is not believed before it opens:
/// one of another key, or of a version that never was, gets the answer of an altered one.
fn versions_of<'all>(
    ciphertexts: impl Iterator<Item = &'all [u8]>,
    record: &KeyRecord,
) -> Vec<NamedVersion> {
    let key = NamedKey::new(&record.id);
    let version = |ciphertext| match key.version(ciphertext) {
        Ok(version) if (1..=record.current).contains(&version) => Ok(version),
        _ => Err(ItemFault::Unopened),
    };
    ciphertexts.map(version).collect()
}

pub(super) fn key_facts<A: KeyAct>(
    proof: &Authorized<OnKey<A>>,
    version: u32,
    request: RequestId,
) -> ActFacts {
    ActFacts {
        operation: A::OPERATION,
        key: Some(named(proof.grant().key(), version)),
        purpose: proof.grant().purpose().cloned(),
        request,
    }
}

fn under(sealed: Withheld<Vec<u8>>, version: u32) -> Withheld<Encrypted> {
    sealed.with(version).map(|(ciphertext, version)| Encrypted {
        ciphertext,
        version,
    })
}

fn moved((ciphertext, (from_version, version)): (Vec<u8>, (u32, u32))) -> Moved {
    Moved {
        ciphertext,
        from_version,
        version,
    }
}

fn data_key(((plaintext, ciphertext), version): ((SecretBytes, Vec<u8>), u32)) -> DataKey {
    DataKey {
        plaintext: Some(plaintext),
        ciphertext,
        version,
    }
}
