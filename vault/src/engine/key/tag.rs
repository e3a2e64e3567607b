//! Message authentication codes, and random bytes.

use std::sync::Arc;

use kms::{KeyKind, SecretBytes, Usage};

use super::act::{ActFacts, fits, no_context, usable};
use super::cipher::key_facts;
use super::{Acted, ItemFault, KeyFault};
use crate::engine::{Engine, EngineError};
use crate::model::{KeyRef, RequestId};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey, OnKeys};
use crate::seal::payload;

/// Most random bytes of one call.
const RANDOM_BYTES_MAX: usize = 1024;

/// One message to be authenticated.
pub struct MacRequest {
    /// The message.
    pub message: SecretBytes,
}

/// A message authentication code: HMAC of the whole message under the version's material (RFC 2104).
pub struct Mac {
    /// The whole code.
    pub bytes: Vec<u8>,
    /// The version that made it.
    pub version: u32,
}

/// One code to be verified.
pub struct MacVerifyRequest {
    /// The message.
    pub message: SecretBytes,
    /// The whole code.
    pub mac: Vec<u8>,
    /// The version that made it; the current one where it is not said. Others are not tried.
    pub version: Option<u32>,
}

/// Whether a code or a signature is the message's.
pub struct Verdict {
    /// Whether it is.
    pub valid: bool,
    /// The version that was asked.
    pub version: u32,
}

impl Engine {
    /// Makes message authentication codes.
    pub async fn mac(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Mac>>,
        version: Option<u32>,
        items: Vec<MacRequest>,
        request: RequestId,
    ) -> Result<Acted<Mac>, EngineError> {
        self.batch_size(items.len())?;
        let record = proof.grant().key();
        usable(record, Usage::Mac)?;
        let open = self.opened_to_protect(record, version).await?;
        let facts = key_facts(&proof, open.version(), request);
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| item.message.len()).sum();
        let tag = move || {
            let one = |item: MacRequest| {
                let tag = fits(&item.message, bytes_max)
                    .and_then(|()| Ok(payload::mac(&open, &item.message)?));
                let made = |(bytes, version)| Mac { bytes, version };
                (
                    no_context(),
                    tag.map(|tag| tag.with(open.version()).map(made)),
                )
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, tag).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// The code of an alert's message under a key of kind `hmac-sha-256`. No unit asks for it, and the
    /// alert's own entry is its record.
    pub(in crate::engine) async fn alert_code(
        self: &Arc<Self>,
        key: &KeyRef,
        message: &[u8],
    ) -> Result<Vec<u8>, EngineError> {
        let record = self.find_key(key).await?.ok_or(KeyFault::Version)?;
        usable(&record, Usage::Mac)?;
        if record.kind != KeyKind::HmacSha256 {
            return Err(KeyFault::Usage(record.kind).into());
        }
        let open = self.opened_to_protect(&record, None).await?;
        let code = open.mac().and_then(|key| key.tag(message));
        code.map_err(|_| KeyFault::Broken.into())
    }

    /// Says whether codes are their messages'.
    pub async fn verify_mac(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::VerifyMac>>,
        items: Vec<MacVerifyRequest>,
        request: RequestId,
    ) -> Result<Acted<Verdict>, EngineError> {
        self.batch_size(items.len())?;
        let record = Arc::clone(proof.grant().key());
        usable(&record, Usage::Mac)?;
        let named = items
            .iter()
            .map(|item| item.version.unwrap_or(record.current));
        let opened = self.opened_versions(&record, named).await;
        let facts = key_facts(&proof, opened.only(), request);
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| item.message.len()).sum();
        let verify = move || {
            let one = |item: MacVerifyRequest| {
                let version = item.version.unwrap_or(record.current);
                let verdict = fits(&item.message, bytes_max)
                    .and(opened.of(version))
                    .and_then(|open| Ok(payload::verify_mac(open, &item.message, &item.mac)?));
                let said = |(valid, version)| Verdict { valid, version };
                (
                    no_context(),
                    verdict.map(|verdict| verdict.with(version).map(said)),
                )
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, verify).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// Gives random bytes of the system: 1 to 1,024.
    pub async fn random(
        &self,
        proof: Authorized<OnKeys<key_act::Random>>,
        bytes: usize,
        request: RequestId,
    ) -> Result<Acted<SecretBytes>, EngineError> {
        if !(1..=RANDOM_BYTES_MAX).contains(&bytes) {
            return Err(EngineError::Key(KeyFault::Range {
                name: "bytes",
                range: format!("1 to {RANDOM_BYTES_MAX}"),
            }));
        }
        let facts = ActFacts {
            operation: key_act::Random::OPERATION,
            key: None,
            purpose: None,
            request,
        };
        let drawn = payload::random(bytes).map_err(ItemFault::from);
        self.record_act(&proof, facts, vec![(no_context(), drawn)])
            .await
    }
}
