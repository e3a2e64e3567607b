//! JWEs under keys that both sides have: made and opened, in batches.
//!
//! A key has one algorithm, by its kind: `jwe-dir` or `jwe-a256kw`. Keys of other kinds make none, and these keys do
//! nothing else. With `dir` the key itself encrypts under random nonces of 96 bits, so each version's messages are
//! counted, in the transaction of their entry, up to what NIST SP 800-38D section 8.3 allows.

use std::sync::Arc;

use kms::jwe::{OpenedShared, named_key};
use kms::{KeyKind, SecretBytes, Usage};

use super::act::{fits, no_context, usable};
use super::cipher::key_facts;
use super::{Acted, ItemFault, KeyFault};
use crate::commit::NotDurable;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyOrigin, KeyRecord, RequestId};
use crate::policy::key_act;
use crate::policy::{Authorized, OnKey};
use crate::seal::payload;
use crate::store::{Change, KeyWrite, VersionRow};

/// Most messages that one version of a `jwe-dir` key makes: the invocations that NIST SP 800-38D section 8.3 allows.
const MESSAGES_MAX: u64 = 1 << 32;
/// The same for a key that came from outside: whoever else has it makes messages too, and is left half of them.
const MESSAGES_MAX_EXTERNAL: u64 = 1 << 31;
/// Longest media type, in bytes.
const CTY_BYTES_MAX: usize = 256;

/// What is asked of a batch of JWEs that are made.
#[derive(Clone, Copy)]
pub struct JweWish {
    /// The kind that the key must be of, where the caller insists.
    pub kind: Option<KeyKind>,
    /// An older version instead of the current one.
    pub version: Option<u32>,
}

/// One payload that becomes a JWE.
pub struct JweEncryptRequest {
    /// The payload.
    pub plaintext: SecretBytes,
    /// Its media type: 1 to 256 visible characters of ASCII and spaces.
    pub cty: Option<String>,
}

/// A JWE in compact serialization, and the version it is under.
pub struct JweEncrypted {
    /// The message. Its `kid` is `ID:vVERSION`.
    pub jwe: String,
    /// The version.
    pub version: u32,
}

/// A payload, and what its JWE said.
pub struct JweDecrypted {
    /// The payload.
    pub plaintext: SecretBytes,
    /// Its media type, as whoever made the message wrote it.
    pub cty: Option<String>,
    /// The version it was under.
    pub version: u32,
}

impl Engine {
    /// Makes JWEs under the current version, or under an older one named by number.
    pub async fn encrypt_jwe(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Encrypt>>,
        wish: JweWish,
        items: Vec<JweEncryptRequest>,
        request: RequestId,
    ) -> Result<Acted<JweEncrypted>, EngineError> {
        self.batch_size(items.len())?;
        let record = proof.grant().key();
        of_kind(record, wish.kind)?;
        if !items.iter().all(|item| is_plain(item.cty.as_deref())) {
            return Err(EngineError::Key(KeyFault::Range {
                name: "cty",
                range: format!("1 to {CTY_BYTES_MAX} visible characters of ascii and spaces"),
            }));
        }
        let open = self.opened_to_protect(record, wish.version).await?;
        let version = open.version();
        let facts = key_facts(&proof, version, request);
        let change = counted(record, version, items.len());
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| item.plaintext.len()).sum();
        let encrypt = move || {
            let one = |item: JweEncryptRequest| {
                let cty = item.cty.as_deref();
                let made = fits(&item.plaintext, bytes_max)
                    .and_then(|()| Ok(payload::encrypt_jwe(&open, &item.plaintext, cty)?));
                let made = made.map(|made| {
                    made.with(version)
                        .map(|(jwe, version)| JweEncrypted { jwe, version })
                });
                (no_context(), made)
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, encrypt).await?;
        let done = self.record_changing(&proof, facts, outcomes, change).await;
        match done {
            Err(EngineError::NotDurable(NotDurable::Conflict)) => {
                Err(EngineError::Key(KeyFault::Exhausted))
            }
            done => done,
        }
    }

