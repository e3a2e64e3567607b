//! Material that owners bring: wrapped under a key of the HSM, with a permission that serves once.

use std::sync::Arc;
use std::time::Duration;

use kms::ImportKey;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::cipher::key_facts;
use super::life::Draft;
use super::{KeyDetail, KeyFault};
use crate::commit::Sequenced;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyOrigin, KeyRecord, KeyState, RequestId, Timestamp, VersionState};
use crate::policy::key_act;
use crate::policy::{Authorized, OnKey};
use crate::store::{Change, ImportRow, KeyWrite, VersionRow};

/// How long a permission to import counts.
const TICKET_LIFE: Duration = Duration::from_hours(24);

/// Bytes of a permission.
const TICKET_BYTES: usize = 32;

/// Bits of the HSM's wrapping key (RSA).
const WRAPPING_BITS: u64 = 3072;

/// What an owner needs to bring material: `RSA-OAEP-SHA256(ephemeral AES-256) || AES-KWP(material)`.
pub struct ImportParameters {
    /// The HSM's public key, PEM (SPKI).
    pub public_key_pem: String,
    /// The permission: serves once, for this key. Whoever has it and may import can use it.
    pub ticket: Zeroizing<Vec<u8>>,
    /// First instant at which it counts no longer.
    pub expires: Timestamp,
}

/// What an owner brings.
pub struct ImportMaterial {
    /// The permission.
    pub ticket: Vec<u8>,
    /// The wrapped material.
    pub wrapped: Vec<u8>,
}

impl Engine {
    /// Gives what is needed to bring material for this key. The HSM's wrapping key is made if it is missing.
    pub async fn import_parameters(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Import>>,
        request: RequestId,
    ) -> Result<(ImportParameters, Sequenced), EngineError> {
        let record = proof.grant().key();
        importable(record)?;
        let wrapping = self.blocking(|engine| Ok(engine.wrapping_key()?)).await?;
        let ticket = kms::random_bytes(TICKET_BYTES).map_err(KeyFault::from)?;
        let expires = self.clock.now().after(TICKET_LIFE);
        let row = ImportRow {
            ticket: hashed(ticket.expose()),
            key: record.id.clone(),
            wrapping: self.shelf.settings.import_label.clone(),
            expires,
        };
        let change = Change {
            keys: vec![KeyWrite::AddImport(row)],
            ..Change::none()
        };
        let facts = key_facts(&proof, record.current, request);
        let entry = self.record_plain(&proof, facts, change).await?;
        let parameters = ImportParameters {
            public_key_pem: wrapping.pem(),
            ticket: Zeroizing::new(ticket.expose().to_vec()),
            expires,
        };
        Ok((parameters, entry))
    }

    /// Takes material in as the key's next version. The permission is used up with it, not before.
    pub async fn import(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Import>>,
        material: ImportMaterial,
        request: RequestId,
    ) -> Result<(KeyDetail, Sequenced), EngineError> {
        let record = Arc::clone(proof.grant().key());
        importable(&record)?;
        let draft = self
            .blocking(move |engine| Ok(engine.imported(&record, &material)?))
            .await?;
        self.changed(&proof, draft, request).await
    }

    fn imported(&self, record: &KeyRecord, brought: &ImportMaterial) -> Result<Draft, KeyFault> {
        let ticket = hashed(&brought.ticket);
        let row = self.reader.import(&ticket).map_err(|_| KeyFault::Broken)?;
        let now = self.clock.now();
        let permits = |row: &ImportRow| row.key == record.id && now < row.expires;
        let row = row.filter(permits).ok_or(KeyFault::Ticket)?;
        let wrapping = self
            .shelf
            .hsm
            .import_key(&row.wrapping)
            .map_err(kms::Error::from)?;
        let wrapping = wrapping.ok_or(KeyFault::Ticket)?;
        let material = kms::unwrap_import(&self.shelf.hsm, &wrapping, &brought.wrapped);
        let number = record.current + 1;
        let wrapped = material.and_then(|material| {
            self.shelf
                .envelope
                .wrap(&record.id, number, record.kind, &material)
        });
        let wrapped = wrapped.map_err(unfit)?;
        let mut next = record.clone();
        next.state = KeyState::Active;
        next.current = number;
        let mut draft = Draft::of(next);
        draft.writes.push(KeyWrite::TakeImport(ticket, now));
        // A compromised version stays so.
        if record.current_state == Some(VersionState::Active) {
            let retired = VersionState::Deactivated;
            draft.writes.push(KeyWrite::SetVersion(
                record.id.clone(),
                record.current,
                retired,
            ));
        }
        draft.writes.push(KeyWrite::AddVersion(VersionRow {
            key: record.id.clone(),
            number,
            state: VersionState::Active,
            wrapped: Some(wrapped.blob().to_vec()),
            created: now,
        }));
        Ok(draft)
    }

    fn wrapping_key(&self) -> Result<ImportKey, KeyFault> {
        let (hsm, label) = (&self.shelf.hsm, &self.shelf.settings.import_label);
        if let Some(key) = hsm.import_key(label).map_err(kms::Error::from)? {
            return Ok(key);
        }
        let made = hsm.generate_import_key(label, WRAPPING_BITS);
        Ok(made.map_err(kms::Error::from)?)
    }
}

fn importable(record: &KeyRecord) -> Result<(), KeyFault> {
    if record.origin != KeyOrigin::External {
        return Err(KeyFault::Origin);
    }
    match record.state {
        KeyState::PreActivation | KeyState::Active => Ok(()),
        state => Err(KeyFault::State(state)),
    }
}

/// A permission is stored as a hash: who reads the database can't use it.
fn hashed(ticket: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, ticket).as_ref());
    hash
}

/// One answer for what does not open and for what is not material of the kind.
fn unfit(error: kms::Error) -> KeyFault {
    match error {
        kms::Error::Unopened
        | kms::Error::MaterialLength { .. }
        | kms::Error::MaterialWeak
        | kms::Error::MaterialRange => KeyFault::Material,
        error => error.into(),
    }
}
