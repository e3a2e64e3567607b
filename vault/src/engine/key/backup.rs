//! A key as a wrapped backup: its record and its versions, still under the root key, with a proof.
//!
//! It opens under the same root key only. The root key itself comes back from its recovery shares
//! (`jinku key ceremony`), so a backup and the shares bring a key back into another HSM.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms::{KeyId, KeyKind, WrappedKey};
use serde::{Deserialize, Serialize};

use super::KeyFault;
use super::cipher::key_facts;
use super::jwe::spent;
use super::life::KeyDetail;
use crate::commit::{NotDurable, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{
    Description, KeyAlias, KeyOrigin, KeyRecord, KeyRef, KeyState, RequestId, Tags, Timestamp,
    VersionState,
};
use crate::policy::key_act;
use crate::policy::{Authorized, OnKey};
use crate::store::{Change, KeyWrite, VersionRow};

const FORMAT: &str = "jinku-key-backup/1";

/// Longest backup that is read, in bytes.
const BACKUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The file: what is proven, as one string, and the root key's proof of it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    format: String,
    payload: String,
    proof: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    id: String,
    kind: String,
    owner: String,
    origin: String,
    aliases: Vec<String>,
    description: String,
    tags: BTreeMap<String, String>,
    current: u32,
    open_from: u32,
    rotation_seconds: Option<u64>,
    created_us: u64,
    versions: Vec<Version>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Version {
    number: u32,
    state: String,
    created_us: u64,
    wrapped: Option<String>,
}

/// A backup that was read, and is not proven yet.
pub struct KeyBackup {
    record: KeyRecord,
    versions: Vec<VersionRow>,
    payload: String,
    proof: Vec<u8>,
}

impl KeyBackup {
    /// Reads a backup: at most 16 MiB.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        if text.len() > BACKUP_BYTES_MAX {
            return Err(KeyFault::Backup);
        }
        let outer: Outer = serde_json::from_str(text).map_err(|_| KeyFault::Backup)?;
        let proof = STANDARD
            .decode(&outer.proof)
            .map_err(|_| KeyFault::Backup)?;
        let payload: Payload =
            serde_json::from_str(&outer.payload).map_err(|_| KeyFault::Backup)?;
        if outer.format != FORMAT {
            return Err(KeyFault::Backup);
        }
        payload
            .read(outer.payload.clone(), proof)
            .ok_or(KeyFault::Backup)
    }

    /// The key's record, for policy to decide on.
    pub fn record(&self) -> &KeyRecord {
        &self.record
    }
}