    /// Opens JWEs, each under the version that it names.
    pub async fn decrypt_jwe(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Decrypt>>,
        kind: Option<KeyKind>,
        messages: Vec<String>,
        request: RequestId,
    ) -> Result<Acted<JweDecrypted>, EngineError> {
        self.batch_size(messages.len())?;
        let record = Arc::clone(proof.grant().key());
        of_kind(&record, kind)?;
        let versions: Vec<_> = messages.iter().map(|one| version(one, &record)).collect();
        let named = versions.iter().flatten().copied();
        let opened = self.opened_versions(&record, named).await;
        let facts = key_facts(&proof, opened.only(), request);
        let bytes = messages.iter().map(String::len).sum();
        let decrypt = move || {
            let one = |(message, version): (String, Result<u32, ItemFault>)| {
                let plain = version.and_then(|version| {
                    let plain = payload::decrypt_jwe(opened.of(version)?, &message)?;
                    Ok(plain.with(version).map(decrypted))
                });
                (no_context(), plain)
            };
            messages.into_iter().zip(versions).map(one).collect()
        };
        let outcomes = Self::worked(bytes, decrypt).await?;
        self.record_act(&proof, facts, outcomes).await
    }
}

/// Whether requests may make and open JWEs with the key, and it is of the kind that the caller insists on.
fn of_kind(record: &KeyRecord, kind: Option<KeyKind>) -> Result<(), KeyFault> {
    usable(record, Usage::Jwe)?;
    match kind {
        Some(kind) if kind != record.kind => Err(KeyFault::Usage(record.kind)),
        _ => Ok(()),
    }
}

/// Whether a header's line can hold it.
fn is_plain(cty: Option<&str>) -> bool {
    let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    cty.is_none_or(|cty| (1..=CTY_BYTES_MAX).contains(&cty.len()) && cty.bytes().all(plain))
}

/// The version of this key that a message names. Another key's name, or a version that never was, gets the answer of
/// an altered message.
fn version(message: &str, record: &KeyRecord) -> Result<u32, ItemFault> {
    match named_key(message) {
        Ok((id, version)) if id == record.id && (1..=record.current).contains(&version) => {
            Ok(version)
        }
        _ => Err(ItemFault::Unopened),
    }
}

fn decrypted((opened, version): (OpenedShared, u32)) -> JweDecrypted {
    JweDecrypted {
        plaintext: opened.plaintext,
        cty: opened.cty,
        version,
    }
}

/// The messages of a version whose key itself encrypts, counted.
fn counted(record: &KeyRecord, version: u32, messages: usize) -> Change {
    let count = |messages_max| KeyWrite::CountMessages {
        key: record.id.clone(),
        number: version,
        messages: u64::try_from(messages).unwrap_or(u64::MAX),
        messages_max,
    };
    let keys = match (record.kind, record.origin) {
        (KeyKind::JweDir, KeyOrigin::Vault) => vec![count(MESSAGES_MAX)],
        (KeyKind::JweDir, KeyOrigin::External) => vec![count(MESSAGES_MAX_EXTERNAL)],
        _ => Vec::new(),
    };
    Change {
        keys,
        ..Change::none()
    }
}

/// What a key that comes back from its backup has made is not known: its versions open, and make no more messages.
pub(super) fn spent(record: &KeyRecord, versions: &[VersionRow]) -> Vec<KeyWrite> {
    let spent = |row: &VersionRow| KeyWrite::CountMessages {
        key: row.key.clone(),
        number: row.number,
        messages: MESSAGES_MAX,
        messages_max: MESSAGES_MAX,
    };
    match record.kind {
        KeyKind::JweDir => versions.iter().map(spent).collect(),
        _ => Vec::new(),
    }
}
