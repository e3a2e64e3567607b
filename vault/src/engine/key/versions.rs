//! A key's versions: a new one, one that is compromised, one that is destroyed.

use std::sync::Arc;

use super::KeyFault;
use super::life::{Draft, KeyDetail, moved, standing};
use crate::commit::Sequenced;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyOrigin, KeyRecord, KeyState, RequestId, VersionState};
use crate::policy::key_act;
use crate::policy::{Authorized, OnKey};
use crate::store::{KeyWrite, VersionRow};
use kms::KeyId;

/// Most versions of one key.
const VERSIONS_MAX: u32 = 1_000_000;

impl Engine {
    /// Gives a key a new version, which protects from now on. Older ones open.
    pub async fn rotate_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Rotate>>,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let draft = self
            .rotated(proof.grant().key(), VersionState::Deactivated)
            .await?;
        self.changed(&proof, draft, request).await
    }

    /// Declares a version compromised. If it is the current one, the key gets a new one first; a key whose
    /// material is imported opens and verifies, and protects nothing until its owner brings new material.
    pub async fn compromise_version(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Compromise>>,
        version: u32,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = proof.grant().key();
        let replaced = version == record.current && record.origin == KeyOrigin::Vault;
        let mut draft = if replaced {
            self.rotated(record, VersionState::Compromised).await?
        } else {
            match self.version_state(&record.id, version).await? {
                VersionState::Active | VersionState::Deactivated => {}
                VersionState::Compromised | VersionState::Destroyed => {
                    return Err(EngineError::Key(KeyFault::Version));
                }
            }
            let compromised =
                KeyWrite::SetVersion(record.id.clone(), version, VersionState::Compromised);
            Draft {
                writes: vec![compromised],
                ..Draft::of(standing(record)?)
            }
        };
        draft.version = version;
        self.changed(&proof, draft, request).await
    }

    /// Destroys an older version that nothing needs: one below `open_from`, and for the vault's own
    /// keys one that no stored value is sealed under.
    pub async fn destroy_version(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::DestroyVersion>>,
        version: u32,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = proof.grant().key();
        if version >= record.current {
            return Err(EngineError::Key(KeyFault::Version));
        }
        match self.version_state(&record.id, version).await? {
            VersionState::Deactivated | VersionState::Compromised => {}
            VersionState::Active | VersionState::Destroyed => {
                return Err(EngineError::Key(KeyFault::Version));
            }
        }
        let write = if record.is_own() {
            self.unneeded_own(record, version).await?
        } else if version < record.open_from {
            KeyWrite::DestroyVersion(record.id.clone(), version)
        } else {
            return Err(EngineError::Key(KeyFault::Version));
        };
        let draft = Draft {
            version,
            writes: vec![write],
            ..Draft::of(standing(record)?)
        };
        self.changed(&proof, draft, request).await
    }

    /// A record with one more version, made here.
    pub(super) async fn rotated(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        old: VersionState,
    ) -> Result<Draft, EngineError> {
        if record.origin == KeyOrigin::External {
            return Err(EngineError::Key(KeyFault::Origin));
        }
        let mut next = moved(record, &[KeyState::Active], KeyState::Active)?;
        if record.is_own() && !super::reseal::rotates(record) {
            return Err(EngineError::Key(KeyFault::Own));
        }
        if record.current >= VERSIONS_MAX {
            return Err(EngineError::Key(KeyFault::Version));
        }
        let number = record.current + 1;
        next.current = number;
        next.rotate_at = next.rotation.map(|period| self.clock.now().after(period));
        let made = self.made_version(record, number).await?;
        let retired = KeyWrite::SetVersion(record.id.clone(), record.current, old);
        Ok(Draft {
            record: next,
            writes: vec![made, retired],
            version: number,
        })
    }

    pub(super) async fn made_version(
        self: &Arc<Self>,
        record: &KeyRecord,
        number: u32,
    ) -> Result<KeyWrite, EngineError> {
        let (id, kind) = (record.id.clone(), record.kind);
        self.blocking(move |engine| {
            let wrapped = engine.shelf.envelope.generate(&id, number, kind);
            let wrapped = wrapped.map_err(KeyFault::from)?.blob().to_vec();
            Ok(KeyWrite::AddVersion(VersionRow {
                key: id,
                number,
                state: VersionState::Active,
                wrapped: Some(wrapped),
                created: engine.clock.now(),
            }))
        })
        .await
    }

    async fn version_state(
        self: &Arc<Self>,
        id: &KeyId,
        version: u32,
    ) -> Result<VersionState, EngineError> {
        let id = id.clone();
        self.blocking(move |engine| {
            let row = engine.reader.key_version(&id, version)?;
            Ok(row.ok_or(EngineError::Key(KeyFault::Version))?.state)
        })
        .await
    }
}
