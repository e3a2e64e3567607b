//! The key that signs access tokens of the vault's own: an Ed25519 key of the key service.

use std::collections::BTreeMap;
use std::sync::Arc;

use kms::{KeyKind, PublicKey, SecretBytes, Usage};

use super::KeyFault;
use super::act::{named, usable};
use crate::commit::Withheld;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyRecord, KeyRef, VersionState};
use crate::seal::payload::{self, Signable, SignatureForm};

/// Versions whose public halves are told: the newest that still verify.
const VERSIONS_MAX: usize = 8;

/// A version that signs now.
pub(in crate::engine) struct TokenSigner {
    open: Arc<kms::OpenKey>,
    record: Arc<KeyRecord>,
}

impl TokenSigner {
    /// What tokens name it by.
    pub(in crate::engine) fn kid(&self) -> String {
        kid(&self.record, self.open.version())
    }

    /// What the entry says of it.
    pub(in crate::engine) fn named(&self) -> (String, u32) {
        named(&self.record, self.open.version())
    }

    pub(in crate::engine) fn sign(&self, message: &str) -> Result<Withheld<Vec<u8>>, EngineError> {
        let message = Signable::Message(SecretBytes::new(message.as_bytes().to_vec()));
        let signature = payload::sign(&self.open, &message, SignatureForm::Raw);
        signature.map_err(|_| KeyFault::Broken.into())
    }
}

/// What verifies tokens of the vault's own.
#[derive(Default)]
pub struct TokenKeys {
    /// As JSON Web Keys, by what tokens name them by.
    pub keys: BTreeMap<String, String>,
    /// Why a version that may verify is not among them: the HSM is away, and it was not opened before.
    pub missing: Option<KeyFault>,
}

impl Engine {
    /// The current version of the key, if it may sign tokens.
    pub(in crate::engine) async fn token_signer(
        self: &Arc<Self>,
        key: &KeyRef,
    ) -> Result<TokenSigner, EngineError> {
        let record = self.token_key(key).await?;
        let open = self.opened_to_protect(&record, None).await?;
        Ok(TokenSigner { open, record })
    }

    /// The public halves that verify tokens: of the key's current version and of older ones that are not compromised.
    /// What is `known` is not opened again, so that what was decided of a version counts while the HSM is away too.
    pub async fn token_keys(
        self: &Arc<Self>,
        key: &KeyRef,
        known: &BTreeMap<String, String>,
    ) -> Result<TokenKeys, EngineError> {
        let record = self.token_key(key).await?;
        let id = record.id.clone();
        let versions = self.blocking(move |engine| Ok(engine.reader.key_versions(&id)?));
        let verifies = |state| matches!(state, VersionState::Active | VersionState::Deactivated);
        let mut newest: Vec<u32> = versions
            .await?
            .into_iter()
            .filter(|version| verifies(version.state) && version.number >= record.open_from)
            .map(|version| version.number)
            .collect();
        let first = newest.len().saturating_sub(VERSIONS_MAX);
        let mut found = TokenKeys::default();
        for number in newest.split_off(first) {
            let name = kid(&record, number);
            let jwk = match known.get(&name) {
                Some(jwk) => Ok(jwk.clone()),
                None => self.token_key_shown(&record, number).await,
            };
            match jwk {
                Ok(jwk) => drop(found.keys.insert(name, jwk)),
                Err(fault) => found.missing = Some(fault),
            }
        }
        Ok(found)
    }

    async fn token_key_shown(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        version: u32,
    ) -> Result<String, KeyFault> {
        let open = self.opened_older(record, version).await?;
        let public = open.signer().map(kms::SigningKey::public);
        let public: PublicKey = public.map_err(|_| KeyFault::Broken)?;
        Ok(public.jwk_named(&kid(record, version)))
    }

    /// Whoever signs with this key at will can make anyone's access token: no request does, whatever policy says.
    pub(super) fn signs_no_tokens(&self, record: &KeyRecord) -> Result<(), KeyFault> {
        let is_it = match &self.shelf.settings.token_key {
            None => false,
            Some(KeyRef::Id(id)) => record.id == *id,
            Some(KeyRef::Alias(alias)) => record.aliases.contains(alias),
        };
        if is_it { Err(KeyFault::Own) } else { Ok(()) }
    }

    async fn token_key(self: &Arc<Self>, key: &KeyRef) -> Result<Arc<KeyRecord>, EngineError> {
        let record = self.find_key(key).await?.ok_or(KeyFault::Version)?;
        usable(&record, Usage::Sign)?;
        if record.kind == KeyKind::Ed25519 {
            Ok(record)
        } else {
            Err(KeyFault::Usage(record.kind).into())
        }
    }
}

fn kid(record: &KeyRecord, version: u32) -> String {
    format!("{}:v{version}", record.id.as_str())
}