impl Engine {
    /// A key's backup, as text. It holds no material in the clear.
    pub async fn backup_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Backup>>,
        request: RequestId,
    ) -> Result<(String, Sequenced), EngineError> {
        let record = Arc::clone(proof.grant().key());
        let text = self
            .blocking(move |engine| engine.backed_up(&record))
            .await?;
        let facts = key_facts(&proof, proof.grant().key().current, request);
        let entry = self.record_plain(&proof, facts, Change::none()).await?;
        Ok((text, entry))
    }

    /// Brings a key back. Every version must open here first. It comes back suspended.
    pub async fn restore_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Restore>>,
        backup: KeyBackup,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let mut record = backup.record.clone();
        // The proof is for the record that policy saw, and for no other.
        if record != **proof.grant().key() {
            return Err(EngineError::Key(KeyFault::Backup));
        }
        record.revision = 1;
        record.rotate_at = record.rotation.map(|period| self.clock.now().after(period));
        record.state = match record.current {
            0 => KeyState::PreActivation,
            _ => KeyState::Suspended,
        };
        let versions = self
            .blocking(move |engine| Ok(engine.proven(backup)?))
            .await?;
        let mut keys = vec![KeyWrite::Add(record.clone())];
        keys.extend(spent(&record, &versions));
        keys.extend(versions.into_iter().map(KeyWrite::AddVersion));
        let change = Change {
            keys,
            ..Change::none()
        };
        let facts = key_facts(&proof, record.current, request);
        let entry = match self.record_plain(&proof, facts, change).await {
            Err(EngineError::NotDurable(NotDurable::Conflict)) => {
                return Err(self.in_the_way(&record).await?);
            }
            entry => entry?,
        };
        self.shelf.forget(&record.id);
        Ok((self.detail(&record.id).await?, entry))
    }

    /// What a restored key met: itself, or an alias of its that belongs to another key.
    async fn in_the_way(self: &Arc<Self>, record: &KeyRecord) -> Result<EngineError, EngineError> {
        let key = KeyRef::Id(record.id.clone());
        let stands = self.blocking(move |engine| Ok(engine.reader.key(&key)?));
        Ok(EngineError::Key(match stands.await? {
            Some(_) => KeyFault::Stands,
            None => KeyFault::AliasTaken,
        }))
    }

    fn backed_up(&self, record: &KeyRecord) -> Result<String, EngineError> {
        let mut versions = Vec::new();
        for version in self.reader.key_versions(&record.id)? {
            let row = self.reader.key_version(&record.id, version.number)?;
            versions.extend(row.map(Version::of));
        }
        let payload = serde_json::to_string(&Payload::of(record, versions))
            .map_err(|_| EngineError::Key(KeyFault::Backup))?;
        let proof = self.shelf.envelope.authenticate(payload.as_bytes());
        let outer = Outer {
            format: FORMAT.to_owned(),
            payload,
            proof: STANDARD.encode(proof.map_err(KeyFault::from)?),
        };
        serde_json::to_string(&outer).map_err(|_| EngineError::Key(KeyFault::Backup))
    }

    /// The versions of a backup that this root key made and opens.
    fn proven(&self, backup: KeyBackup) -> Result<Vec<VersionRow>, KeyFault> {
        let envelope = &self.shelf.envelope;
        let altered = |error| match error {
            kms::Error::Unopened => KeyFault::Backup,
            error => error.into(),
        };
        envelope
            .verify(backup.payload.as_bytes(), &backup.proof)
            .map_err(altered)?;
        for row in &backup.versions {
            if let Some(blob) = row.wrapped.clone() {
                let (id, kind) = (backup.record.id.clone(), backup.record.kind);
                let wrapped = WrappedKey::from_parts(id, row.number, kind, blob);
                envelope.open(&wrapped).map_err(altered)?;
            }
        }
        Ok(backup.versions)
    }
}

impl Payload {
    fn of(record: &KeyRecord, versions: Vec<Version>) -> Self {
        Self {
            id: record.id.as_str().to_owned(),
            kind: record.kind.as_str().to_owned(),
            owner: record.owner.clone(),
            origin: record.origin.as_str().to_owned(),
            aliases: record.aliases.iter().map(ToString::to_string).collect(),
            description: record.description.as_str().to_owned(),
            tags: record.tags.pairs().clone(),
            current: record.current,
            open_from: record.open_from,
            rotation_seconds: record.rotation.map(|period| period.as_secs()),
            created_us: record.created.0,
            versions,
        }
    }

    fn read(self, payload: String, proof: Vec<u8>) -> Option<KeyBackup> {
        let id = KeyId::parse(&self.id).ok()?;
        let aliases = self.aliases.iter().map(|alias| KeyAlias::parse(alias).ok());
        let mut record =
            KeyRecord::wished(id.clone(), KeyKind::parse(&self.kind).ok()?, self.owner);
        record.origin = KeyOrigin::parse(&self.origin)?;
        record.aliases = aliases.collect::<Option<_>>()?;
        record.description = Description::parse(self.description).ok()?;
        record.tags = Tags::parse(self.tags).ok()?;
        record.current = self.current;
        record.open_from = self.open_from.max(1);
        record.rotation = self.rotation_seconds.map(Duration::from_secs);
        record.created = Timestamp(self.created_us);
        let versions = self.versions.into_iter().map(|version| version.read(&id));
        Some(KeyBackup {
            record,
            versions: versions.collect::<Option<_>>()?,
            payload,
            proof,
        })
    }
}

impl Version {
    fn of(row: VersionRow) -> Self {
        Self {
            number: row.number,
            state: row.state.as_str().to_owned(),
            created_us: row.created.0,
            wrapped: row.wrapped.map(|blob| STANDARD.encode(blob)),
        }
    }

    fn read(self, key: &KeyId) -> Option<VersionRow> {
        let wrapped = match self.wrapped {
            Some(text) => Some(STANDARD.decode(text).ok()?),
            None => None,
        };
        Some(VersionRow {
            key: key.clone(),
            number: self.number,
            state: VersionState::parse(&self.state)?,
            wrapped,
            created: Timestamp(self.created_us),
        })
    }
}
